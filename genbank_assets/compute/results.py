"""What a task gives back beside its value. How tasks are run belongs to ``local`` and ``remote``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Generic, TypeVar

from genbank_assets.measure import Stopwatch, peak_memory_bytes

T = TypeVar("T")
R = TypeVar("R")


@dataclasses.dataclass(frozen=True)
class TaskResult(Generic[R]):
    """A task's value, its wall seconds, the peak resident bytes of the process that ran it, and where that is.

    Attributes:
        value: what the function returned.
        seconds: wall seconds.
        peak_memory_bytes: of the process that ran it.
        worker: name of the worker on another machine; "" for a process of this one.
    """

    value: R
    seconds: float
    peak_memory_bytes: int
    worker: str = ""

    @property
    def where(self) -> str:
        """`` on WORKER`` for lines of progress; "" for a process of this machine."""
        return f" on {self.worker}" if self.worker else ""


def measured(function: Callable[[T], R], task: T, *, worker: str = "") -> TaskResult[R]:
    """Run one task in this process."""
    with Stopwatch() as watch:
        value = function(task)
    return TaskResult(value=value, seconds=watch.seconds, peak_memory_bytes=peak_memory_bytes(), worker=worker)
