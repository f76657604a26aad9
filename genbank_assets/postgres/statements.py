"""Composes the statements of the schema from the files in ``sql/``.

The files define tables, indexes, views, and functions for users and for loading. Executing them belongs to ``versions``
and ``partitions``, the meaning of columns to ``ddl``.
"""

from __future__ import annotations

import dataclasses
import re
from functools import cache
from typing import Final

from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.postgres.ddl import MAX_INDEXED_BYTES, record_columns, sql_type
from genbank_assets.postgres.sql_files import read_sql

PARTITIONED: Final = ("record", "feature", "reference", "record_event")
# Recreated together in this order, because views may use functions. The taxonomy's tables are created if missing.
REFRESHED: Final = ("functions", "views", "merge", "taxonomy")
_INDEX = re.compile(r"^CREATE (UNIQUE )?INDEX (\w+) ON genbank\.(\w+) (.+);$", re.MULTILINE)
_PRIMARY_KEY = "_pkey"


@dataclasses.dataclass(frozen=True)
class Index:
    """An index of a partitioned table.

    Attributes:
        name: name on the partitioned table.
        table: the table.
        definition: method, columns and condition, as after the table name in CREATE INDEX.
        is_unique: whether it is unique.
    """

    name: str
    table: str
    definition: str
    is_unique: bool

    @property
    def is_primary_key(self) -> bool:
        """Whether it is the primary key of the table."""
        return self.name == self.table + _PRIMARY_KEY

    def name_on(self, partition: str) -> str:
        """Return its name on a partition: ``record_taxon`` becomes ``record_genbank_phg_taxon``."""
        return partition + self.name.removeprefix(self.table)

    def create_on(self, table: str, *, name: str) -> str:
        """Return CREATE INDEX for a table with the same columns."""
        unique = "UNIQUE " if self.is_unique else ""
        return f"CREATE {unique}INDEX IF NOT EXISTS {name} ON {table} {self.definition}"


@cache
def sql_text(name: str) -> str:
    """Return the text of ``sql/NAME.sql`` with column lists substituted."""
    text = read_sql(name)
    columns = record_columns()
    if name == "tables":
        shown = ",\n    ".join(f"{n} {sql_type(c)}{'' if c.nullable else ' NOT NULL'}" for n, c in columns)
    else:
        shown = ", ".join(f"r.{n}" for n, _ in columns if n != "release")
    fillings = {
        "record_columns": shown,
        # As indexed; names longer than 255 characters are complete in the table.
        "current_record_columns": shown.replace("r.organism,", "left(r.organism, 255) AS organism,"),
        "max_indexed_bytes": str(MAX_INDEXED_BYTES),
    }
    for field, filling in fillings.items():
        text = text.replace("{" + field + "}", filling)
    return text


@cache
def indexes() -> tuple[Index, ...]:
    """Return all indexes of the partitioned tables, in the order of ``sql/indexes.sql``."""
    return tuple(
        Index(name=m[2], table=m[3], definition=m[4], is_unique=bool(m[1]))
        for m in _INDEX.finditer(sql_text("indexes"))
    )


def table_statements() -> list[str]:
    """Return the statements for the tables of a new schema, partitioned by collection and section."""
    statements = [sql_text("tables")]
    for table in PARTITIONED:
        statements += [
            f"CREATE TABLE genbank.{table}_{collection} PARTITION OF genbank.{table} FOR VALUES IN ('{collection}') "
            "PARTITION BY LIST (section)"
            for collection in COLLECTIONS
        ]
    for index in indexes():
        if index.is_primary_key:
            columns = index.definition
            statements.append(f"ALTER TABLE genbank.{index.table} ADD CONSTRAINT {index.name} PRIMARY KEY {columns}")
        else:
            statements.append(index.create_on(f"genbank.{index.table}", name=index.name))
    return statements
