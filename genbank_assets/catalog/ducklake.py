"""The SQL catalog: a DuckLake catalog, one DuckDB file, over the tables where they lie.

``STORE/catalog/genbank.ducklake`` has a snapshot per published release of a division, so that an earlier version of the
catalog is the mirror as of an earlier release. Nothing is copied: the file lists the Parquet tables of the store. The
manifests stay the truth; the catalog can be deleted and is made anew from them. Who opens it sees the file of before or
all of the new one: it is built beside it and renamed. Queries belong to ``sql``, the order of steps to ``steps``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from genbank_assets.catalog.changes import CHANGE_SCHEMA, changes_frame
from genbank_assets.catalog.divisions import ReadableRelease, readable_releases
from genbank_assets.catalog.duck import connect, literal, transaction
from genbank_assets.catalog.steps import Step, is_current_layout, steps_of
from genbank_assets.catalog.views import COMMENTS, VIEWS
from genbank_assets.errors import IntegrityError
from genbank_assets.schema.derived import CDS_SCHEMA, SAMPLE_SCHEMA
from genbank_assets.schema.tables import MEMBERSHIP_SCHEMA, RECORD_SCHEMA, SEQUENCE_SCHEMA
from genbank_assets.store import PartitionKey, temporary_beside

if TYPE_CHECKING:
    import duckdb

FOLDER = "catalog"
FILE = "genbank.ducklake"
AUTHOR = "genbank-assets"
_TABLES = {
    "records": RECORD_SCHEMA,
    "sequences": SEQUENCE_SCHEMA,
    "memberships": MEMBERSHIP_SCHEMA,
    "samples": SAMPLE_SCHEMA,
    "cds": CDS_SCHEMA,
}
_There = Mapping[PartitionKey, Sequence[ReadableRelease]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class CatalogReport:
    """What building the catalog did.

    Attributes:
        path: the catalog's file.
        steps: releases of divisions that it knows.
        steps_now: those that were added now.
        files: record tables that the newest state lists.
        records: records of the newest state.
        left_out: releases in the layout of version 0.1.0, which are not in it.
    """

    path: Path
    steps: int
    steps_now: int
    files: int
    records: int
    left_out: tuple[str, ...]


def catalog_path(store: Path) -> Path:
    """Where the catalog of a store is."""
    return store / FOLDER / FILE


def build_catalog(store: Path, *, progress: Callable[[str], None] = lambda _: None) -> CatalogReport:
    """Bring the catalog to what the manifests say; the file of before stays until the new one is proved.

    Steps that it has already stay; where the manifests tell another past than it has, it is made anew.

    Raises:
        NotFoundError: there is no store.
        SettingsError: DuckDB or its extension DuckLake is not installed.
        IntegrityError: the catalog does not have the rows that the manifests count.
    """
    there = readable_releases(store)
    steps, left_out = steps_of(there)
    path = catalog_path(store)
    path.parent.mkdir(parents=True, exist_ok=True)
    done = _steps_made(path, steps)
    todo = steps[done or 0 :]
    with tempfile.TemporaryDirectory(prefix=".building-", dir=path.parent) as scratch:
        new = Path(scratch) / FILE
        if done is not None:
            shutil.copyfile(path, new)
        with attached(new, writing=True) as connection:
            if done is None:
                _create(connection)
            for number, step in enumerate(todo, start=1):
                progress(f"catalog: {step.label} ({number} of {len(todo)})")
                _apply(connection, step)
            for group in _groups(there, todo):
                _apply_changes(connection, group, folder=path.parent / "changes")
            files, records = _prove(connection, there)
        with new.open("rb") as written:
            os.fsync(written.fileno())
        new.replace(path)
    names = tuple(f"{one.key} {one.release}" for one in left_out)
    return CatalogReport(path=path, steps=len(steps), steps_now=len(todo), files=files, records=records, left_out=names)


@contextlib.contextmanager
def attached(path: Path, *, writing: bool = False, snapshot: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the catalog attached as ``mirror``, of a snapshot if one is named."""
    options = [] if writing else ["READ_ONLY"]
    if writing and not path.exists():
        options.append(f"DATA_PATH {literal(f'{path.parent}/unused/')}")
    if snapshot is not None:
        options.append(f"SNAPSHOT_VERSION {int(snapshot)}")
    connection = connect()
    try:
        chosen = f" ({', '.join(options)})" if options else ""
        connection.execute(f"ATTACH {literal(f'ducklake:{path}')} AS mirror{chosen}")
        yield connection
    finally:
        connection.close()


def snapshots(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, dict[str, str]]]:
    """(snapshot, what it brought) of each step, oldest first."""
    rows = connection.execute(
        "SELECT snapshot_id, commit_extra_info FROM mirror.snapshots() WHERE author = ? ORDER BY snapshot_id", [AUTHOR]
    ).fetchall()
    return [(int(number), json.loads(facts)) for number, facts in rows]


def _steps_made(path: Path, steps: Sequence[Step]) -> int | None:
    """How many of the steps the catalog has; None where there is none, or its past is another."""
    if not path.is_file():
        return None
    with attached(path) as connection:
        made = [facts for _, facts in snapshots(connection) if "section" in facts]
    wanted = [step.facts for step in steps]
    return len(made) if made == wanted[: len(made)] else None


def _create(connection: duckdb.DuckDBPyConnection) -> None:
    """Empty tables, views, and comments on them."""
    schemas = {name: schema.empty_table() for name, schema in _TABLES.items()}
    schemas["changes"] = CHANGE_SCHEMA.to_frame().to_arrow()
    for name, empty in schemas.items():
        connection.register("empty", empty)
        connection.execute(f"CREATE TABLE mirror.{name} AS SELECT * FROM empty")  # noqa: S608 -- our own names
        connection.unregister("empty")
    for statement in VIEWS:
        connection.execute(statement)
    for name, comment in COMMENTS.items():
        kind = "TABLE" if name in schemas else "VIEW"
        connection.execute(f"COMMENT ON {kind} mirror.{name} IS {literal(comment)}")


def _apply(connection: duckdb.DuckDBPyConnection, step: Step) -> None:
    """One snapshot: the tables of the division's release before go, those of this one come."""
    one = step.release
    tables = {name: [one.memberships] if name == "memberships" else one.tables(name) for name in _TABLES}
    with transaction(connection):
        for name, paths in tables.items():
            if step.replaces:
                whose = [one.key.collection, one.key.division]
                connection.execute(f"DELETE FROM mirror.{name} WHERE collection = ? AND section = ?", whose)  # noqa: S608
            _add(connection, name, paths)
        _sign(connection, step.label, step.facts)


def _add(connection: duckdb.DuckDBPyConnection, table: str, paths: Sequence[Path]) -> None:
    for path in paths:
        if pq.read_metadata(path).num_rows:
            connection.execute(f"CALL ducklake_add_data_files('mirror', '{table}', {literal(path.resolve())})")


def _sign(connection: duckdb.DuckDBPyConnection, label: str, facts: Mapping[str, str]) -> None:
    connection.execute(
        f"CALL mirror.set_commit_message({literal(AUTHOR)}, {literal(label)}, "
        f"extra_info => {literal(json.dumps(facts, sort_keys=True))})"
    )


_Pair = tuple[ReadableRelease, ReadableRelease]


def _groups(there: _There, todo: Sequence[Step]) -> list[list[_Pair]]:
    """For each release of a collection that was added now, every division's (earlier, later) release."""
    touched = dict.fromkeys((step.release.key.collection, step.release.release) for step in todo)
    groups = [
        [
            (earlier, later)
            for key, releases in there.items()
            for earlier, later in pairwise(releases)
            if (key.collection, later.release) == group and is_current_layout(later)
        ]
        for group in touched
    ]
    return [group for group in groups if group]


def _apply_changes(connection: duckdb.DuckDBPyConnection, pairs: Sequence[_Pair], *, folder: Path) -> None:
    """One snapshot: what a release changed in all its divisions together, because records move between them."""
    later = pairs[0][1]
    digest = hashlib.sha256("".join(one.unique.digest for pair in pairs for one in pair).encode()).hexdigest()
    path = folder / f"{later.key.collection}-{later.release}-{digest[:16]}.parquet"
    if not path.is_file():
        with temporary_beside(path) as temporary:
            changes_frame(pairs).sort("section", "accession").sink_parquet(temporary)
    with transaction(connection):
        whose = [later.key.collection, later.release]
        connection.execute("DELETE FROM mirror.changes WHERE collection = ? AND release = ?", whose)
        _add(connection, "changes", [path])
        _sign(
            connection,
            f"{later.key.collection} {later.release}: changes",
            {"collection": whose[0], "release": whose[1]},
        )


def _prove(connection: duckdb.DuckDBPyConnection, there: _There) -> tuple[int, int]:
    """Files and records of the newest state, each division's compared with its manifest.

    Raises:
        IntegrityError: a division has other counts than its manifest.
    """
    counted: dict[tuple[str, str], tuple[Any, ...]] = {
        (collection, section): tuple(rest)
        for collection, section, *rest in connection.execute(
            "SELECT collection, section, release, count(*) FROM mirror.records GROUP BY ALL"
        ).fetchall()
    }
    files = records = 0
    for key, releases in there.items():
        ours = [one for one in releases if is_current_layout(one)]
        expected = sum(int(entry["records"]) for entry in ours[-1].records.files) if ours else 0
        found = counted.pop((key.collection, key.division), None)
        if (found or (None, 0)) != ((ours[-1].release, expected) if expected else (None, 0)):
            raise IntegrityError(f"{key}: the catalog has {found}, the manifest counts {expected:,} records")
        files += len(ours[-1].records.files) if ours else 0
        records += expected
    if counted:
        raise IntegrityError(f"the catalog has divisions that no manifest names: {', '.join(map('/'.join, counted))}")
    return files, records
