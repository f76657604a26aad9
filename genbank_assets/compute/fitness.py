"""Checks that a worker can run tasks: it must have the same version and time, the same store and the same database.

The caller writes a token to the store and locks it; the worker reads the token, checks that it is locked, and writes
its own, which the caller looks for. This detects different folders of the same name, and file systems whose locks do
not work between hosts. Secrets are not transferred: a worker takes its own from its environment. Contacting workers
belongs to ``remote`` and ``dask_cluster``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import secrets
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from genbank_assets import __version__
from genbank_assets.errors import GenbankAssetsError, WorkerRefusedError
from genbank_assets.settings import Settings, settings_from_environment

FOLDER = ".workers"
CONNECT_SECONDS = 10
MAX_CLOCK_DIFFERENCE_SECONDS = 3600
Proof = Callable[[], str]
T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Demands:
    """Requirements of a run for its workers; picklable.

    Attributes:
        version: version of this package.
        store: the store's folder, which has the same path on every machine.
        token: content of the token file in the store.
        database: identity of the database to reach; "" if tasks do not need one.
        proof: an additional check, which returns why a worker is not suitable or "".
    """

    version: str
    store: Path
    token: str
    database: str
    proof: Proof | None = None


@contextlib.contextmanager
def demands(settings: Settings, *, database: bool, proof: Proof | None = None) -> Iterator[Demands]:
    """Give the requirements for the workers of a run; the tokens are deleted after the block.

    Raises:
        WorkerRefusedError: locks do not work in the store on this host, or the database cannot be reached.
    """
    token = secrets.token_hex(8)
    store = settings.store.absolute()
    folder = store / FOLDER / token
    folder.mkdir(parents=True)
    try:
        with (folder / "token").open("w", encoding="ascii") as file:
            file.write(token)
            file.flush()
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_locked(folder / "token"):
                raise WorkerRefusedError(
                    f"locks on files of the store {store} do not hold on this host: mount it so that they do "
                    "(docs/machines.md)"
                )
            url = settings.postgres_url
            yield Demands(
                version=__version__,
                store=store,
                token=token,
                database=_identity(url) if database and url else "",
                proof=proof,
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            folder.parent.rmdir()


def prove(wanted: Demands) -> str:
    """Return why this process cannot run the tasks; "" if it can. Runs on the worker."""
    if wanted.version != __version__:
        return f"it has genbank-assets {__version__}, not {wanted.version}"
    folder = wanted.store / FOLDER / wanted.token
    try:
        if (folder / "token").read_text() != wanted.token:
            return f"it sees another store at {wanted.store}"
        if not _is_locked(folder / "token"):
            return (
                f"a lock on a file of the store {wanted.store} does not hold between its host and the caller's: mount "
                "it so that locks do (docs/machines.md)"
            )
        (folder / worker_name()).write_text(str(time.time()))
    except OSError as error:
        return f"it cannot use the store {wanted.store}: {error.strerror or error}"
    if wanted.database and (why := _reaches(wanted.database)):
        return why
    try:
        return wanted.proof() if wanted.proof is not None else ""
    except GenbankAssetsError as error:
        return str(error)


def _is_locked(path: Path) -> bool:
    """Return whether another process, possibly on another host, holds the lock on a file exclusively."""
    with path.open("r+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def refusal(wanted: Demands, worker: str) -> str:
    """Return what is wrong with the token that a worker wrote into this process's store; "" for nothing.

    The clocks of all hosts must agree roughly, because files of dead processes are recognised by their age.
    """
    try:
        ahead = float((wanted.store / FOLDER / wanted.token / worker).read_text()) - time.time()
    except (OSError, ValueError):
        return "what it wrote into the store is not seen here"
    if abs(ahead) > MAX_CLOCK_DIFFERENCE_SECONDS:
        return (
            f"its clock is {abs(ahead) / 3600:,.1f} hours {'ahead' if ahead > 0 else 'behind'}: set one of the clocks"
        )
    return ""


def worker_name() -> str:
    """Return host and process, for messages and for names of files in shared folders."""
    return f"{socket.gethostname()}-{os.getpid()}"


def without_secrets(task: T) -> T:
    """Return the task with absolute paths, and without the database URL, which may contain a password."""
    if not dataclasses.is_dataclass(task):
        return task
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(task):
        value = getattr(task, field.name)
        if isinstance(value, Path):
            changes[field.name] = value.absolute()
        elif isinstance(value, Settings):
            changes[field.name] = dataclasses.replace(value, store=value.store.absolute(), postgres_url=None)
    changed: Any = dataclasses.replace(task, **changes)  # type: ignore[type-var]
    return changed  # type: ignore[no-any-return]


def with_own_secrets(task: T) -> T:
    """Return the task with the database URL from this worker's environment."""
    if not dataclasses.is_dataclass(task):
        return task
    url = settings_from_environment().postgres_url
    changes: dict[str, Any] = {
        field.name: dataclasses.replace(value, postgres_url=url, executor="local")
        for field in dataclasses.fields(task)
        if isinstance(value := getattr(task, field.name), Settings)
    }
    changed: Any = dataclasses.replace(task, **changes)  # type: ignore[type-var]
    return changed  # type: ignore[no-any-return]


def _reaches(database: str) -> str:
    try:
        url = settings_from_environment().postgres_url
        if not url:
            return "GENBANK_ASSETS_POSTGRES_URL is not set there"
        found = _identity(url)
    except GenbankAssetsError as error:
        return str(error)
    return "" if found == database else "its GENBANK_ASSETS_POSTGRES_URL is of another database"


def _identity(url: str) -> str:
    """Return an identifier of the database server, its start time, and the database.

    Raises:
        WorkerRefusedError: it cannot be reached; the message does not contain the URL.
    """
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_SECONDS) as connection:
            row = connection.execute(
                "SELECT pg_postmaster_start_time()::text, current_database(), oid FROM pg_database "
                "WHERE datname = current_database()"
            ).fetchone()
    except psycopg.Error as error:
        kind = type(error).__name__
        raise WorkerRefusedError(f"PostgreSQL cannot be reached from {worker_name()} ({kind})") from None
    return str(row)
