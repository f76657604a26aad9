"""Asks the store again for as long as it may be restarting, and says so.

Single requests that have no counter of their own go through here: what is there, lists, small objects, deletions. The
objects of a publication, which are counted and throttled, are repeated by ``upload``.
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
    """A progress for those who do not listen; waits are logged all the same (``waits``)."""


def retried(
    request: Callable[[], Result],
    *,
    doing: str,
    progress: Callable[[str], None] = no_progress,
    may_be_absent: bool = False,
    seconds: float | None = None,
) -> Result:
    """Return the store's answer, asked for again while its errors are such as may pass.

    Args:
        request: makes the request; it may be made more than once.
        doing: what for, such as ``"list nucleotide/"``; part of messages.
        progress: called before each wait with a line for people.
        may_be_absent: whether "there is no such object" is an answer, not a failure.
        seconds: how long it is asked again; None is ``store.RETRY_SECONDS``.

    Raises:
        ObjectStoreError: the store refuses, or was away for longer than it is asked (``transient``).
        FileNotFoundError: there is no such object, and that may be.
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
