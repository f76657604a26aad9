"""Columns of the taxonomy's tables, the source of their Parquet schema, PostgreSQL DDL and data dictionary.

NCBI documents the content of the archive in ``taxdump_readme.txt``; ranks are taken as they are. Reading the archive
belongs to ``taxonomy``.
"""

from __future__ import annotations

import pyarrow as pa

from genbank_assets.schema.tables import TEXT, Column

NODE_COLUMNS: tuple[Column, ...] = (
    Column("taxon_id", pa.int64(), False, "NCBI taxon"),
    Column("parent_id", pa.int64(), True, "Taxon above; null for the root"),
    Column("rank", TEXT, False, "Rank as NCBI writes it, such as species, domain, clade or no rank"),
    Column("scientific_name", TEXT, False, "The taxon's scientific name"),
    Column("left_value", pa.int64(), False, "Nested set: descendants have values between left and right"),
    Column("right_value", pa.int64(), False, "Nested set: the end of the taxon's interval"),
    Column("depth", pa.int32(), False, "Steps from the root"),
    Column("genetic_code", pa.int32(), True, "NCBI genetic code of the nucleus or genome"),
    Column("mitochondrial_genetic_code", pa.int32(), True, "NCBI genetic code of mitochondria; 0 for none"),
    Column("plastid_genetic_code", pa.int32(), True, "NCBI genetic code of plastids; null where it is not said"),
    Column("division_id", pa.int32(), True, "Number of the GenBank division in division.dmp"),
    Column("is_hidden", pa.bool_(), False, "Whether GenBank's abbreviated lineages leave the taxon out"),
)
NAME_COLUMNS: tuple[Column, ...] = (
    Column("taxon_id", pa.int64(), False, "NCBI taxon"),
    Column("name", TEXT, False, "A name of it"),
    Column("unique_name", TEXT, True, "The name made unique, where others have the same"),
    Column("name_class", TEXT, False, "Kind of name: scientific name, synonym, genbank common name ..."),
    Column("name_key", TEXT, False, "The name in lower case; the table is sorted by it"),
)
MERGED_COLUMNS: tuple[Column, ...] = (
    Column("old_taxon_id", pa.int64(), False, "Taxon that was merged into another; the table is sorted by it"),
    Column("taxon_id", pa.int64(), False, "The taxon that took its place"),
)
DELETED_COLUMNS: tuple[Column, ...] = (
    Column("taxon_id", pa.int64(), False, "Taxon that NCBI deleted; the table is sorted by it"),
)
TAXONOMY_TABLES: dict[str, tuple[Column, ...]] = {
    "nodes": NODE_COLUMNS,
    "names": NAME_COLUMNS,
    "merged": MERGED_COLUMNS,
    "deleted": DELETED_COLUMNS,
}
SCHEMAS = {
    name: pa.schema([pa.field(column.name, column.type, column.nullable) for column in columns])
    for name, columns in TAXONOMY_TABLES.items()
}
