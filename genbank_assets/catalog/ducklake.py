"""Builds the SQL catalog: a DuckLake catalog in a single DuckDB file over the existing tables.

``STORE/catalog/genbank.ducklake`` has one snapshot per published release of a division, so an earlier snapshot is the
mirror as of an earlier release. Nothing is copied: the file lists the store's Parquet tables. Manifests remain
authoritative, and the catalog can be deleted and rebuilt from them. A new file is built beside the previous one and
renamed, so readers see either. Queries belong to ``sql``, the order of steps to ``steps``.
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
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from genbank_assets.catalog.bucket import TableBucket
from genbank_assets.catalog.changes import CHANGE_SCHEMA, changes_frame
from genbank_assets.catalog.counts import check_counts, counted_by_manifests
from genbank_assets.catalog.divisions import ReadableRelease, readable_releases
from genbank_assets.catalog.duck import connect, connect_bucket, literal, transaction
from genbank_assets.catalog.steps import Step, is_current_layout, steps_of
from genbank_assets.catalog.views import COMMENTS, VIEWS
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
# Takes a file of changes, and returns its permanent location.
KeepChanges = Callable[[Path], str]
_There = Mapping[PartitionKey, Sequence[ReadableRelease]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class CatalogReport:
    """Result of building the catalog.

    Attributes:
        path: the catalog's file.
        steps: number of releases of divisions in it.
        steps_now: number of those added by this run.
        files: number of record tables in the newest state.
        records: number of records in the newest state.
        left_out: releases in the layout of version 0.1.0, which it cannot contain.
    """

    path: Path
    steps: int
    steps_now: int
    files: int
    records: int
    left_out: tuple[str, ...]


def catalog_path(store: Path) -> Path:
    """Return the path of a store's catalog."""
    return store / FOLDER / FILE


def build_catalog(
    store: Path | TableBucket,
    *,
    path: Path | None = None,
    keep_changes: KeepChanges | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> CatalogReport:
    """Bring the catalog up to date with the manifests; the previous file is kept until the new one is verified.

    Existing steps are kept; if the manifests have a different history, the catalog is rebuilt.

    Args:
        store: the store, or published tables, which the catalog refers to.
        path: the catalog's file; None for the store's own.
        keep_changes: takes a file of changes between two releases, and returns its permanent location; None keeps it
            beside the catalog.
        progress: called with messages for the user.

    Raises:
        NotFoundError: the store does not exist.
        SettingsError: DuckDB or its extension DuckLake is not installed.
        IntegrityError: the catalog's counts differ from those of the manifests.
    """
    there = readable_releases(store)
    steps, left_out = steps_of(there)
    if path is None:
        assert isinstance(store, Path)
        path = catalog_path(store)
    path.parent.mkdir(parents=True, exist_ok=True)
    tables = None if isinstance(store, Path) else store
    done = _steps_made(path, steps, tables)
    todo = steps[done or 0 :]
    if done is not None and not todo:  # verified when it was built, and tables are immutable
        files, records = counted_by_manifests(there)
        names = tuple(f"{one.key} {one.release}" for one in left_out)
        return CatalogReport(path=path, steps=len(steps), steps_now=0, files=files, records=records, left_out=names)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=path.parent) as scratch:
        new = Path(scratch) / FILE
        if done is not None:
            shutil.copyfile(path, new)
        with attached(new, writing=True, tables=tables) as connection:
            if done is None:
                _create(connection)
            for number, step in enumerate(todo, start=1):
                progress(f"catalog: {step.label} ({number} of {len(todo)})")
                _apply(connection, step)
            for group in _groups(there, todo):
                _apply_changes(connection, group, folder=path.parent / "changes", keep=keep_changes)
            files, records = check_counts(connection, there)
        with new.open("rb") as written:
            os.fsync(written.fileno())
        new.replace(path)
    names = tuple(f"{one.key} {one.release}" for one in left_out)
    return CatalogReport(path=path, steps=len(steps), steps_now=len(todo), files=files, records=records, left_out=names)


@contextlib.contextmanager
def attached(
    path: Path, *, writing: bool = False, snapshot: int | None = None, tables: TableBucket | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection with the catalog attached as ``mirror``, optionally at a snapshot.

    Args:
        path: the catalog's file.
        writing: whether it will be changed.
        snapshot: the snapshot; None for the last one.
        tables: the bucket with the tables it lists; None if they are local files.
    """
    options = [] if writing else ["READ_ONLY"]
    if writing and not path.exists():
        options.append(f"DATA_PATH {literal(f'{path.parent}/unused/')}")
    if snapshot is not None:
        options.append(f"SNAPSHOT_VERSION {int(snapshot)}")
    connection = connect()
    if tables is not None:
        connect_bucket(connection, tables)
    try:
        chosen = f" ({', '.join(options)})" if options else ""
        connection.execute(f"ATTACH {literal(f'ducklake:{path}')} AS mirror{chosen}")
        yield connection
    finally:
        connection.close()


def snapshots(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, dict[str, str]]]:
    """Return snapshot id and description of each step, oldest first."""
    rows = connection.execute(
        "SELECT snapshot_id, commit_extra_info FROM mirror.snapshots() WHERE author = ? ORDER BY snapshot_id", [AUTHOR]
    ).fetchall()
    return [(int(number), json.loads(facts)) for number, facts in rows]


def files_of(path: Path, *, tables: TableBucket | None = None) -> list[str]:
    """Return every file listed in any snapshot of a catalog."""
    with attached(path, tables=tables) as connection:
        rows = connection.execute("SELECT path FROM __ducklake_metadata_mirror.ducklake_data_file").fetchall()
    return [str(row[0]) for row in rows]


def _steps_made(path: Path, steps: Sequence[Step], tables: TableBucket | None) -> int | None:
    """Return how many of the steps are in the catalog; None if it is missing or has a different history."""
    if not path.is_file():
        return None
    with attached(path, tables=tables) as connection:
        made = [facts for _, facts in snapshots(connection) if "section" in facts]
    wanted = [step.facts for step in steps]
    return len(made) if made == wanted[: len(made)] else None


def _create(connection: duckdb.DuckDBPyConnection) -> None:
    """Create empty tables, views, and comments on them."""
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
    """Replace a division's previous tables with those of a step, in one snapshot."""
    one = step.release
    tables = {name: [one.memberships] if name == "memberships" else one.tables(name) for name in _TABLES}
    with transaction(connection):
        for name, paths in tables.items():
            if step.replaces:
                whose = [one.key.collection, one.key.division]
                connection.execute(f"DELETE FROM mirror.{name} WHERE collection = ? AND section = ?", whose)  # noqa: S608
            for table in paths:
                with one.open(table) as file:
                    rows = file.metadata.num_rows
                _add(connection, name, one.location(table), rows=rows)
        _sign(connection, step.label, step.facts)


def _add(connection: duckdb.DuckDBPyConnection, table: str, location: str, *, rows: int) -> None:
    if rows:
        connection.execute(f"CALL ducklake_add_data_files('mirror', '{table}', {literal(location)})")


def _sign(connection: duckdb.DuckDBPyConnection, label: str, facts: Mapping[str, str]) -> None:
    connection.execute(
        f"CALL mirror.set_commit_message({literal(AUTHOR)}, {literal(label)}, "
        f"extra_info => {literal(json.dumps(facts, sort_keys=True))})"
    )


_Pair = tuple[ReadableRelease, ReadableRelease]


def _groups(there: _There, todo: Sequence[Step]) -> list[list[_Pair]]:
    """Return, for each added release of a collection, every division's (earlier, later) release."""
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


def _apply_changes(
    connection: duckdb.DuckDBPyConnection, pairs: Sequence[_Pair], *, folder: Path, keep: KeepChanges | None
) -> None:
    """Add the changes of a release in all divisions in one snapshot, because records move between them."""
    later = pairs[0][1]
    digest = hashlib.sha256("".join(one.unique.digest for pair in pairs for one in pair).encode()).hexdigest()
    path = folder / f"{later.key.collection}-{later.release}-{digest[:16]}.parquet"
    if not path.is_file():
        with temporary_beside(path) as temporary:
            changes_frame(pairs).sort("section", "accession").sink_parquet(temporary)
    with transaction(connection):
        whose = [later.key.collection, later.release]
        connection.execute("DELETE FROM mirror.changes WHERE collection = ? AND release = ?", whose)
        location = str(path.resolve()) if keep is None else keep(path)
        _add(connection, "changes", location, rows=pq.read_metadata(path).num_rows)
        _sign(
            connection,
            f"{later.key.collection} {later.release}: changes",
            {"collection": whose[0], "release": whose[1]},
        )
