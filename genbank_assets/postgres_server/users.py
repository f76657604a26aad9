"""Tracks which processes use a store's embedded server, so that it is not stopped under them.

Connections cannot tell: Dagster opens one per query, so a UI or a run may have none. Each user holds a lock on a file
of its own, which the kernel releases when the process ends for any reason.
"""

from __future__ import annotations

import atexit
import fcntl
import os
from pathlib import Path
from typing import TextIO

_held: dict[Path, TextIO] = {}


@atexit.register
def _unregister() -> None:
    """Close the file before the interpreter warns about open files."""
    while _held:
        _held.popitem()[1].close()


def register_user(home: Path, purpose: str) -> None:
    """Register this process as a user until it ends; ``purpose``, such as ``genbank-assets dev``, is shown to users."""
    path = home / "users" / str(os.getpid())
    if path in _held:
        return
    path.parent.mkdir(exist_ok=True)
    file = path.open("w", encoding="utf-8")
    fcntl.flock(file, fcntl.LOCK_EX)
    file.write(f"{purpose} (process {os.getpid()})\n")
    file.flush()
    _held[path] = file


def current_users(home: Path) -> list[str]:
    """Return purposes and ids of other processes that use the server; remove the files of dead ones."""
    found = []
    for path in sorted((home / "users").glob("[0-9]*")):
        if path in _held:
            continue
        try:
            with path.open("r+", encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
        except BlockingIOError:
            found.append(path.read_text(encoding="utf-8").strip())
        except FileNotFoundError:
            continue
    return found
