"""GFF3: the features of records, one line per span, with NCBI's attributes.

https://github.com/The-Sequence-Ontology/Specifications: feature keys are converted to Sequence Ontology types if there
are any, and kept as ``gbkey``. A feature across the origin of a circular record ends beyond its length, as the format
requires. Features with a span in another record are excluded and counted. Lines are built from whole columns, without
a Python object per feature or qualifier.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from genbank_assets.extract.choice import NO_FEATURE, FeatureChoice
from genbank_assets.extract.formats.base import Block, Format, FormatOptions
from genbank_assets.extract.formats.features import flags_of
from genbank_assets.extract.formats.gff3_attributes import attributes_of, seqids, text_series
from genbank_assets.extract.formats.ontology import TYPES
from genbank_assets.extract.plan import Ints
from genbank_assets.extract.scan import FEATURES, Scan
from genbank_assets.extract.selection import Selection
from genbank_assets.tables.arrow_text import text_buffer
from genbank_assets.tables.clades import Taxonomy
from genbank_assets.tables.feature_arrays import FeatureArrays, Flags
from genbank_assets.tables.splicing import REASONS, Spans, spans_of

_COLUMNS = (
    "accession_version", "length", "topology", "features.list.element.key", "features.list.element.location",
    "features.list.element.operator", "features.list.element.strand", "features.list.element.partial_start",
    "features.list.element.partial_end", "features.list.element.spans_origin", "features.list.element.spans",
    "features.list.element.qualifiers",
)  # fmt: skip


class Gff3(Format):
    """``NC_001422.1  RefSeq  CDS  51  221  .  +  0  ID=…;Parent=…;gbkey=CDS;gene=K;…``. An entry is a record."""

    name = "gff3"
    suffix = "gff3"
    chooses_features = True

    def __init__(self, selection: Selection, options: FormatOptions, taxonomy: Taxonomy | None) -> None:
        super().__init__(selection, options, taxonomy)
        self._choice = FeatureChoice(selection)

    @property
    def preamble(self) -> bytes:
        return b"##gff-version 3\n"

    def blocks(self, scan: Scan) -> Iterator[Block]:
        source = "RefSeq" if scan.plan.input.partition.key.collection == "refseq" else "Genbank"
        for batch in scan.batches([*_COLUMNS, *self._choice.columns]):
            features = FeatureArrays(batch)
            wanted = self._choice.wanted(features, batch)
            spans = spans_of(
                features, record_length=batch.column("length").to_numpy(), is_circular=_are_circular(batch)
            )
            for number, count in zip(*np.unique(spans.refused[wanted], return_counts=True), strict=True):
                if number:
                    scan.counts[f"feature: {REASONS[number]}"] += int(count)
            scan.counts[FEATURES] += int(wanted.sum())
            rows = np.arange(batch.num_rows)
            if self.selection.asks_for_features:
                rows = np.unique(features.record[wanted])
                scan.counts[NO_FEATURE] += batch.num_rows - len(rows)
            if len(rows):
                written = _Features(batch, features, spans, np.flatnonzero(wanted & (spans.refused == 0)))
                yield _block(batch, rows, written.lines(source=source), source=source)


@dataclasses.dataclass(frozen=True)
class _Lines:
    """The lines of the features of a batch.

    Attributes:
        row: row of the record of each line, (lines,).
        text: the lines without line ends, (lines,).
        circles: rows of records with a line across the origin, but without a line that has ``Is_circular``.
    """

    row: Ints
    text: pl.Series
    circles: Ints


class _Features:
    """The features to write.

    Args:
        batch: the records.
        features: their features.
        spans: the spans of all features.
        chosen: indices of the features to write (ascending).
    """

    def __init__(self, batch: pa.RecordBatch, features: FeatureArrays, spans: Spans, chosen: Ints) -> None:
        self._features, self._spans, self._chosen = features, spans.take(chosen), chosen
        self.row = features.record[chosen]
        self._length = batch.column("length").to_numpy()[self.row]
        self._circular = _are_circular(batch)[self.row]
        self._names = seqids(batch.column("accession_version")).gather(self.row)
        self._key = text_series(features.field("key").take(pa.array(chosen)))

    def lines(self, *, source: str) -> _Lines:
        """Return one line per span; a span across the origin is one line that ends beyond the length."""
        attributes = attributes_of(
            self._features, self._chosen, spans=self._spans, names=self._names, key=self._key, is_circle=self._is_circle
        )
        spans, count = self._spans, len(self._chosen)
        owner = np.repeat(np.arange(count), np.diff(spans.offsets))
        length = self._length[owner]
        start, end, joined = _over_origin(owner, spans, length)
        is_site = spans.end < spans.start  # a position between residues: to the right of the named one
        end = np.where(is_site, start, end)
        sizes = np.maximum(spans.end - spans.start + 1, 0)
        before = np.cumsum(sizes) - sizes
        before -= before[spans.offsets[:-1]][owner] if count else 0
        phase = pl.Series(((self._skipped()[owner] - before) % 3).astype(np.int8)).cast(pl.String)
        frame = pl.DataFrame({"owner": owner, "start": start, "end": end, "phase": phase}).with_columns(
            strand=pl.Series(np.where(spans.reverse, 1, 0)).replace_strict([0, 1], ["+", "-"], return_dtype=pl.String)
        )
        frame = frame.filter(~pl.Series(joined))
        kept = frame["owner"].to_numpy()
        line = frame.select(
            pl.concat_str(
                self._names.gather(kept),
                pl.lit(source),
                self._key.replace_strict(TYPES, default="sequence_feature", return_dtype=pl.String).gather(kept),
                "start",
                "end",
                pl.lit("."),
                "strand",
                pl.when((self._key == "CDS").gather(kept)).then("phase").otherwise(pl.lit(".")),
                attributes.gather(kept),
                separator="\t",
            )
        ).to_series()
        crossing = self.row[owner[np.flatnonzero(joined)]]
        return _Lines(self.row[kept], line, np.setdiff1d(crossing, self.row[self._is_circle]))

    def _skipped(self) -> Ints:
        """Return the number of residues of each feature before its first complete codon, (n,)."""
        given = text_series(self._features.first("codon_start").take(pa.array(self._chosen)))
        number = given.str.strip_chars().cast(pl.Int64, strict=False).fill_null(1)
        return (number.clip(1, 3) - 1).to_numpy()

    @cached_property
    def _is_circle(self) -> Flags:
        """Flags of the features that have ``Is_circular``: the first source of a whole circular record, (n,)."""
        first = self._spans.offsets[:-1]
        found: Flags = self._circular & (self._key == "source").to_numpy() & (np.diff(self._spans.offsets) == 1)
        at = np.flatnonzero(found)
        found[at] = (self._spans.start[first[at]] == 1) & (self._spans.end[first[at]] == self._length[at])
        at = np.flatnonzero(found)
        found[at[np.r_[False, self.row[at[1:]] == self.row[at[:-1]]]] if len(at) else at] = False
        return found


def _block(batch: pa.RecordBatch, rows: Ints, lines: _Lines, *, source: str) -> Block:
    """Return the text of some records of a batch."""
    names = batch.column("accession_version").take(pa.array(rows))
    heads = pl.DataFrame(
        {
            "name": seqids(names),
            "length": batch.column("length").to_numpy()[rows],
            "is_circle": np.isin(rows, lines.circles),
        }
    )
    # Lines that end beyond the length of a record require a line with Is_circular.
    circle = pl.format(
        f"\n{{}}\t{source}\tregion\t1\t{{}}\t.\t+\t.\tID={{}}:1..{{}};Is_circular=true", *["name", "length"] * 2
    )
    head = heads.select(
        pl.format("##sequence-region {} 1 {}", "name", "length")
        + pl.when("is_circle").then(circle).otherwise(pl.lit(""))
    ).to_series()
    order = np.argsort(np.concatenate([rows, lines.row]), kind="stable")  # the head of a record precedes its lines
    text = pl.concat([head, lines.text.alias(head.name)]).gather(order) + "\n"
    data, offsets = text_buffer(text.to_arrow())
    return Block(memoryview(data), offsets[:-1][order < len(rows)], names)


def _over_origin(owner: Ints, spans: Spans, length: Ints) -> tuple[Ints, Ints, Flags]:
    """Return first and last residue of each span, and flags of spans merged into the preceding one."""
    start, end = spans.start.copy(), spans.end.copy()
    joined = np.zeros(len(start), np.bool_)
    if len(start) < 2:
        return start, end, joined
    same = (owner[1:] == owner[:-1]) & (spans.reverse[1:] == spans.reverse[:-1])
    forward = same & ~spans.reverse[1:] & (end[:-1] == length[:-1]) & (start[1:] == 1)
    backward = same & spans.reverse[1:] & (start[:-1] == 1) & (end[1:] == length[1:])
    filled = (end >= start)[1:] & (end >= start)[:-1]
    for span in (np.flatnonzero((forward | backward) & filled) + 1).tolist():  # few
        if joined[span - 1]:
            continue
        joined[span] = True
        if spans.reverse[span]:
            start[span - 1], end[span - 1] = start[span], length[span] + end[span - 1]
        else:
            end[span - 1] = length[span] + end[span]
    return start, end, joined


def _are_circular(batch: pa.RecordBatch) -> Flags:
    """Return whether each record is circular, (records,)."""
    return flags_of(pc.equal(batch.column("topology"), "circular"))
