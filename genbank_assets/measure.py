"""Measuring: the time and memory that a stage takes, and how far it is.

What is reported of a stage belongs to ``reports``; how it is shown, to ``cli`` and ``defs.metadata``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self


def peak_memory_bytes() -> int:
    """Highest resident size of this process so far, in bytes.

    Reads ``VmHWM``, not ``getrusage``: the latter survives ``exec`` and would report the parent's peak in a
    freshly spawned worker.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource  # not on every platform; Linux never gets here

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Stopwatch:
    """Wall and processor seconds of a ``with`` block; readable while it runs."""

    def __init__(self) -> None:
        self._start, self._cpu_start = time.perf_counter(), _cpu_seconds()
        self._end: float | None = None
        self._cpu_end: float | None = None

    def __enter__(self) -> Self:
        self._start, self._cpu_start = time.perf_counter(), _cpu_seconds()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end, self._cpu_end = time.perf_counter(), _cpu_seconds()

    @property
    def seconds(self) -> float:
        """Seconds since the block was entered, or its length once it is left."""
        return (self._end or time.perf_counter()) - self._start

    @property
    def cpu_seconds(self) -> float:
        """Processor seconds of this process meanwhile, with those of its children that have ended."""
        return (_cpu_seconds() if self._cpu_end is None else self._cpu_end) - self._cpu_start


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class Pace:
    """How far a stage is and how long the rest takes at the pace so far, for its progress lines."""

    def __init__(self, total: float, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._total = total
        self._done = 0.0
        self._clock = clock
        self._start = clock()

    def after(self, amount: float) -> str:
        """``"; 25 % done, about 2 h 10 min to go"`` once ``amount`` more is done; nothing when it was the last."""
        self._done += amount
        if not 0 < self._done < self._total:
            return ""
        left = (self._clock() - self._start) * (self._total - self._done) / self._done
        return f"; {self._done / self._total:.0%} done, about {duration(left)} to go"


def duration(seconds: float) -> str:
    """``45 s``, ``3 min``, ``2 h 10 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
