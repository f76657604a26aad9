"""The statements in files: each is used, and each is one that PostgreSQL understands over the schema as it is."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from genbank_assets.postgres import sql_files
from genbank_assets.postgres.connection import Database
from genbank_assets.postgres.dependents import complete
from genbank_assets.postgres.sql_files import queries
from genbank_assets.postgres.versions import ensure_schema
from genbank_assets_tests.paths import ROOT

FOLDER = Path(sql_files.__file__).parent / "sql" / "queries"
GROUPS = sorted(path.stem for path in FOLDER.glob("*.sql"))
NAMES = {f"{group}.{name}" for group in GROUPS for name in queries(group)}
# Over the tables of version 4: the upgrade's own tests run them.
OLDER_SCHEMA = {"repartition"}
# Refers to a table of the statements that it becomes a part of.
PARTS = {"dependents.grants"}
PARAMETER = re.compile(r"%\((\w+)\)s|%s|%%")


def numbered(statement: str) -> str:
    """With $1, $2 … where psycopg has %s or %(name)s."""
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        name = match[1] or f"#{len(names)}"
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return PARAMETER.sub(number, statement)


def test_every_statement_is_used_and_every_name_is_there() -> None:
    text = "\n".join(path.read_text() for path in (ROOT / "genbank_assets").rglob("*.py"))
    used = set(re.findall(r"\bquery\(\s*\"(\w+\.\w+)\"\s*\)", text))
    assert used == NAMES
    assert len(NAMES) > 20


def test_postgresql_prepares_every_statement(postgres_url: str) -> None:
    with Database(postgres_url, pool_size=2) as database:
        ensure_schema(database)
    with psycopg.connect(postgres_url) as connection:
        for name in (
            "load.stage_key",
            "load.stage_accession",
            "load.stage_evidence",
            "recheck.tables",
            "comparison.stage_expected",
        ):
            group, _, one = name.partition(".")
            connection.execute(queries(group)[one])
        for group in set(GROUPS) - OLDER_SCHEMA:
            for name, statement in queries(group).items():
                if f"{group}.{name}" in PARTS:
                    continue
                text = numbered(complete(statement).replace("{name}", "record"))  # noqa: RUF027 -- its own placeholder
                if not text.startswith("CREATE"):
                    connection.execute(f"PREPARE {group}_{name} AS {text}")
                elif " TEMP " not in text:
                    connection.execute(text)


def test_the_functions_of_the_load_are_checked_where_the_server_can(postgres_url: str) -> None:
    with Database(postgres_url, pool_size=2) as database:
        ensure_schema(database)
    with psycopg.connect(postgres_url) as connection:
        if not connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'plpgsql_check'").fetchone():
            pytest.skip("this server has no plpgsql_check")
        connection.execute("CREATE EXTENSION plpgsql_check")
        for name in ("load.stage_key", "load.stage_accession", "load.stage_evidence"):
            group, _, one = name.partition(".")
            connection.execute(queries(group)[one])
        found = connection.execute(
            "SELECT p.oid::regprocedure::text, c.lineno, c.message FROM pg_proc p JOIN pg_language l "
            "ON l.oid = p.prolang, plpgsql_check_function_tb(p.oid) c "
            "WHERE p.pronamespace = 'genbank'::regnamespace AND l.lanname = 'plpgsql' AND c.level = 'error'"
        ).fetchall()
    assert not found
