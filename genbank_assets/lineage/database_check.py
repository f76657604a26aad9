"""Compares PostgreSQL with the tables, file by file, for ``verify`` and ``repair``.

The comparison belongs to ``postgres.comparison``, loading to ``postgres.load``.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from genbank_assets.errors import DatabaseError, IntegrityError, StoreError
from genbank_assets.locks import exclusive
from genbank_assets.postgres.comparison import FileDifference, compare_with_tables
from genbank_assets.postgres.connection import open_database
from genbank_assets.postgres.load import load_division
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionRelease


class DatabaseCheck:
    """Compares partitions with the database; after a failure to connect, it is not contacted again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._refused = ""

    @property
    def refused(self) -> str:
        """Why the database could not be queried; "" if it can be."""
        return self._refused

    def differences(self, partition: PartitionRelease) -> list[FileDifference]:
        """Return the differences between PostgreSQL and the tables of a partition that its manifest says is loaded.

        Loads from other tables than the current ones are detected by the chain of manifests, unreadable tables by their
        own stage.
        """
        try:
            loaded, unique, records = (partition.manifest(s) for s in ("postgres_table", "unique_records", "records"))
        except IntegrityError:
            return []
        if self._refused or loaded is None or unique is None or records is None:
            return []
        if loaded.input_digest != unique.digest or unique.input_digest != records.digest:
            return []
        try:
            with open_database(self._settings) as database, database.transaction(keep=False) as session:
                return compare_with_tables(session, partition, records)
        except DatabaseError as error:
            self._refused = str(error)
            return []
        except (StoreError, IntegrityError, OSError, pa.ArrowException):
            return []


def load_again(
    partition: PartitionRelease, *, settings: Settings, run_id: str, progress: Callable[[str], None]
) -> None:
    """Compare all records of a division with the database, and send those that differ.

    Raises:
        DatabaseError: the division has a later release.
    """
    with exclusive(settings, str(partition.key), progress=progress, run_id=run_id):
        load_division(partition, settings=settings, progress=progress, run_id=run_id, recheck=True)
