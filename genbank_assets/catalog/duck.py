"""DuckDB connections with the DuckLake extension installed in this environment; nothing is downloaded or autoloaded.

The extension is a separate package on PyPI and must match DuckDB's version. Queries belong to ``ducklake`` and ``sql``.
"""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from genbank_assets.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from genbank_assets.catalog.bucket import TableBucket

_INSTALL = "install them: pip install genbank-assets"


def connect() -> duckdb.DuckDBPyConnection:
    """Return an in-memory connection with DuckLake loaded and autoloading of extensions disabled.

    Raises:
        SettingsError: DuckDB or the extension is not installed, or their versions differ.
    """
    try:
        import duckdb
    except ImportError:
        raise SettingsError(
            f"the catalog needs the packages duckdb and duckdb-extension-ducklake; {_INSTALL}"
        ) from None
    connection = duckdb.connect()
    # The progress bar would appear between the rows on standard output.
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
    try:
        connection.execute(f"LOAD {literal(_extension(duckdb.__version__))}")
    except duckdb.Error as error:
        raise SettingsError(f"DuckDB {duckdb.__version__} cannot load its extension DuckLake: {error}") from error
    return connection


def connect_bucket(connection: duckdb.DuckDBPyConnection, tables: TableBucket) -> None:
    """Let a connection read ``s3://…`` URLs of published tables through this package's client.

    Raises:
        SettingsError: the package fsspec is not installed.
    """
    if not tables.url.startswith("s3:"):
        return
    try:
        from genbank_assets.catalog.duck_files import BucketFiles
    except ImportError:
        raise SettingsError(f"SQL over a bucket needs the package fsspec; {_INSTALL}") from None
    connection.register_filesystem(BucketFiles(tables))


def literal(text: str | Path) -> str:
    """Quote text as an SQL string, for statements without parameters, such as ATTACH and CALL."""
    return "'" + str(text).replace("'", "''") + "'"


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Run the block as one snapshot, or not at all if it raises."""
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _extension(version: str) -> Path:
    """Return the path of the extension for this version of DuckDB.

    Raises:
        SettingsError: it is not installed.
    """
    spec = find_spec("duckdb_extension_ducklake")
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()] if spec is not None else []
    for folder in folders:
        path = folder / "extensions" / f"v{version}" / "ducklake.duckdb_extension"
        if path.is_file():
            return path
    raise SettingsError(f"the extension DuckLake of DuckDB {version} is not installed; {_INSTALL}")
