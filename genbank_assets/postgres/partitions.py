"""A division's own tables: their names, how they are made, indexed, attached, dropped, and left in order.

``genbank.record_genbank_phg`` is the partition of ``genbank.record`` for GenBank's division phg. One that is loaded
for the first time stands by itself, without indexes, until it is whole; nobody sees it through ``genbank.record``
before. When this is done belongs to ``first_load`` and ``division_load``; the indexes themselves, to
``sql/indexes.sql``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from genbank_assets.errors import SettingsError
from genbank_assets.postgres.connection import Database, Session, SqlTotals
from genbank_assets.postgres.statements import PARTITIONED, indexes

# Autovacuum comes after a fiftieth of a partition has changed, not a fifth; what a load inserts it vacuums itself.
_STORAGE = (
    "autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02, "
    "autovacuum_vacuum_insert_threshold = -1"
)
# What nobody compares with a constant: statistics of long texts and of jsonb took most of an ANALYZE.
_WITHOUT_STATISTICS = {
    "record": (
        "comment", "contig", "dblinks", "dbsource", "definition", "gc_fraction", "locus_name", "notes", "primary_block",
        "record_bytes", "record_offset", "record_ordinal", "record_sha256", "secondary_accessions", "segment", "source",
        "structured_comments", "taxon_ids", "wgs_ranges",
    ),
    "feature": ("location", "qualifiers"),
    "reference": ("authors", "consortium", "journal", "location", "remark", "title"),
    "record_event": ("evidence", "previous_accession_version", "record_sha256", "run_id", "sequence_sha256"),
}  # fmt: skip
_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
_MEMORY = (
    "SELECT set_config('maintenance_work_mem', %s, true), set_config('max_parallel_maintenance_workers', '0', true)"
)


def partition_name(table: str, *, collection: str, section: str) -> str:
    """Return the name of a division's own part of a table, without the schema.

    Raises:
        SettingsError: the names are none that a table may have.
    """
    for name in (collection, section):
        if _NAME.fullmatch(name) is None:
            raise SettingsError(
                f"{name!r} cannot be part of a table's name: letters, digits and _ are allowed, up to 30"
            )
    return f"{table}_{collection}_{section}"


def make_tables(session: Session, *, collection: str, section: str) -> None:
    """Make a division's tables, unattached and without indexes; what a first load left there before is dropped."""
    drop_tables(session, collection=collection, section=section)
    _run(
        session,
        [table_statement(table, schema="genbank", collection=collection, section=section) for table in PARTITIONED],
    )


def table_statement(table: str, *, schema: str, collection: str, section: str) -> str:
    """CREATE TABLE for a division's part of a table, unattached; a check spares ATTACH from reading it."""
    name = partition_name(table, collection=collection, section=section)
    without = ", ".join(f"ALTER COLUMN {column} SET STATISTICS 0" for column in _WITHOUT_STATISTICS[table])
    return (
        f"CREATE TABLE {schema}.{name} (LIKE {schema}.{table} INCLUDING DEFAULTS, CONSTRAINT {name}_is_its_own "
        f"CHECK (collection = '{collection}' AND section = '{section}')) WITH ({_STORAGE});\n"
        f"ALTER TABLE {schema}.{name} {without}"
    )


def drop_tables(session: Session, *, collection: str, section: str) -> None:
    """Drop a division's own tables, as far as they are there."""
    names = (partition_name(table, collection=collection, section=section) for table in PARTITIONED)
    _run(session, [f"DROP TABLE IF EXISTS genbank.{name}" for name in names])


def index_statements(*, collection: str, section: str) -> list[str]:
    """CREATE INDEX for every index of a division's tables, the slowest kinds first; those that exist are left."""
    found = []
    for index in sorted(indexes(), key=lambda index: ("gin" not in index.definition, index.table != "feature")):
        name = partition_name(index.table, collection=collection, section=section)
        found.append(index.create_on(f"genbank.{name}", name=index.name_on(name)))
    return found


def build_indexes(
    database: Database, *, collection: str, section: str, workers: int, totals: SqlTotals, memory: str,
    check: Callable[[Session], None],
) -> None:  # fmt: skip
    """Build the indexes of a division's tables, ``workers`` at a time, each in a transaction of its own.

    Args:
        database: where the tables are.
        collection: ``genbank`` or ``refseq``.
        section: the partition.
        totals: what the statements are added to.
        workers: 0 builds them one after the other in one transaction, for tables that are soon done.
        memory: ``maintenance_work_mem`` of each.
        check: run first in every transaction.
    """

    def build(statements: Sequence[str]) -> SqlTotals:
        with database.apart() as session:
            check(session)
            session.execute(_MEMORY, [memory])
            _run(session, statements)
        return session.totals

    statements = index_statements(collection=collection, section=section)
    if not workers:
        totals.add(build(statements))
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="index") as threads:
        for found in threads.map(build, [[statement] for statement in statements]):
            totals.add(found)


def attach_tables(session: Session, *, collection: str, section: str) -> None:
    """Make a division's indexed tables part of the whole; readers see all of it when the transaction ends."""
    statements = []
    for table in PARTITIONED:
        name = partition_name(table, collection=collection, section=section)
        key = next(index for index in indexes() if index.table == table and index.is_primary_key).name_on(name)
        statements += [
            f"ALTER TABLE genbank.{name} ADD CONSTRAINT {key} PRIMARY KEY USING INDEX {key}",
            f"ALTER TABLE genbank.{table}_{collection} ATTACH PARTITION genbank.{name} FOR VALUES IN ('{section}')",
            f"ALTER TABLE genbank.{name} DROP CONSTRAINT {name}_is_its_own",
        ]
    _run(session, statements)


def leave_in_order(
    database: Database, *, collection: str, section: str, vacuumed: Sequence[str], workers: int
) -> SqlTotals:
    """Tell the planner what a load left behind, and clear what it replaced in the tables that are ``vacuumed``.

    Args:
        database: where the tables are.
        collection: ``genbank`` or ``refseq``.
        section: the partition.
        vacuumed: of ``PARTITIONED``; the others are analyzed only.
        workers: tables at a time.
    """
    names = {t: f"genbank.{partition_name(t, collection=collection, section=section)}" for t in PARTITIONED}
    statements = [f"{'VACUUM (ANALYZE)' if t in vacuumed else 'ANALYZE'} {name}" for t, name in names.items()]
    totals = SqlTotals()
    with ThreadPoolExecutor(workers, thread_name_prefix="vacuum") as threads:
        for found in threads.map(lambda statement: database.maintain([statement]), statements):
            totals.add(found)
    return totals


def _run(session: Session, statements: Sequence[str]) -> None:
    """Run them in one go; they are made of our own names, which _NAME has let through."""
    session.execute(";\n".join(statements))
