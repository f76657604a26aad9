"""Reference sets with lineages: input for CRABS, SINTAX (USEARCH, VSEARCH) and QIIME 2.

An entry is a feature, or a whole record if no features are selected. It is named by accession.version, with a number
appended for further features of a record. Ranks are those of the taxonomy; missing ones are omitted or marked, as each
program requires.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from genbank_assets.errors import SettingsError
from genbank_assets.extract.formats.base import Block, FormatOptions
from genbank_assets.extract.formats.fasta import NO_RESIDUES, record_blocks
from genbank_assets.extract.formats.features import FeatureFasta
from genbank_assets.extract.formats.words import frame_of
from genbank_assets.extract.plan import Ints
from genbank_assets.extract.scan import Scan
from genbank_assets.extract.selection import Selection
from genbank_assets.tables.arrow_text import text_buffer
from genbank_assets.tables.clades import Taxonomy
from genbank_assets.tables.cutting import Cut
from genbank_assets.tables.feature_arrays import FeatureArrays

# Abbreviations of ranks in SINTAX, and further ones of RESCRIPt for QIIME 2. NCBI's superkingdom became domain in 2025.
_LETTERS = {
    "superkingdom": "d", "domain": "d", "kingdom": "k", "phylum": "p", "class": "c", "order": "o", "family": "f",
    "genus": "g", "species": "s", "strain": "t",
}  # fmt: skip
_PREFIXES = _LETTERS | {
    "subkingdom": "ks", "superphylum": "sp", "subphylum": "ps", "infraphylum": "pi", "superclass": "sc",
    "subclass": "cs", "infraclass": "ci", "cohort": "co", "superorder": "so", "suborder": "os", "infraorder": "oi",
    "parvorder": "op", "superfamily": "sf", "subfamily": "fs", "tribe": "t", "subtribe": "ts", "subgenus": "gs",
    "species group": "ss", "species subgroup": "sgs", "subspecies": "ssb",
}  # fmt: skip
LOWER_RANKS = ("phylum", "class", "order", "family", "genus", "species")


def default_ranks(taxonomy: Taxonomy) -> tuple[str, ...]:
    """Return domain (called superkingdom until 2025) and the main ranks below it."""
    return ("domain" if "domain" in taxonomy.ranks else "superkingdom", *LOWER_RANKS)


class LineageFormat(FeatureFasta):
    """Base class; a line is built from the columns ``name``, ``organism``, ``taxon_id`` and the ranks."""

    needs_taxonomy = True
    supports = frozenset({"ranks"})

    def __init__(self, selection: Selection, options: FormatOptions, taxonomy: Taxonomy | None) -> None:
        super().__init__(selection, options, taxonomy)
        assert taxonomy is not None  # needs_taxonomy
        self._taxonomy = taxonomy
        self.ranks = options.ranks or default_ranks(taxonomy)
        for rank in self.ranks:
            if rank not in _PREFIXES and rank not in taxonomy.ranks:
                known = ", ".join(sorted(taxonomy.ranks))
                raise SettingsError(f"the taxonomy has no rank {rank!r}: its ranks are {known}")
        self._fields = ("organism", "taxon_id")
        self._columns = list(dict.fromkeys([*self._columns, *self._fields]))
        self.options = FormatOptions(width=0)

    def blocks(self, scan: Scan) -> Iterator[Block]:
        if self.selection.asks_for_features:
            yield from super().blocks(scan)
            return
        for batch in scan.batches(["accession_version", "length", "sequence_sha256", *self._fields]):
            filled = batch.column("sequence_sha256").is_valid()
            scan.counts[NO_RESIDUES] += filled.false_count
            rows = batch.filter(filled)
            if rows.num_rows:
                lines = self._lines(frame_of(rows, self._fields).with_columns(name=pl.col("accession_version")))
                yield from self.record_lines(rows, lines, scan)

    def record_lines(self, rows: pa.RecordBatch, lines: tuple[Any, Ints], scan: Scan) -> Iterator[Block]:
        """Yield whole records."""
        yield from record_blocks(rows, headers=lines, reader=scan.reader, width=0, file=scan.plan.file.name)

    def _frame(self, features: FeatureArrays, chosen: Ints, batch: pa.RecordBatch) -> pl.DataFrame:
        frame = super()._frame(features, chosen, batch)
        rows = features.record[chosen]
        fresh = np.r_[True, rows[1:] != rows[:-1]] if len(rows) else np.zeros(0, np.bool_)
        nth = np.arange(len(rows)) - np.maximum.accumulate(np.where(fresh, np.arange(len(rows)), 0)) + 1
        number = pl.Series(nth)
        suffix = pl.when(number > 1).then(pl.concat_str([pl.lit("_"), number.cast(pl.String)])).otherwise(pl.lit(""))
        return frame.with_columns(name=pl.concat_str(["accession_version", suffix]))

    def _lines(self, frame: pl.DataFrame) -> tuple[Any, Ints]:
        taxa = frame["taxon_id"].fill_null(0).to_numpy()
        different, at = np.unique(taxa, return_inverse=True)
        resolved = self._taxonomy.resolve(different)
        lineages = self._taxonomy.lineage(resolved.taxon_ids, ranks=self.ranks)
        columns = {
            f"rank_{n}": pl.Series([line[n] for line in lineages], dtype=pl.String).gather(at)
            for n in range(len(self.ranks))
        }
        now = pl.Series(resolved.taxon_ids).gather(at)
        line = frame.with_columns(**columns, taxon_id=now).select(line=self.line()).to_series()
        return text_buffer(line.to_arrow())

    @abc.abstractmethod
    def line(self) -> pl.Expr:
        """Return the text before the residues of an entry, including its line end if there is one."""

    def _ranks(self) -> list[pl.Expr]:
        return [pl.col(f"rank_{n}").str.replace_all(r"[\x00-\x1f;,]+", " ") for n in range(len(self.ranks))]


class Crabs(LineageFormat):
    """CRABS: accession, name, taxon, lineage and residues in columns; ``NA`` for missing values."""

    name = "crabs"
    suffix = "txt"

    def line(self) -> pl.Expr:
        ranks = [rank.fill_null("NA") for rank in self._ranks()]
        accession = pl.col("name").str.replace(r"\.\d+", "")
        organism = pl.col("organism").str.replace_all(r"[\x00-\x1f]+", " ").fill_null("NA")
        return pl.concat_str(
            [accession, organism, pl.col("taxon_id").cast(pl.String), *ranks, pl.lit("")], separator="\t"
        )


class Sintax(LineageFormat):
    """``>ACC.1;tax=d:Eukaryota,p:Chordata,…;``, with underscores for spaces, and missing ranks omitted."""

    name = "sintax"
    suffix = "fasta"

    def __init__(self, selection: Selection, options: FormatOptions, taxonomy: Taxonomy | None) -> None:
        super().__init__(selection, options, taxonomy)
        letters = [_LETTERS.get(rank) for rank in self.ranks]
        for rank, letter in zip(self.ranks, letters, strict=True):
            if letter is None or letters.count(letter) > 1:
                known = ", ".join(rank for rank in _LETTERS if rank != "superkingdom")
                raise SettingsError(f"SINTAX has no rank of its own for {rank}: choose --ranks from {known}")

    def line(self) -> pl.Expr:
        ranks = [
            pl.concat_str([pl.lit(f"{_LETTERS[rank]}:"), value.str.replace_all(r"[\s:]+", "_")])
            for rank, value in zip(self.ranks, self._ranks(), strict=True)
        ]
        lineage = pl.concat_str(ranks, separator=",", ignore_nulls=True)
        return pl.concat_str([pl.lit(">"), "name", pl.lit(";tax="), lineage, pl.lit(";\n")])


class Qiime2(LineageFormat):
    """FASTA for QIIME 2: names only; the lineages are in ``qiime2-taxonomy``."""

    name = "qiime2"
    suffix = "fasta"

    def line(self) -> pl.Expr:
        return pl.concat_str([pl.lit(">"), "name", pl.lit("\n")])


class Qiime2Taxonomy(LineageFormat):
    """The taxonomy table for QIIME 2: ``Feature ID`` and ``Taxon``, as ``d__Eukaryota; p__Chordata; …``."""

    name = "qiime2-taxonomy"
    suffix = "tsv"

    @property
    def preamble(self) -> bytes:
        return b"Feature ID\tTaxon\n"

    def line(self) -> pl.Expr:
        ranks = [
            pl.concat_str([pl.lit(f"{_PREFIXES.get(rank, rank.replace(' ', '_'))}__"), value.fill_null("")])
            for rank, value in zip(self.ranks, self._ranks(), strict=True)
        ]
        return pl.concat_str(["name", pl.lit("\t"), pl.concat_str(ranks, separator="; "), pl.lit("\n")])

    def record_lines(self, rows: pa.RecordBatch, lines: tuple[Any, Ints], scan: Scan) -> Iterator[Block]:
        yield _table_block(lines, rows.column("accession_version"))

    def cut_lines(self, piece: Cut, lines: tuple[Any, Ints], names: pa.Array) -> Iterator[Block]:
        yield _table_block(lines, names)


def _table_block(lines: tuple[Any, Ints], names: pa.Array) -> Block:
    text, offsets = lines
    return Block(memoryview(text)[int(offsets[0]) : int(offsets[-1])], offsets[:-1] - offsets[0], names)
