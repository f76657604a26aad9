"""Waiting for a turn: announces at once who has it, again from time to time, and that the wait is over.

What is waited for, and how it is asked for, belongs to the callers: ``file_lock`` and ``postgres.leases``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_LONGER = 1.5


class Turn:
    """One wait for something that another run works on.

    Args:
        name: what is waited for, such as ``genbank/phg``.
        progress: called with lines for people.
        announce_seconds: between two lines that say who is waited for.
        pause_seconds: before it is asked for a second time; later pauses are longer.
        max_pause_seconds: the longest of them.
    """

    def __init__(
        self,
        name: str,
        *,
        progress: Callable[[str], None],
        announce_seconds: float,
        pause_seconds: float,
        max_pause_seconds: float,
    ) -> None:
        self._name = name
        self._progress = progress
        self._announce_seconds = announce_seconds
        self._pause_seconds = pause_seconds
        self._max_pause_seconds = max_pause_seconds
        self._begun = time.monotonic()
        self._announced_at: float | None = None

    def wait(self, holder: Callable[[], object]) -> None:
        """Another has it, ``holder`` says who: tell of it, unless that was done lately, and pause."""
        now = time.monotonic()
        if self._announced_at is None or now - self._announced_at >= self._announce_seconds:
            waited = ": waiting" if self._announced_at is None else f", waiting for {now - self._begun:,.0f} s"
            self._progress(f"another run works on {self._name} ({holder()}){waited}")
            self._announced_at = now
        time.sleep(self._pause_seconds)
        self._pause_seconds = min(self._pause_seconds * _LONGER, self._max_pause_seconds)

    def has_come(self) -> None:
        """Announce the end of a wait that was announced."""
        if self._announced_at is not None:
            self._progress(f"{self._name} is free after {time.monotonic() - self._begun:,.0f} s of waiting")
