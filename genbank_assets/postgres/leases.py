"""Leases: who may work on what, agreed in PostgreSQL by all processes and hosts that share the database.

A lease is a row with its holder, a heartbeat and a fencing token, not a lock of a session: it goes through a pooler in
transaction mode, and a connection that dies takes nothing with it. A holder that has ended loses it: at once when it
was a process of this machine, else :data:`LEASE_TIMEOUT_SECONDS` after its last heartbeat. Every transaction under a
lease begins with :func:`assert_held`, so that one who lost it without noticing cannot write any more, and who takes it
over waits until the last such transaction has ended. What is exclusive belongs to the callers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import functools
import os
import platform
import threading
from collections.abc import Callable, Iterator
from typing import LiteralString

from genbank_assets.errors import DatabaseError
from genbank_assets.postgres.connection import Database, Session, SqlTotals
from genbank_assets.postgres.sql_files import query
from genbank_assets.processes import process_space, started
from genbank_assets.turns import Turn

LEASE_TIMEOUT_SECONDS = 60.0  # without a heartbeat, after which a holder counts as gone
HEARTBEAT_SECONDS = 10.0
ANNOUNCE_SECONDS = 60.0  # between two lines that say who is waited for
_MAX_POLL_SECONDS = 2.0
_LOCK = 7_263_402_118  # any number of our own: one process at a time makes the table


class LeaseLostError(DatabaseError):
    """Another run has taken over what this one was working on; nothing of this transaction was written."""

    transient = True


@dataclasses.dataclass(frozen=True)
class Lease:
    """A lease that is held; small and picklable, so that workers assert it too.

    Attributes:
        name: what is exclusive.
        token: rises by one with every holder.
    """

    name: str
    token: int


@dataclasses.dataclass(frozen=True)
class Holder:
    """Who has a lease.

    Attributes:
        host: its host.
        process: pid and start of its process, so that a reused pid is another.
        run_id: its Dagster run.
        since: when it took the lease.
        silent_seconds: age of its last heartbeat, by the server's clock.
    """

    host: str
    process: str
    run_id: str
    since: dt.datetime
    silent_seconds: float

    def __str__(self) -> str:
        where = f"process {self.process.split(':')[0]} on {self.host.split('/')[0]}"
        return f"{f'run {self.run_id}, ' if self.run_id else ''}{where}, since {self.since:%Y-%m-%d %H:%M:%S}"

    def has_expired(self) -> bool:
        """Return whether it is silent for too long, or was a process of this machine that has ended."""
        if self.silent_seconds > LEASE_TIMEOUT_SECONDS:
            return True
        return self.host == this_host() and not _is_running(self.process)


@contextlib.contextmanager
def hold(
    database: Database, name: str, *, progress: Callable[[str], None], run_id: str = "", totals: SqlTotals | None = None
) -> Iterator[Lease]:
    """Hold the lease of that name while the block runs; a wait is announced, with the holder.

    Raises:
        DatabaseError: the server failed.
    """
    counted = totals if totals is not None else SqlTotals()
    lease = _wait(database, name, progress=progress, run_id=run_id, totals=counted)
    beating = _Heartbeat(database, lease)
    beating.start()
    try:
        yield lease
    finally:
        beating.stop()
        # Should the server be gone, the lease ends by its silence.
        with contextlib.suppress(DatabaseError):
            _once(database, query("leases.release"), [lease.name, lease.token], counted)


def assert_held(session: Session, lease: Lease) -> None:
    """Begin a transaction that writes under the lease: until it ends, nobody takes the lease over.

    Raises:
        LeaseLostError: somebody has.
    """
    if not session.execute(query("leases.assert_held"), [lease.name, lease.token]):
        rows = session.execute(query("leases.row"), [lease.name])
        now = f" by {_holder(rows[0])}" if rows and rows[0][1] else ""
        raise LeaseLostError(f"{lease.name} was taken over{now}: this run stops and has written nothing more")


def ensure_table(database: Database) -> None:
    """Make the table of leases where it is not there yet: leases come before the schema they protect."""
    with database.transaction() as session:
        if session.execute("SELECT to_regclass('genbank.lease')")[0][0] is None:
            session.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            session.execute(query("leases.table"))


def holder(database: Database, name: str) -> Holder | None:
    """Return who holds the lease of that name now, if anybody does."""
    with database.transaction() as session:
        rows = session.execute(query("leases.row"), [name])
    return _holder(rows[0]) if rows and rows[0][1] else None


def _wait(database: Database, name: str, *, progress: Callable[[str], None], run_id: str, totals: SqlTotals) -> Lease:
    turn = Turn(
        name, progress=progress, announce_seconds=ANNOUNCE_SECONDS, pause_seconds=0.1,
        max_pause_seconds=_MAX_POLL_SECONDS,
    )  # fmt: skip
    while True:
        token, other = _try(database, name, run_id=run_id, totals=totals)
        if token is not None:
            turn.has_come()
            return Lease(name, token)
        turn.wait(functools.partial(str, other or "it is just ending"))


def _try(database: Database, name: str, *, run_id: str, totals: SqlTotals) -> tuple[int | None, Holder | None]:
    """Return the new token, or who has the lease."""
    with database.transaction() as session:
        session.execute("INSERT INTO genbank.lease (name) VALUES (%s) ON CONFLICT DO NOTHING", [name])
        rows = session.execute(query("leases.free_row"), [name])
        token = None
        if rows and (not rows[0][1] or _holder(rows[0]).has_expired()):
            token = int(session.execute(query("leases.take"), [this_host(), this_process(), run_id, name])[0][0])
        elif not rows:
            rows = session.execute(query("leases.row"), [name])
    totals.add(session.totals)
    return token, _holder(rows[0]) if rows and rows[0][1] else None


def _holder(row: tuple[object, ...]) -> Holder:
    _, _, host, process, run_id, since, silent = row
    assert isinstance(since, dt.datetime)
    return Holder(str(host), str(process), str(run_id), since, float(str(silent)))


def _once(database: Database, statement: LiteralString, parameters: list[object], totals: SqlTotals) -> bool:
    with database.apart() as session:  # the pool's connections may all be at work
        found = session.execute(statement, parameters)
    totals.add(session.totals)
    return bool(found)


class _Heartbeat(threading.Thread):
    """Says every few seconds that the holder is still there, until stopped or until the lease is another's."""

    def __init__(self, database: Database, lease: Lease) -> None:
        super().__init__(name=f"lease {lease.name}", daemon=True)
        self._database = database
        self._lease = lease
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            # A server that is away for a moment is asked again; transactions of the load fail by themselves.
            with contextlib.suppress(DatabaseError):
                if not _once(self._database, query("leases.beat"), [self._lease.name, self._lease.token], SqlTotals()):
                    return

    def stop(self) -> None:
        self._ended.set()
        self.join()


def this_host() -> str:
    """This machine since it was started, as processes see each other: name, boot and process namespace."""
    return f"{platform.node()}/{process_space() or '/'}"


def this_process() -> str:
    """This process: its id, and when it started, because ids come again."""
    pid = os.getpid()
    return f"{pid}:{started(pid)}"


def _is_running(process: str) -> bool:
    pid, _, begun = process.partition(":")
    return bool(begun) and started(int(pid)) == begun
