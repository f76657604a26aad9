"""Runs independent tasks, on this machine or as configured by ``GENBANK_ASSETS_EXECUTOR``.

A task is a picklable value, its function module-level, and tasks may run more than once, so that the loss of a worker
only costs time. What a task does belongs to its stage, the local pool to ``local``, other machines to ``remote``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from genbank_assets.compute import local, remote
from genbank_assets.compute.fitness import Proof
from genbank_assets.compute.results import TaskResult
from genbank_assets.settings import Settings

__all__ = ["TaskResult", "run_tasks"]

T = TypeVar("T")
R = TypeVar("R")


def run_tasks(
    function: Callable[[T], R],
    tasks: Sequence[T],
    *,
    settings: Settings,
    resource: str | None = None,
    proof: Proof | None = None,
    progress: Callable[[str], None] = lambda _: None,
    on_done: Callable[[T, TaskResult[R]], None] | None = None,
) -> list[TaskResult[R]]:
    """Run ``function`` on all tasks; results are in the order of the tasks.

    Args:
        function: a module-level function.
        tasks: its arguments, one per call.
        settings: name the executor, the number of processes, and what a worker must reach.
        resource: resource shared by the tasks (``postgres``, ``source``, ``objects``), which is limited on other
            machines.
        proof: called by each remote worker before its first task; returns why it is not suitable, or "".
        progress: called with messages for the user.
        on_done: called with each task and its result as they finish.

    Raises:
        WorkerLostError: workers were killed, or the scheduler was lost; completed tasks are kept.
        WorkerRefusedError: no worker is suitable for the tasks.
    """
    if settings.executor == "local":
        return local.run_tasks(function, tasks, workers=settings.workers, on_done=on_done)
    return remote.run_tasks(
        function, tasks, settings=settings, resource=resource, proof=proof, progress=progress, on_done=on_done
    )
