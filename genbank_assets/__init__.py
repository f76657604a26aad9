"""A Dagster asset graph that mirrors NCBI's GenBank and RefSeq releases.

The package is a pure core in stage order with a thin Dagster layer on top:

* ``ncbi``      (1) what NCBI publishes: collections, releases, listings, downloads
* ``flatfile``  (2) the flat-file format: the native scanner and its reader
* ``tables``    (3) the Parquet record tables and their deduplication
* ``postgres``  (4) the database: schema and load; ``postgres_server``: the embedded server
* ``objects``   (5) the content-addressed object set
* ``lookup``, ``lineage``  across the stages: finding a record and tracing it from file to database and object
* ``catalog``, ``table_set``, ``extract``, ``search_databases``  reading, publishing and exporting the tables
* ``planning``, ``compute``  estimating what a mirror needs, and running tasks locally or remotely
* ``defs``      the Dagster layer, the only importer of dagster; ``cli``: the command

docs/architecture.md has the map of all modules. The public names are in ``__all__``, described in
``docs/api.md``, and loaded on first use: importing this package imports none of its parts, and neither dagster nor
polars.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genbank_assets.catalog.mirror import open_mirror
    from genbank_assets.errors import GenbankAssetsError
    from genbank_assets.flatfile.reader import FlatFileReader
    from genbank_assets.flatfile.seqrecord import to_seqrecord
    from genbank_assets.lineage.status import status
    from genbank_assets.lineage.trace import trace
    from genbank_assets.lookup.fetch import fetch
    from genbank_assets.postgres.lookup import changes
    from genbank_assets.schema.tables import RECORD_SCHEMA, SEQUENCE_SCHEMA
    from genbank_assets.settings import Settings, settings_from_environment
    from genbank_assets.tables.writer import ParsedFile, parse_file

# Set before pyarrow is imported: the default allocator retains about a tenth of a worker's memory after it is freed and
# is no faster. An existing value is respected.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

__version__ = "0.1.0"
__all__ = [
    "RECORD_SCHEMA",
    "SEQUENCE_SCHEMA",
    "FlatFileReader",
    "GenbankAssetsError",
    "ParsedFile",
    "Settings",
    "changes",
    "fetch",
    "open_mirror",
    "parse_file",
    "settings_from_environment",
    "status",
    "to_seqrecord",
    "trace",
]
# Name -> module. A new name also goes into __all__, the imports above and docs/api.md.
_MODULES = {
    "RECORD_SCHEMA": "schema.tables",
    "SEQUENCE_SCHEMA": "schema.tables",
    "FlatFileReader": "flatfile.reader",
    "GenbankAssetsError": "errors",
    "ParsedFile": "tables.writer",
    "Settings": "settings",
    "changes": "postgres.lookup",
    "fetch": "lookup.fetch",
    "open_mirror": "catalog.mirror",
    "parse_file": "tables.writer",
    "settings_from_environment": "settings",
    "status": "lineage.status",
    "to_seqrecord": "flatfile.seqrecord",
    "trace": "lineage.trace",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
