"""FASTA of proteins: translations as the records give them, and the residues of protein records.

Where the table of coding sequences is there, translations come from it: it is a fraction of what features are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from genbank_assets.errors import IntegrityError
from genbank_assets.extract.formats.base import Block, FormatOptions
from genbank_assets.extract.formats.fasta import FIELDS, frame_of, record_blocks, with_kraken
from genbank_assets.extract.formats.features import NO_FEATURE, CdsFasta, flags_of, text_block
from genbank_assets.extract.headers import Header, fit_for_a_word
from genbank_assets.extract.plan import Ints
from genbank_assets.extract.scan import Scan
from genbank_assets.extract.selection import Selection
from genbank_assets.tables.arrow_text import text_buffer
from genbank_assets.tables.clades import Taxonomy
from genbank_assets.tables.feature_arrays import LOCATION_COLUMNS, FeatureArrays

NO_TRANSLATION = "feature: no translation is given"
_OF_RECORDS = ("accession_version", "length", "length_unit", "sequence_sha256", "definition")
_IN_TABLE = {*FIELDS, "key", "number", "gene", "locus_tag", "product", "protein_id"}
_READ = ["record_ordinal", "feature_ordinal", "protein_id", "product", "gene", "locus_tag", "translation"]


class TranslationReader:
    """The translations of a table of coding sequences, by record."""

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
        """The coding sequences of some records (ascending, at least one), in order."""
        groups = [group for group, low, high in self._bounds if low <= ordinals[-1] and high >= ordinals[0]]
        table = self._file.read_row_groups(groups, columns=_READ, use_threads=False).combine_chunks()
        (batch,) = table.to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
        owner = batch.column("record_ordinal").to_numpy()
        at = np.minimum(np.searchsorted(ordinals, owner), len(ordinals) - 1)
        return batch.filter(pa.array(ordinals[at] == owner))


class ProteinFasta(CdsFasta):
    """Translations as the records give them, and the residues of protein records."""

    name = "protein"
    template = "{product} [{organism}]"

    def blocks(self, scan: Scan) -> Iterator[Block]:
        table = scan.plan.input.coding_sequences.get(scan.plan.file.name)
        if table is None or self.selection.asks_for_features or not set(self._header.fields) <= _IN_TABLE:
            yield from super().blocks(scan)
            return
        with TranslationReader(table, open_table=scan.plan.input.tables.open) as reader:
            for batch in scan.batches([*_OF_RECORDS, *self._fields]):
                for part, is_protein in _runs(batch):
                    yield from self._proteins(part, scan) if is_protein else self._read(part, scan, reader)

    def _read(self, batch: pa.RecordBatch, scan: Scan, reader: TranslationReader) -> Iterator[Block]:
        """Translations from the table of coding sequences, which has little else."""
        ordinals = batch.column("record_ordinal").to_numpy()
        found = reader.of(ordinals)
        owner = found.column("record_ordinal").to_numpy()
        scan.counts[NO_FEATURE] += batch.num_rows - len(np.unique(owner))
        scan.counts[NO_TRANSLATION] += found.column("translation").null_count
        found = found.filter(found.column("translation").is_valid())
        if not found.num_rows:
            return
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
        """Translations of coding sequences; a record that is a protein is one itself."""
        for part, is_protein in _runs(batch):
            yield from self._proteins(part, scan) if is_protein else self._translations(part, scan)

    def _translations(self, batch: pa.RecordBatch, scan: Scan) -> Iterator[Block]:
        features = FeatureArrays(batch)
        chosen = np.flatnonzero(self._choice.wanted(features, batch))
        scan.counts[NO_FEATURE] += batch.num_rows - len(np.unique(features.record[chosen]))
        given = features.first("translation").take(pa.array(chosen))
        without = given.null_count
        if without:
            scan.counts[NO_TRANSLATION] += without
            chosen, given = chosen[flags_of(given.is_valid())], given.drop_null()
        if len(chosen):
            if pc.any(pc.match_substring_regex(given, r"\s")).as_py():
                given = pc.replace_substring_regex(given, r"\s+", "")
            text, offsets = text_buffer(given)
            lines = self._lines(self._frame(features, chosen, batch))
            names = batch.column("accession_version").take(pa.array(features.record[chosen]))
            yield text_block(text, offsets, lines, names, width=self.options.width)

    def _proteins(self, batch: pa.RecordBatch, scan: Scan) -> Iterator[Block]:
        batch = batch.filter(batch.column("sequence_sha256").is_valid())
        if not batch.num_rows:
            return
        frame = frame_of(batch, ("definition", *self._fields)).with_columns(
            key=pl.lit("protein"), number=pl.lit(1), product=pl.col("definition"),
            protein_id=pl.col("accession_version"),
            **{name: pl.lit(None, pl.String) for name in ("gene", "locus_tag", "location", "partial", "tags")},
        )  # fmt: skip
        # The definition of a protein record ends with the organism already.
        header = Header("{definition}", fields=FIELDS) if self.options.header is None else self._header
        word = with_kraken(fit_for_a_word("accession_version"), wanted=self.options.kraken)
        lines = header.lines(frame, first_word=word)
        yield from record_blocks(
            batch, headers=lines, reader=scan.reader, width=self.options.width, file=scan.plan.file.name
        )

    def __init__(self, selection: Selection, options: FormatOptions, taxonomy: Taxonomy | None) -> None:
        super().__init__(selection, options, taxonomy)
        self._columns = [name for name in self._columns if name not in LOCATION_COLUMNS] + ["definition"]
        wanted = {*self._header.fields, *({"location", "partial"} if "tags" in self._header.fields else ())}
        self._columns += LOCATION_COLUMNS if wanted & {"location", "partial"} else []


def _runs(batch: pa.RecordBatch) -> Iterator[tuple[pa.RecordBatch, bool]]:
    """Stretches of a batch that are protein records or none."""
    is_protein = flags_of(pc.equal(batch.column("length_unit"), "aa"))
    bounds = np.flatnonzero(np.r_[True, is_protein[1:] != is_protein[:-1], True])
    for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        yield batch.slice(first, last - first), bool(is_protein[first])
