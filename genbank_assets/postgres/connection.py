"""Pooled connections that count all statements, copied rows and transaction time.

The totals are part of each load's metadata. They are counted here, at the connection, so that nothing is missed. The
statements themselves belong to ``ddl``, ``load`` and ``lookup``.
"""

from __future__ import annotations

import dataclasses
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from genbank_assets.database_url import genbank_url
from genbank_assets.errors import DatabaseError
from genbank_assets.postgres_url import shown_postgres_url
from genbank_assets.settings import Settings
from genbank_assets.waits import announced

CONNECT_SECONDS = 30.0
STREAMED_ROWS = 5_000
_OPTIONS: dict[str, Any] = {"prepare_threshold": None, "application_name": "genbank-assets"}
# SQLSTATE: connection exceptions; transaction rollback; too many connections, out of memory; shutdown, crash, startup;
# lock not available; query cancelled by a timeout.
_PASSING_STATES = ("08", "40", "53200", "53300", "57P01", "57P02", "57P03", "57P05", "55P03", "57014", "25P03", "25P04")
_REFUSED_FOR_GOOD = re.compile(
    r"authentication|password|pg_hba|does not exist|invalid|SSL|certificate|permission denied|not permitted"
)


@dataclasses.dataclass
class SqlTotals:
    """Totals of a connection; BEGIN and COMMIT count as statements, as in the server's log.

    Attributes:
        statements: number of statements sent.
        rows_copied: rows sent by COPY.
        rows_merged: rows inserted or updated by merges.
        seconds: time inside transactions.
    """

    statements: int = 0
    rows_copied: int = 0
    rows_merged: int = 0
    seconds: float = 0.0

    def add(self, other: SqlTotals) -> None:
        """Add the totals of another connection."""
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


class Session:
    """A connection within a transaction, with counters."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self.totals = SqlTotals()

    def execute(
        self, statement: LiteralString, parameters: Sequence[Any] | Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """Execute a statement; return its rows, or [] if it has none."""
        self.totals.statements += 1
        cursor = self._connection.execute(statement, parameters)
        return cursor.fetchall() if cursor.description is not None else []

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo the block if it raises, without ending the transaction."""
        self.totals.statements += 2
        with self._connection.transaction():
            yield

    def stream(
        self, statement: LiteralString, parameters: Sequence[Any] | Mapping[str, Any] | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Execute a query and yield its rows, keeping a few thousand in memory at a time."""
        self.totals.statements += 1
        with self._connection.cursor(name="rows") as cursor:
            cursor.itersize = STREAMED_ROWS
            yield from cursor.execute(statement, parameters)

    def copy_in(self, statement: str, pieces: Iterable[bytes]) -> int:
        """Send the binary pieces of a COPY; return the number of rows.

        The next piece is made while the server reads the current one.
        """
        self.totals.statements += 1
        with self._connection.cursor() as cursor:
            # Built from this package's table and column names only, never from input.
            with cursor.copy(statement) as copy:
                for piece in _one_ahead(pieces):
                    copy.write(piece)
            self.totals.rows_copied += cursor.rowcount
            return cursor.rowcount


def _one_ahead(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same pieces; the next one is made by a thread while the caller has this one."""
    waiting = iter(pieces)
    with ThreadPoolExecutor(1, thread_name_prefix="copy") as thread:
        coming = thread.submit(next, waiting, None)
        while (piece := coming.result()) is not None:
            coming = thread.submit(next, waiting, None)
            yield piece


class Database:
    """A pool of connections to the GenBank database."""

    def __init__(self, url: str, *, pool_size: int) -> None:
        self._pool_size = pool_size
        self.shown_url = shown_postgres_url(url)
        self._url = url

    def __enter__(self) -> Database:
        # Connect before creating the pool, whose threads would retry silently without reporting the cause.
        try:
            with announced(f"PostgreSQL at {self.shown_url}"):
                self._first = psycopg.connect(self._url, connect_timeout=int(CONNECT_SECONDS), **_OPTIONS)
        except psycopg.ProgrammingError as error:  # unknown connection parameter
            raise DatabaseError(f"GENBANK_ASSETS_POSTGRES_URL cannot be used: {str(error).strip()}") from None
        except psycopg.OperationalError as error:
            raise DatabaseError(
                f"cannot reach PostgreSQL at {self.shown_url}: {str(error).strip()}",
                transient=is_transient(error),
            ) from None
        self._pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
            self._url,
            min_size=0,
            max_size=self._pool_size,
            timeout=CONNECT_SECONDS,
            connection_class=_beginning_with(self._first),
            kwargs=_OPTIONS,
            open=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()
        self._first.close()

    def maintain(self, statements: Sequence[str]) -> SqlTotals:
        """Execute statements that cannot run in a transaction, such as VACUUM, one after another.

        Raises:
            DatabaseError: the server failed, or the role lacks the privilege.
        """
        totals = SqlTotals()
        try:
            with psycopg.connect(self._url, autocommit=True, **_OPTIONS) as connection:
                begun = time.perf_counter()
                for statement in statements:
                    totals.statements += 1
                    connection.execute(statement)
                totals.seconds = time.perf_counter() - begun
        except psycopg.Error as error:
            raise DatabaseError(f"PostgreSQL failed: {str(error).strip()}", transient=is_transient(error)) from error
        return totals

    @contextmanager
    def apart(self) -> Iterator[Session]:
        """Give a transaction on a separate connection, independent of the pool.

        Raises:
            DatabaseError: the server failed.
        """
        try:
            with psycopg.connect(self._url, connect_timeout=int(CONNECT_SECONDS), **_OPTIONS) as connection:
                session = Session(connection)
                begun = time.perf_counter()
                session.totals.statements += 2
                yield session
                session.totals.seconds += time.perf_counter() - begun
        except psycopg.Error as error:
            raise DatabaseError(f"PostgreSQL failed: {str(error).strip()}", transient=is_transient(error)) from error

    @contextmanager
    def transaction(self, *, keep: bool = True) -> Iterator[Session]:
        """Give a session whose changes are committed when the block succeeds and rolled back when it raises.

        With ``keep=False`` they are always rolled back: for queries that use temporary tables, whose commit would wait
        for the disk.
        """
        try:
            with self._pool.connection() as connection:
                session = Session(connection)
                begun = time.perf_counter()
                session.totals.statements += 2  # BEGIN and COMMIT or ROLLBACK, sent by psycopg
                yield session
                if keep:
                    connection.commit()
                else:
                    connection.rollback()
                session.totals.seconds += time.perf_counter() - begun
        except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
            raise  # retried by the caller
        except psycopg.errors.InsufficientPrivilege as error:
            raise DatabaseError(
                f"the role of {self.shown_url} may not do this: {str(error).strip()}; a new or upgraded schema "
                "needs its owner once"
            ) from error
        except PoolTimeout as error:
            raise DatabaseError(f"no connection to {self.shown_url} became free in time", transient=True) from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise DatabaseError(f"PostgreSQL failed: {str(error).strip()}", transient=is_transient(error)) from error


def _beginning_with(first: psycopg.Connection[Any]) -> type[psycopg.Connection[Any]]:
    """Return a connection class for a pool whose first connection is the given, already open one."""
    unused = [first]

    class Connection(psycopg.Connection[Any]):
        @classmethod
        def connect(cls, conninfo: str = "", **options: Any) -> Any:
            return unused.pop() if unused else psycopg.connect(conninfo, **options)

    return Connection


def is_transient(error: psycopg.Error) -> bool:
    """Return whether a later attempt may succeed: the server is restarting or overloaded, or the connection broke.

    Errors without an SQLSTATE concern the connection; if it was refused, only the message tells why.
    """
    if error.sqlstate is not None:
        return error.sqlstate.startswith(_PASSING_STATES)
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and not (
        _REFUSED_FOR_GOOD.search(str(error))
    )


@contextmanager
def open_database(settings: Settings, *, create: bool = False) -> Iterator[Database]:
    """Return the database of the settings: the configured one, or the embedded server's, which is started if needed.

    Calls within one process share a pool while it is open.

    Args:
        settings: name the database.
        create: whether to create an embedded server; only for writers.

    Raises:
        NoDatabaseError: there is none, and ``create`` is false.
        DatabaseError: it cannot be reached.
    """
    key = (settings.postgres_url or settings.store, settings.postgres_pool_size)
    with _opening:
        if key not in _open:
            url = genbank_url(settings, create=create)
            _open[key] = (Database(url, pool_size=settings.postgres_pool_size).__enter__(), 0)
        database, users = _open[key]
        _open[key] = (database, users + 1)
    try:
        yield database
    finally:
        with _opening:
            users = _open[key][1] - 1
            _open[key] = (database, users)
            if not users:
                del _open[key]
                database.__exit__()


_opening = threading.Lock()
_open: dict[tuple[str | Path, int], tuple[Database, int]] = {}
