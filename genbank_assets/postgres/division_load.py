"""One division of one release on its way into PostgreSQL: what the ledger has, what is still to load, how it ends.

A division is finished in one transaction after its last file: what no file has becomes absent, the count is proved. One
file's load belongs to ``one_file``; what the stage reports, to ``load``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from genbank_assets.compute.tasks import TaskResult, run_tasks
from genbank_assets.errors import DatabaseError, IntegrityError
from genbank_assets.measure import Pace
from genbank_assets.ncbi.releases import release_date
from genbank_assets.postgres.connection import Database, Session, SqlTotals
from genbank_assets.postgres.merge import STAGE_EVIDENCE
from genbank_assets.postgres.one_file import LoadedFile, LoadTask, load_file
from genbank_assets.postgres.staging import evidence_copy
from genbank_assets.postgres.survey import Survey, check_shrinkage, survey
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionRelease, release_sort_key

# What was loaded last lies beside a GIN index until it is merged: each search reads it from end to end, and who inserts
# the row that fills it waits. Only the owner of an index may do that.
_MERGE_PENDING = """
SELECT gin_clean_pending_list(c.oid::regclass)
FROM pg_class c JOIN pg_am a ON a.oid = c.relam
WHERE a.amname = 'gin' AND c.relnamespace = 'genbank'::regnamespace AND pg_has_role(c.relowner, 'USAGE')
"""
_STATES = ("new", "sequence_changed", "annotation_changed", "unchanged", "returned")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The division as PostgreSQL has it after a load."""

    rows: int
    absent: int
    superseded: int
    states: dict[str, int]


class DivisionLoad:
    """The load of one division of one release, in order; totals are added up as it goes."""

    def __init__(
        self,
        database: Database,
        partition: PartitionRelease,
        *,
        totals: SqlTotals,
        settings: Settings,
        progress: Callable[[str], None],
    ) -> None:
        self._database = database
        self._partition = partition
        self._totals = totals
        self._settings = settings
        self._progress = progress
        self._key = [partition.key.collection, partition.key.division]
        self._release_key = [*self._key, partition.release]
        self._date = release_date(partition)
        self._rows = 0  # current records, once they are counted

    def run(self, tasks: list[LoadTask], *, unique: Manifest, run_id: str) -> list[TaskResult[LoadedFile]]:
        """Load what is not loaded; [] when the division is finished already."""
        with self._database.transaction() as session:
            self._refuse_older(session)
            finished = session.execute(
                "SELECT input_digest, records FROM genbank.division_release "
                "WHERE collection = %s AND section = %s AND release = %s",
                self._release_key,
            )
            loaded = self._ledger(session)
            # Here and not with the first file: its transaction would make those of other divisions wait.
            session.execute(
                "INSERT INTO genbank.release (collection, release, release_major, release_minor, release_date) "
                "VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                [self._key[0], self._partition.release, *release_sort_key(self._partition.release), self._date],
            )
        self._totals.add(session.totals)
        todo = [task for task in tasks if loaded.get(task.name) != (task.raw_sha256, task.code_version)]
        if finished and finished[0][0] == unique.digest and not todo and self._holds(finished[0][1]):
            self._progress("nothing to do: the ledger has every file")
            return []
        found = survey(self._partition)
        with self._database.transaction(keep=False) as session:
            check_shrinkage(session, self._partition, max_absent_fraction=self._settings.max_absent_fraction)
        self._totals.add(session.totals)
        results = self._load_files(todo, found, reused=len(tasks) - len(todo))
        try:
            self._finish(tasks, found, unique=unique, run_id=run_id)
        except IntegrityError as error:
            # Something else changed the rows of files that the ledger has.
            self._progress(f"{error}: every file is compared again")
            results = self._load_files(tasks, found, reused=0)
            self._finish(tasks, found, unique=unique, run_id=run_id)
        with self._database.transaction() as session:  # by itself: it takes no part in what the division is
            session.execute(_MERGE_PENDING)
        self._totals.add(session.totals)
        return results

    def _holds(self, records: int) -> bool:
        """Whether the division is still what it was when it was finished."""
        with self._database.transaction() as session:
            self._rows = self._current(session)
        self._totals.add(session.totals)
        return self._rows == records

    def _refuse_older(self, session: Session) -> None:
        rows = session.execute(
            "SELECT release FROM genbank.division_release WHERE collection = %s AND section = %s "
            "UNION SELECT release FROM genbank.source_file "
            "WHERE collection = %s AND section = %s AND genbank.daily_date(release) IS NULL",
            [*self._key, *self._key],
        )
        release = self._partition.release
        newest = max((str(found) for (found,) in rows), key=release_sort_key, default=release)
        if release_sort_key(newest) > release_sort_key(release):
            raise DatabaseError(
                f"{self._partition.key}: release {newest} is loaded already; the older {release} is not loaded over it"
            )

    def _ledger(self, session: Session) -> dict[str, tuple[str, str]]:
        rows = session.execute(
            "SELECT name, raw_sha256, code_version FROM genbank.source_file "
            "WHERE collection = %s AND section = %s AND release = %s",
            self._release_key,
        )
        return {name: (raw_sha256, code_version) for name, raw_sha256, code_version in rows}

    def _load_files(self, todo: list[LoadTask], found: Survey, *, reused: int) -> list[TaskResult[LoadedFile]]:
        if reused:
            self._progress(f"{reused} file(s) are in the ledger already")
        tasks = [dataclasses.replace(task, superseded=found.superseded.get(task.name, ())) for task in todo]

        pace = Pace(sum(task.records for task in tasks))

        def on_done(task: LoadTask, result: TaskResult[LoadedFile]) -> None:
            self._totals.add(result.value.totals)
            rate = task.records / max(result.seconds, 1e-9)
            self._progress(
                f"loaded {task.name}: {result.value.sent:,} of {task.records:,} records sent in {result.seconds:.1f} s"
                f", {rate:,.0f} records/s{result.where}{pace.after(task.records)}"
            )

        return run_tasks(
            load_file, tasks, settings=self._settings, resource="postgres", progress=self._progress, on_done=on_done
        )

    def _finish(self, tasks: list[LoadTask], found: Survey, *, unique: Manifest, run_id: str) -> None:
        """Mark what the release no longer has, prove the count, and note the division as finished: all or nothing."""
        with self._database.transaction() as session:
            session.execute(
                "DELETE FROM genbank.source_file WHERE collection = %s AND section = %s AND release = %s "
                "AND name <> ALL (%s)",
                [*self._release_key, [task.name for task in tasks]],
            )
            rows = self._current(session)
            if rows != found.accessions:  # every accession of the tables is current now, so that more are absent ones
                session.execute(
                    "SELECT genbank.mark_absent(%s, %s, %s, %s, %s)", [*self._release_key, run_id, self._date]
                )
                rows = self._current(session)
            if rows != found.accessions:
                raise IntegrityError(
                    f"{self._partition.key} {unique.release}: {found.accessions:,} accessions are in the tables, "
                    f"{rows:,} in PostgreSQL"
                )
            self._attach_evidence(session)
            session.execute(
                "INSERT INTO genbank.division_release "
                "(collection, section, release, input_digest, files, records, run_id) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s) "
                "ON CONFLICT (collection, section, release) DO UPDATE SET input_digest = excluded.input_digest, "
                "files = excluded.files, records = excluded.records, run_id = excluded.run_id, finished_at = now()",
                [*self._release_key, unique.digest, len(tasks), rows, run_id],
            )
        self._totals.add(session.totals)
        self._rows = rows

    def _attach_evidence(self, session: Session) -> None:
        if (copy := evidence_copy(self._partition)) is not None:
            session.execute(STAGE_EVIDENCE)
            session.copy_in(copy.statement, copy.stream())
            session.execute("SELECT genbank.attach_evidence(%s, %s, %s)", self._release_key)

    def _current(self, session: Session) -> int:
        """Records of the division that the release has, without those only a daily update on top of it has."""
        rows = session.execute(
            "SELECT count(*) - genbank.only_daily(%s, %s, %s) FROM genbank.record "
            "WHERE collection = %s AND section = %s AND is_current",
            [*self._release_key, *self._key],
        )
        return int(rows[0][0])

    def outcome(self) -> Outcome:
        """The division's totals in this release, whichever runs brought them about."""
        with self._database.transaction() as session:
            states = session.execute(
                "SELECT coalesce(sum(superseded), 0)::bigint, coalesce(sum(records_new), 0)::bigint, "
                "coalesce(sum(records_sequence_changed), 0)::bigint, "
                "coalesce(sum(records_annotation_changed), 0)::bigint, coalesce(sum(records_unchanged), 0)::bigint, "
                "coalesce(sum(records_returned), 0)::bigint "
                "FROM genbank.source_file WHERE collection = %s AND section = %s AND release = %s",
                self._release_key,
            )[0]
            absent = session.execute(
                "SELECT count(*) FROM genbank.record_event "
                "WHERE collection = %s AND section = %s AND release = %s AND state = 'absent'",
                self._release_key,
            )[0][0]
        self._totals.add(session.totals)
        return Outcome(self._rows, absent, states[0], dict(zip(_STATES, states[1:], strict=True)))
