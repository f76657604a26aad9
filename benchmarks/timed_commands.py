"""Runs shell commands for benchmarks and measures wall and CPU seconds and the peak memory of the largest process."""

from __future__ import annotations

import dataclasses
import subprocess
import sys


@dataclasses.dataclass(frozen=True)
class Timed:
    """The cost of a command.

    Attributes:
        wall_seconds: elapsed time.
        cpu_seconds: of all its processes.
        memory_mb: peak memory of its largest process, in MB.
    """

    wall_seconds: float
    cpu_seconds: float
    memory_mb: float

    def better(self, other: Timed | None) -> Timed:
        """Return the lower times and the higher memory of both."""
        if other is None:
            return self
        return Timed(
            min(self.wall_seconds, other.wall_seconds),
            min(self.cpu_seconds, other.cpu_seconds),
            max(self.memory_mb, other.memory_mb),
        )


def timed(command: str) -> Timed | None:
    """Run a command; return None if it failed, and print the last line it wrote to standard error."""
    done = subprocess.run([sys.executable, "-S", "-c", _RUN, command], check=False, capture_output=True, text=True)
    if done.returncode:
        print(f"failed: {' '.join(done.stderr.splitlines()[-1:])}", file=sys.stderr)
        return None
    wall, cpu, memory_kib = map(float, done.stdout.splitlines()[-1].split())
    return Timed(wall, cpu, memory_kib / 1024)


# Runs in a small process: the peak memory of a child includes that of its parent at the time of the fork.
_RUN = """
import resource, subprocess, sys, time
begun = time.perf_counter()
code = subprocess.call(["bash", "-o", "pipefail", "-c", sys.argv[1]], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(code)
"""
