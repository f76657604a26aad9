"""Polling for a lock, with announcements: who holds it, how long the wait has lasted, and when it is over.

Trying to acquire the lock belongs to the callers, ``file_lock`` and ``postgres.leases``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_LONGER = 1.5


class Turn:
    """One wait for a lock held by another run.

    Args:
        name: name of the lock, such as ``genbank/phg``.
        progress: called with messages for the user.
        announce_seconds: interval between two announcements of the holder.
        pause_seconds: pause after the first attempt; later pauses are longer.
        max_pause_seconds: upper limit of the pauses.
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
        """Announce the holder, unless this was done recently, and pause before the next attempt."""
        now = time.monotonic()
        if self._announced_at is None or now - self._announced_at >= self._announce_seconds:
            waited = ": waiting" if self._announced_at is None else f", waiting for {now - self._begun:,.0f} s"
            self._progress(f"another run works on {self._name} ({holder()}){waited}")
            self._announced_at = now
        time.sleep(self._pause_seconds)
        self._pause_seconds = min(self._pause_seconds * _LONGER, self._max_pause_seconds)

    def finish(self) -> None:
        """Announce the end of the wait, if the wait was announced."""
        if self._announced_at is not None:
            self._progress(f"{self._name} is free after {time.monotonic() - self._begun:,.0f} s of waiting")
