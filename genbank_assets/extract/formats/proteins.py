"""FASTA of proteins: translations from the records, and the residues of protein records.

If the table of coding sequences exists, translations are read from it, because it is much smaller than the features.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from genbank_assets.errors import IntegrityError
from genbank_assets.extract.choice import NO_FEATURE
from genbank_assets.extract.formats.base import Block, FormatOptions
from genbank_assets.extract.formats.fasta import FIELDS, NO_RESIDUES, first_word, record_blocks
from genbank_assets.extract.formats.features import CdsFasta, flags_of, text_block
from genbank_assets.extract.headers import Header
from genbank_assets.extract.plan import Ints
from genbank_assets.extract.scan import FEATURES, Scan
from genbank_assets.extract.selection import Selection
from genbank_assets.tables.arrow_text import text_buffer
from genbank_assets.tables.clades import Taxonomy
from genbank_assets.tables.feature_arrays import LOCATION_COLUMNS, FeatureArrays, Flags

NO_TRANSLATION = "feature: no translation is given"
REPEATED_PROTEIN = "feature: its protein comes as a record of its own, or from another coding sequence"
MAX_FEATURES = 1 << 24  # per record
_OF_RECORDS = ("accession_version", "length", "length_unit", "sequence_sha256", "definition")
_IN_TABLE = {*FIELDS, "key", "number", "gene", "locus_tag", "product", "protein_id"}
_READ = ["record_ordinal", "feature_ordinal", "protein_id", "product", "gene", "locus_tag", "translation"]


class TranslationReader:
    """The translations in a table of coding sequences, by record."""

    def __init__(self, path: Path, *, open_table: Callable[[Path], pq.ParquetFile]) -> None:
        try:
            self._file = open_table(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise IntegrityError(f"{path} cannot be read ({error}); materialize cds again") from error
        footer = self._file.metadata
        at = footer.schema.names.index("record_ordinal")
        bounds = [footer.row_group(group).column(at).statistics for group in range(footer.num_row_groups)]
        self._bounds = [
            (group, bound.min, bound.max)
            for group, bound in enumerate(bounds)
            if bound is not None and bound.has_min_max
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def of(self, ordinals: Ints) -> pa.RecordBatch:
        """Return the coding sequences of some records (ascending, at least one), in order."""
        groups = [group for group, low, high in self._bounds if low <= ordinals[-1] and high >= ordinals[0]]
        table = self._file.read_row_groups(groups, columns=_READ, use_threads=False).combine_chunks()
        (batch,) = table.to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
        owner = batch.column("record_ordinal").to_numpy()
        at = np.minimum(np.searchsorted(ordinals, owner), len(ordinals) - 1)
        return batch.filter(pa.array(ordinals[at] == owner))


class ProteinFasta(CdsFasta):
    """Translations from the records, and the residues of protein records."""

    name = "protein"
    template = "{product} [{organism}]"

    def blocks(self, scan: Scan) -> Iterator[Block]:
        table = self._table(scan)
        if table is None:
            yield from super().blocks(scan)
            return
        with TranslationReader(table, open_table=scan.plan.input.tables.open) as reader:
            for batch in scan.batches([*_OF_RECORDS, *self._fields]):
                for part, is_protein in _runs(batch):
                    yield from self._proteins(part, scan) if is_protein else self._read(part, scan, reader)

    def names(self, scan: Scan) -> Iterator[tuple[pa.Array, Ints, Ints, bool]]:
        """Yield the proteins of a stretch without their residues.

        Yields:
            Names, records and features of the proteins (all (n,)), and whether these are protein records.
        """
        table = self._table(scan)
        open_table = scan.plan.input.tables.open
        found_in = contextlib.nullcontext() if table is None else TranslationReader(table, open_table=open_table)
        with found_in as reader:
            for batch in scan.batches([*_OF_RECORDS, *self._fields] if reader is not None else self._columns):
                for part, is_protein in _runs(batch):
                    ordinals = part.column("record_ordinal").to_numpy()
                    if is_protein:
                        filled = part.column("sequence_sha256").is_valid()
                        ordinals = ordinals[flags_of(filled)]
                        yield part.column("accession_version").filter(filled), ordinals, np.zeros_like(ordinals), True
                    elif reader is not None:
                        found = self._translated(part, scan, reader)
                        owner = found.column("record_ordinal").to_numpy()
                        yield found.column("protein_id"), owner, found.column("feature_ordinal").to_numpy(), False
                    else:
                        features, chosen, _ = self._chosen(part, scan)
                        names = features.first("protein_id").take(pa.array(chosen))
                        yield names, ordinals[features.record[chosen]], features.ordinal[chosen], False

    def _table(self, scan: Scan) -> Path | None:
        """Return the table of coding sequences, if it has all the requested fields."""
        if self.selection.asks_for_features or not set(self._header.fields) <= _IN_TABLE:
            return None
        return scan.plan.input.coding_sequences.get(scan.plan.file.name)

    def _translated(self, batch: pa.RecordBatch, scan: Scan, reader: TranslationReader) -> pa.RecordBatch:
        """Return the rows of the table whose translations are to be written."""
        found = reader.of(batch.column("record_ordinal").to_numpy())
        owner = found.column("record_ordinal").to_numpy()
        scan.counts[NO_FEATURE] += batch.num_rows - len(np.unique(owner))
        scan.counts[FEATURES] += len(owner)
        scan.counts[NO_TRANSLATION] += found.column("translation").null_count
        found = found.filter(found.column("translation").is_valid())
        kept = _first_of_its_protein(
            scan, found.column("record_ordinal").to_numpy(), found.column("feature_ordinal").to_numpy()
        )
        return found if kept is None else found.filter(pa.array(kept))

    def _read(self, batch: pa.RecordBatch, scan: Scan, reader: TranslationReader) -> Iterator[Block]:
        """Yield translations from the table of coding sequences, which has few other columns."""
        found = self._translated(batch, scan, reader)
        if not found.num_rows:
            return
        ordinals = batch.column("record_ordinal").to_numpy()
        rows = pa.array(np.searchsorted(ordinals, found.column("record_ordinal").to_numpy()))
        frame = pl.DataFrame(
            {name: pl.from_arrow(batch.column(name).take(rows)) for name in {"accession_version", *self._fields}}
            | {name: pl.from_arrow(found.column(name)) for name in ("product", "protein_id", "gene", "locus_tag")}
            | {"number": found.column("feature_ordinal").to_numpy() + 1}
        ).with_columns(key=pl.lit("CDS"))
        text, offsets = text_buffer(found.column("translation"))
        names = batch.column("accession_version").take(rows)
        yield text_block(text, offsets, self._lines(frame), names, width=self.options.width)

    def batch_blocks(self, batch: pa.RecordBatch, scan: Scan) -> Iterator[Block]:
        """Yield the translations of coding sequences, and protein records themselves."""
        for part, is_protein in _runs(batch):
            yield from self._proteins(part, scan) if is_protein else self._translations(part, scan)

    def _chosen(self, batch: pa.RecordBatch, scan: Scan) -> tuple[FeatureArrays, Ints, pa.Array]:
        """Return the features of a batch, and which of them have translations to be written."""
        features = FeatureArrays(batch)
        chosen = np.flatnonzero(self._choice.wanted(features, batch))
        scan.counts[NO_FEATURE] += batch.num_rows - len(np.unique(features.record[chosen]))
        scan.counts[FEATURES] += len(chosen)
        given = features.first("translation").take(pa.array(chosen))
        without = given.null_count
        if without:
            scan.counts[NO_TRANSLATION] += without
            chosen, given = chosen[flags_of(given.is_valid())], given.drop_null()
        ordinals = batch.column("record_ordinal").to_numpy()[features.record[chosen]]
        kept = _first_of_its_protein(scan, ordinals, features.ordinal[chosen])
        return (features, chosen, given) if kept is None else (features, chosen[kept], given.filter(pa.array(kept)))

    def _translations(self, batch: pa.RecordBatch, scan: Scan) -> Iterator[Block]:
        features, chosen, given = self._chosen(batch, scan)
        if len(chosen):
            if pc.any(pc.match_substring_regex(given, r"\s")).as_py():
                given = pc.replace_substring_regex(given, r"\s+", "")
            text, offsets = text_buffer(given)
            lines = self._lines(self._frame(features, chosen, batch))
            names = batch.column("accession_version").take(pa.array(features.record[chosen]))
            yield text_block(text, offsets, lines, names, width=self.options.width)

    def _proteins(self, batch: pa.RecordBatch, scan: Scan) -> Iterator[Block]:
        filled = batch.column("sequence_sha256").is_valid()
        scan.counts[NO_RESIDUES] += filled.false_count
        batch = batch.filter(filled)
        scan.counts[FEATURES] += batch.num_rows
        if not batch.num_rows:
            return
        # The definition of a protein record already ends with the organism.
        header = Header("{definition}", fields=FIELDS) if self.options.header is None else self._header
        lines = header.join(lambda name: _of_protein(batch, name), word=first_word(batch, kraken=self.options.kraken))
        yield from record_blocks(
            batch, headers=lines, reader=scan.reader, width=self.options.width, file=scan.plan.file.name
        )

    def __init__(self, selection: Selection, options: FormatOptions, taxonomy: Taxonomy | None) -> None:
        super().__init__(selection, options, taxonomy)
        self._columns = [name for name in self._columns if name not in LOCATION_COLUMNS] + ["definition"]
        wanted = {*self._header.fields, *({"location", "partial"} if "tags" in self._header.fields else ())}
        self._columns += LOCATION_COLUMNS if wanted & {"location", "partial"} else []


def place_of(ordinals: Ints, features: Ints) -> Ints:
    """Encode records and features as one integer each, preserving their order, (n,)."""
    found: Ints = ordinals.astype(np.int64) * MAX_FEATURES + features
    return found


def _first_of_its_protein(scan: Scan, ordinals: Ints, features: Ints) -> Flags | None:
    """Return whether an entry is the first of its protein, counting others, (n,); None if all are."""
    if scan.plan.repeated_proteins is None or not len(ordinals):
        return None
    again = np.load(scan.plan.repeated_proteins, mmap_mode="r")
    places = place_of(ordinals, features)
    kept: Flags = again[np.minimum(np.searchsorted(again, places), len(again) - 1)] != places
    scan.counts[REPEATED_PROTEIN] += int((~kept).sum())
    return kept


def _of_protein(batch: pa.RecordBatch, field: str) -> pa.Array:
    """Return a header field of a protein record: a column of the record, or a value of its single feature."""
    same = {"product": "definition", "protein_id": "accession_version"}
    if field in {"key", "number"}:
        return pa.array(["protein" if field == "key" else "1"] * batch.num_rows, pa.string())
    if field in {"gene", "locus_tag", "location", "partial", "tags"}:
        return pa.nulls(batch.num_rows, pa.string())
    return batch.column(same.get(field, field))


def _runs(batch: pa.RecordBatch) -> Iterator[tuple[pa.RecordBatch, bool]]:
    """Split a batch into runs of protein records and others."""
    is_protein = flags_of(pc.equal(batch.column("length_unit"), "aa"))
    bounds = np.flatnonzero(np.r_[True, is_protein[1:] != is_protein[:-1], True])
    for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        yield batch.slice(first, last - first), bool(is_protein[first])
