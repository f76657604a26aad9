"""Retries requests while the store may be restarting, with announcements.

For individual requests: lookups, listings, small objects, deletions. Uploads of a publication, which are counted and
throttled, are retried by ``upload``.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from obstore.exceptions import BaseError

from genbank_assets.errors import ObjectStoreError
from genbank_assets.objects import store
from genbank_assets.objects.requests import is_transient
from genbank_assets.waits import log_wait

FIRST_WAIT_SECONDS = 0.5
MAX_WAIT_SECONDS = 20.0
Result = TypeVar("Result")


def no_progress(line: str) -> None:
    """Ignore messages; waits are still logged (``waits``)."""


def retried(
    request: Callable[[], Result],
    *,
    doing: str,
    progress: Callable[[str], None] = no_progress,
    may_be_absent: bool = False,
    seconds: float | None = None,
) -> Result:
    """Make a request, repeating it while its errors are transient, and return its result.

    Args:
        request: makes the request; may be called repeatedly.
        doing: description for messages, such as ``"list nucleotide/"``.
        progress: called before each pause.
        may_be_absent: whether "no such object" is an expected result.
        seconds: how long to retry; None means ``store.RETRY_SECONDS``.

    Raises:
        ObjectStoreError: the store refused, or kept failing (``transient``).
        FileNotFoundError: there is no such object, and ``may_be_absent`` is set.
    """
    begun, wait = time.monotonic(), FIRST_WAIT_SECONDS
    report = log_wait if progress is no_progress else progress
    while True:
        try:
            return request()
        except (BaseError, FileNotFoundError) as error:
            if may_be_absent and isinstance(error, FileNotFoundError):
                raise
            reason = f"cannot {doing}: {store.reason_of(error)}"
            left = (store.RETRY_SECONDS if seconds is None else seconds) - (time.monotonic() - begun)
            if not is_transient(error) or left <= 0:
                raise ObjectStoreError(reason, transient=is_transient(error)) from error
        pause = min(left, random.uniform(wait / 2, wait))  # noqa: S311 -- many wait for the same server
        report(f"{reason}; trying again in {pause:.1f} s, for {left:.0f} s at most")
        time.sleep(pause)
        wait = min(MAX_WAIT_SECONDS, 2 * wait)
