"""The final state of a store, its database and its object set, in a form that can be compared between runs.

Excludes what differs between any two runs: times, run ids, ids assigned by PostgreSQL, and performance figures.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

State = dict[str, dict[str, Any]]

_NUMBERS = {"record_id", "source_file_id", "transaction_id", "run_id"}
_WORK = {"rows_copied", "rows_merged", "sql_statements"}
# Columns of the current state, independent of when it was loaded.
_CURRENT: dict[str, LiteralString] = {
    "current records": "SELECT section, accession, accession_version, encode(record_sha256, 'hex'), definition, length "
    "FROM genbank.record WHERE is_current",
    "current features": "SELECT r.section, r.accession, f.ordinal, f.key, f.location, f.qualifiers, f.gene "
    "FROM genbank.record r JOIN genbank.feature f USING (record_id) WHERE r.is_current",
    "current references": "SELECT r.section, r.accession, f.ordinal, f.authors, f.title "
    "FROM genbank.record r JOIN genbank.reference f USING (record_id) WHERE r.is_current",
}
_HISTORY = {
    "record", "feature", "reference", "record_event", "source_file", "release", "division_release", "division",
}  # fmt: skip
_REPORT = ("report", "run_id", "made_at", "created_at", "published_at")


def end_state(store: Path, *, database: str, objects: Path) -> State:
    """Return files, rows and objects by name, for comparison."""
    return {"files": dict(store_files(store)), "rows": dict(table_rows(database)), "objects": dict(_objects(objects))}


def without_history(state: State) -> State:
    """Return the part that does not depend on when a day was applied: tables, current rows, the bucket."""
    return state | {
        "files": {k: v for k, v in state["files"].items() if "/postgres_table/" not in k or not k.endswith(".json")},
        "rows": {k: v for k, v in state["rows"].items() if k not in _HISTORY},
    }


def differences(ours: State, theirs: State, *, limit: int = 12) -> list[str]:
    """Return a line for each difference between two states."""
    found = []
    for part in theirs:
        for name in sorted({*ours[part], *theirs[part]}):
            here, there = ours[part].get(name), theirs[part].get(name)
            if here is None or there is None:
                found.append(f"{part} {name}: {'missing' if here is None else 'too much'}")
            elif here != there:
                found.append(f"{part} {name}: {_first_difference(here, there)}")
    return found[:limit]


def _first_difference(ours: Any, theirs: Any) -> str:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
        return "; ".join(f"{name}: {_first_difference(ours.get(name), theirs.get(name))}" for name in names)
    if not (isinstance(ours, list) and isinstance(theirs, list)):
        return f"{str(ours)[:300]} instead of {str(theirs)[:300]}"
    mine, other = [row for row in ours if row not in theirs], [row for row in theirs if row not in ours]
    if len(mine) == len(other) and mine and isinstance(mine[0], dict):
        return "; ".join(_first_difference(*pair) for pair in zip(mine, other, strict=True))
    return f"{len(ours)} instead of {len(theirs)} rows: {str(mine[:2])[:400]} instead of {str(other[:2])[:400]}"


def store_files(store: Path) -> Iterator[tuple[str, Any]]:
    """Return every path of the store with its content, if that depends on the data rather than the run."""
    for path in sorted(store.rglob("*")):
        name = str(path.relative_to(store))
        if path.is_symlink():
            yield name, f"-> {path.readlink()}"
        elif path.is_dir():
            yield f"{name}/", ""
        elif path.name == "manifest.json":
            yield name, _without_run(json.loads(path.read_text()))
        elif path.suffix in {".parquet", ".gz", ".seq"}:
            yield name, hashlib.sha256(path.read_bytes()).hexdigest()
        elif not {"locks", "source-slots"} & set(path.parts) and path.name != "source-limits.json":
            yield name, "there"


def _without_run(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest, and manifests within it, without what differs between runs."""
    return {
        name: _without_run(value) if isinstance(value, dict) else value
        for name, value in manifest.items()
        if name not in _REPORT
    }


def _objects(folder: Path) -> Iterator[tuple[str, Any]]:
    """Return the bucket as stored by the server, including what listings do not show."""
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file():
            content = path.read_bytes()
            is_manifest = path.suffix == ".json"
            yield name, _without_run(json.loads(content)) if is_manifest else hashlib.sha256(content).hexdigest()


def table_rows(url: str) -> Iterator[tuple[str, Any]]:
    """Return the rows of each table in a stable order with ids replaced by names, the tables, and active sessions."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT relname, relkind, relispartition FROM pg_class WHERE relnamespace = 'genbank'::regnamespace "
            "AND relkind IN ('r', 'p') ORDER BY 1"
        ).fetchall()
        yield "tables", [f"{name} {kind.decode() if isinstance(kind, bytes) else kind}" for name, kind, _ in tables]
        yield "leases held", connection.execute("SELECT name FROM genbank.lease WHERE is_held").fetchall()
        for name, _, is_part in tables:
            if not is_part and name != "lease":
                yield name, _of_table(connection, name)
        for name, statement in _CURRENT.items():
            yield name, sorted(" | ".join(map(str, row)) for row in connection.execute(statement))
        orphans = (
            "SELECT count(*) FROM genbank.{} t "
            "WHERE NOT EXISTS (SELECT FROM genbank.record r WHERE r.record_id = t.record_id)"
        )
        for name in ("feature", "reference", "record_event"):
            yield f"{name} of no record", connection.execute(sql.SQL(orphans).format(sql.Identifier(name))).fetchall()
        yield (
            "records of no file",
            connection.execute(
                "SELECT count(*) FROM genbank.record r WHERE NOT EXISTS "
                "(SELECT FROM genbank.source_file f WHERE f.source_file_id = r.source_file_id)"
            ).fetchall(),
        )


def _of_table(connection: psycopg.Connection[Any], name: str) -> list[str]:
    columns = [
        column
        for (column,) in connection.execute(
            "SELECT column_name::text FROM information_schema.columns WHERE table_schema = 'genbank' "
            "AND table_name = %s ORDER BY ordinal_position",
            [name],
        )
    ]
    kept = [c for c in columns if c not in _NUMBERS | _WORK and c != "at" and not c.endswith("_at")]
    fields = [sql.SQL("t.{}::text").format(sql.Identifier(column)) for column in kept]
    if "replaced_at" in columns:
        fields.append(sql.SQL("(t.replaced_at IS NOT NULL)::text"))
    if "record_id" in columns and "accession" not in columns:
        fields.append(sql.SQL("(SELECT r.accession FROM genbank.record r WHERE r.record_id = t.record_id)"))
    if name == "record":
        fields.append(
            sql.SQL(
                "(SELECT concat_ws(' ', f.release, f.name, f.raw_sha256) FROM genbank.source_file f "
                "WHERE f.source_file_id = t.source_file_id)"
            )
        )
    statement = sql.SQL("SELECT {} FROM genbank.{} t").format(sql.SQL(", ").join(fields), sql.Identifier(name))
    return sorted(" | ".join(str(value) for value in row) for row in connection.execute(statement))
