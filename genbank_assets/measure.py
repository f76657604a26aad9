"""Measures time, memory and progress of a stage.

The figures a stage reports belong to ``reports``; showing them belongs to ``cli`` and ``defs.metadata``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self


def peak_memory_bytes() -> int:
    """Return the peak resident set size of this process, in bytes.

    Reads ``VmHWM`` rather than ``getrusage``, whose peak survives ``exec``: a freshly spawned worker would report
    its parent's peak.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource  # fallback for platforms without /proc; not available everywhere

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Stopwatch:
    """Measures wall and CPU seconds of a ``with`` block; can be read while the block runs."""

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
        """Wall seconds since the block was entered, or its duration once it has ended."""
        return (self._end or time.perf_counter()) - self._start

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds used by this process and by its terminated children over the same period."""
        return (_cpu_seconds() if self._cpu_end is None else self._cpu_end) - self._cpu_start


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class Pace:
    """Estimates the remaining time of a stage from its rate so far, for progress lines.

    Args:
        total: the total amount of work, in any unit.
        clock: returns seconds; replaced in tests.
    """

    def __init__(self, total: float, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._total = total
        self._done = 0.0
        self._clock = clock
        self._start = clock()

    def after(self, amount: float) -> str:
        """Record ``amount`` as done; return ``"; 25% done, about 2 h 10 min to go"``, or "" at the end."""
        self._done += amount
        if not 0 < self._done < self._total:
            return ""
        left = (self._clock() - self._start) * (self._total - self._done) / self._done
        return f"; {self._done / self._total:.0%} done, about {duration(left)} to go"


def duration(seconds: float) -> str:
    """Format a duration: ``45 s``, ``3 min``, ``2 h 10 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
