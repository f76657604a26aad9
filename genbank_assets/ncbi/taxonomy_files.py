"""What a fetched taxonomy is and where taxonomies lie in the store; knows nothing of servers.

Fetching belongs to ``taxonomy``, the tables to ``tables.taxonomy``.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

ARCHIVE = "taxdump.tar.gz"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FetchedTaxonomy:
    """A verified archive in the store.

    Attributes:
        path: where it is.
        date: day of its newest member, in UTC.
        sha256: its digest, in hex.
        md5: what NCBI says of it, in hex.
        bytes: its size.
        url: where it came from, without credentials.
        transferred_bytes: how much of it this run fetched; 0 where it was here.
    """

    path: Path
    date: str
    sha256: str
    md5: str
    bytes: int
    url: str
    transferred_bytes: int


def taxonomy_folder(store: Path) -> Path:
    """``STORE/taxonomy``: a folder per date, and ``incoming`` while an archive is on its way."""
    return store / "taxonomy"
