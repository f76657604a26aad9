"""A lock on a file of the store: it ends with the process that holds it, and holds between hosts on NFSv4 and Lustre.

Who holds it is written into the file, for those who wait. What is exclusive belongs to the callers; agreeing in a
database as well, to ``locks``.
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
    """Let one process at a time, of all that share the store, run the block; the lock ends with its holder.

    Args:
        store: the store's root folder.
        name: what is exclusive, such as ``genbank/phg``.
        progress: called with a line that says for whom and how long this call waits.
        run_id: shown to those who wait for this call.

    Raises:
        StoreError: the store's disk is full or refuses.
    """
    path = lock_path(store, name)
    with contextlib.ExitStack() as stack:
        with store_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(path.open("a+"))
        _wait(file, name, progress=progress)
        _sign(file, run_id=run_id)
        yield


def _sign(file: IO[str], *, run_id: str) -> None:
    """Write who holds the lock; a disk that is full does not keep the holder from it, only its name from others."""
    since = f"{dt.datetime.now():%Y-%m-%d %H:%M:%S}"
    said = {"pid": os.getpid(), "host": socket.gethostname(), "run_id": run_id, "since": since}
    with contextlib.suppress(OSError):
        os.ftruncate(file.fileno(), 0)
        os.write(file.fileno(), json.dumps(said).encode())


def _wait(file: IO[str], name: str, *, progress: Callable[[str], None]) -> None:
    turn = Turn(
        name, progress=progress, announce_seconds=ANNOUNCE_SECONDS, pause_seconds=0.05,
        max_pause_seconds=_MAX_POLL_SECONDS,
    )  # fmt: skip
    while not _taken(file):
        turn.wait(lambda: _holder(file))
    turn.has_come()


def _taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: IO[str]) -> str:
    """Return who wrote into the lock file, as far as it says; locks of earlier versions say nothing."""
    file.seek(0)
    try:
        said = json.loads(file.read())
        run = f"run {said['run_id']}, " if said["run_id"] else ""
        where = f" on {said['host']}" if "host" in said else ""
        return f"{run}process {said['pid']}{where}, since {said['since']}"
    except (ValueError, KeyError, TypeError):
        return "which does not say who it is"
