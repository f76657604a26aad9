"""Results of tasks with their measurements. Running tasks belongs to ``local`` and ``remote``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Generic, TypeVar

from genbank_assets.measure import Stopwatch, peak_memory_bytes

T = TypeVar("T")
R = TypeVar("R")


@dataclasses.dataclass(frozen=True)
class TaskResult(Generic[R]):
    """Result of a task.

    Attributes:
        value: return value of the function.
        seconds: wall time.
        peak_memory_bytes: peak resident memory of the process that ran it.
        worker: name of the remote worker; "" for a process on this machine.
    """

    value: R
    seconds: float
    peak_memory_bytes: int
    worker: str = ""

    @property
    def where(self) -> str:
        """`` on WORKER`` for progress messages; "" for a process on this machine."""
        return f" on {self.worker}" if self.worker else ""


def measured(function: Callable[[T], R], task: T, *, worker: str = "") -> TaskResult[R]:
    """Run one task in this process."""
    with Stopwatch() as watch:
        value = function(task)
    return TaskResult(value=value, seconds=watch.seconds, peak_memory_bytes=peak_memory_bytes(), worker=worker)
