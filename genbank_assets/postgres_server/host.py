"""Ensures that only one host runs a store's embedded server, even if several hosts share the store's file system.

PostgreSQL cannot detect a server of another host in the same data folder, and its socket works on one host only. All
processes of a running server inherit a lock on ``STORE/postgres/host``, which records the host. The lock is released
when the last of them ends, for whatever reason. Starting and stopping belong to ``server``.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from genbank_assets.errors import DatabaseError
from genbank_assets.processes import process_space

SETTLE_SECONDS = 1.0
_NAME = "host"


def refuse_second_host(store: Path) -> None:
    """Check that no other host or container runs the store's server.

    Raises:
        DatabaseError: another one does; the message names it.
    """
    try:
        file = _path(store).open("a+", encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, PermissionError):  # no server, or another user's
        return
    with file:
        _take(file, store, kind=fcntl.LOCK_SH)


@contextlib.contextmanager
def server_lock(store: Path) -> Iterator[int | None]:
    """Give the lock file, for a server started in the block to inherit; None if this host already holds the lock.

    Raises:
        DatabaseError: processes on another host hold it.
    """
    with _path(store).open("a+", encoding="utf-8") as file:
        if not _take(file, store, kind=fcntl.LOCK_EX):
            yield None
            return
        file.seek(0)
        file.truncate()
        json.dump({"host": platform.node(), "space": _space()}, file)
        file.flush()
        yield file.fileno()


def _take(file: IO[str], store: Path, *, kind: int) -> bool:
    """Acquire the lock; return False if this host already has it.

    The recorded host is trusted only if it is unchanged after a second: processes that merely check hold the lock
    briefly, and so does a starting server before it has recorded its host.
    """
    begun = time.monotonic()
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            host, space = _read_holder(file)
        else:
            return True
        if space == _space():
            return False
        if time.monotonic() - begun > SETTLE_SECONDS:
            raise DatabaseError(
                f"the embedded PostgreSQL of {store} runs on the host or container {host}, and only one host at a "
                f"time can use it: set GENBANK_ASSETS_POSTGRES_URL to a server that all hosts reach, or stop it there "
                f"with `genbank-assets stop`"
            )
        time.sleep(0.05)


def _read_holder(file: IO[str]) -> tuple[str, str]:
    file.seek(0)
    try:
        noted = json.loads(file.read())
        return str(noted["host"]), str(noted["space"])
    except (ValueError, KeyError, TypeError):
        return "that it does not name", ""


def _space() -> str:
    return process_space() or platform.node()


def _path(store: Path) -> Path:
    return store.resolve() / "postgres" / _NAME
