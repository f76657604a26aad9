"""The one way to run independent tasks: on this machine, or wherever ``GENBANK_ASSETS_EXECUTOR`` says.

A task is a picklable value, the function a module-level one, and both may run more than once: a worker that is lost
takes nothing with it but time. What a task does belongs to its stage; how the pool of this machine works, to ``local``;
other machines, to ``remote``.
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
    """Run ``function`` over ``tasks``; results come in the order of the tasks.

    Args:
        function: a function of a module, so that other processes find it.
        tasks: what it is called with, one at a time.
        settings: which executor, how many processes, and what a worker has to reach.
        resource: what the tasks use up together (``postgres``, ``source``, ``objects``); bounded on other machines.
        proof: called by each worker of another machine before its first task: why it is not fit, "" if it is.
        progress: called with lines for people.
        on_done: called with each task and its result as they come.

    Raises:
        WorkerLostError: workers were killed, or the scheduler was lost; what was finished stays finished.
        WorkerRefusedError: no worker is fit for the tasks.
    """
    if settings.executor == "local":
        return local.run_tasks(function, tasks, workers=settings.workers, on_done=on_done)
    return remote.run_tasks(
        function, tasks, settings=settings, resource=resource, proof=proof, progress=progress, on_done=on_done
    )
