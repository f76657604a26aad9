"""Runs tasks on other machines through a ``concurrent.futures`` executor: Dask's, or one provided by another package.

``GENBANK_ASSETS_EXECUTOR`` is ``NAME://ADDRESS``; ``dask`` is built in, others are entry points of the group
``genbank_assets.executors``: functions that take the address and the settings and return a context manager of an
:class:`Executor`. Workers are checked before they run tasks (``fitness``). An error of a task cancels those that have
not started; the loss of a worker only affects its own tasks.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from importlib.metadata import entry_points
from typing import Any, Protocol, TypeVar

from genbank_assets.compute.fitness import (
    Demands,
    Proof,
    demands,
    prove,
    with_own_secrets,
    without_secrets,
    worker_name,
)
from genbank_assets.compute.results import TaskResult, measured
from genbank_assets.errors import GenbankAssetsError, SettingsError, WorkerLostError, WorkerRefusedError
from genbank_assets.settings import Settings

GROUP = "genbank_assets.executors"
MAX_NAMED = 5
CHECK_SECONDS = 5.0
ANNOUNCE_SECONDS = 60.0
T = TypeVar("T")
R = TypeVar("R")


class Executor(Protocol):
    """A ``concurrent.futures`` executor with methods for checking its workers."""

    title: str

    def submit(self, function: Callable[..., R], /, *arguments: Any, **options: Any) -> Future[R]:
        """Submit a call; the option ``resource`` names the resource it uses."""

    def prepare(self, wanted: Demands, *, progress: Callable[[str], None]) -> None:
        """Refuse unsuitable workers, by name.

        Raises:
            WorkerRefusedError: none is suitable.
        """

    def exclude(self, wanted: Demands, *, progress: Callable[[str], None]) -> bool:
        """Refuse unsuitable workers that joined since :meth:`prepare`; return whether there were any.

        Raises:
            WorkerRefusedError: none is suitable any more.
        """

    def check(self) -> str:
        """Describe the available workers; "" if unknown.

        Raises:
            WorkerLostError: all suitable workers are gone, and no others may run the tasks.
        """

    def loss(self, error: BaseException) -> str:
        """Describe an error that means a lost worker; "" for an error of the task itself."""


class PlainExecutor(Executor):
    """An executor of another package, such as Parsl's or executorlib's; workers are checked with each task."""

    def __init__(self, executor: concurrent.futures.Executor, *, title: str) -> None:
        self._executor = executor
        self.title = title

    def submit(self, function: Callable[..., R], /, *arguments: Any, **options: Any) -> Future[R]:
        del options
        return self._executor.submit(function, *arguments)

    def prepare(self, wanted: Demands, *, progress: Callable[[str], None]) -> None:
        del wanted
        progress(f"file tasks go to {self.title}")

    def exclude(self, wanted: Demands, *, progress: Callable[[str], None]) -> bool:
        del wanted, progress
        return False

    def check(self) -> str:
        return ""

    def loss(self, error: BaseException) -> str:
        lost = isinstance(error, concurrent.futures.BrokenExecutor | concurrent.futures.CancelledError)
        return (str(error) or type(error).__name__) if lost else ""


Factory = Callable[[str, Settings], contextlib.AbstractContextManager[Executor]]


def run_tasks(
    function: Callable[[T], R],
    tasks: Sequence[T],
    *,
    settings: Settings,
    resource: str | None,
    proof: Proof | None,
    progress: Callable[[str], None],
    on_done: Callable[[T, TaskResult[R]], None] | None,
) -> list[TaskResult[R]]:
    """Run tasks on the executor of the settings; see :func:`genbank_assets.compute.tasks.run_tasks`.

    Raises:
        SettingsError: there is no such executor.
        WorkerRefusedError: no worker is fit.
        WorkerLostError: tasks whose workers were killed again and again; all others are done.
    """
    if not tasks:
        return []
    name, _, address = settings.executor.partition("://")
    with (
        _factory(name)(address, settings) as executor,
        demands(settings, database=resource == "postgres", proof=proof) as wanted,
    ):
        executor.prepare(wanted, progress=progress)
        run = _Run(executor, function, tasks, wanted=wanted, resource=resource, progress=progress, on_done=on_done)
        return run.results()


def check_executor(settings: Settings) -> None:
    """Check that the executor exists and, for Dask, that its scheduler answers; other executors are not started.

    Raises:
        SettingsError: no package offers the executor.
        WorkerLostError: the Dask scheduler cannot be reached.
    """
    if settings.executor == "local":
        return
    name, _, address = settings.executor.partition("://")
    factory = _factory(name)
    if name == "dask":
        with factory(address, settings):
            pass


class _Run:
    """The tasks of a run on an executor."""

    def __init__(
        self,
        executor: Executor,
        function: Callable[[Any], Any],
        tasks: Sequence[Any],
        *,
        wanted: Demands,
        resource: str | None,
        progress: Callable[[str], None],
        on_done: Callable[[Any, TaskResult[Any]], None] | None,
    ) -> None:
        self._executor = executor
        self._function = function
        self._tasks = tasks
        self._wanted = wanted
        self._resource = resource
        self._progress = progress
        self._on_done = on_done
        self._results: dict[int, TaskResult[Any]] = {}
        self._lost: dict[int, str] = {}
        self._again: set[int] = set()  # repeated because the first worker was not suitable
        self._begun: dict[Future[TaskResult[Any]], int] = {}
        self._ended: queue.SimpleQueue[Future[TaskResult[Any]]] = queue.SimpleQueue()
        for number in range(len(tasks)):
            self._begin(number)

    def _begin(self, number: int) -> None:
        task = without_secrets(self._tasks[number])
        future = self._executor.submit(run_one, self._function, task, self._wanted, resource=self._resource)
        self._begun[future] = number
        future.add_done_callback(self._ended.put)

    def results(self) -> list[TaskResult[Any]]:
        last = announced = time.monotonic()
        try:
            while self._begun:
                try:
                    self._take(self._ended.get(timeout=CHECK_SECONDS))
                    last = announced = time.monotonic()
                except queue.Empty:
                    announced = self._wait_on(since=last, announced=announced)
        except BaseException:
            for future in self._begun:
                future.cancel()
            # Tasks that an executor knows to be running end before the caller releases its locks. Those on Dask go on:
            # what they write is complete and equals what another attempt writes, and loads notice a lost lease.
            concurrent.futures.wait(self._begun)
            raise
        if self._lost:
            named = "; ".join(f"{self._tasks[number]} ({why})" for number, why in list(self._lost.items())[:MAX_NAMED])
            more = f" and {len(self._lost) - MAX_NAMED:,} more" if len(self._lost) > MAX_NAMED else ""
            raise WorkerLostError(
                f"{len(self._results):,} of {len(self._tasks):,} tasks are done; workers of {self._executor.title} "
                f"were lost over {named}{more}; run again to go on with these"
            )
        return [self._results[number] for number in range(len(self._tasks))]

    def _wait_on(self, *, since: float, announced: float) -> float:
        """Check that workers remain, announce long waits, and return the time of the last announcement."""
        workers = self._executor.check()
        now = time.monotonic()
        if now - announced < ANNOUNCE_SECONDS:
            return announced
        self._progress(
            f"no file task of {len(self._begun):,} has ended for {now - since:.0f} s on "
            f"{self._executor.title}{f', which has {workers}' if workers else ''}: waiting"
        )
        return now

    def _take(self, future: Future[TaskResult[Any]]) -> None:
        number = self._begun.pop(future)
        try:
            result = future.result()
        except (Exception, concurrent.futures.CancelledError) as error:
            if why := self._executor.loss(error):
                self._lost[number] = why
            elif self._came_late(number, error):
                self._again.add(number)
                self._begin(number)
            else:
                raise
            return
        self._results[number] = result
        if self._on_done is not None:
            self._on_done(self._tasks[number], result)

    def _came_late(self, number: int, error: BaseException) -> bool:
        """Return whether a task failed because its worker joined late and is unsuitable, perhaps of another version.

        Such a worker may not even be able to unpickle the task, so any foreign error may be the consequence.
        """
        if number in self._again or (
            isinstance(error, GenbankAssetsError) and not isinstance(error, WorkerRefusedError)
        ):
            return False
        return self._executor.exclude(self._wanted, progress=self._progress) or isinstance(error, WorkerRefusedError)


_fit_for: set[str] = set()  # tokens of runs for which this worker process has passed the check


def run_one(function: Callable[[T], R], task: T, wanted: Demands) -> TaskResult[R]:
    """Run one task on the worker, after checking the worker once per run.

    Raises:
        WorkerRefusedError: the worker is not suitable.
    """
    if wanted.token not in _fit_for:
        if why := prove(wanted):
            raise WorkerRefusedError(f"worker {worker_name()} is refused: {why}")
        _fit_for.add(wanted.token)
    return measured(function, with_own_secrets(task), worker=worker_name())


def _factory(name: str) -> Factory:
    """Return the factory of an executor.

    Raises:
        SettingsError: no package provides it.
    """
    if name == "dask":
        from genbank_assets.compute.dask_cluster import open_dask

        return open_dask
    offered = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in offered:
        known = ", ".join(f"{one}://" for one in ("dask", *offered))
        raise SettingsError(f"GENBANK_ASSETS_EXECUTOR names {name}://, which nothing offers; there are local, {known}")
    factory: Factory = offered[name].load()
    return factory
