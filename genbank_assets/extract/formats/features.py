"""FASTA of features extracted from the residues: ``feature`` and ``cds``. Translations belong to ``proteins``.

Equivalent to Biopython's ``extract``: spans joined in reading order, reverse-strand spans complemented, including
across the origin of circular records. Features with a span in another record are excluded and counted. Headers follow
NCBI's style.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from genbank_assets.extract.choice import NO_FEATURE, FeatureChoice
from genbank_assets.extract.formats.base import Block, Format, FormatOptions
from genbank_assets.extract.formats.fasta import FIELDS
from genbank_assets.extract.formats.words import as_word, with_kraken
from genbank_assets.extract.headers import Header
from genbank_assets.extract.plan import Ints
from genbank_assets.extract.scan import FEATURES, Scan
from genbank_assets.extract.selection import Selection
from genbank_assets.tables.clades import Taxonomy
from genbank_assets.tables.cutting import Cut, cut
from genbank_assets.tables.feature_arrays import KEY_COLUMN, LOCATION_COLUMNS, QUALIFIER_COLUMNS, FeatureArrays
from genbank_assets.tables.residue_text import fasta_text
from genbank_assets.tables.splicing import NO_RESIDUES, REASONS, Spans, spans_of

EMPTY = "feature: a place between residues"
FEATURE_FIELDS = ("key", "location", "gene", "locus_tag", "product", "protein_id", "partial", "number", "tags")
_TAGS = ("gene", "locus_tag", "product", "protein_id", "partial", "location")
_RECORD_COLUMNS = ("accession_version", "length", "length_unit", "topology", "sequence_sha256")


class FeatureFasta(Format):
    """Any features: ``>NC_001422.1_CDS_4 [gene=A] [protein_id=…] [location=…]``."""

    name = "feature"
    suffix = "fasta"
    supports = frozenset({"header", "width", "kraken"})
    chooses_features = True
    keys: tuple[str, ...] = ()
    template = "{tags}"
    #: Fields used in the first word, besides record, key and number.
    named_by: tuple[str, ...] = ()

    def __init__(self, selection: Selection, options: FormatOptions, taxonomy: Taxonomy | None) -> None:
        super().__init__(selection, options, taxonomy)
        self._choice = FeatureChoice(selection, keys=self.keys)
        self._header = Header(
            self.template if options.header is None else options.header, fields=(*FIELDS, *FEATURE_FIELDS)
        )
        more = [field for field in self._header.fields if field in FIELDS]
        self._fields = (*more, *(["taxon_id"] * options.kraken))
        self._columns = [*_RECORD_COLUMNS, *self._choice.columns, *self._fields, KEY_COLUMN, *LOCATION_COLUMNS,
                         *QUALIFIER_COLUMNS]  # fmt: skip

    def blocks(self, scan: Scan) -> Iterator[Block]:
        for batch in scan.batches(self._columns):
            yield from self.batch_blocks(batch, scan)

    def batch_blocks(self, batch: pa.RecordBatch, scan: Scan) -> Iterator[Block]:
        """Yield the selected features of a batch."""
        features = FeatureArrays(batch)
        chosen = np.flatnonzero(self._choice.wanted(features, batch))
        scan.counts[NO_FEATURE] += batch.num_rows - len(np.unique(features.record[chosen]))
        scan.counts[FEATURES] += len(chosen)
        spans = spans_of(
            features,
            record_length=batch.column("length").to_numpy(),
            is_circular=flags_of(pc.equal(batch.column("topology"), "circular")),
        )
        chosen = self._cuttable(chosen, spans, features, batch, scan)
        if not len(chosen):
            return
        frame = self._frame(features, chosen, batch)
        rows = features.record[chosen]
        names = batch.column("accession_version").take(pa.array(rows))
        for piece in cut(
            spans.take(chosen),
            ordinals=batch.column("record_ordinal").to_numpy()[rows],
            lengths=batch.column("length").to_numpy()[rows],
            reader=scan.reader,
        ):
            lines = self._lines(frame[piece.features])
            yield from self.cut_lines(piece, lines, names.take(pa.array(piece.features)))

    def cut_lines(self, piece: Cut, lines: tuple[Any, Ints], names: pa.Array) -> Iterator[Block]:
        """Yield extracted features with their header lines."""
        if piece.pieces is not None:
            yield from _streamed(piece.pieces, lines, names, width=self.options.width)
        else:
            yield text_block(piece.residues, piece.offsets, lines, names, width=self.options.width)

    def _cuttable(self, chosen: Ints, spans: Spans, features: FeatureArrays, batch: pa.RecordBatch, scan: Scan) -> Ints:
        """Return the features that can be extracted; others are counted by reason."""
        filled = flags_of(batch.column("sequence_sha256").is_valid())[features.record[chosen]]
        refused = np.where(filled | (spans.refused[chosen] > 0), spans.refused[chosen], NO_RESIDUES)
        for number, count in zip(*np.unique(refused[refused > 0], return_counts=True), strict=True):
            scan.counts[f"feature: {REASONS[number]}"] += int(count)
        chosen = chosen[refused == 0]
        empty = spans.take(chosen).lengths == 0
        if empty.any():
            scan.counts[EMPTY] += int(empty.sum())
        kept: Ints = chosen[~empty]
        return kept

    def _lines(self, frame: pl.DataFrame) -> tuple[Any, Ints]:
        return self._header.lines(frame, first_word=with_kraken(self.first_word(), wanted=self.options.kraken))

    def first_word(self) -> pl.Expr:
        """Return the parts of an entry's identifier: record, key, and position in the record's feature table."""
        return pl.concat_str([as_word("accession_version"), as_word("key"), "number"], separator="_")

    def _frame(self, features: FeatureArrays, chosen: Ints, batch: pa.RecordBatch) -> pl.DataFrame:
        """Return the header fields of some features."""
        take, rows = pa.array(chosen), pa.array(features.record[chosen])
        columns: dict[str, Any] = {
            name: pl.from_arrow(batch.column(name).take(rows)) for name in {"accession_version", *self._fields}
        }
        columns["key"] = pl.from_arrow(features.field("key").take(take))
        columns["number"] = features.ordinal[chosen] + 1
        shown = {*self._header.fields, *self.named_by, *(_TAGS if "tags" in self._header.fields else ())}
        for name in ("gene", "locus_tag", "product", "protein_id"):
            if name in shown:
                columns[name] = pl.from_arrow(features.first(name).take(take))
        if "location" in shown:
            columns["location"] = pl.from_arrow(features.field("location").take(take))
        if "partial" in shown:
            columns["partial"] = _partial(features, chosen)
        frame = pl.DataFrame(columns)
        return frame.with_columns(tags=_tags()) if "tags" in shown else frame


def _partial(features: FeatureArrays, chosen: Ints) -> pl.Series:
    """Return which ends of features are incomplete, in reading direction: ``5'``, ``3'``, both or null."""
    backwards = flags_of(pc.equal(features.field("strand"), -1))[chosen]
    low, high = (features.flags(name)[chosen] for name in ("partial_start", "partial_end"))
    five, three = np.where(backwards, high, low), np.where(backwards, low, high)
    return pl.Series([None, "5'", "3'", "5',3'"], dtype=pl.String).gather(five + 2 * three)


def _tags() -> pl.Expr:
    """Return ``[gene=…] [locus_tag=…] …``, omitting missing values."""
    return pl.concat_str(
        [pl.concat_str([pl.lit(f"[{name}="), pl.col(name), pl.lit("]")]) for name in _TAGS],
        separator=" ",
        ignore_nulls=True,
    )


class CdsFasta(FeatureFasta):
    """Coding sequences, identified by protein or else by record, key and number."""

    name = "cds"
    keys = ("CDS",)
    named_by = ("protein_id",)

    def first_word(self) -> pl.Expr:
        return pl.coalesce(as_word("protein_id"), super().first_word())


def text_block(text: Any, offsets: Ints, lines: tuple[Any, Ints], names: pa.Array, *, width: int) -> Block:
    """Return a block of whole entries from their residues and header lines."""
    begins = np.ones(len(offsets) - 1, np.bool_)
    data, starts, _ = fasta_text(text, offsets[:-1], offsets[1:], begins, *lines, width=width)
    return Block(data, starts, names)


def _streamed(pieces: Iterator[bytes], lines: tuple[Any, Ints], names: pa.Array, *, width: int) -> Iterator[Block]:
    """Yield one long feature in blocks; the last block ends its last line."""
    column, first = 0, True
    for piece in pieces:
        data, starts, column = fasta_text(
            piece, [0], [len(piece)], np.array([first]), lines[0], lines[1] if first else np.zeros(1, np.int64),
            width=width, column=column, close=False,
        )  # fmt: skip
        yield Block(data, starts, names if first else names.slice(0, 0))
        first = False
    if column:
        yield Block(b"\n", np.zeros(0, np.int64), names.slice(0, 0))


def flags_of(values: pa.Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return a boolean column as an array; null is False, (n,)."""
    found: np.ndarray[Any, np.dtype[np.bool_]] = pc.fill_null(values, fill_value=False).to_numpy(zero_copy_only=False)
    return found
