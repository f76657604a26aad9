"""Announces waits for a server every few seconds.

Messages go to the caller's ``progress`` or, by default, as warnings to the logger ``genbank_assets.waits``, which the
command line shows and programs using the package can configure. Timeouts belong to the callers.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator

LOGGER = logging.getLogger(__name__)
ANNOUNCE_SECONDS = 4.0


def log_wait(line: str) -> None:
    """Log a message about a wait, for callers without a progress callback."""
    LOGGER.warning("%s", line)


@contextlib.contextmanager
def announced(what: str, progress: Callable[[str], None] = log_wait) -> Iterator[None]:
    """Announce every few seconds, while the block runs, what it is waiting for; short waits are silent.

    Args:
        what: what is being waited for; must not contain secrets.
        progress: called with messages for the user, from a background thread.
    """
    done = threading.Event()
    begun = time.monotonic()

    def announce() -> None:
        while not done.wait(ANNOUNCE_SECONDS):
            progress(f"still waiting for {what} ({time.monotonic() - begun:.0f} s)")

    thread = threading.Thread(target=announce, name="announce", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
