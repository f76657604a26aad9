"""A Dagster asset graph that mirrors NCBI's GenBank and RefSeq releases.

The package is a pure core in stage order with a thin Dagster layer on top:

* ``ncbi``      (1) what NCBI publishes: collections, releases, listings, downloads
* ``flatfile``  (2) the flat-file format: the native scanner and its reader
* ``tables``    (3) the Parquet record tables and their deduplication
* ``postgres``  (4) the database: schema and load; ``postgres_server``: the embedded server
* ``objects``   (5) the content-addressed object set
* ``lineage``   across the stages: where a record came from and where it went
* ``catalog``   reading what is there: ``open_mirror``
* ``compute``   where tasks run
* ``defs``      the Dagster layer, the only importer of dagster

This module imports nothing of the others before it is asked for it, so that importing any core package stays cheap.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genbank_assets.catalog.mirror import open_mirror as open_mirror

# Before pyarrow is imported: its own allocator keeps much of what was freed, a tenth of a worker's memory, at the same
# speed. Who wants another sets the variable.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

__version__ = "0.1.0"

__all__ = ["open_mirror"]
_LAZY = {"open_mirror": "genbank_assets.catalog.mirror"}


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first asked for."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
