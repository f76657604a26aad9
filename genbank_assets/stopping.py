"""Detects stop signals even while another library has replaced the signal handlers.

Dagster installs its own handlers during a run and turns an interrupt into a failed run, so a loop over runs would
continue with the next one. A wake-up file descriptor sees every signal regardless of handlers. What is to be stopped
belongs to the callers.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Self

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# One request may arrive twice: from the terminal, sent to the process group, and forwarded by a parent process.
REPEATED_SIGNAL_SECONDS = 1.0
SETTLE_SECONDS = 2.0
AGAIN_SECONDS = 0.05


class StopSignals:
    """Context manager in which SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt in the main thread and are recorded.

    Ignored signals, such as SIGHUP under ``nohup``, stay ignored. Outside the main thread it does nothing.

    Args:
        announce: called immediately, in another thread, with a message for the user.

    Attributes:
        number: the first signal received, or None.
    """

    def __init__(self, announce: Callable[[str], None]) -> None:
        self.number: int | None = None
        self._announce = announce
        self._first_at = 0.0
        self._callbacks: list[Callable[[], None]] = []
        self._before: dict[int, Any] = {}
        self._ends: tuple[socket.socket, socket.socket] | None = None
        self._settled = threading.Event()
        self._hook_before: Any = None

    @property
    def requested(self) -> bool:
        """Whether a stop signal was received."""
        return self.number is not None

    @property
    def exit_code(self) -> int:
        """Exit code of a stopped command: 128 plus the signal number."""
        self.settle()
        return 128 + (self.number or signal.SIGINT)

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        for number in NUMBERS:
            handler = signal.getsignal(number)
            if handler is not signal.SIG_IGN and handler is not None:
                self._before[number] = signal.signal(number, _interrupt)
        reader, writer = self._ends = socket.socketpair()
        writer.settimeout(0)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(reader,), name="stop-signals", daemon=True).start()
        self._hook_before, sys.unraisablehook = sys.unraisablehook, self._unraisable
        _open.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._ends is None:
            return
        _open.remove(self)
        sys.unraisablehook = self._hook_before
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._ends[1].close()

    def settle(self, *, seconds: float = SETTLE_SECONDS) -> None:
        """Wait until the callbacks of a signal have run, for at most ``seconds``."""
        if self._ends is not None:
            self._settled.wait(seconds)

    @contextlib.contextmanager
    def shielded(self) -> Iterator[None]:
        """Do not interrupt the block, which cleans up; a repeated signal still ends the process at once."""
        for number in self._before:
            signal.signal(number, lambda *_: None)
        try:
            yield
        finally:
            for number in self._before:
                signal.signal(number, _interrupt)

    @contextlib.contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call ``callback``, in another thread, if a signal arrives while the block runs."""
        self._callbacks.append(callback)
        try:
            yield
        finally:
            self._callbacks.remove(callback)

    def _unraisable(self, found: Any) -> None:
        """Re-send an interrupt that Python dropped because it was raised in a garbage-collection callback."""
        if found.exc_type is not KeyboardInterrupt:
            self._hook_before(found)
            return
        main = threading.main_thread().ident
        again = threading.Timer(AGAIN_SECONDS, signal.pthread_kill, (main, signal.SIGINT))
        again.daemon = True
        again.start()

    def _watch(self, reader: socket.socket) -> None:
        with reader:
            while numbers := reader.recv(64):
                for number in numbers:
                    if number in self._before:
                        self._noticed(number)

    def _noticed(self, number: int) -> None:
        now = time.monotonic()
        if self.number is None:
            self.number, self._first_at = number, now
            self._announce("stopping cleanly; press Ctrl-C again to stop at once")
            for callback in tuple(self._callbacks):
                with contextlib.suppress(Exception):
                    callback()
            self._settled.set()
        elif now - self._first_at > REPEATED_SIGNAL_SECONDS:
            # Safe: every write is atomic, and workers end with this process.
            os._exit(128 + number)


def settle() -> None:
    """Wait briefly until all registered callbacks know of the signal; called by interrupted code."""
    for signals in tuple(_open):
        signals.settle()


_open: list[StopSignals] = []


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Handle SIGTERM and SIGHUP like SIGINT, whose handler is Dagster's during a run."""
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler) and handler is not _interrupt:
        handler(signal.SIGINT, frame)
    else:
        raise KeyboardInterrupt
