"""Loads one division of one release: determines what is missing from the ledger, loads it, and completes the division.

Before the first file, the division is marked as being loaded with this release, so earlier states no longer apply to
it. After the last file, one transaction completes it: records in no file become absent, and counts and digests are
verified. Loading one file belongs to ``one_file``, tables of a new division to ``first_load``, the stage's report to
``load``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from genbank_assets.compute.tasks import TaskResult, run_tasks
from genbank_assets.errors import DatabaseError, IntegrityError
from genbank_assets.measure import Pace
from genbank_assets.postgres import partitions
from genbank_assets.postgres.connection import Database, Session, SqlTotals
from genbank_assets.postgres.first_load import FirstLoad
from genbank_assets.postgres.leases import Lease, assert_held
from genbank_assets.postgres.one_file import LoadedFile, LoadTask, load_file
from genbank_assets.postgres.order import note_release
from genbank_assets.postgres.preflight import (
    Preflight,
    check_shrinkage,
    later_accessions,
    loaded_totals,
    preflight,
    stage_accessions,
)
from genbank_assets.postgres.sql_files import query
from genbank_assets.postgres.staging import evidence_copy
from genbank_assets.postgres.statements import PARTITIONED
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionRelease

# New entries go to the pending list of a GIN index, which slows down every search, and the insert that fills it waits
# for the merge. VACUUM merges it; for partitions that are not vacuumed it is merged explicitly.
_VACUUMED_FRACTION = 0.005  # vacuum a division's tables if at least this fraction of its records changed
_STATES = ("new", "sequence_changed", "annotation_changed", "unchanged", "returned")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """State of a division in PostgreSQL after a load.

    Attributes:
        rows: number of current records.
        absent: number of records missing from the release.
        superseded: number of records superseded by another one with the same accession.
        states: number of records per change state: new, sequence_changed and so on.
    """

    rows: int
    absent: int
    superseded: int
    states: dict[str, int]


class DivisionLoad:
    """Loads one division of one release and accumulates totals."""

    def __init__(
        self,
        database: Database,
        partition: PartitionRelease,
        *,
        lease: Lease,
        totals: SqlTotals,
        settings: Settings,
        progress: Callable[[str], None],
    ) -> None:
        self._database = database
        self._partition = partition
        self._lease = lease
        self._totals = totals
        self._settings = settings
        self._progress = progress
        self._name = {"collection": partition.key.collection, "section": partition.key.division}
        self._key = [partition.key.collection, partition.key.division]
        self._release_key = [*self._key, partition.release]
        self._point = 0
        self._rows = 0  # number of records in the release, once known

    def run(
        self, tasks: list[LoadTask], *, unique: Manifest, run_id: str, recheck: bool
    ) -> list[TaskResult[LoadedFile]]:
        """Load what is missing, or with ``recheck`` whatever differs; return [] if the division is complete."""
        with self._database.transaction() as session:
            # In a separate transaction: as part of the first file's it would block other divisions.
            self._point = note_release(session, self._partition)
            is_attached = self._refuse_older(session)
            finished = session.execute(
                "SELECT input_digest, records, record_digest FROM genbank.division_release "
                "WHERE collection = %s AND section = %s AND release = %s",
                self._release_key,
            )
            later = later_accessions(session, **self._name, point=self._point) if is_attached else []
        self._totals.add(session.totals)
        found = preflight(self._partition, later=later)
        tasks = [
            dataclasses.replace(
                task, point=self._point, lease=self._lease, is_first=not is_attached,
                superseded=found.superseded.get(task.name, ()),
            )
            for task in tasks
        ]  # fmt: skip
        if not is_attached:
            return self._first(tasks, found, unique=unique, run_id=run_id)
        todo = tasks if recheck else self._todo(tasks)
        if finished and finished[0][0] == unique.digest and not todo and self._is_unchanged(found):
            self._progress("nothing to do: the ledger has every file")
            return []
        return self._update(tasks, todo, found, unique=unique, run_id=run_id)

    def _first(
        self, tasks: list[LoadTask], found: Preflight, *, unique: Manifest, run_id: str
    ) -> list[TaskResult[LoadedFile]]:
        """Load a division for the first time; it becomes visible as a whole at the end."""
        first = FirstLoad(
            self._database, self._partition.key, release=self._partition.release, point=self._point,
            lease=self._lease, totals=self._totals,
        )  # fmt: skip
        resumed = first.begin(input_digest=unique.digest)
        todo = self._todo(tasks) if resumed else tasks
        results = self._load_files(todo, reused=len(tasks) - len(todo))
        first.build_indexes(self._settings, records=found.accessions, progress=self._progress)
        try:
            with self._database.transaction() as session:
                assert_held(session, self._lease)
                first.attach(session, found, progress=self._progress)
                self._note_finished(session, found, files=len(tasks), unique=unique, run_id=run_id)
        except IntegrityError:
            first.discard()
            raise
        self._totals.add(session.totals)
        return results

    def _update(
        self, tasks: list[LoadTask], todo: list[LoadTask], found: Preflight, *, unique: Manifest, run_id: str
    ) -> list[TaskResult[LoadedFile]]:
        """Update a loaded division to the release."""
        with self._database.transaction(keep=False) as session:
            check_shrinkage(
                session,
                self._partition,
                point=self._point,
                max_absent_fraction=self._settings.max_absent_fraction,
            )
        self._totals.add(session.totals)
        self._begin(unique)
        results = self._load_files(todo, reused=len(tasks) - len(todo))
        try:
            self._finish(tasks, found, unique=unique, run_id=run_id)
        except IntegrityError as error:
            # Rows of files in the ledger were changed by something else.
            self._progress(f"{error}: every file is compared again")
            results = self._load_files(tasks, reused=0)
            with self._database.transaction() as session:
                later = later_accessions(session, **self._name, point=self._point)
            self._totals.add(session.totals)
            self._finish(tasks, preflight(self._partition, later=later), unique=unique, run_id=run_id)
        sent = sum(result.value.sent for result in results)
        vacuumed = PARTITIONED if sent > _VACUUMED_FRACTION * self._rows else ("record",)
        workers = self._settings.workers
        self._totals.add(partitions.vacuum_tables(self._database, **self._name, vacuumed=vacuumed, workers=workers))
        return results

    def _begin(self, unique: Manifest) -> None:
        with self._database.transaction() as session:
            assert_held(session, self._lease)
            begun = session.execute(
                "SELECT genbank.begin_release(%s, %s, %s, %s, %s)", [*self._release_key, self._point, unique.digest]
            )[0][0]
            if not begun:
                raise DatabaseError(f"{self._partition.key} went on to a later release than {self._partition.release}")
        self._totals.add(session.totals)

    def _is_unchanged(self, found: Preflight) -> bool:
        """Return whether the division is unchanged since it was completed."""
        with self._database.transaction() as session:
            totals = loaded_totals(session, **self._name, point=self._point)
        self._totals.add(session.totals)
        self._rows = totals[0] + found.overtaken
        return totals == (found.accessions, found.record_digest)

    def _refuse_older(self, session: Session) -> bool:
        """Return whether the division has records already.

        Raises:
            DatabaseError: it has a later release, or one is being loaded.
        """
        rows = session.execute(
            "SELECT release, point, is_attached FROM genbank.division WHERE collection = %s AND section = %s", self._key
        )
        if rows and rows[0][1] > self._point:
            raise DatabaseError(
                f"{self._partition.key}: release {rows[0][0]} is already loaded; the older {self._partition.release} "
                "is not loaded over it"
            )
        return bool(rows and rows[0][2])

    def _todo(self, tasks: list[LoadTask]) -> list[LoadTask]:
        with self._database.transaction() as session:
            rows = session.execute(
                "SELECT name, raw_sha256, code_version FROM genbank.source_file "
                "WHERE collection = %s AND section = %s AND release = %s AND replaced_at IS NULL",
                self._release_key,
            )
        self._totals.add(session.totals)
        loaded = {name: (raw_sha256, code_version) for name, raw_sha256, code_version in rows}
        return [task for task in tasks if loaded.get(task.name) != (task.raw_sha256, task.code_version)]

    def _load_files(self, tasks: list[LoadTask], *, reused: int) -> list[TaskResult[LoadedFile]]:
        if reused:
            self._progress(f"{reused} file(s) are in the ledger already")
        pace = Pace(sum(task.records for task in tasks))

        def on_done(task: LoadTask, result: TaskResult[LoadedFile]) -> None:
            self._totals.add(result.value.totals)
            rate = task.records / max(result.seconds, 1e-9)
            self._progress(
                f"loaded {task.name}: {result.value.sent:,} of {task.records:,} records sent in {result.seconds:.2f} s"
                f", {rate:,.0f} records/s{result.where}{pace.after(task.records)}"
            )

        return run_tasks(
            load_file, tasks, settings=self._settings, resource="postgres", progress=self._progress, on_done=on_done
        )

    def _finish(self, tasks: list[LoadTask], found: Preflight, *, unique: Manifest, run_id: str) -> None:
        """Mark missing records absent, verify totals and record completion, in one transaction."""
        with self._database.transaction() as session:
            assert_held(session, self._lease)
            session.execute(
                "UPDATE genbank.source_file SET replaced_at = now() WHERE collection = %s AND section = %s "
                "AND release = %s AND name <> ALL (%s) AND replaced_at IS NULL",
                [*self._release_key, [task.name for task in tasks]],
            )
            totals = loaded_totals(session, **self._name, point=self._point)
            if totals[0] != found.accessions:  # all accessions of the tables are current now; any others are absent
                stage_accessions(session, self._partition)
                session.execute(
                    "SELECT genbank.mark_absent(%s, %s, %s, %s, %s)", [*self._release_key, self._point, run_id]
                )
                totals = loaded_totals(session, **self._name, point=self._point)
            if totals != (found.accessions, found.record_digest):
                raise IntegrityError(
                    f"{self._partition.key} {unique.release}: {found.accessions:,} accessions are in the tables, "
                    f"{totals[0]:,} in PostgreSQL, and their digests "
                    f"{'agree' if totals[1] == found.record_digest else 'differ'}"
                )
            self._note_finished(session, found, files=len(tasks), unique=unique, run_id=run_id)
        self._totals.add(session.totals)

    def _note_finished(self, session: Session, found: Preflight, *, files: int, unique: Manifest, run_id: str) -> None:
        if (copy := evidence_copy(self._partition)) is not None:
            session.execute(query("load.stage_evidence"))
            session.copy_in(copy.statement, copy.stream())
            session.execute("SELECT genbank.attach_evidence(%s, %s, %s)", self._release_key)
        session.execute(
            query("load.note_division_release"),
            [*self._release_key, unique.digest, files, found.accessions + found.overtaken, found.record_digest, run_id],
        )
        session.execute(
            query("load.note_finished"),
            self._release_key,
        )
        self._rows = found.accessions + found.overtaken

    def outcome(self) -> Outcome:
        """Return the division's totals for this release, whichever runs produced them."""
        with self._database.transaction() as session:
            states = session.execute(
                query("load.states"),
                self._release_key,
            )[0]
            absent = session.execute(
                query("load.absent"),
                self._release_key,
            )[0][0]
        self._totals.add(session.totals)
        return Outcome(self._rows, absent, states[0], dict(zip(_STATES, states[1:], strict=True)))
