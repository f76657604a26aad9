"""Leases in PostgreSQL: exclusive access for one process among all processes and hosts that share the database.

A lease is a row with holder, heartbeat and fencing token rather than a session lock: it works through a pooler in
transaction mode, and survives a broken connection. It expires when its holder has ended: at once for a process on this
machine, otherwise :data:`LEASE_TIMEOUT_SECONDS` after the last heartbeat. Every transaction under a lease starts with
:func:`assert_held`, so a process that lost the lease without noticing cannot write, and a new holder waits for the last
such transaction. What a lease protects belongs to the callers.
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

LEASE_TIMEOUT_SECONDS = 60.0  # a lease without a heartbeat for this long has expired
HEARTBEAT_SECONDS = 10.0
ANNOUNCE_SECONDS = 60.0  # interval between announcements of the holder
_MAX_POLL_SECONDS = 2.0
_LOCK = 7_263_402_118  # arbitrary advisory-lock key: one process at a time creates the table


class LeaseLostError(DatabaseError):
    """Another run has taken over the lease; nothing of this transaction was written."""

    transient = True


@dataclasses.dataclass(frozen=True)
class Lease:
    """A lease that is held; picklable, so that workers can assert it.

    Attributes:
        name: what the lease protects.
        token: fencing token, which increases with every holder.
    """

    name: str
    token: int


@dataclasses.dataclass(frozen=True)
class Holder:
    """The holder of a lease.

    Attributes:
        host: its host.
        process: process id and start time, which together are unique.
        run_id: its Dagster run.
        since: when it acquired the lease.
        silent_seconds: age of the last heartbeat, by the server's clock.
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
        """Return whether its heartbeat is too old, or it was a process on this machine that has ended."""
        if self.silent_seconds > LEASE_TIMEOUT_SECONDS:
            return True
        return self.host == this_host() and not _is_running(self.process)


@contextlib.contextmanager
def hold(
    database: Database, name: str, *, progress: Callable[[str], None], run_id: str = "", totals: SqlTotals | None = None
) -> Iterator[Lease]:
    """Hold a lease while the block runs; waits are announced with the current holder.

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
        # If the server is unavailable, the lease expires by itself.
        with contextlib.suppress(DatabaseError):
            _once(database, query("leases.release"), [lease.name, lease.token], counted)


def assert_held(session: Session, lease: Lease) -> None:
    """Start a transaction under the lease: nobody can take the lease over until it ends.

    Raises:
        LeaseLostError: another run has already taken it over.
    """
    if not session.execute(query("leases.assert_held"), [lease.name, lease.token]):
        rows = session.execute(query("leases.row"), [lease.name])
        now = f" by {_holder(rows[0])}" if rows and rows[0][1] else ""
        raise LeaseLostError(f"{lease.name} was taken over{now}: this run stops and has written nothing more")


def ensure_table(database: Database) -> None:
    """Create the table of leases if needed; leases are used before the schema exists."""
    with database.transaction() as session:
        if session.execute("SELECT to_regclass('genbank.lease')")[0][0] is None:
            session.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            session.execute(query("leases.table"))


def holder(database: Database, name: str) -> Holder | None:
    """Return the current holder of a lease, or None."""
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
            turn.finish()
            return Lease(name, token)
        turn.wait(functools.partial(str, other or "it is just ending"))


def _try(database: Database, name: str, *, run_id: str, totals: SqlTotals) -> tuple[int | None, Holder | None]:
    """Try to acquire a lease; return the new token, or the current holder."""
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
    with database.apart() as session:  # all connections of the pool may be in use
        found = session.execute(statement, parameters)
    totals.add(session.totals)
    return bool(found)


class _Heartbeat(threading.Thread):
    """Renews the lease every few seconds, until it is stopped or the lease was taken over."""

    def __init__(self, database: Database, lease: Lease) -> None:
        super().__init__(name=f"lease {lease.name}", daemon=True)
        self._database = database
        self._lease = lease
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            # Keep trying if the server is briefly unavailable; the load's own transactions report errors.
            with contextlib.suppress(DatabaseError):
                if not _once(self._database, query("leases.beat"), [self._lease.name, self._lease.token], SqlTotals()):
                    return

    def stop(self) -> None:
        self._ended.set()
        self.join()


def this_host() -> str:
    """Return a name for this machine, its current boot and its process namespace."""
    return f"{platform.node()}/{process_space() or '/'}"


def this_process() -> str:
    """Return this process's id with its start time, because ids are reused."""
    pid = os.getpid()
    return f"{pid}:{started(pid)}"


def _is_running(process: str) -> bool:
    pid, _, begun = process.partition(":")
    return bool(begun) and started(int(pid)) == begun
