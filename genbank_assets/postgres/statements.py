"""The SQL of the schema: where its files lie, and what a statement in them stands for.

The texts are in ``sql/``: tables, indexes, views, functions for people, functions of the load. What is done with them
belongs to ``versions`` and ``partitions``; what the columns mean, to ``ddl``.
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
# Views and functions that are recreated together, in this order: a view may use a function. The taxonomy's tables are
# made where they are not there.
REFRESHED: Final = ("functions", "views", "merge", "taxonomy")
_INDEX = re.compile(r"^CREATE (UNIQUE )?INDEX (\w+) ON genbank\.(\w+) (.+);$", re.MULTILINE)
_PRIMARY_KEY = "_pkey"


@dataclasses.dataclass(frozen=True)
class Index:
    """An index of a partitioned table.

    Attributes:
        name: as the whole table has it.
        table: which table.
        definition: columns, method and condition, as after the table's name in CREATE INDEX.
        is_unique: whether values may stand once only.
    """

    name: str
    table: str
    definition: str
    is_unique: bool

    @property
    def is_primary_key(self) -> bool:
        """Whether it is the table's primary key."""
        return self.name == self.table + _PRIMARY_KEY

    def name_on(self, partition: str) -> str:
        """Return its name on a partition: ``record_taxon`` on ``record_genbank_phg`` → ``record_genbank_phg_taxon``."""
        return partition + self.name.removeprefix(self.table)

    def create_on(self, table: str, *, name: str) -> str:
        """CREATE INDEX on a table that looks like the index's own."""
        unique = "UNIQUE " if self.is_unique else ""
        return f"CREATE {unique}INDEX IF NOT EXISTS {name} ON {table} {self.definition}"


@cache
def sql_text(name: str) -> str:
    """Return the text of ``sql/NAME.sql`` with the column list filled in."""
    text = read_sql(name)
    columns = record_columns()
    if name == "tables":
        shown = ",\n    ".join(f"{n} {sql_type(c)}{'' if c.nullable else ' NOT NULL'}" for n, c in columns)
    else:
        shown = ", ".join(f"r.{n}" for n, _ in columns if n != "release")
    fillings = {
        "record_columns": shown,
        # As it is indexed: a name of more than 255 characters is whole in the table.
        "current_record_columns": shown.replace("r.organism,", "left(r.organism, 255) AS organism,"),
        "max_indexed_bytes": str(MAX_INDEXED_BYTES),
    }
    for field, filling in fillings.items():
        text = text.replace("{" + field + "}", filling)
    return text


@cache
def indexes() -> tuple[Index, ...]:
    """Return every index of the partitioned tables, as ``sql/indexes.sql`` lists them."""
    return tuple(
        Index(name=m[2], table=m[3], definition=m[4], is_unique=bool(m[1]))
        for m in _INDEX.finditer(sql_text("indexes"))
    )


def table_statements() -> list[str]:
    """Return what makes the tables of a new schema: partitioned by collection, and each collection by section."""
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
