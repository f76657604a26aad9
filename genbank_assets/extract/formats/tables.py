"""Records as tables: ``tsv`` and ``parquet`` with selected columns, and NCBI's ``accession2taxid``.

A column is one of the record table, the partition, or one of the sample (first source feature). In TSV, lists are
joined by semicolons, structs are JSON and digests hex; tabs, line ends and backslashes are escaped with a backslash.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
import pyarrow as pa

from genbank_assets.errors import SettingsError
from genbank_assets.extract.formats.base import Block, Format, FormatOptions, lines_block
from genbank_assets.extract.scan import Scan
from genbank_assets.extract.selection import Selection
from genbank_assets.schema.derived import SAMPLE_COLUMNS
from genbank_assets.schema.tables import RECORD_COLUMNS, Column
from genbank_assets.tables import samples
from genbank_assets.tables.clades import Taxonomy

DEFAULT_COLUMNS = (
    "accession_version", "section", "length", "molecule_type", "taxon_id", "organism", "update_date", "definition",
)  # fmt: skip
_RECORD = {column.name: column for column in RECORD_COLUMNS}
_OTHER = {*_RECORD, "section", "feature_ordinal"}
_SAMPLE = {column.name: column for column in SAMPLE_COLUMNS if column.name not in _OTHER}
_SAMPLE_NEEDS = ("features.list.element.key", "features.list.element.location", "features.list.element.qualifiers")


class Columns(Format):
    """Selected columns of the records."""

    supports = frozenset({"columns"})

    def __init__(self, selection: Selection, options: FormatOptions, taxonomy: Taxonomy | None) -> None:
        super().__init__(selection, options, taxonomy)
        self.columns = options.columns or DEFAULT_COLUMNS
        known = {*_RECORD, *_SAMPLE, "section"}
        if unknown := [name for name in self.columns if name not in known]:
            raise SettingsError(f"there is no column {', '.join(unknown)}: there are {', '.join(sorted(known))}")
        if len(set(self.columns)) < len(self.columns):
            raise SettingsError("a column is listed twice")
        self._of_samples = [name for name in self.columns if name in _SAMPLE]
        needs = [name for name in self.columns if name in _RECORD and name != "section"]
        if self._of_samples:
            needs += [name for name in _SAMPLE_NEEDS if "features" not in needs]
        self._needs = [*needs, "accession_version"]
        #: The columns with their descriptions.
        self.described = [_RECORD.get(name) or _SAMPLE[name] for name in self.columns]
        self.row_schema = pa.schema([self._field(column) for column in self.described])

    def _field(self, column: Column) -> pa.Field:
        return pa.field(column.name, column.type, column.nullable or column.name in _SAMPLE)

    def tables(self, scan: Scan) -> Iterator[tuple[pa.Table, pa.Array]]:
        """Yield the rows of each row group, with the names of their records."""
        for batch in scan.batches(self._needs):
            found = {name: batch.column(name) for name in self.columns if name in _RECORD and name != "section"}
            if "section" in self.columns:
                found["section"] = pa.repeat(pa.scalar(scan.section), batch.num_rows)
            if self._of_samples:
                frame = samples.samples_frame(batch).unique("row", keep="first", maintain_order=True)
                every = pl.DataFrame({"row": np.arange(batch.num_rows)}).join(
                    frame, on="row", how="left", maintain_order="left"
                )
                found |= {name: every[name].to_arrow().cast(_SAMPLE[name].type) for name in self._of_samples}
            yield (
                pa.table([found[name] for name in self.columns], schema=self.row_schema),
                batch.column("accession_version"),
            )


class Parquet(Columns):
    """A Parquet file."""

    name = "parquet"
    suffix = "parquet"

    def __init__(self, selection: Selection, options: FormatOptions, taxonomy: Taxonomy | None) -> None:
        super().__init__(selection, options, taxonomy)
        self.schema = self.row_schema

    def blocks(self, scan: Scan) -> Iterator[Block]:
        for table, names in self.tables(scan):
            yield Block(b"", np.zeros(len(names), np.int64), names, table)


class Tsv(Columns):
    """One line per record, below a line of column names."""

    name = "tsv"
    suffix = "tsv"

    @property
    def preamble(self) -> bytes:
        return ("\t".join(self.columns) + "\n").encode()

    def blocks(self, scan: Scan) -> Iterator[Block]:
        for table, names in self.tables(scan):
            yield lines_block(as_tsv(table), names)


def as_tsv(table: pa.Table) -> bytes:
    """Return the rows of a table as lines, without a header."""
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    cells = [_cell(name, dtype) for name, dtype in frame.schema.items()]
    text = frame.select(cells).write_csv(separator="\t", include_header=False, quote_style="never")
    return text.encode()


def _cell(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.List):
        inner = dtype.inner
        if isinstance(inner, pl.Struct):
            return _escaped(column.list.eval(pl.element().struct.json_encode()).list.join(",").alias(name))
        return _escaped(column.cast(pl.List(pl.String)).list.join("; ").alias(name))
    if dtype == pl.Binary:
        return column.bin.encode("hex")
    return _escaped(column) if dtype == pl.String else column.cast(pl.String)


def _escaped(text: pl.Expr) -> pl.Expr:
    for plain, written in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.str.replace_all(plain, written, literal=True)
    return text


ACCESSION2TAXID_COLUMNS = (
    Column("accession", pa.string(), nullable=False, meaning="Accession"),
    Column("accession.version", pa.string(), nullable=False, meaning="Accession and version"),
    Column("taxid", pa.int64(), nullable=False, meaning="Taxon in NCBI's taxonomy; 0 for none"),
    Column("gi", pa.int64(), nullable=False, meaning="GI; 0 for none, as in all records since 2017"),
)


def _gi(batch: pa.RecordBatch) -> pl.Series:
    """Return the GI of each record, which NCBI's files gave until 2017; 0 for none, and in tables of version 0.1.0."""
    if "other_lines" not in batch.schema.names:
        return pl.Series(np.zeros(batch.num_rows, np.int64))
    lines = pl.DataFrame({"lines": pl.from_arrow(batch.column("other_lines"))})
    is_gi = pl.element().struct.field("keyword") == "GI"
    text = pl.col("lines").list.eval(pl.element().filter(is_gi).struct.field("text")).list.first()
    return lines.select(text.cast(pl.Int64, strict=False).fill_null(0)).to_series()


class AccessionToTaxid(Format):
    """NCBI's four columns: accession, accession.version, taxid, gi (0 if the file has none).

    Merged taxa are followed if there is a taxonomy; records without a taxon have 0.
    """

    name = "accession2taxid"
    suffix = "accession2taxid"

    @property
    def preamble(self) -> bytes:
        return b"accession\taccession.version\ttaxid\tgi\n"

    def blocks(self, scan: Scan) -> Iterator[Block]:
        for batch in scan.batches(["accession", "accession_version", "taxon_id", "other_lines"]):
            taxa = pl.Series(pl.from_arrow(batch.column("taxon_id"))).fill_null(0).to_numpy()
            if self.taxonomy is not None:
                different, at = np.unique(taxa, return_inverse=True)
                taxa = self.taxonomy.resolve(different).taxon_ids[at]
            frame = pl.DataFrame(
                {
                    "accession": pl.from_arrow(batch.column("accession")),
                    "accession_version": pl.from_arrow(batch.column("accession_version")),
                    "taxon_id": taxa,
                    "gi": _gi(batch),
                }
            )
            text = frame.write_csv(separator="\t", include_header=False, quote_style="never")
            yield lines_block(text.encode(), batch.column("accession_version"))
