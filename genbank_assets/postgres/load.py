"""Stage 4: loads a division's record tables into PostgreSQL, one transaction per file.

The ledger (``source_file``) lets a re-run skip loaded files. Before the first file, ``preflight`` counts the records
that the release lacks; after the last one, records in no file become absent and the division is recorded as complete.
The sequence of steps belongs to ``division_load``, one file to ``one_file``, the merge to ``sql/merge.sql``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from genbank_assets.compute.results import TaskResult
from genbank_assets.errors import NotFoundError
from genbank_assets.measure import Stopwatch, peak_memory_bytes
from genbank_assets.postgres import leases
from genbank_assets.postgres.connection import SqlTotals, open_database
from genbank_assets.postgres.division_load import DivisionLoad, Outcome
from genbank_assets.postgres.one_file import LoadedFile, LoadTask
from genbank_assets.postgres.versions import ensure_schema
from genbank_assets.reports import LoadReport
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, publish_manifest

CODE_VERSION = "2"


def load_division(
    partition: PartitionRelease,
    *,
    settings: Settings,
    progress: Callable[[str], None],
    run_id: str,
    recheck: bool = False,
) -> Manifest:
    """Bring PostgreSQL to the state of a division's record tables.

    A division loaded for the first time becomes visible as a whole at the end. During an update, readers see some files
    of the new release and some of the old one; each file is atomic. Concurrent loads of a division wait for each other.

    Args:
        partition: the division and release.
        settings: name the store and the database.
        progress: called with messages for the user.
        run_id: id of this run, recorded in ledger and history.
        recheck: whether to compare the records of already loaded files with the database.

    Returns:
        The published manifest.

    Raises:
        NotFoundError: the record tables or memberships are not published.
        ShrinkGuardError: too many loaded records are missing from the release; nothing was changed.
        DatabaseError: the server failed, or holds a newer release of the division.
        IntegrityError: the database does not match the tables.
    """
    records = partition.manifest("records")
    unique = partition.manifest("unique_records")
    if records is None or unique is None or unique.input_digest != records.digest:
        raise NotFoundError(f"{partition.key} {partition.release}: materialize records and unique_records first")
    tasks = _tasks(partition, records, settings=settings, run_id=run_id)
    with Stopwatch() as watch, open_database(settings, create=True) as database:
        totals = ensure_schema(database, progress=progress)
        schema_statements = totals.statements
        with leases.hold(database, lease_name(partition.key), progress=progress, run_id=run_id, totals=totals) as lease:
            job = DivisionLoad(database, partition, lease=lease, totals=totals, settings=settings, progress=progress)
            results = job.run(tasks, unique=unique, run_id=run_id, recheck=recheck)
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
        report=_report(tasks, results, outcome, totals=totals, schema_statements=schema_statements, watch=watch),
        run_id=run_id,
    )
    previous = partition.manifest("postgres_table")
    if previous is not None and previous.digest == manifest.digest:
        return dataclasses.replace(previous, report=manifest.report)
    return publish_manifest(manifest, partition=partition)


def lease_name(key: PartitionKey) -> str:
    """Return the name of a division's lease, shared by loads of releases and of days."""
    return f"load {key}"


def _report(
    tasks: list[LoadTask],
    results: list[TaskResult[LoadedFile]],
    outcome: Outcome,
    *,
    totals: SqlTotals,
    schema_statements: int,
    watch: Stopwatch,
) -> LoadReport:
    return LoadReport(
        files=len(tasks),
        files_now=len(results),
        records=sum(task.records for task in tasks),
        residues=sum(task.residues for task in tasks),
        duplicates=outcome.superseded,
        rows_loaded=outcome.rows,
        rows_copied=totals.rows_copied,
        rows_merged=totals.rows_merged,
        sql_statements=totals.statements,
        schema_statements=schema_statements,
        sql_seconds=totals.seconds,
        records_absent=outcome.absent,
        seconds=watch.seconds,
        cpu_seconds=watch.cpu_seconds,
        peak_memory_bytes=max((result.peak_memory_bytes for result in results), default=peak_memory_bytes()),
        **{f"records_{state}": number for state, number in outcome.states.items()},
    )


def _tasks(partition: PartitionRelease, records: Manifest, *, settings: Settings, run_id: str) -> list[LoadTask]:
    folder = partition.folder_of(records)
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
            ordinals=entry["locus_lines"],
        )
        for entry in records.files
    ]
