"""Whether an object store answers at all, asked once before a command waits for it as for one that restarts.

A wrong address, port or name would otherwise be tried for minutes. What a command may do there it finds out itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from genbank_assets.errors import ObjectStoreError
from genbank_assets.objects.requests import status_of
from genbank_assets.objects.store import open_objects, reason_of
from genbank_assets.settings import Settings
from genbank_assets.waits import announced, log_wait

TIMEOUT = timedelta(seconds=10)
_ANY_KEY = "index.json"  # any answer will do, also that there is none or that it is not shown


def meet_objects(settings: Settings, *, progress: Callable[[str], None] = log_wait) -> None:
    """Ask the object store of these settings for anything; within some twenty seconds.

    Args:
        settings: ``objects_url`` says where; nothing is asked of a folder.
        progress: called every few seconds while it does not answer.

    Raises:
        ObjectStoreError: it cannot be used, or does not answer; ``transient`` where it may later.
    """
    if settings.objects_url.startswith("s3:"):
        meet(lambda: open_objects(settings, retries=1, timeout=TIMEOUT), shown=settings.objects_url, progress=progress)


def open_met_objects(settings: Settings) -> ObjectStore:
    """Return the object store, when it has answered; as :func:`meet_objects` and ``open_objects``.

    Raises:
        ObjectStoreError: it cannot be used, or does not answer.
    """
    meet_objects(settings)
    return open_objects(settings)


def meet(opened: Callable[[], ObjectStore], *, shown: str, progress: Callable[[str], None] = log_wait) -> None:
    """The same for a store that the caller opens, with :data:`TIMEOUT` and few retries.

    Raises:
        ObjectStoreError: it cannot be used, or does not answer.
    """
    with announced(f"the object store {shown}", progress):
        try:
            obstore.head(opened(), _ANY_KEY)
        except (FileNotFoundError, PermissionError):
            return
        except BaseError as error:
            if status_of(error) is None:
                raise ObjectStoreError(
                    f"the object store {shown} cannot be reached: {reason_of(error)}", transient=True
                ) from None
