"""How many requests and bytes may be in flight: bounded, fewer when the server asks, more again as it goes well.

What a request is and when it is repeated belongs to ``upload``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from genbank_assets.objects import store

MAX_BYTES_IN_FLIGHT = 256 * 1024 * 1024
# Requests already under way answer for the old pace.
BACKOFF_COOLDOWN_SECONDS = 1.0
ANNOUNCE_SECONDS = 15.0


class Throttle:
    """The request slots of one run; used by many threads.

    Args:
        concurrency: most requests in flight.

    Attributes:
        allowed: requests that may be in flight now.
    """

    def __init__(self, *, concurrency: int) -> None:
        self._most = concurrency
        self.allowed = float(concurrency)
        self._requests = 0
        self._bytes = 0
        self._last_slow_down = 0.0
        self._changed = threading.Condition()
        self._stopped = threading.Event()

    def wait(self, size: int = 0) -> bool:
        """Wait for a free slot and for room for so many bytes; False when there is nothing to wait for any more."""

        def free() -> bool:
            if self._requests == 0 or self._stopped.is_set():
                return True
            return self._requests < int(self.allowed) and self._bytes + size <= MAX_BYTES_IN_FLIGHT

        with self._changed:
            self._changed.wait_for(free)
            return not self._stopped.is_set()

    def wait_alone(self) -> None:
        """Wait until nothing is in flight."""
        with self._changed:
            self._changed.wait_for(lambda: self._requests == 0)

    def enter(self, size: int) -> None:
        """A request with so many bytes begins."""
        with self._changed:
            self._requests += 1
            self._bytes += size

    def leave(self, size: int) -> None:
        """It has ended, one way or the other."""
        with self._changed:
            self._requests -= 1
            self._bytes -= size
            self._changed.notify_all()

    def faster(self) -> None:
        """A request went well: one more may be in flight after as many as there are now."""
        with self._changed:
            self.allowed = min(self._most, self.allowed + 1 / self.allowed)

    def slower(self) -> None:
        """The server asked for fewer requests: half of them."""
        with self._changed:
            now = time.monotonic()
            if now - self._last_slow_down > BACKOFF_COOLDOWN_SECONDS:
                self._last_slow_down = now
                self.allowed = max(1.0, self.allowed / 2)

    def pause(self, seconds: float) -> None:
        """Sleep, but not past the end."""
        self._stopped.wait(seconds)

    def stop(self) -> None:
        """Nothing more shall be sent."""
        with self._changed:
            self._stopped.set()
            self._changed.notify_all()

    @property
    def stopped(self) -> bool:
        """Whether nothing more shall be sent."""
        return self._stopped.is_set()


class Outage:
    """A time in which no upload of a run succeeds: it is announced, and it ends after ``store.RETRY_SECONDS``."""

    def __init__(self, progress: Callable[[str], None]) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._last_success = time.monotonic()
        self._announced = 0.0

    def ended(self) -> None:
        """An upload succeeded."""
        with self._lock:
            self._last_success, self._announced = time.monotonic(), 0.0

    def goes_on(self, reason: str, *, since: float) -> bool:
        """An upload has failed since some time for reasons that may pass; whether the store's return is waited for.

        Where other uploads succeed meanwhile, it is not the store that is away.
        """
        with self._lock:
            lasted = time.monotonic() - since
            left = store.RETRY_SECONDS - lasted
            if self._last_success > since:
                return False
            if left > 0 and lasted >= self._announced + ANNOUNCE_SECONDS:
                self._announced = lasted
                self._progress(
                    f"{reason}; nothing was stored for {lasted:.0f} s, trying again for {left:.0f} s at most"
                )
            return left > 0
