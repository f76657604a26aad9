"""A wait for a server is told every few seconds, whoever waits: also where no progress is shown.

Lines go to the caller's ``progress``, or as warnings to the logger ``genbank_assets.waits``, which the command line
shows and a program that uses the package sees, unless it sets up logging otherwise. How long is waited belongs to the
callers.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator

LOGGER = logging.getLogger(__name__)
ANNOUNCE_SECONDS = 4.0


def tell_wait(line: str) -> None:
    """A line about a wait, for those who have no progress of their own."""
    LOGGER.warning("%s", line)


@contextlib.contextmanager
def announced(what: str, progress: Callable[[str], None] = tell_wait) -> Iterator[None]:
    """While the block runs say every few seconds that it waits for this; nothing when it is quick.

    Args:
        what: what is waited for, without its secrets.
        progress: called with lines for people, by a thread of its own.
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
