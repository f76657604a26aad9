"""First load of a division: separate tables without indexes, then the indexes, then everything becomes visible at once.

Rows are copied into tables that are not attached to ``genbank.record``. The ledger records completed files, so a killed
load continues with the next one. Indexes are built afterwards, in parallel; one transaction then verifies the totals
and attaches the tables, which makes the division visible. The order of a load belongs to ``division_load``.
"""

from __future__ import annotations

from collections.abc import Callable

from genbank_assets.errors import IntegrityError
from genbank_assets.postgres import partitions
from genbank_assets.postgres.connection import Database, Session, SqlTotals
from genbank_assets.postgres.leases import Lease, assert_held
from genbank_assets.postgres.preflight import Preflight
from genbank_assets.postgres.sql_files import query
from genbank_assets.postgres.statements import PARTITIONED
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey

SMALL_RECORDS = 20_000  # smaller divisions are indexed in a single transaction, which takes less time than its commit
INDEX_MEMORY = "256MB"  # maintenance_work_mem per index
_BEGUN = "SELECT point, input_digest, is_attached FROM genbank.division WHERE collection = %s AND section = %s"


class FirstLoad:
    """The tables of a division during its first load."""

    def __init__(
        self, database: Database, key: PartitionKey, *, release: str, point: int, lease: Lease, totals: SqlTotals
    ) -> None:
        self._database = database
        self._name = {"collection": key.collection, "section": key.division}
        self._key = [key.collection, key.division]
        self._title = f"{key} {release}"
        self._release = release
        self._point = point
        self._lease = lease
        self._totals = totals

    def begin(self, *, input_digest: str) -> bool:
        """Create the tables, or find those of an interrupted load of the same input.

        Returns:
            Whether the tables may contain rows.
        """
        with self._database.transaction() as session:
            assert_held(session, self._lease)
            begun = session.execute(_BEGUN, self._key)
            resumed = bool(begun) and begun[0] == (self._point, input_digest, False)
            if not resumed:
                session.execute("DELETE FROM genbank.source_file WHERE collection = %s AND section = %s", self._key)
                session.execute(
                    "SELECT genbank.begin_release(%s, %s, %s, %s, %s)",
                    [*self._key, self._release, self._point, input_digest],
                )
                partitions.make_tables(session, **self._name)
        self._totals.add(session.totals)
        return resumed

    def build_indexes(self, settings: Settings, *, records: int, progress: Callable[[str], None]) -> None:
        """Build missing indexes, as many in parallel as there are workers."""
        small = records < SMALL_RECORDS
        if not small:
            progress(f"{self._title}: building indexes")
            names = [f"genbank.{partitions.partition_name(table, **self._name)}" for table in PARTITIONED]
            self._totals.add(partitions.freeze_pages(self._database, names))
        partitions.build_indexes(
            self._database, **self._name, workers=0 if small else settings.workers, totals=self._totals,
            memory=INDEX_MEMORY, check=lambda session: assert_held(session, self._lease),
        )  # fmt: skip
        workers = 1 if small else settings.workers
        self._totals.add(partitions.vacuum_tables(self._database, **self._name, vacuumed=PARTITIONED, workers=workers))

    def attach(self, session: Session, found: Preflight, *, progress: Callable[[str], None]) -> int:
        """Verify the tables and attach them, within the caller's transaction.

        Returns:
            Number of records that were in another division before.

        Raises:
            IntegrityError: they differ from the record tables.
        """
        name = partitions.partition_name("record", **self._name)
        records, bits = session.execute(query("load.totals_of_table").format(name=name))[0]
        digest = int(bits or "0", 2).to_bytes(32, "big")
        if (records, digest) != (found.accessions, found.record_digest):
            raise IntegrityError(
                f"{self._title}: {found.accessions:,} accessions are in the tables, {records:,} in PostgreSQL, "
                f"and their digests {'agree' if digest == found.record_digest else 'differ'}; they are not shown: "
                "run the load again"
            )
        partitions.attach_tables(session, **self._name)
        session.execute(
            "UPDATE genbank.division SET is_attached = true WHERE collection = %s AND section = %s", self._key
        )
        if self._key[0] != "genbank":  # RefSeq sections overlap
            return 0
        adopted = int(
            session.execute("SELECT genbank.adopt_moved(%s, %s, %s, %s)", [*self._key, self._release, self._point])[0][
                0
            ]
        )
        if adopted:
            progress(f"{self._title}: {adopted:,} records were in other divisions before")
        return adopted

    def discard(self) -> None:
        """Drop the tables, so that the next run starts over."""
        with self._database.transaction() as session:
            assert_held(session, self._lease)
            session.execute("DELETE FROM genbank.source_file WHERE collection = %s AND section = %s", self._key)
            session.execute(
                "DELETE FROM genbank.division WHERE collection = %s AND section = %s AND NOT is_attached", self._key
            )
            partitions.drop_tables(session, **self._name)
        self._totals.add(session.totals)
