"""Locates the tables of unique_records; each kind has its own folder, so that the folder can be read as a dataset.

Building them belongs to ``dedup``.
"""

from __future__ import annotations

from pathlib import Path

from genbank_assets.errors import NotFoundError
from genbank_assets.store import Manifest, PartitionRelease

UNIQUE_SEQUENCES = "sequences/sequences.parquet"
MEMBERSHIPS = "memberships/memberships.parquet"


def memberships_table(partition: PartitionRelease, manifest: Manifest | None = None) -> Path:
    """Return the path of the memberships table, of ``manifest`` or else of the published unique_records.

    Raises:
        NotFoundError: unique_records are not published.
    """
    return _table(partition, manifest, MEMBERSHIPS)


def unique_sequences_table(partition: PartitionRelease, manifest: Manifest | None = None) -> Path:
    """Return the path of the table of distinct sequences, of ``manifest`` or else of the published unique_records.

    Raises:
        NotFoundError: unique_records are not published.
    """
    return _table(partition, manifest, UNIQUE_SEQUENCES)


def _table(partition: PartitionRelease, manifest: Manifest | None, name: str) -> Path:
    manifest = manifest or partition.manifest("unique_records")
    if manifest is None:
        raise NotFoundError(f"unique_records of {partition.key} {partition.release} are not published yet")
    # Version 0.1.0 had both tables in one folder.
    return partition.folder_of(manifest) / (name if manifest.generation else name.rpartition("/")[2])
