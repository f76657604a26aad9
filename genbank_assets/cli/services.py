"""Supervises long-running programs: starts and restarts them, and stops them with their child processes.

Each program runs in a separate session, so that the terminal's Ctrl-C reaches only the command, and receives SIGTERM
from the kernel if the command is killed. The programs are chosen in ``cli.dev``.
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
# A program that repeatedly exits sooner than this is not restarted.
MIN_LIFETIME_SECONDS = 30.0
MAX_EARLY_EXITS = 3
_ADDRESS_FILE = "dagster/ui-address"
_PR_SET_PDEATHSIG = 1


class Service:
    """A program and its child processes.

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
        """Start the program."""
        self._started = time.monotonic()
        self._process = subprocess.Popen(self._command, start_new_session=True, preexec_fn=_end_with_parent())

    def keep_running(self) -> bool:
        """Restart the program if it has exited; return False if it exits repeatedly."""
        assert self._process is not None
        if (code := self._process.poll()) is None:
            return True
        how = f"was terminated by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        short = time.monotonic() - self._started < MIN_LIFETIME_SECONDS
        self._early_exits = self._early_exits + 1 if short else 1
        self.end(signal.SIGKILL)  # its remaining child processes
        if self._early_exits >= MAX_EARLY_EXITS:
            say(f"{self.name} {how} repeatedly: see its messages above")
            return False
        say(f"{self.name} {how} and is restarted")
        self.start()
        return True

    def end(self, number: int) -> None:
        """Send a signal to the program and its child processes."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def is_running(self) -> bool:
        """Return whether the program or one of its child processes is running."""
        if self._process is None:
            return False
        self._process.poll()  # reaps the process
        return _has_members(self._process.pid)


def stop_services(services: Sequence[Service]) -> None:
    """Stop programs and their child processes, with SIGTERM first so that runs can end cleanly."""
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
            say(f"still waiting for {' and '.join(service.name for service in running)} to exit")
        time.sleep(0.1)


def note_address(store: Path, address: str) -> None:
    """Store the URL of a store's UI, for links printed by other commands."""
    write_atomically(store / _ADDRESS_FILE, address.encode())


def noted_address(store: Path) -> str | None:
    """Return the last URL of a store's UI."""
    try:
        return (store / _ADDRESS_FILE).read_text(encoding="utf-8").strip() or None
    except (OSError, ValueError):
        return None


def _has_members(group: int) -> bool:
    """Return whether a process group has a process that is not a zombie; orphaned zombies may never be reaped."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, found = entry.read_text(encoding="latin-1").rpartition(")")[2].split()[:3]
        except (OSError, ValueError):  # gone meanwhile
            continue
        if int(found) == group and state != "Z":
            return True
    return False


def _end_with_parent() -> Callable[[], object] | None:
    """Return a ``preexec_fn`` that makes the kernel send SIGTERM when the parent thread exits; None elsewhere."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # resolved before the fork, because loading is unsafe between fork and exec
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
