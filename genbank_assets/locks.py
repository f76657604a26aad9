"""Named locks between all processes and hosts that share the store or the database.

Processes that share a store use a file lock in it, which is released when the holder exits and works between hosts on
NFSv4 and Lustre (docs/machines.md). Hosts that share only a database (``GENBANK_ASSETS_POSTGRES_URL``) use a lease in
it. What a lock protects belongs to the callers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from genbank_assets.file_lock import file_lock
from genbank_assets.postgres import leases
from genbank_assets.postgres.connection import open_database
from genbank_assets.settings import Settings


@contextlib.contextmanager
def exclusive(settings: Settings, name: str, *, progress: Callable[[str], None], run_id: str = "") -> Iterator[None]:
    """Hold the lock of a name, exclusive among all callers sharing the store or the database, during the block.

    Args:
        settings: name the store and the database.
        name: the name of the lock, such as ``genbank/phg``.
        progress: called with a line naming the holder and the time waited so far.
        run_id: shown to processes that wait for this lock.

    Raises:
        DatabaseError: a database is configured and cannot be reached.
        StoreError: the lock file cannot be created.
    """
    with contextlib.ExitStack() as held:
        held.enter_context(file_lock(settings.store, name, progress=progress, run_id=run_id))
        if settings.postgres_url is not None:
            database = held.enter_context(open_database(settings))
            leases.ensure_table(database)
            held.enter_context(leases.hold(database, name, progress=progress, run_id=run_id))
        yield
