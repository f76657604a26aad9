"""SQL queries on a store: opens its catalog, in the current state or as of a release.

The catalog's schema is the default, so ``SELECT … FROM records`` works. Building the catalog belongs to ``ducklake``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from genbank_assets.catalog.bucket import TableBucket
from genbank_assets.catalog.bundle_layout import CATALOG
from genbank_assets.catalog.duck import literal
from genbank_assets.catalog.ducklake import FILE, CatalogReport, attached, build_catalog, catalog_path, snapshots
from genbank_assets.errors import NotFoundError, QueryError
from genbank_assets.release_facts import release_sort_key
from genbank_assets.setting_values import expanded
from genbank_assets.store import temporary_beside, write_atomically

if TYPE_CHECKING:
    import duckdb


@contextlib.contextmanager
def open_catalog(
    store: Path | TableBucket, *, release: str | None = None, progress: Callable[[str], None] = lambda _: None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Return a read-only DuckDB connection whose default schema is the store's catalog.

    Args:
        store: the store's folder, or published tables, whose catalog is cached per user.
        release: the release of GenBank or RefSeq to go back to, ``273.0`` or ``genbank 273.0``; None for the current
            state.
        progress: called with messages for the user.

    Raises:
        NotFoundError: there is no catalog, or it does not have the release.
        SettingsError: DuckDB or its extension DuckLake is not installed.
    """
    tables = None if isinstance(store, Path) else store
    path = catalog_path(store) if isinstance(store, Path) else bucket_catalog(store, progress=progress).path
    if not path.is_file():
        raise NotFoundError(f"there is no catalog at {path} yet: make it with genbank-assets catalog")
    snapshot = None
    if release is not None:
        with attached(path, tables=tables) as connection:
            snapshot = _snapshot_of(connection, release)
    with attached(path, snapshot=snapshot, tables=tables) as connection:
        connection.execute("USE mirror")
        yield connection


def bucket_catalog(tables: TableBucket, *, progress: Callable[[str], None] = lambda _: None) -> CatalogReport:
    """Bring the user's cached catalog of published tables up to date with their manifests.

    Starts from the catalog of the newest bundle, if there is one, to avoid reading the footers of its tables. Cached in
    ``$XDG_CACHE_HOME/genbank-assets`` (``~/.cache``), which may be deleted at any time.

    Raises:
        NotFoundError: nothing is published there.
        SettingsError: DuckDB, its extension DuckLake or fsspec is not installed.
        IntegrityError: the catalog's counts differ from those of the manifests.
        ObjectStoreError: the store failed.
    """
    caches = expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache", variable="XDG_CACHE_HOME") / "genbank-assets"
    path = caches / hashlib.sha256(tables.address.encode()).hexdigest()[:16] / FILE
    if not path.is_file():
        with contextlib.suppress(NotFoundError):
            write_atomically(path, tables.read_listed(tables.bundle(), CATALOG))
    return build_catalog(tables, path=path, progress=progress)


def answer(connection: duckdb.DuckDBPyConnection, query: str) -> str | None:
    """Format the rows of a query as a table, abbreviated if there are many; None for a statement without rows.

    Raises:
        QueryError: DuckDB rejects the query.
    """
    with _refusals():
        rows = connection.sql(query)
        return None if rows is None else str(rows).rstrip()


def write_rows(connection: duckdb.DuckDBPyConnection, query: str, *, out: Path) -> int:
    """Write the rows of a query to a Parquet or CSV file, atomically; the suffix selects the format.

    Returns:
        Number of rows.

    Raises:
        QueryError: DuckDB rejects the query, or the suffix is unknown.
    """
    format_ = {".parquet": "FORMAT parquet, COMPRESSION zstd", ".csv": "FORMAT csv, HEADER"}.get(out.suffix.lower())
    if format_ is None:
        raise QueryError(f"rows are written to .parquet or .csv, not to {out.name}")
    with _refusals(), temporary_beside(out) as temporary:
        chosen = query.strip().rstrip(";")
        (rows,) = connection.execute(f"COPY ({chosen}) TO {literal(temporary)} ({format_})").fetchone() or (0,)
        return int(rows)


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Translate DuckDB's errors."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise QueryError(f"the query failed: {str(error).strip()}") from error


def _snapshot_of(connection: duckdb.DuckDBPyConnection, release: str) -> int:
    """Return the last snapshot of a release's steps, in which everything the store has of it is present.

    Raises:
        NotFoundError: the catalog does not have the release, or both collections have one with this number.
    """
    *collections, number = release.lower().split()
    last: dict[tuple[str, str], int] = {}
    for snapshot, facts in snapshots(connection):
        last[facts["collection"], facts["release"]] = snapshot
    found = {
        collection: snapshot
        for (collection, known), snapshot in last.items()
        if release_sort_key(known) == release_sort_key(number) and collections in ([], [collection])
    }
    if not found:
        there = ", ".join(f"{collection} {known}" for collection, known in last)
        raise NotFoundError(f"the catalog does not contain release {release}; it has {there}")
    if len(found) > 1:
        raise NotFoundError(
            f"release {release} is one of {' and '.join(found)}: say which, as in {min(found)} {number}"
        )
    (snapshot,) = found.values()
    return snapshot
