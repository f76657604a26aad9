"""Which record has which sequence, in the bucket: the division's membership table beside its object table.

With the two a reader finds the residues of an accession with nothing but the bucket. The membership table is the one of
``unique_records``, byte for byte, under a key made from its digest; the manifest object names it in its Parquet
metadata.
Sending belongs to ``publish``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

# The name in a manifest object's Parquet metadata of what its rows do not say, as JSON.
METADATA = "genbank_assets"


def about(table: Path) -> dict[str, Any]:
    """Return what a manifest object says beside its rows; nothing in those of version 0.1.0.

    Raises:
        ValueError: it cannot be read.
        OSError: the same.
        pyarrow.ArrowException: the same.
    """
    text = (pq.read_metadata(table).metadata or {}).get(METADATA.encode())
    found: dict[str, Any] = json.loads(text) if text else {}
    return found


def memberships_of(table: Path) -> dict[str, Any] | None:
    """Key, rows, bytes and sha256 of the membership table that a manifest object names; None if it names none."""
    return about(table).get("memberships")
