"""Schema versions: creates new databases with the latest version, and migrates older ones step by step.

Each step is a numbered SQL file in ``migrations/`` and changes only tables; views and functions are recreated after the
last step and whenever their SQL differs from this package's; comments likewise. Users' objects in the schema, and views
on it, are preserved. Only one process migrates at a time; a kill leaves the previous version, and the slow step
(``repartition``) can continue. The schema's content belongs to ``statements`` and ``ddl``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from importlib.resources import files

import psycopg

from genbank_assets.errors import DatabaseError
from genbank_assets.postgres import leases
from genbank_assets.postgres.connection import Database, Session, SqlTotals
from genbank_assets.postgres.ddl import comment_statement
from genbank_assets.postgres.dependents import find_dependents, restore, set_functions_aside
from genbank_assets.postgres.repartition import drop_functions, repartition
from genbank_assets.postgres.sql_files import query
from genbank_assets.postgres.statements import REFRESHED, sql_text, table_statements

OLDEST_SERVER = 140000  # PostgreSQL 14
_LOCK = 7_263_402_117  # arbitrary advisory-lock key: one process at a time creates or migrates


def migration_steps() -> dict[int, str]:
    """Return version → SQL that migrates the previous version to it."""
    folder = files("genbank_assets.postgres") / "migrations"
    steps = {int(entry.name[:4]): entry.read_text("utf-8") for entry in folder.iterdir() if entry.name[-4:] == ".sql"}
    return dict(sorted(steps.items()))


SCHEMA_VERSION = max(migration_steps())
_PARTITIONED_VERSION = 5
_VIEW = re.compile(r"^CREATE OR REPLACE VIEW genbank\.(\w+)", re.MULTILINE)
_FUNCTION = re.compile(r"^CREATE OR REPLACE FUNCTION genbank\.(\w+)", re.MULTILINE)


def ensure_schema(database: Database, *, progress: Callable[[str], None] = lambda line: None) -> SqlTotals:
    """Create the schema, migrate it, or find that it is up to date; concurrent callers wait.

    Returns:
        SQL totals of this call.

    Raises:
        DatabaseError: the schema belongs to a later version of this package, or the server is not supported.
    """
    with database.transaction() as session:
        session.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        there, described = session.execute(
            "SELECT to_regclass('genbank.schema_version') IS NOT NULL, "
            "obj_description(to_regnamespace('genbank'), 'pg_namespace')"
        )[0]
        if not there:
            _create(session, progress)
            return session.totals
        version = session.execute("SELECT max(version) FROM genbank.schema_version")[0][0]
        if version > SCHEMA_VERSION:
            raise DatabaseError(
                f"the database holds schema version {version}, this genbank-assets knows {SCHEMA_VERSION}: upgrade it"
            )
        for number, step in migration_steps().items():
            if version < number < _PARTITIONED_VERSION:
                _run(session, step)
        if version >= _PARTITIONED_VERSION and described != _description():
            _refresh(session, described or "", progress)
        elif version < _PARTITIONED_VERSION - 1:
            session.execute(
                "INSERT INTO genbank.schema_version (version) VALUES (%s) ON CONFLICT DO NOTHING",
                [_PARTITIONED_VERSION - 1],
            )
        session.execute(query("leases.table"))
    totals = session.totals
    if version < _PARTITIONED_VERSION:
        progress("the database is brought to schema version 5: this may take long, and resumes if it is interrupted")
        with leases.hold(database, "schema", progress=progress, totals=totals):
            with database.transaction() as session:
                version = session.execute("SELECT max(version) FROM genbank.schema_version")[0][0]
            if version < _PARTITIONED_VERSION:  # unless another process has migrated it meanwhile
                totals.add(
                    repartition(database, progress=progress, finish=lambda session: _refresh(session, "", progress))
                )
    return totals


def _create(session: Session, progress: Callable[[str], None]) -> None:
    _check_server(session)
    statements = [
        query("leases.table"),
        "CREATE TABLE genbank.schema_version (version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())",
        *table_statements(),
    ]
    for statement in statements:
        _run(session, statement)
    _refresh(session, "", progress)


def _refresh(session: Session, described: str, progress: Callable[[str], None]) -> None:
    """Recreate views, functions and comments that differ from this package's, and record the version."""
    if _code_description() not in described:
        for name in REFRESHED:
            _replace(session, sql_text(name), progress=progress)
    _run(session, comment_statement())
    _run(session, f"COMMENT ON SCHEMA genbank IS '{_description()}'")
    session.execute("INSERT INTO genbank.schema_version (version) VALUES (%s) ON CONFLICT DO NOTHING", [SCHEMA_VERSION])


def _replace(session: Session, text: str, *, progress: Callable[[str], None]) -> None:
    """Replace views and functions in place, which keeps what users made on them.

    If columns, arguments or results were removed or changed, PostgreSQL refuses: then ours are dropped and created
    again, and so is what users made on them.
    """
    try:
        with session.savepoint():
            _run(session, text)
    except (psycopg.errors.InvalidTableDefinition, psycopg.errors.InvalidFunctionDefinition):
        views, functions = _VIEW.findall(text), _FUNCTION.findall(text)
        dependents = find_dependents(session, views, functions=functions)
        set_functions_aside(session, functions, progress=progress)
        drop_functions(session, functions)
        for name in reversed(views):
            _run(session, f"DROP VIEW IF EXISTS genbank.{name} CASCADE")
        _run(session, text)
        restore(session, dependents, progress=progress)


def _description() -> str:
    """Return the schema's comment, which includes digests of functions, views and comments."""
    return f"GenBank and RefSeq records; {_code_description()}; comments {_digest(comment_statement())}"


def _code_description() -> str:
    """Return the part of it that depends on views and functions only."""
    code = "".join(sql_text(name) for name in REFRESHED)
    return f"functions and views {_digest(re.sub(r'^ *--.*$', '', code, flags=re.MULTILINE))}"


def _digest(text: str) -> str:
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:16]


def _run(session: Session, statement: str) -> None:
    session.execute(statement)  # built from this package's files and column list only, never from input


def _check_server(session: Session) -> None:
    version, encoding = session.execute(
        "SELECT current_setting('server_version_num')::integer, current_setting('server_encoding')"
    )[0]
    if version < OLDEST_SERVER:
        raise DatabaseError(f"PostgreSQL {version // 10000} is too old: {OLDEST_SERVER // 10000} or later is needed")
    if encoding != "UTF8":
        raise DatabaseError(f"the database is encoded in {encoding}; create it with ENCODING 'UTF8'")
