"""One run at a time: exclusion by name between all processes and hosts that share the store or the database.

Those that share the store agree by a lock on a file of it, which ends with the process that holds it, and holds between
hosts on NFSv4 and on Lustre (docs/machines.md). Those that share a database alone agree by a lease
in it, where ``GENBANK_ASSETS_POSTGRES_URL`` names one. What is exclusive belongs to the callers.
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
    """Let one caller at a time, of all that share the store or the database, run the block.

    Args:
        settings: where the store and the database are.
        name: what is exclusive, such as ``genbank/phg``.
        progress: called with a line that says for whom and how long this call waits.
        run_id: shown to those who wait for this call.

    Raises:
        DatabaseError: the hosts agree in PostgreSQL, and it cannot be reached.
        StoreError: the store's disk is full or refuses.
    """
    with contextlib.ExitStack() as held:
        held.enter_context(file_lock(settings.store, name, progress=progress, run_id=run_id))
        if settings.postgres_url is not None:
            database = held.enter_context(open_database(settings))
            leases.ensure_table(database)
            held.enter_context(leases.hold(database, name, progress=progress, run_id=run_id))
        yield
