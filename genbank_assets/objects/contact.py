"""Checks that an object store responds before a command relies on the long retries meant for restarts.

Otherwise a wrong address, port or name would be retried for minutes. Permissions are checked by each command itself.
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
_ANY_KEY = "index.json"  # any response will do, including "not found" and "forbidden"


def require_objects(settings: Settings, *, progress: Callable[[str], None] = log_wait) -> None:
    """Check within about twenty seconds that the object store of the settings responds.

    Args:
        settings: name the object store; folders are not checked.
        progress: called every few seconds while it does not respond.

    Raises:
        ObjectStoreError: it cannot be used or does not respond; ``transient`` if it may do so later.
    """
    if settings.objects_url.startswith("s3:"):
        require_response(
            lambda: open_objects(settings, retries=1, timeout=TIMEOUT), shown=settings.objects_url, progress=progress
        )


def open_required_objects(settings: Settings) -> ObjectStore:
    """Open the object store after checking that it responds.

    Raises:
        ObjectStoreError: it cannot be used or does not respond.
    """
    require_objects(settings)
    return open_objects(settings)


def require_response(
    opened: Callable[[], ObjectStore], *, shown: str, progress: Callable[[str], None] = log_wait
) -> None:
    """Check that a store opened by the caller, with :data:`TIMEOUT` and few retries, responds.

    Raises:
        ObjectStoreError: it cannot be used or does not respond.
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
