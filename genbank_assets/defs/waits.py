"""Reports to the terminal when a command's run waits for a pool slot, which Dagster notes only in the run's log.

Waits for locks, leases, the source and retries are reported where they occur. Pools belong to ``instance``.
See https://docs.dagster.io/guides/operate/managing-concurrency/concurrency-pools
"""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg


def report_pool_waits(instance: dg.DagsterInstance, *, run_id: str, progress: Callable[[str], None]) -> None:
    """Start to report when a step of this run waits for a pool, and which runs use its slots.

    Args:
        instance: the instance in which this process records the run.
        run_id: id of the run, which need not exist yet.
        progress: called with a line, in the run's thread, when Dagster notes the wait.
    """

    def look(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None or not event.is_engine_event:
            return
        pool = event.engine_event_data.metadata.get("pool")
        if pool is not None and "blocked" in (event.message or ""):
            step = (event.step_key or "").replace("__", "/", 1)
            progress(f"{step}: waiting for a slot in the pool {pool.value}{_users(instance, str(pool.value))}")

    instance.add_event_listener(run_id, look)


def _users(instance: dg.DagsterInstance, pool: str) -> str:
    info = instance.event_log_storage.get_concurrency_info(pool)
    runs = sorted({slot.run_id for slot in info.claimed_slots})
    used = f"; in use by {'run' if len(runs) == 1 else 'runs'} {', '.join(runs)}" if runs else ""
    return f" of {info.slot_count}{used}; change the limit in the UI under Deployment, Concurrency"
