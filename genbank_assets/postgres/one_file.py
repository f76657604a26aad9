"""One raw file's records -> PostgreSQL, in one transaction; this is what a worker process runs.

Keys by COPY into staging, one set-based comparison that answers which records are wanted, the places of the others
while the wanted ones are read, those by COPY into the tables, one set-based merge of what follows: ten statements
whatever the size. A kill leaves the whole change or nothing. Which files are loaded, and what comes before and after
them, belongs to ``load``.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
from pathlib import Path

import psycopg

from genbank_assets.errors import DatabaseError
from genbank_assets.ncbi.catalog import GENBANK
from genbank_assets.postgres.connection import Session, SqlTotals, is_transient, open_database
from genbank_assets.postgres.merge import STAGE_KEY
from genbank_assets.postgres.record_table import RecordTable, Wanted
from genbank_assets.postgres.staging import Copy, key_copy, row_copies
from genbank_assets.settings import Settings

_RETRIES = 3


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
    code_version: str
    records: int
    quarantined: int
    residues: int
    date: dt.date | None  # of the release, or the day of a daily update
    ordinals: int  # LOCUS blocks of the file, which number its records
    superseded: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.name


@dataclasses.dataclass(frozen=True)
class LoadedFile:
    """What loading one file took; what it changed is in the ledger."""

    name: str
    sent: int  # records sent, the others were loaded in that state
    totals: SqlTotals


def load_file(task: LoadTask) -> LoadedFile:
    """Load one file in one transaction; runs in a worker process.

    Loads of other divisions lock rows in the same order, so a deadlock is not to be expected; should PostgreSQL see
    one all the same, or two divisions bring the same record at the same moment, the file is tried again.
    """
    for attempt in range(_RETRIES):
        try:
            with open_database(task.settings) as database, database.transaction() as session:
                return _load(session, task)
        except (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected) as error:
            if attempt == _RETRIES - 1:
                raise DatabaseError(f"{task.name}: {str(error).strip()}", transient=True) from error
            time.sleep(0.2 * 2**attempt)
        except psycopg.Error as error:
            message = f"{task.name}: {str(error).strip()}"
            raise DatabaseError(message, transient=is_transient(error)) from error
    raise AssertionError("unreachable")


def _load(session: Session, task: LoadTask) -> LoadedFile:
    with RecordTable(task.records_path) as table:
        session.execute(STAGE_KEY)
        _send(session, key_copy(table, superseded=task.superseded))
        disjoint = task.collection == GENBANK.name  # RefSeq's sections overlap: a plasmid is also in bacteria
        pairs, file_id = session.execute(
            "SELECT * FROM genbank.plan_file(%s, %s, %s, %s, %s, %s)",
            [task.collection, task.division, task.release, task.code_version, disjoint, task.date],
        )[0]
        wanted = Wanted.from_pairs(pairs, ordinals=task.ordinals)
        copies = row_copies(table, wanted, section=task.division, code_version=task.code_version) if wanted else ()
        unchanged = session.execute(
            "SELECT genbank.note_places(%s, %s, %s, %s)", [task.collection, task.division, task.release, file_id]
        )[0][0]
        for copy in copies:
            _send(session, copy)
    session.totals.rows_merged += session.execute(
        "SELECT genbank.finish_file(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [task.collection, task.division, task.release, task.name, task.raw_sha256, task.records, task.quarantined,
         task.residues, task.run_id, task.code_version, len(task.superseded), session.totals.rows_copied,
         session.totals.statements + 1, file_id, unchanged],
    )[0][0]  # fmt: skip
    return LoadedFile(name=task.name, sent=len(wanted), totals=session.totals)


def _send(session: Session, copy: Copy) -> None:
    session.copy_in(copy.statement, copy.stream())
