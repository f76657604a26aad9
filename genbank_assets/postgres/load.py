"""Stage 4: a division's record tables -> PostgreSQL, one transaction per file.

Per file: keys by COPY, one query for the records not yet loaded in that state, those records by COPY, one merge: nine
statements whatever the size. A kill leaves a file's whole change or nothing; the ledger (``source_file``) makes a
re-run skip what is loaded. Before a division's first file is touched, the shrink guard counts what the release lacks.
The merge itself is in ``merge``, the rows in ``staging``.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from genbank_assets.compute.local import TaskResult, run_tasks
from genbank_assets.errors import DatabaseError, IntegrityError, NotFoundError, ShrinkGuardError
from genbank_assets.measure import StageReport, Stopwatch, peak_memory_bytes
from genbank_assets.postgres.connection import Database, Session, SqlTotals, open_database, without_password
from genbank_assets.postgres.ddl import ensure_schema
from genbank_assets.postgres.staging import Copy, feature_copy, key_copy, record_copy, reference_copy
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionRelease, publish_manifest, release_sort_key

CODE_VERSION = "1"
FEWEST_ABSENT = 20  # fewer absent records than this never stop a load
_RETRIES = 3
_STATES = ("new", "sequence_changed", "annotation_changed", "unchanged", "returned")


@dataclasses.dataclass(frozen=True)
class LoadTask:
    """One file to load; small and picklable."""

    settings: Settings
    collection: str
    division: str
    release: str
    run_id: str
    records_path: Path
    name: str
    raw_sha256: str
    records: int
    quarantined: int
    residues: int

    def __str__(self) -> str:
        return self.name


@dataclasses.dataclass(frozen=True)
class LoadedFile:
    """What one file changed, and what that took."""

    name: str
    states: dict[str, int]
    duplicate_accessions: int
    totals: SqlTotals


def load_division(
    partition: PartitionRelease, *, settings: Settings, progress: Callable[[str], None], run_id: str
) -> Manifest:
    """Bring PostgreSQL to the state of a division's record tables.

    Until the last file is in, readers see some files of the new release and some of the old; each file is whole.

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
    totals = SqlTotals()
    with Stopwatch() as watch, open_database(settings) as database:
        totals.add(ensure_schema(database))
        tasks = _tasks(partition, records, settings=settings, run_id=run_id)
        with database.transaction() as session:
            loaded = _ledger(session, partition)
            _refuse_older(session, partition)
            todo = [task for task in tasks if loaded.get(task.name) != task.raw_sha256]
            totals.add(session.totals)
        finished = not todo and set(loaded) == {task.name for task in tasks}
        if not finished:
            _guard(database, partition, totals=totals, settings=settings)
        results = _load_files(todo, settings=settings, progress=progress, reused=len(tasks) - len(todo))
        for result in results:
            totals.add(result.value.totals)
        absent, rows = _finish(database, partition, tasks, totals=totals, run_id=run_id)
    duplicates = sum(result.value.duplicate_accessions for result in results)
    _prove(partition, unique, rows=rows)
    progress(f"{rows:,} records loaded, {totals.statements} SQL statements, {totals.rows_copied:,} rows copied")
    states = {state: sum(result.value.states[state] for result in results) for state in _STATES}
    manifest = Manifest(
        stage="postgres_table",
        code_version=CODE_VERSION,
        collection=partition.key.collection,
        release=partition.release,
        division=partition.key.division,
        input_digest=unique.digest,
        files=tuple({"name": task.name, "rows": task.records, "raw_sha256": task.raw_sha256} for task in tasks),
        extra={"rows_loaded": rows},
        report=StageReport(
            files=len(tasks),
            files_now=len(todo),
            records=sum(task.records for task in tasks),
            residues=sum(task.residues for task in tasks),
            duplicates=duplicates,
            rows_loaded=rows,
            rows_copied=totals.rows_copied,
            rows_merged=totals.rows_merged,
            sql_statements=totals.statements,
            sql_seconds=totals.seconds,
            records_absent=absent,
            seconds=watch.seconds,
            peak_memory_bytes=max((r.peak_memory_bytes for r in results), default=peak_memory_bytes()),
            **{f"records_{state}": number for state, number in states.items()},
        ),
        run_id=run_id,
    )
    return publish_manifest(manifest, partition=partition)


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
            records=entry["records"],
            quarantined=entry["quarantined"],
            residues=entry["residues"],
        )
        for entry in records.files
    ]


def _ledger(session: Session, partition: PartitionRelease) -> dict[str, str]:
    rows = session.execute(
        "SELECT name, raw_sha256 FROM genbank.source_file WHERE collection = %s AND section = %s AND release = %s",
        [partition.key.collection, partition.key.division, partition.release],
    )
    return dict(rows)


def _refuse_older(session: Session, partition: PartitionRelease) -> None:
    rows = session.execute(
        "SELECT DISTINCT release FROM genbank.source_file WHERE collection = %s AND section = %s",
        [partition.key.collection, partition.key.division],
    )
    newest = max((str(release) for (release,) in rows), key=release_sort_key, default=partition.release)
    if release_sort_key(newest) > release_sort_key(partition.release):
        raise DatabaseError(
            f"{partition.key}: release {newest} is loaded already; the older {partition.release} is not loaded over it"
        )


def _guard(database: Database, partition: PartitionRelease, *, totals: SqlTotals, settings: Settings) -> None:
    """Count the loaded records the release lacks, before anything is changed.

    Upstream faults look exactly like deletions, so too many stop the load for a person to decide.
    """
    key = [partition.key.collection, partition.key.division]
    with database.transaction() as session:
        current = "SELECT count(*) FROM genbank.record WHERE collection = %s AND section = %s AND is_current"
        loaded = session.execute(current, key)[0][0]
        absent = 0
        if loaded:
            session.execute("CREATE TEMP TABLE stage_accession (accession text) ON COMMIT DROP")
            _send(session, _accessions(partition))
            absent = session.execute(
                "SELECT count(*) FROM genbank.record r WHERE collection = %s AND section = %s AND is_current "
                "AND NOT EXISTS (SELECT FROM stage_accession s WHERE s.accession = r.accession)",
                key,
            )[0][0]
    totals.add(session.totals)
    if absent > FEWEST_ABSENT and absent > settings.max_absent_fraction * loaded:
        raise ShrinkGuardError(
            f"{partition.key} {partition.release} lacks {absent:,} of {loaded:,} loaded records "
            f"({absent / loaded:.1%}, allowed are {settings.max_absent_fraction:.1%}); nothing was changed. "
            "If this is right, allow it: materialize --max-absent-fraction "
            f"{min(1.0, absent / loaded + 0.0005):.3f}, or set max_absent_fraction in the run's configuration"
        )


def _accessions(partition: PartitionRelease) -> Copy:
    path = partition.stage_folder("unique_records") / "memberships.parquet"

    def batches() -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(columns=["accession"])

    return Copy("stage_accession", ("accession",), batches)


def _load_files(
    tasks: list[LoadTask], *, settings: Settings, progress: Callable[[str], None], reused: int
) -> list[TaskResult[LoadedFile]]:
    if reused:
        progress(f"{reused} file(s) are in the ledger already")

    def on_done(task: LoadTask, result: TaskResult[LoadedFile]) -> None:
        states = ", ".join(f"{number:,} {state}" for state, number in result.value.states.items() if number)
        progress(f"loaded {task.name}: {states or 'nothing to change'} in {result.seconds:.1f} s")

    return run_tasks(load_file, tasks, workers=settings.workers, on_done=on_done)


def load_file(task: LoadTask) -> LoadedFile:
    """Load one file in one transaction; runs in a worker process.

    Two files that name the same new accession at the same moment collide; the later one is tried again and then
    finds it loaded.
    """
    for attempt in range(_RETRIES):
        try:
            with open_database(task.settings) as database, database.transaction() as session:
                return _load(session, task)
        except (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected):
            if attempt == _RETRIES - 1:
                raise
            time.sleep(0.2 * 2**attempt)
        except psycopg.Error as error:
            raise DatabaseError(f"{task.name}: {without_password(str(error).strip())}") from error
    raise AssertionError("unreachable")


def _load(session: Session, task: LoadTask) -> LoadedFile:
    session.execute("SELECT genbank.begin_file()")
    _send(session, key_copy(task.records_path))
    rows = session.execute("SELECT genbank.wanted_ordinals(%s, %s)", [task.collection, task.division])
    wanted = pa.array([ordinal for (ordinal,) in rows], pa.int64())
    if len(wanted):
        for make in (record_copy, feature_copy, reference_copy):
            _send(session, make(task.records_path, wanted))
    merged = session.execute(
        "SELECT * FROM genbank.merge_file(%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [task.collection, task.division, task.release, task.name, task.raw_sha256, task.records, task.quarantined,
         task.residues, task.run_id],
    )[0]  # fmt: skip
    session.totals.rows_merged += merged[0]
    return LoadedFile(
        name=task.name,
        states=dict(zip(_STATES, merged[1:6], strict=True)),
        duplicate_accessions=merged[6],
        totals=session.totals,
    )


def _send(session: Session, copy: Copy) -> None:
    """One COPY, its rows counted as they pass."""
    sent = 0

    def count(rows: int) -> None:
        nonlocal sent
        sent += rows

    session.copy_in(copy.statement, copy.stream(count), rows=0)
    session.totals.rows_copied += sent


def _finish(
    database: Database, partition: PartitionRelease, tasks: list[LoadTask], *, totals: SqlTotals, run_id: str
) -> tuple[int, int]:
    """Mark what the release no longer has; returns (records absent now, records current)."""
    key = [partition.key.collection, partition.key.division]
    with database.transaction() as session:
        session.execute(
            "DELETE FROM genbank.source_file WHERE collection = %s AND section = %s AND release = %s "
            "AND name <> ALL (%s)",
            [*key, partition.release, [task.name for task in tasks]],
        )
        absent = session.execute("SELECT genbank.mark_absent(%s, %s, %s, %s)", [*key, partition.release, run_id])
        rows = session.execute(
            "SELECT count(*) FROM genbank.record WHERE collection = %s AND section = %s AND is_current", key
        )
    totals.add(session.totals)
    return int(absent[0][0]), int(rows[0][0])


def _prove(partition: PartitionRelease, unique: Manifest, *, rows: int) -> None:
    """The database holds as many current records as the division has distinct accessions."""
    path = partition.stage_folder("unique_records") / "memberships.parquet"
    distinct, last = 0, None
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["accession"]):
            column = batch["accession"]
            runs = pc.run_end_encode(column).values
            distinct += len(runs) - (1 if len(runs) and runs[0].as_py() == last else 0)
            last = runs[-1].as_py() if len(runs) else last
    if rows != distinct:
        raise IntegrityError(
            f"{partition.key} {unique.release}: {distinct:,} accessions are in the tables, {rows:,} in PostgreSQL"
        )
