"""SQL over a store: opens its catalog, of now or as of a release, and answers queries.

The views and tables are in the schema that is searched first, so that ``SELECT … FROM records`` is enough. Building the
catalog belongs to ``ducklake``.
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
from genbank_assets.store import temporary_beside, write_atomically

if TYPE_CHECKING:
    import duckdb


@contextlib.contextmanager
def open_catalog(
    store: Path | TableBucket, *, release: str | None = None, progress: Callable[[str], None] = lambda _: None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection whose default schema is the store's catalog, for reading.

    Args:
        store: the folder; or where tables are published, whose catalog is kept in a cache of this user.
        release: the mirror as of this release of GenBank or RefSeq, ``273.0`` or ``genbank 273.0``; None for now.
        progress: called with lines for people.

    Raises:
        NotFoundError: there is no catalog yet, or it does not know the release.
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
    """Bring this user's catalog of published tables to what their manifests say.

    It begins with that of the newest bundle, where there is one, so that no footer of a table has to be read for what
    the bundle has. It lies in ``$XDG_CACHE_HOME/genbank-assets`` (``~/.cache``) and may be deleted at any time.

    Raises:
        NotFoundError: nothing is published there.
        SettingsError: DuckDB, its extension DuckLake or fsspec is not installed.
        IntegrityError: the catalog does not have the rows that the manifests count.
        ObjectStoreError: the store failed.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "genbank-assets"
    path = caches / hashlib.sha256(tables.address.encode()).hexdigest()[:16] / FILE
    if not path.is_file():
        with contextlib.suppress(NotFoundError):
            write_atomically(path, tables.read_listed(tables.bundle(), CATALOG))
    return build_catalog(tables, path=path, progress=progress)


def answer(connection: duckdb.DuckDBPyConnection, query: str) -> str | None:
    """Return the rows of a query as a table for people, the first and last of many; None for a statement without rows.

    Raises:
        QueryError: DuckDB refuses the query.
    """
    with _refusals():
        rows = connection.sql(query)
        return None if rows is None else str(rows).rstrip()


def write_rows(connection: duckdb.DuckDBPyConnection, query: str, *, out: Path) -> int:
    """Write the rows of a query to a Parquet or CSV file, by its suffix; readers see the old file or all of the new.

    Returns:
        How many there are.

    Raises:
        QueryError: DuckDB refuses the query, or the suffix is another one.
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
    """DuckDB's errors as one of ours."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise QueryError(f"the query failed: {str(error).strip()}") from error


def _snapshot_of(connection: duckdb.DuckDBPyConnection, release: str) -> int:
    """Return the last snapshot of a release's steps: the state in which all that the store has of it is there.

    Raises:
        NotFoundError: the catalog does not know the release, or both collections have one of that number.
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
        raise NotFoundError(f"the catalog does not know release {release}; it has {there}")
    if len(found) > 1:
        raise NotFoundError(
            f"release {release} is one of {' and '.join(found)}: say which, as in {min(found)} {number}"
        )
    (snapshot,) = found.values()
    return snapshot
