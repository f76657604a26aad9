"""Advisory locks on files in the store, released when the holding process exits; shared by hosts on NFSv4 and Lustre.

The holder writes its identity into the file, for the messages of waiting processes. What a lock protects belongs to
the callers; combining it with a database lease belongs to ``locks``.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from genbank_assets.durable import store_errors
from genbank_assets.turns import Turn

ANNOUNCE_SECONDS = 60.0
_MAX_POLL_SECONDS = 1.0


def lock_path(store: Path, name: str) -> Path:
    """``genbank/phg`` → ``STORE/genbank/locks/phg.lock``."""
    *folders, last = name.split("/")
    return store.joinpath(*folders, "locks", f"{last}.lock")


@contextlib.contextmanager
def file_lock(store: Path, name: str, *, progress: Callable[[str], None], run_id: str = "") -> Iterator[None]:
    """Hold an exclusive lock, among all processes sharing the store, while the block runs.

    Args:
        store: the store's root folder.
        name: the name of the lock, such as ``genbank/phg``.
        progress: called with a line naming the holder and the time waited so far.
        run_id: shown to processes that wait for this lock.

    Raises:
        StoreError: the lock file cannot be created.
    """
    path = lock_path(store, name)
    with contextlib.ExitStack() as stack:
        with store_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(path.open("a+"))
        _wait(file, name, progress=progress)
        _write_holder(file, run_id=run_id)
        yield


def _write_holder(file: IO[str], *, run_id: str) -> None:
    """Write the holder's identity into the lock file; on a full disk the lock is held without it."""
    since = f"{dt.datetime.now():%Y-%m-%d %H:%M:%S}"
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "run_id": run_id, "since": since}
    with contextlib.suppress(OSError):
        os.ftruncate(file.fileno(), 0)
        os.write(file.fileno(), json.dumps(holder).encode())


def _wait(file: IO[str], name: str, *, progress: Callable[[str], None]) -> None:
    turn = Turn(
        name, progress=progress, announce_seconds=ANNOUNCE_SECONDS, pause_seconds=0.05,
        max_pause_seconds=_MAX_POLL_SECONDS,
    )  # fmt: skip
    while not _try_lock(file):
        turn.wait(lambda: _holder(file))
    turn.finish()


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: IO[str]) -> str:
    """Describe the holder recorded in the lock file; lock files of earlier versions are empty."""
    file.seek(0)
    try:
        holder = json.loads(file.read())
        run = f"run {holder['run_id']}, " if holder["run_id"] else ""
        where = f" on {holder['host']}" if "host" in holder else ""
        return f"{run}process {holder['pid']}{where}, since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return "which does not say who it is"
