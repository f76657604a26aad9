"""Stage 4: a division's record tables -> PostgreSQL, one transaction per file.

The ledger (``source_file``) makes a re-run skip what is loaded. Before a division's first file is touched, ``survey``
counts what the release lacks; after its last one, what no file has becomes absent and the division is noted as
finished. How one file is loaded belongs to ``one_file``, the SQL of the merge to ``merge``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from genbank_assets.compute.local import TaskResult, run_tasks
from genbank_assets.errors import DatabaseError, IntegrityError, NotFoundError
from genbank_assets.measure import Pace, StageReport, Stopwatch, peak_memory_bytes
from genbank_assets.ncbi.releases import release_date
from genbank_assets.postgres.connection import Database, Session, SqlTotals, open_database
from genbank_assets.postgres.merge import STAGE_EVIDENCE
from genbank_assets.postgres.one_file import LoadedFile, LoadTask, load_file
from genbank_assets.postgres.staging import evidence_copy
from genbank_assets.postgres.survey import Survey, check_shrinkage, survey
from genbank_assets.postgres.versions import ensure_schema
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionRelease, publish_manifest, release_sort_key

CODE_VERSION = "2"
_STATES = ("new", "sequence_changed", "annotation_changed", "unchanged", "returned")


@dataclasses.dataclass(frozen=True)
class _Outcome:
    """The division as PostgreSQL has it after a load."""

    rows: int
    absent: int
    superseded: int
    states: dict[str, int]


def load_division(
    partition: PartitionRelease, *, settings: Settings, progress: Callable[[str], None], run_id: str
) -> Manifest:
    """Bring PostgreSQL to the state of a division's record tables.

    Until the last file is in, readers see some files of the new release and some of the old; each file is whole. Runs
    that load the same division at the same time wait for each other.

    Raises:
        NotFoundError: the record tables or memberships are not published.
        ShrinkGuardError: too many loaded records are gone from the release; nothing was changed.
        DatabaseError: the server failed, or holds a newer release of the division.
        IntegrityError: the database does not hold what the tables hold.
    """
    records = partition.manifest("records")
    unique = partition.manifest("unique_records")
    if records is None or unique is None or unique.input_digest != records.digest:
        raise NotFoundError(f"{partition.key} {partition.release}: materialize records and unique_records first")
    tasks = _tasks(partition, records, settings=settings, run_id=run_id)
    with Stopwatch() as watch, open_database(settings) as database:
        totals = ensure_schema(database)
        with database.exclusive(
            str(partition.key),
            totals=totals,
            on_wait=lambda: progress(f"another run loads {partition.key}: waiting for it"),
        ):
            job = _Job(database, partition, totals=totals, settings=settings, progress=progress)
            results = job.run(tasks, unique=unique, run_id=run_id)
            outcome = job.outcome()
    progress(f"{outcome.rows:,} records loaded, {totals.statements} SQL statements, {totals.rows_copied:,} rows copied")
    manifest = Manifest(
        stage="postgres_table",
        code_version=CODE_VERSION,
        collection=partition.key.collection,
        release=partition.release,
        division=partition.key.division,
        input_digest=unique.digest,
        files=tuple({"name": task.name, "rows": task.records, "raw_sha256": task.raw_sha256} for task in tasks),
        extra={"rows_loaded": outcome.rows, "states": {**outcome.states, "absent": outcome.absent}},
        report=_report(tasks, results, outcome, totals=totals, seconds=watch.seconds),
        run_id=run_id,
    )
    previous = partition.manifest("postgres_table")
    if previous is not None and previous.digest == manifest.digest:
        return dataclasses.replace(previous, report=manifest.report)
    return publish_manifest(manifest, partition=partition)


def _report(
    tasks: list[LoadTask],
    results: list[TaskResult[LoadedFile]],
    outcome: _Outcome,
    *,
    totals: SqlTotals,
    seconds: float,
) -> StageReport:
    return StageReport(
        files=len(tasks),
        files_now=len(results),
        records=sum(task.records for task in tasks),
        residues=sum(task.residues for task in tasks),
        duplicates=outcome.superseded,
        rows_loaded=outcome.rows,
        rows_copied=totals.rows_copied,
        rows_merged=totals.rows_merged,
        sql_statements=totals.statements,
        sql_seconds=totals.seconds,
        records_absent=outcome.absent,
        seconds=seconds,
        peak_memory_bytes=max((result.peak_memory_bytes for result in results), default=peak_memory_bytes()),
        **{f"records_{state}": number for state, number in outcome.states.items()},
    )


def _tasks(partition: PartitionRelease, records: Manifest, *, settings: Settings, run_id: str) -> list[LoadTask]:
    folder = partition.stage_folder("records")
    return [
        LoadTask(
            settings=settings,
            collection=partition.key.collection,
            division=partition.key.division,
            release=partition.release,
            run_id=run_id,
            records_path=folder / entry["records_file"],
            name=entry["name"],
            raw_sha256=entry["raw_sha256"],
            code_version=entry["code_version"],
            records=entry["records"],
            quarantined=entry["quarantined"],
            residues=entry["residues"],
            date=release_date(partition),
            ordinals=entry["locus_lines"],
        )
        for entry in records.files
    ]


class _Job:
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
                f", {rate:,.0f} records/s{pace.after(task.records)}"
            )

        return run_tasks(load_file, tasks, workers=self._settings.workers, on_done=on_done)

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

    def outcome(self) -> _Outcome:
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
        return _Outcome(self._rows, absent, states[0], dict(zip(_STATES, states[1:], strict=True)))
