"""Who uses a store's embedded server: each process that needs it to stay up says so for as long as it lives.

Connections come and go (Dagster opens one per question), so they cannot tell that a UI or a run needs the server. A
user holds a lock on a file of its own; the kernel lets go of it however the process ends.
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
    """Closed before the interpreter warns of open files."""
    while _held:
        _held.popitem()[1].close()


def register_user(home: Path, purpose: str) -> None:
    """Say that this process uses the server, until it ends. ``purpose`` is shown to people: ``genbank-assets dev``."""
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
    """Purposes and process numbers of all other processes that use the server; what dead ones left is removed."""
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
