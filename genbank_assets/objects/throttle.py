"""Limits requests and bytes in flight: fewer when the server asks for it, gradually more while requests succeed.

Making and retrying requests belongs to ``upload``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from genbank_assets.objects import store

MAX_BYTES_IN_FLIGHT = 256 * 1024 * 1024
# Requests already in flight were sent at the previous rate.
BACKOFF_COOLDOWN_SECONDS = 1.0
ANNOUNCE_SECONDS = 15.0


class Throttle:
    """Request slots of one run; thread-safe.

    Args:
        concurrency: maximum number of requests in flight.

    Attributes:
        allowed: current limit of requests in flight.
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
        """Wait for a free slot and for room for ``size`` bytes; return False if sending has stopped."""

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
        """Register a request with ``size`` bytes."""
        with self._changed:
            self._requests += 1
            self._bytes += size

    def leave(self, size: int) -> None:
        """Register the end of a request."""
        with self._changed:
            self._requests -= 1
            self._bytes -= size
            self._changed.notify_all()

    def faster(self) -> None:
        """Record a success; the limit grows by one after as many successes as the current limit."""
        with self._changed:
            self.allowed = min(self._most, self.allowed + 1 / self.allowed)

    def slower(self) -> None:
        """Halve the limit, because the server asked for fewer requests."""
        with self._changed:
            now = time.monotonic()
            if now - self._last_slow_down > BACKOFF_COOLDOWN_SECONDS:
                self._last_slow_down = now
                self.allowed = max(1.0, self.allowed / 2)

    def pause(self, seconds: float) -> None:
        """Sleep, but wake up if sending stops."""
        self._stopped.wait(seconds)

    def stop(self) -> None:
        """Stop sending."""
        with self._changed:
            self._stopped.set()
            self._changed.notify_all()

    @property
    def stopped(self) -> bool:
        """Whether sending has stopped."""
        return self._stopped.is_set()


class Outage:
    """A period without any successful upload in a run: it is announced, and limited to ``store.RETRY_SECONDS``."""

    def __init__(self, progress: Callable[[str], None]) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._last_success = time.monotonic()
        self._announced = 0.0

    def ended(self) -> None:
        """Record a successful upload."""
        with self._lock:
            self._last_success, self._announced = time.monotonic(), 0.0

    def should_wait(self, reason: str, *, since: float) -> bool:
        """Return whether to wait for the store, after an upload failed since ``since`` with transient errors.

        Only if no other upload succeeded meanwhile is the store considered unavailable.
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
