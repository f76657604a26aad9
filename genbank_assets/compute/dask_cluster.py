"""Runs tasks on a dask.distributed cluster: ``GENBANK_ASSETS_EXECUTOR=dask://SCHEDULER:PORT``.

Dask reassigns the tasks of a killed worker, and reports a task that has killed too many: one more than the scheduler's
setting ``allowed-failures``. Workers started with ``--resources "postgres=1"`` limit the tasks that use this resource;
if there are none, a semaphore of the scheduler does. See https://distributed.dask.org/en/stable/
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from genbank_assets.compute.fitness import Demands, prove, refusal, worker_name
from genbank_assets.errors import SettingsError, WorkerLostError, WorkerRefusedError
from genbank_assets.settings import Settings

if TYPE_CHECKING:
    import distributed

CONNECT_SECONDS = 10
WORKERS_SECONDS = 60
R = TypeVar("R")


@contextlib.contextmanager
def open_dask(address: str, settings: Settings) -> Iterator[DaskCluster]:
    """Connect to the scheduler at ``HOST:PORT`` during the block.

    Raises:
        SettingsError: the package distributed is not installed.
        WorkerLostError: the scheduler cannot be reached.
    """
    try:
        import distributed
    except ImportError:
        raise SettingsError(
            'GENBANK_ASSETS_EXECUTOR=dask://… needs the package distributed: pip install "genbank-assets[dask]"'
        ) from None
    if not re.fullmatch(r".+:\d+", address):
        raise SettingsError("GENBANK_ASSETS_EXECUTOR must name Dask's scheduler, such as dask://scheduler:8786")
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False, name="genbank-assets")
    except OSError as error:
        raise WorkerLostError(f"Dask's scheduler at {address} cannot be reached: {error}") from error
    with client:
        yield DaskCluster(client, address=address, settings=settings)


class DaskCluster:
    """A scheduler and its suitable workers."""

    def __init__(self, client: distributed.Client, *, address: str, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._chosen: list[str] | None = None  # None: any worker, including future ones
        self._refused: dict[str, str] = {}  # address → reason
        self._resources: set[str] = set()
        self.title = f"dask://{address}"

    def prepare(self, wanted: Demands, *, progress: Callable[[str], None]) -> None:
        """Check every worker; those that fail are named and get no tasks.

        Raises:
            WorkerLostError: there is none.
            WorkerRefusedError: none is suitable.
        """
        if not self._client.scheduler_info(n_workers=-1)["workers"]:
            progress(f"{self.title} has no workers yet: waiting up to {WORKERS_SECONDS} s for the first")
            with contextlib.suppress(TimeoutError):
                self._client.wait_for_workers(1, timeout=WORKERS_SECONDS)
        workers = self._choose(wanted, progress=progress)
        self._resources = {name for worker in workers.values() for name in worker.get("resources", {})}
        threads = sum(worker.get("nthreads", 1) for worker in workers.values())
        progress(f"file tasks go to {self.title}: {len(workers)} worker(s), {threads} task(s) at a time")

    def exclude(self, wanted: Demands, *, progress: Callable[[str], None]) -> bool:
        """Check every worker again; return whether any was newly refused."""
        before = set(self._refused)
        self._choose(wanted, progress=progress)
        return bool(set(self._refused) - before)

    def _choose(self, wanted: Demands, *, progress: Callable[[str], None]) -> dict[str, dict[str, Any]]:
        """Return the suitable workers with the scheduler's information about them; name each unsuitable one once.

        Raises:
            WorkerLostError: there is none.
            WorkerRefusedError: none is suitable.
        """
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        answers = self._client.run(_proof, wanted, on_error="return")
        for worker, answer in answers.items():
            if worker not in self._refused and (why := _reason(answer, wanted)):
                name = workers.get(worker, {}).get("name", worker)
                self._refused[worker] = f"worker {name} at {worker} is refused: {why}"
                progress(self._refused[worker])
        fit = sorted(set(answers) - set(self._refused))
        if not fit and not self._refused:
            raise WorkerLostError(
                f"{self.title} has no worker: none came within {WORKERS_SECONDS} s, or those that were there are gone; "
                "start some and run it again"
            )
        if not fit:
            first = next(iter(self._refused.values()))
            raise WorkerRefusedError(f"{self.title} has no worker that is fit for the tasks: {first}")
        self._chosen = fit if self._refused else None
        return {worker: workers.get(worker, {}) for worker in fit}

    def check(self) -> str:
        """Describe the available workers.

        Raises:
            WorkerLostError: some workers were refused, and all suitable ones are gone.
        """
        workers = set(self._client.scheduler_info(n_workers=-1)["workers"])
        if self._chosen is not None and workers.isdisjoint(self._chosen):
            raise WorkerLostError(
                f"the workers of {self.title} that are fit for the tasks are gone; what was finished stays finished, "
                "and the next run proves those that came instead"
            )
        return f"{len(workers)} worker(s)"

    def submit(self, function: Callable[..., R], /, *arguments: Any, **options: Any) -> Future[R]:
        """Submit a call to a suitable worker."""
        resource = options.get("resource")
        chosen: dict[str, Any] = {"workers": self._chosen} if self._chosen is not None else {}
        if resource in self._resources:
            chosen["resources"] = {resource: 1}
        elif resource is not None:
            arguments = (resource, self._settings.max_remote_tasks, function, *arguments)
            return self._begin(_bounded, *arguments, **chosen)
        return self._begin(function, *arguments, **chosen)

    def _begin(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Future[Any]:
        """Begin one call.

        ``Client.get_executor`` would do, but its futures never end where a result that is finished cannot be fetched.
        """
        task = self._client.submit(function, *arguments, pure=False, **options)
        ended: Future[Any] = Future()
        ended.add_done_callback(lambda one: task.cancel() if one.cancelled() else None)
        task.add_done_callback(functools.partial(_pass_on, ended))
        return ended

    def loss(self, error: BaseException) -> str:
        """Describe the loss of a worker or the scheduler, after which tasks are repeated; "" for other errors."""
        import distributed

        if isinstance(error, distributed.KilledWorker):
            return f"it was under way on {error.allowed_failures + 1} workers that were killed"
        lost = (
            concurrent.futures.CancelledError
            | distributed.client.FutureCancelledError
            | distributed.comm.CommClosedError
        )
        if isinstance(error, lost | TimeoutError | ConnectionError):  # other OSErrors are the task's own
            return "the scheduler was lost"
        return ""


def _pass_on(ended: Future[Any], task: distributed.Future) -> None:
    """Hand over what a task gave or raised, or why that cannot be fetched; runs in a thread of the client."""
    try:
        result = task.result()
    except (Exception, asyncio.CancelledError, concurrent.futures.CancelledError) as error:
        if ended.set_running_or_notify_cancel():
            ended.set_exception(error)
    else:
        if ended.set_running_or_notify_cancel():
            ended.set_result(result)


def _proof(wanted: Demands) -> tuple[str, str]:
    return worker_name(), prove(wanted)


def _reason(answer: object, wanted: Demands) -> str:
    """Return why a worker is refused, from its answer or exception."""
    if not isinstance(answer, tuple):
        return f"it has no genbank-assets of this version ({type(answer).__name__}: {answer})"
    name, why = answer
    return why or refusal(wanted, name)


def _bounded(resource: str, most: int, function: Callable[..., R], *arguments: Any) -> R:
    """Run a call under the scheduler's semaphore of a resource; runs on the worker.

    The limit is part of the semaphore's name, because the scheduler rejects a different limit for an existing name.
    """
    import distributed

    with distributed.Semaphore(max_leases=most, name=f"genbank-assets-{resource}-{most}"):
        return function(*arguments)
