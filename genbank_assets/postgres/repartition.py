"""Migration to schema version 5: builds tables partitioned by division beside the old ones, then swaps them.

Everything is built in the schema ``genbank_next``, one division and table at a time, so that an interrupted run can
continue; readers see the old tables until the final transaction. It needs disk space for both. Loads by an earlier
version during the migration are detected, and it starts over. The new tables are defined in ``sql/``; ``versions``
decides when to migrate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files

from genbank_assets.errors import DatabaseError
from genbank_assets.postgres.connection import Database, Session, SqlTotals
from genbank_assets.postgres.ddl import record_columns
from genbank_assets.postgres.dependents import Dependent, find_dependents, grant_defaults, restore
from genbank_assets.postgres.partitions import partition_name, table_statement
from genbank_assets.postgres.sql_files import query
from genbank_assets.postgres.statements import PARTITIONED, indexes, table_statements

# Columns missing in version 4, which become null.
_LATER = frozenset({"other_lines"})
_OLD = ("record_presence", "record_event", "feature", "reference", "record", "sequence", "division_release",
        "source_file", "release")  # fmt: skip
_OLD_VIEWS = ("release_changes", "record_lineage")
_OLD_INDEXES = ("feature_interval",)  # that are no longer made
# Our own functions of all earlier versions, by name; what somebody else made in the schema stays.
_OLD_FUNCTIONS = (
    "attach_evidence", "begin_file", "daily_date", "features_in", "features_with", "finish_file", "is_elsewhere",
    "mark_absent", "merge_file", "note_places", "only_daily", "plan_file", "records_as_of", "release_key",
    "remove_records", "wanted_ordinals",
)  # fmt: skip
_SMALL = ("release", "division", "division_release", "source_file")
_LEDGER = "SELECT coalesce(max(source_file_id), 0), count(*) FROM genbank.source_file"
_MARK_COPIED = "INSERT INTO genbank_next.copied (name) VALUES (%s)"
_EXCLUSIVE = "LOCK TABLE genbank.source_file, genbank.record, genbank.record_event IN ACCESS EXCLUSIVE MODE"


def repartition(database: Database, *, progress: Callable[[str], None], finish: Callable[[Session], None]) -> SqlTotals:
    """Migrate version 4 to version 5; readers see the old tables until all are replaced at once.

    Args:
        database: a database of version 4.
        progress: called with a message for every division.
        finish: runs last in the transaction that swaps the tables: views, functions and the version number.

    Raises:
        DatabaseError: another process loads with an earlier version at the same time.
    """
    totals = SqlTotals()
    with database.transaction() as session:
        _dependents(session)  # fails early if it must fail
        _begin(session, progress)
        divisions = [
            (str(row[0]), str(row[1]))
            for row in session.execute(
                "SELECT collection, section FROM genbank.record GROUP BY 1, 2 "
                "UNION SELECT collection, section FROM genbank.record_event GROUP BY 1, 2 "
                "UNION SELECT collection, section FROM genbank.source_file GROUP BY 1, 2 "
                "UNION SELECT collection, section FROM genbank.division_release GROUP BY 1, 2 ORDER BY 1, 2"
            )
        ]
        copied = {str(row[0]) for row in session.execute("SELECT name FROM genbank_next.copied")}
    totals.add(session.totals)
    for number, (collection, section) in enumerate(divisions, 1):
        progress(f"schema version 5: {collection}/{section}, {number} of {len(divisions)} divisions")
        for table in PARTITIONED:
            name = partition_name(table, collection=collection, section=section)
            if name not in copied:
                with database.transaction() as session:
                    _copy(session, table, collection=collection, section=section)
                    session.execute(_MARK_COPIED, [name])
                totals.add(session.totals)
    progress("schema version 5: putting the new tables in place of the old ones")
    with database.transaction() as session:
        _swap(session, divisions, progress=progress, finish=finish)
    totals.add(session.totals)
    totals.add(database.maintain([f"ANALYZE genbank.{table}" for table in PARTITIONED]))
    return totals


def _begin(session: Session, progress: Callable[[str], None]) -> None:
    """Create the new tables, or find those of an interrupted run if nothing was loaded since."""
    ledger = session.execute(_LEDGER)[0]
    if session.execute("SELECT to_regclass('genbank_next.begun') IS NOT NULL")[0][0]:
        if session.execute("SELECT files_to, files FROM genbank_next.begun") == [ledger]:
            progress("schema version 5: resuming an interrupted migration")
            return
        session.execute("DROP SCHEMA genbank_next CASCADE")
    session.execute("CREATE SCHEMA genbank_next")
    for statement in table_statements():
        _run(session, statement.replace("genbank.", "genbank_next."))
    _run(session, query("repartition.points"))
    session.execute("CREATE TABLE genbank_next.copied (name text PRIMARY KEY)")
    session.execute("CREATE TABLE genbank_next.begun AS SELECT %s::bigint AS files_to, %s::bigint AS files", ledger)


def _copy(session: Session, table: str, *, collection: str, section: str) -> None:
    """Copy one table of one division: rows, then indexes."""
    name = partition_name(table, collection=collection, section=section)
    _run(session, table_statement(table, schema="genbank_next", collection=collection, section=section))
    columns, selection = _selection(session, table)
    where = f"WHERE r.collection = '{collection}' AND r.section = '{section}'"
    _run(session, f"INSERT INTO genbank_next.{name} ({columns}) {selection} {where}")
    for index in indexes():
        if index.table == table:
            _run(session, index.create_on(f"genbank_next.{name}", name=index.name_on(name)))
            if index.is_primary_key:
                key = index.name_on(name)
                _run(session, f"ALTER TABLE genbank_next.{name} ADD CONSTRAINT {key} PRIMARY KEY USING INDEX {key}")


def _selection(session: Session, table: str) -> tuple[str, str]:
    """Return the columns of a new table, and the query for them on the old tables; r has collection and section."""
    if table == "record":
        kept = ("record_id", "section", "is_current", "molecule_class", "code_version")
        names = [*kept, *(name for name, _ in record_columns() if name not in _LATER)]
        new = ", point, source_file_id, record_offset, record_bytes, record_ordinal, last_release"
        return ", ".join(names) + new, query("repartition.record").replace(
            "{columns}", ", ".join(f"r.{name}" for name in names)
        )
    rows = session.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped "
        "ORDER BY attnum",
        [f"genbank.{table}"],
    )
    names = [str(row[0]) for row in rows]
    if table == "record_event":
        return ", ".join(names) + ", point", query("repartition.event").replace(
            "{columns}", ", ".join(f"r.{name}" for name in names)
        )
    chosen = ", ".join(f"t.{name}" for name in names)
    return "collection, section, " + ", ".join(names), query("repartition.part").replace("{columns}", chosen).replace(
        "{table}", table
    )


def _swap(
    session: Session,
    divisions: list[tuple[str, str]],
    *,
    progress: Callable[[str], None],
    finish: Callable[[Session], None],
) -> None:
    session.execute(_EXCLUSIVE)
    if session.execute(_LEDGER) != session.execute("SELECT files_to, files FROM genbank_next.begun"):
        raise DatabaseError(
            "an earlier version of this package has loaded while the schema was brought to version 5: stop it and run "
            "this again"
        )
    dependents = _dependents(session)
    _run(session, (files("genbank_assets.postgres") / "migrations" / "0005_partitions.sql").read_text("utf-8"))
    drop_functions(session, _OLD_FUNCTIONS)
    _run(session, f"DROP VIEW IF EXISTS {', '.join(f'genbank.{view}' for view in _OLD_VIEWS)} CASCADE")
    for table in _OLD:
        _run(session, f"DROP TABLE genbank.{table} CASCADE")
    for collection, section in divisions:
        for table in PARTITIONED:
            name = partition_name(table, collection=collection, section=section)
            _run(
                session,
                f"ALTER TABLE genbank_next.{table}_{collection} ATTACH PARTITION genbank_next.{name} "
                f"FOR VALUES IN ('{section}')",
            )
            _run(session, f"ALTER TABLE genbank_next.{name} DROP CONSTRAINT {name}_is_its_own")
            _run(session, f"ALTER TABLE genbank_next.{name} SET SCHEMA genbank")
    collections = [
        str(row[0])
        for row in session.execute(
            "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'genbank_next'::regnamespace AND c.relkind = 'p'"
        )
    ]
    for name in (*_SMALL, *collections):
        _run(session, f"ALTER TABLE genbank_next.{name} SET SCHEMA genbank")
        grant_defaults(session, name)
    session.execute("ALTER SEQUENCE genbank_next.record_number SET SCHEMA genbank")
    session.execute("DROP SCHEMA genbank_next CASCADE")
    finish(session)
    restore(session, dependents, progress=progress)


def _dependents(session: Session) -> list[Dependent]:
    known = [*(index.name for index in indexes()), *_OLD_INDEXES]
    return find_dependents(session, [*_OLD, *_OLD_VIEWS], functions=_OLD_FUNCTIONS, indexes=known)


def drop_functions(session: Session, names: Sequence[str]) -> None:
    """Drop this package's functions of these names, with everything that depends on them."""
    for (signature,) in session.execute(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'genbank'::regnamespace "
        "AND proname = ANY (%s)",
        [list(names)],
    ):
        _run(session, f"DROP FUNCTION IF EXISTS {signature} CASCADE")


def _run(session: Session, statement: str) -> None:
    session.execute(statement)  # built from this package's files and names only, never from input
