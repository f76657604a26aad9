"""The part of ``verify`` and ``repair`` that asks PostgreSQL: does it hold what the tables hold, file by file?

What is compared belongs to ``postgres.comparison``, how a division is loaded to ``postgres.load``.
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
    """Compares partitions with the database; one that cannot be asked is not asked again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._refused = ""

    @property
    def refused(self) -> str:
        """Why the database could not be asked; "" while it can."""
        return self._refused

    def differences(self, partition: PartitionRelease) -> list[FileDifference]:
        """What PostgreSQL does not hold as the tables have it, of a partition whose manifest says that it is loaded.

        What was loaded from other tables than are here now is found by the chain of manifests, not here; so are tables
        that cannot be read by their own stage.
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
    """Compare every record of a division with the database again, and send those that differ.

    Raises:
        DatabaseError: the division is at a later release.
    """
    with exclusive(settings, str(partition.key), progress=progress, run_id=run_id):
        load_division(partition, settings=settings, progress=progress, run_id=run_id, recheck=True)
