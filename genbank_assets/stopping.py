"""Notices that somebody wants a command to stop, whoever handles the signal meanwhile.

Dagster puts handlers of its own in place while a run is under way and makes a failed run of the interrupt, so that a
loop over runs would go on with the next one. A wake-up descriptor sees every signal beside the handlers. Nothing here
knows what is stopped.
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
# One request to stop may arrive twice: from the terminal to the process group, and from a parent that passes it on.
REPEATED_SIGNAL_SECONDS = 1.0
SETTLE_SECONDS = 2.0
AGAIN_SECONDS = 0.05


class StopSignals:
    """While it is open, SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt in the main thread and are remembered.

    A signal that is ignored, as SIGHUP under ``nohup``, stays ignored. Off the main thread nothing is changed, and
    nothing is noticed.

    Args:
        announce: called in another thread, at once, with a line for people.

    Attributes:
        number: the first signal that came, or None.
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
        """Whether one came."""
        return self.number is not None

    @property
    def exit_code(self) -> int:
        """What a command that was stopped ends with."""
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
        """Wait until what is called for a signal that came has been called, or so long if none came."""
        if self._ends is not None:
            self._settled.wait(seconds)

    @contextlib.contextmanager
    def shielded(self) -> Iterator[None]:
        """Signals do not interrupt the block: it cleans up. A second signal still ends everything at once."""
        for number in self._before:
            signal.signal(number, lambda *_: None)
        try:
            yield
        finally:
            for number in self._before:
                signal.signal(number, _interrupt)

    @contextlib.contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call this, in another thread, when a signal comes while the block runs."""
        self._callbacks.append(callback)
        try:
            yield
        finally:
            self._callbacks.remove(callback)

    def _unraisable(self, found: Any) -> None:
        """An interrupt in a callback of the garbage collector, where Python drops it, comes again a moment later."""
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
            # Safe: every write is whole or invisible, and workers end with this process.
            os._exit(128 + number)


def settle() -> None:
    """For code that was interrupted: wait a moment until everybody who asked for it knows of the signal."""
    for signals in tuple(_open):
        signals.settle()


_open: list[StopSignals] = []


def _interrupt(number: int, frame: FrameType | None) -> None:
    """SIGTERM and SIGHUP take the way of SIGINT, whose handler is Dagster's while a run is under way."""
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler) and handler is not _interrupt:
        handler(signal.SIGINT, frame)
    else:
        raise KeyboardInterrupt
