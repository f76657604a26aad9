"""The tables of one division: naming, creating, indexing, attaching, dropping and vacuuming them.

``genbank.record_genbank_phg`` is the partition of ``genbank.record`` for GenBank's division phg. During its first load
it is a separate table without indexes, invisible through ``genbank.record``. When this happens belongs to
``first_load`` and ``division_load``; index definitions are in ``sql/indexes.sql``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from genbank_assets.errors import SettingsError
from genbank_assets.postgres.connection import Database, Session, SqlTotals
from genbank_assets.postgres.sql_files import query
from genbank_assets.postgres.statements import PARTITIONED, indexes

# Autovacuum after 2 % of a partition has changed, instead of 20 %; rows inserted by a load are vacuumed by the load.
_STORAGE = (
    "autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02, "
    "autovacuum_vacuum_insert_threshold = -1"
)
# Columns never compared with constants: statistics of long text and jsonb took most of the time of ANALYZE.
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
_MIN_GROWN_BYTES = 64 * 1024 * 1024  # of a table, from which a VACUUM is worth its statement
_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
_MEMORY = (
    "SELECT set_config('maintenance_work_mem', %s, true), set_config('max_parallel_maintenance_workers', '0', true)"
)


def partition_name(table: str, *, collection: str, section: str) -> str:
    """Return the name of a division's partition of a table, without the schema.

    Raises:
        SettingsError: the names contain characters that are not allowed in a table name.
    """
    for name in (collection, section):
        if _NAME.fullmatch(name) is None:
            raise SettingsError(
                f"{name!r} cannot be part of a table's name: letters, digits and _ are allowed, up to 30"
            )
    return f"{table}_{collection}_{section}"


def make_tables(session: Session, *, collection: str, section: str) -> None:
    """Create a division's unattached tables without indexes, dropping those of an earlier first load.

    Autovacuum is off until they are attached: it would analyze them after every other file.
    """
    drop_tables(session, collection=collection, section=section)
    statements = []
    for table in PARTITIONED:
        name = partition_name(table, collection=collection, section=section)
        statements += [
            table_statement(table, schema="genbank", collection=collection, section=section),
            f"ALTER TABLE genbank.{name} SET (autovacuum_enabled = false)",
        ]
    _run(session, statements)


def table_statement(table: str, *, schema: str, collection: str, section: str) -> str:
    """Return CREATE TABLE for a division's unattached table, with a CHECK that lets ATTACH skip validation."""
    name = partition_name(table, collection=collection, section=section)
    without = ", ".join(f"ALTER COLUMN {column} SET STATISTICS 0" for column in _WITHOUT_STATISTICS[table])
    return (
        f"CREATE TABLE {schema}.{name} (LIKE {schema}.{table} INCLUDING DEFAULTS, CONSTRAINT {name}_is_its_own "
        f"CHECK (collection = '{collection}' AND section = '{section}')) WITH ({_STORAGE});\n"
        f"ALTER TABLE {schema}.{name} {without}"
    )


def drop_tables(session: Session, *, collection: str, section: str) -> None:
    """Drop a division's tables, if they exist."""
    names = (partition_name(table, collection=collection, section=section) for table in PARTITIONED)
    _run(session, [f"DROP TABLE IF EXISTS genbank.{name}" for name in names])


def index_statements(*, collection: str, section: str) -> list[str]:
    """Return CREATE INDEX IF NOT EXISTS for all indexes of a division's tables, slowest first."""
    found = []
    for index in sorted(indexes(), key=lambda index: ("gin" not in index.definition, index.table != "feature")):
        name = partition_name(index.table, collection=collection, section=section)
        found.append(index.create_on(f"genbank.{name}", name=index.name_on(name)))
    return found


def build_indexes(
    database: Database, *, collection: str, section: str, workers: int, totals: SqlTotals, memory: str,
    check: Callable[[Session], None],
) -> None:  # fmt: skip
    """Build the indexes of a division's tables in parallel, each in a separate transaction.

    Args:
        database: the database with the tables.
        collection: ``genbank`` or ``refseq``.
        section: the partition.
        totals: totals to add the statements to.
        workers: number of parallel transactions; 0 builds all indexes in one transaction, for small tables.
        memory: ``maintenance_work_mem`` of each.
        check: executed first in every transaction.
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
    """Attach a division's indexed tables; readers see all of it once the transaction commits."""
    statements = []
    for table in PARTITIONED:
        name = partition_name(table, collection=collection, section=section)
        key = next(index for index in indexes() if index.table == table and index.is_primary_key).name_on(name)
        statements += [
            f"ALTER TABLE genbank.{name} ADD CONSTRAINT {key} PRIMARY KEY USING INDEX {key}",
            f"ALTER TABLE genbank.{table}_{collection} ATTACH PARTITION genbank.{name} FOR VALUES IN ('{section}')",
            f"ALTER TABLE genbank.{name} DROP CONSTRAINT {name}_is_its_own",
            f"ALTER TABLE genbank.{name} RESET (autovacuum_enabled)",
        ]
    _run(session, statements)


def vacuum_tables(
    database: Database, *, collection: str, section: str, vacuumed: Sequence[str], workers: int
) -> SqlTotals:
    """Update planner statistics after a load, and vacuum some tables.

    Args:
        database: the database with the tables.
        collection: ``genbank`` or ``refseq``.
        section: the partition.
        vacuumed: tables of ``PARTITIONED`` to vacuum; the others are only analyzed.
        workers: number of tables to process in parallel.
    """
    names = {t: f"genbank.{partition_name(t, collection=collection, section=section)}" for t in PARTITIONED}
    statements = [f"{'VACUUM (ANALYZE)' if t in vacuumed else 'ANALYZE'} {name}" for t, name in names.items()]
    totals = SqlTotals()
    with ThreadPoolExecutor(workers, thread_name_prefix="vacuum") as threads:
        for found in threads.map(lambda statement: database.maintain([statement]), statements):
            totals.add(found)
    return totals


def grown_tables(session: Session, *, collection: str, section: str) -> list[str]:
    """Tables of a division with many pages that were never vacuumed, as arguments of :func:`freeze_pages`.

    If the last VACUUM had to leave pages because of an old transaction, the next one waits for twice as many pages;
    the total work stays proportional to the rows loaded.
    """
    names = [f"genbank.{partition_name(table, collection=collection, section=section)}" for table in PARTITIONED]
    return [str(row[0]) for row in session.execute(query("load.grown_tables"), [names, _MIN_GROWN_BYTES])]


def freeze_pages(database: Database, names: Sequence[str]) -> SqlTotals:
    """Set hint bits, visibility and frozen state of rows just copied into tables without indexes.

    The first reader of a row writes into its page that the inserting transaction has committed. With data checksums,
    the first such write after a checkpoint logs the whole page: building the first index of a large table, and the
    VACUUM after it, spent most of their time on that.
    """
    return database.maintain([f"VACUUM (FREEZE, TRUNCATE false, SKIP_LOCKED) {', '.join(names)}"] if names else [])


def _run(session: Session, statements: Sequence[str]) -> None:
    """Execute statements in one round trip; their names were validated by _NAME."""
    session.execute(";\n".join(statements))
