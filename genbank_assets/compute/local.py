"""Runs independent tasks in a pool of processes on this machine.

A task is a picklable value, its function module-level. Workers are spawned, because forking a process with threads
(Arrow, gRPC, Dagster) can deadlock. They end with the parent process (``lifetime``), which holds the locks they rely
on. What a task does belongs to its stage.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import TypeVar

from genbank_assets.compute.lifetime import end_with_parent, without_terminal_signals
from genbank_assets.compute.results import TaskResult, measured
from genbank_assets.errors import WorkerLostError

T = TypeVar("T")
R = TypeVar("R")


def run_tasks(
    function: Callable[[T], R],
    tasks: Sequence[T],
    *,
    workers: int,
    on_done: Callable[[T, TaskResult[R]], None] | None = None,
) -> list[TaskResult[R]]:
    """Run ``function`` on all tasks; results are in the order of the tasks.

    A single task, or a single worker, runs in this process, whose peak memory then includes the caller's. The first
    error cancels tasks that have not started, and is raised after the running ones have ended. A stop (Ctrl-C, or a
    signal that Dagster converts to an interrupt) ends them at once, which is safe because their writes are atomic.

    Raises:
        WorkerLostError: a worker was killed, most often by the kernel's OOM killer.
    """
    if len(tasks) <= 1 or workers <= 1:
        return [_reported(task, measured(function, task), on_done) for task in tasks]
    # Idle OpenBLAS threads would busy-wait on the cores that parse.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    context = multiprocessing.get_context("spawn")
    workers = min(workers, len(tasks))
    before = set(multiprocessing.active_children())
    results: dict[int, TaskResult[R]] = {}
    with ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent) as pool:
        begun: dict[Future[TaskResult[R]], int] = {}
        waiting = iter(range(len(tasks)))
        try:
            while True:
                # Submit only as many as can run at once, because submitted tasks cannot be cancelled.
                for number in itertools.islice(waiting, workers - len(begun)):
                    with without_terminal_signals():  # may start a worker
                        begun[pool.submit(measured, function, tasks[number])] = number
                if not begun:
                    break
                for future in wait(begun, return_when=FIRST_COMPLETED).done:
                    number = begun.pop(future)
                    results[number] = _reported(tasks[number], future.result(), on_done)
        except BrokenProcessPool as error:
            lost = [str(tasks[number]) for number in range(len(tasks)) if number not in results]
            raise WorkerLostError(
                f"a worker process was killed (out of memory?); not finished: {'; '.join(lost[:3])}"
            ) from error
        except Exception:
            raise  # the pool waits for running tasks
        except BaseException:
            _kill(set(multiprocessing.active_children()) - before)
            raise
    return [results[number] for number in range(len(tasks))]


def _kill(processes: Collection[BaseProcess]) -> None:
    for process in processes:
        process.kill()
    for process in processes:
        process.join()


def _reported(task: T, result: TaskResult[R], on_done: Callable[[T, TaskResult[R]], None] | None) -> TaskResult[R]:
    if on_done is not None:
        on_done(task, result)
    return result
