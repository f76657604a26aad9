"""Loads the records of one raw file in one transaction; this is what worker processes run.

For a division with records: COPY the keys to staging, compare them in one set-based query that returns the records to
send, COPY these into the division's tables, and write ledger and history in one statement. For a first load: COPY all
records into separate tables that are not visible yet. At most twelve statements, whatever the size; after a kill the
file is loaded completely or not at all. Choosing files, and the steps before and after, belong to ``division_load``.
"""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from genbank_assets.errors import DatabaseError
from genbank_assets.ncbi.catalog import GENBANK
from genbank_assets.postgres.connection import Session, SqlTotals, is_transient, open_database
from genbank_assets.postgres.digests import Digest
from genbank_assets.postgres.leases import Lease, assert_held
from genbank_assets.postgres.partitions import freeze_pages, grown_tables, partition_name
from genbank_assets.postgres.record_table import RecordTable, Wanted
from genbank_assets.postgres.sql_files import query
from genbank_assets.postgres.staging import Copy, Origin, event_copy, key_copy, row_copies
from genbank_assets.settings import Settings

_RETRIES = 3


@dataclasses.dataclass(frozen=True)
class LoadTask:
    """The task of loading one file; picklable.

    Attributes:
        settings: name the database.
        collection: ``genbank`` or ``refseq``.
        division: the partition's section.
        release: release or day of the file.
        run_id: the run recorded in ledger and history.
        records_path: the file's record table.
        name: the raw file's name.
        raw_sha256: hex SHA-256 of the raw file.
        code_version: version of the values in the table.
        records: number of rows in the table.
        quarantined: number of quarantined blocks.
        residues: sum of the LOCUS lengths.
        ordinals: number of LOCUS blocks in the file, which number its records.
        point: position of the release or day in the order of states.
        lease: the lease to assert; None outside of a division's load.
        is_first: whether this is a first load, into separate tables without indexes.
        superseded: ordinals of records superseded by another one with the same accession.
    """

    settings: Settings
    collection: str
    division: str
    release: str
    run_id: str
    records_path: Path
    name: str
    raw_sha256: str
    code_version: str
    records: int
    quarantined: int
    residues: int
    ordinals: int
    point: int = 0
    lease: Lease | None = None
    is_first: bool = False
    superseded: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.name


@dataclasses.dataclass(frozen=True)
class LoadedFile:
    """Result of loading one file; its changes are recorded in the ledger.

    Attributes:
        name: the raw file's name.
        sent: number of records sent; the others were unchanged.
        totals: statements, rows and seconds.
        overtaken: whether the division's release is not older than this day, so nothing was changed.
        grown: tables that should be vacuumed now.
    """

    name: str
    sent: int
    totals: SqlTotals
    overtaken: bool = False
    grown: tuple[str, ...] = ()


def load_file(task: LoadTask) -> LoadedFile:
    """Load one file in one transaction; runs in a worker process.

    Loads of different divisions lock rows in the same order, so deadlocks are unlikely; if PostgreSQL reports one, or
    two divisions load the same record at the same moment, the file is retried.

    Raises:
        LeaseLostError: another run has taken over the division.
        DatabaseError: the server failed, or another release of the division is being loaded.
    """
    load = _load_first if task.is_first else _load
    for attempt in range(_RETRIES):
        try:
            with open_database(task.settings) as database:
                with database.transaction() as session:
                    loaded = load(session, task)
                loaded.totals.add(freeze_pages(database, loaded.grown))
                return loaded
        except (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected) as error:
            if attempt == _RETRIES - 1:
                raise DatabaseError(f"{task.name}: {str(error).strip()}", transient=is_transient(error)) from error
            time.sleep(0.2 * 2**attempt)
        except psycopg.Error as error:
            message = f"{task.name}: {str(error).strip()}"
            raise DatabaseError(message, transient=is_transient(error)) from error
    raise AssertionError("unreachable")


def _load(session: Session, task: LoadTask) -> LoadedFile:
    if task.lease is not None:
        assert_held(session, task.lease)
    digest = Digest()
    with RecordTable(task.records_path) as table:
        session.execute(query("load.stage_key"))
        _send(session, key_copy(table, superseded=task.superseded, digest=digest))
        disjoint = task.collection == GENBANK.name  # RefSeq sections overlap: a plasmid is also in bacteria
        pairs, file_id, unchanged = session.execute(
            "SELECT * FROM genbank.plan_file(%s, %s, %s, %s, %s, %s, %s, %s)",
            [task.collection, task.division, task.release, task.point, task.name, task.raw_sha256, task.code_version,
             disjoint],
        )[0]  # fmt: skip
        if file_id is None:
            return LoadedFile(name=task.name, sent=0, totals=session.totals, overtaken=True)
        wanted = Wanted.from_pairs(pairs, ordinals=task.ordinals)
        if wanted:
            for copy in row_copies(table, wanted, origin=_origin(task, file_id)):
                _send(session, copy)
    entry = _entry(task, file_id, digest, session)
    session.totals.rows_merged += session.execute(
        "SELECT genbank.finish_file(%s, %s, %s, %s, %s, %s)",
        [task.collection, task.division, task.release, task.point, entry, unchanged],
    )[0][0]
    return LoadedFile(name=task.name, sent=len(wanted), totals=session.totals)


def _load_first(session: Session, task: LoadTask) -> LoadedFile:
    """Copy all records of a file into tables without indexes that are not visible yet."""
    if task.lease is not None:
        assert_held(session, task.lease)
    left_out = np.isin(np.arange(task.ordinals), task.superseded)
    digest = Digest()
    with RecordTable(task.records_path) as table:
        wanted = Wanted(np.zeros(task.ordinals, np.int64))
        there = _ordinals(table, digest, left_out)
        file_id, ids = session.execute(
            "SELECT * FROM genbank.plan_first_file(%s, %s, %s, %s, %s, %s, %s)",
            [task.collection, task.division, task.release, task.point, task.name, task.raw_sha256, len(there)],
        )[0]
        if file_id is None:
            return LoadedFile(name=task.name, sent=0, totals=session.totals)
        if len(there):
            wanted.ids[there] = np.frombuffer(ids, ">i8")
            origin = _origin(task, file_id)
            for copy in row_copies(table, wanted, origin=origin):
                _send(session, copy)
            _send(session, event_copy(table, wanted, origin=origin, release=task.release, run_id=task.run_id))
    grown = grown_tables(session, collection=task.collection, section=task.division)
    entry = _entry(task, file_id, digest, session, records_new=len(there))
    session.execute("SELECT genbank.note_file(%s, %s, %s, %s)", [task.collection, task.division, task.release, entry])
    return LoadedFile(name=task.name, sent=len(there), totals=session.totals, grown=tuple(grown))


def _ordinals(table: RecordTable, digest: Digest, left_out: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the ordinals of records that are not superseded, and add their digests to ``digest``."""
    found = [np.zeros(0, np.int64)]
    for batch in table.batches(["record_ordinal", "record_sha256"]):
        ordinals = batch["record_ordinal"].to_numpy()
        chosen = ~left_out[ordinals]
        digest.add(batch["record_sha256"] if chosen.all() else batch["record_sha256"].filter(chosen))
        found.append(ordinals[chosen])
    return np.concatenate(found)


def _origin(task: LoadTask, file_id: int) -> Origin:
    partition = partition_name("", collection=task.collection, section=task.division)
    return Origin(
        collection=task.collection, section=task.division, code_version=task.code_version, point=task.point,
        source_file_id=file_id, partition=partition,
    )  # fmt: skip


def _entry(task: LoadTask, file_id: int, digest: Digest, session: Session, *, records_new: int = 0) -> str:
    """Return the ledger entry as JSON; its statement count includes the statement that stores it."""
    return json.dumps(
        {
            "source_file_id": file_id, "name": task.name, "raw_sha256": task.raw_sha256, "records": task.records,
            "quarantined": task.quarantined, "residues": task.residues, "run_id": task.run_id,
            "code_version": task.code_version, "superseded": len(task.superseded), "records_new": records_new,
            "rows_copied": session.totals.rows_copied, "sql_statements": session.totals.statements + 1,
            "record_digest": "\\x" + digest.value.hex(),
        }
    )  # fmt: skip


def _send(session: Session, copy: Copy) -> None:
    session.copy_in(copy.statement, copy.stream())
