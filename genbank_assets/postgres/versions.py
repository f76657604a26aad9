"""The schema's versions: a new database is made as the newest, an older one goes forward step by step.

Each step is a numbered SQL file in ``migrations/`` and changes tables only; views, functions and comments are made
anew after the last step, and whenever they are not those of this package. One process at a time does this, in one
transaction: a kill leaves the version before. What the schema is belongs to ``ddl``.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files

from genbank_assets.errors import DatabaseError
from genbank_assets.postgres.connection import Database, Session, SqlTotals
from genbank_assets.postgres.ddl import DROP_VIEWS, INDEXES, VIEWS, comment_statement, tables_statement
from genbank_assets.postgres.merge import MERGE_FUNCTIONS
from genbank_assets.postgres.sql_files import read_sql

OLDEST_SERVER = 140000  # PostgreSQL 14
_LOCK = 7_263_402_117  # any number of our own: one process at a time creates or migrates


def migration_steps() -> dict[int, str]:
    """Version → the SQL that leads to it from the version before."""
    folder = files("genbank_assets.postgres") / "migrations"
    steps = {int(entry.name[:4]): entry.read_text("utf-8") for entry in folder.iterdir() if entry.name[-4:] == ".sql"}
    return dict(sorted(steps.items()))


SCHEMA_VERSION = max(migration_steps())
# The taxonomy's tables are made where they are not there; all else of these holds no data.
_REFRESHED = (DROP_VIEWS, VIEWS, MERGE_FUNCTIONS, comment_statement(), read_sql("taxonomy"))


def ensure_schema(database: Database) -> SqlTotals:
    """Create the schema, bring it forward, or find that it is up to date; concurrent callers wait for the first.

    Returns:
        What that took.

    Raises:
        DatabaseError: the schema was made by a later version of this package, or the server is not fit for it.
    """
    with database.transaction() as session:
        session.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        there, described = session.execute(
            "SELECT to_regclass('genbank.schema_version') IS NOT NULL, "
            "obj_description(to_regnamespace('genbank'), 'pg_namespace')"
        )[0]
        if not there:
            _create(session)
            return session.totals
        version = session.execute("SELECT max(version) FROM genbank.schema_version")[0][0]
        if version > SCHEMA_VERSION:
            raise DatabaseError(
                f"the database holds schema version {version}, this genbank-assets knows {SCHEMA_VERSION}: upgrade it"
            )
        if version < SCHEMA_VERSION or described != _description():
            _migrate(session, version)
    return session.totals


def _create(session: Session) -> None:
    _check_server(session)
    statements = [
        "CREATE SCHEMA IF NOT EXISTS genbank",
        "CREATE TABLE genbank.schema_version (version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())",
        tables_statement(),
        INDEXES,
    ]
    for statement in statements:
        _run(session, statement)
    _refresh(session)


def _migrate(session: Session, version: int) -> None:
    for number, step in migration_steps().items():
        if number > version:
            _run(session, step)
    _refresh(session)


def _refresh(session: Session) -> None:
    """Make what holds no data anew, and note the version."""
    for statement in (*_REFRESHED, f"COMMENT ON SCHEMA genbank IS '{_description()}'"):
        _run(session, statement)
    session.execute("INSERT INTO genbank.schema_version (version) VALUES (%s) ON CONFLICT DO NOTHING", [SCHEMA_VERSION])


def _description() -> str:
    """What the schema's comment says: it changes when functions, views or comments do, even within a version."""
    digest = hashlib.sha256("".join(_REFRESHED).encode()).hexdigest()
    return f"GenBank and RefSeq records; functions and views {digest[:16]}"


def _run(session: Session, statement: str) -> None:
    session.execute(statement)  # made of our own files and column list, never of input


def _check_server(session: Session) -> None:
    version, encoding = session.execute(
        "SELECT current_setting('server_version_num')::integer, current_setting('server_encoding')"
    )[0]
    if version < OLDEST_SERVER:
        raise DatabaseError(f"PostgreSQL {version // 10000} is too old: {OLDEST_SERVER // 10000} or later is needed")
    if encoding != "UTF8":
        raise DatabaseError(f"the database is encoded in {encoding}; create it with ENCODING 'UTF8'")
