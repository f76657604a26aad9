"""Programs that a command keeps running: started, watched, started again, and stopped with everything they started.

Each has a session of its own, so that the terminal's Ctrl-C reaches the command alone, and gets SIGTERM from the kernel
when the command is killed. Which programs they are belongs to ``cli.dev``.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from genbank_assets.cli.output import say
from genbank_assets.store import write_atomically

STOP_SECONDS = 30.0
# A program that ends again this soon is not restarted for ever.
MIN_LIFETIME_SECONDS = 30.0
MAX_EARLY_EXITS = 3
_ADDRESS_FILE = "dagster/ui-address"
_PR_SET_PDEATHSIG = 1


class Service:
    """One program and everything it starts.

    Args:
        command: program and arguments.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.name = Path(command[0]).name
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._early_exits = 0

    def start(self) -> None:
        """Start it."""
        self._started = time.monotonic()
        self._process = subprocess.Popen(self._command, start_new_session=True, preexec_fn=_end_with_parent())

    def keep_running(self) -> bool:
        """Start it again if it has ended; False when it ends again and again."""
        assert self._process is not None
        if (code := self._process.poll()) is None:
            return True
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        short = time.monotonic() - self._started < MIN_LIFETIME_SECONDS
        self._early_exits = self._early_exits + 1 if short else 1
        self.end(signal.SIGKILL)  # what it left behind
        if self._early_exits >= MAX_EARLY_EXITS:
            say(f"{self.name} {how} again and again: see its messages above")
            return False
        say(f"{self.name} {how} and is started again")
        self.start()
        return True

    def end(self, number: int) -> None:
        """Send a signal to it and to everything it started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def is_running(self) -> bool:
        """Return whether it, or anything it started, is there."""
        if self._process is None:
            return False
        self._process.poll()  # which takes its exit status
        return _has_members(self._process.pid)


def stop_services(services: Sequence[Service]) -> None:
    """End them and everything they started: nothing is left behind. Runs get the chance to stop cleanly."""
    for service in services:
        service.end(signal.SIGTERM)
    begun = said = time.monotonic()
    while running := [service for service in services if service.is_running()]:
        now = time.monotonic()
        if now - begun > STOP_SECONDS:
            for service in running:
                service.end(signal.SIGKILL)
            return
        if now - said > 5:
            said = now
            say(f"still waiting for {' and '.join(service.name for service in running)} to end")
        time.sleep(0.1)


def note_address(store: Path, address: str) -> None:
    """Keep where the UI of a store is, for the links that other commands print."""
    write_atomically(store / _ADDRESS_FILE, address.encode())


def noted_address(store: Path) -> str | None:
    """Return where the UI of a store is or was last."""
    try:
        return (store / _ADDRESS_FILE).read_text(encoding="utf-8").strip() or None
    except (OSError, ValueError):
        return None


def _has_members(group: int) -> bool:
    """Whether a process group has a process that is not a zombie; nobody may be there to take a grandchild's status."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, found = entry.read_text(encoding="latin-1").rpartition(")")[2].split()[:3]
        except (OSError, ValueError):  # gone meanwhile
            continue
        if int(found) == group and state != "Z":
            return True
    return False


def _end_with_parent() -> Callable[[], object] | None:
    """To be called in a child between fork and exec: the kernel sends SIGTERM when the thread that started it ends."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # loaded here: between fork and exec nothing may be loaded
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
