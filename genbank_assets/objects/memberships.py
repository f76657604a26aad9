"""The division's membership table in the bucket, which tells which records have which sequence.

Together with the object table, it lets a reader find the residues of an accession with access to the bucket only. It is
a copy of the table of ``unique_records``, with a key derived from its digest, which the manifest object records in its
Parquet metadata. Sending it belongs to ``publish``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

# Key in a manifest object's Parquet metadata, with JSON about the division.
METADATA = "genbank_assets"


def about(table: Path) -> dict[str, Any]:
    """Return the metadata of a manifest object; empty for version 0.1.0.

    Raises:
        ValueError: it cannot be parsed.
        OSError: it cannot be read.
        pyarrow.ArrowException: it cannot be read.
    """
    text = (pq.read_metadata(table).metadata or {}).get(METADATA.encode())
    found: dict[str, Any] = json.loads(text) if text else {}
    return found


def memberships_of(table: Path) -> dict[str, Any] | None:
    """Return key, rows, bytes and sha256 of the membership table named by a manifest object, or None."""
    return about(table).get("memberships")
