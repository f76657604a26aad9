"""What a command's run waits for inside Dagster: a slot of a pool, which Dagster says in the run's log alone.

Locks, leases, the source and retries say themselves what they wait for. Pools and their limits belong to ``instance``.
See https://docs.dagster.io/guides/operate/managing-concurrency/concurrency-pools
"""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg


def report_pool_waits(instance: dg.DagsterInstance, *, run_id: str, progress: Callable[[str], None]) -> None:
    """Say from now on when a step of this run waits for a pool, and who has its slots.

    Args:
        instance: where the run is recorded by this process.
        run_id: the run, which need not be there yet.
        progress: called with a line, in the thread of the run, as soon as Dagster notes that the step waits.
    """

    def look(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None or not event.is_engine_event:
            return
        pool = event.engine_event_data.metadata.get("pool")
        if pool is not None and "blocked" in (event.message or ""):
            step = (event.step_key or "").replace("__", "/", 1)
            progress(f"{step}: waiting for a free place in the pool {pool.value}{_users(instance, str(pool.value))}")

    instance.add_event_listener(run_id, look)


def _users(instance: dg.DagsterInstance, pool: str) -> str:
    info = instance.event_log_storage.get_concurrency_info(pool)
    runs = sorted({slot.run_id for slot in info.claimed_slots})
    used = f"; run {', '.join(runs)} works there" if len(runs) == 1 else f"; runs {', '.join(runs)} work there"
    return f" of {info.slot_count}{used if runs else ''}; the UI has limits under Deployment, Concurrency"
