"""Describes fetched taxonomies and their folder in the store, without any network code.

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
        path: path of the archive.
        date: date of its newest member, in UTC.
        sha256: hex SHA-256 of the archive.
        md5: hex MD5 published by NCBI.
        bytes: size in bytes.
        url: where it was fetched from, without credentials.
        transferred_bytes: bytes fetched by this run; 0 if it was already in place.
    """

    path: Path
    date: str
    sha256: str
    md5: str
    bytes: int
    url: str
    transferred_bytes: int


def taxonomy_folder(store: Path) -> Path:
    """Return ``STORE/taxonomy``, which has a folder per date, and ``incoming`` during a fetch."""
    return store / "taxonomy"
