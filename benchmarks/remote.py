"""What a file task costs on a Dask cluster, and what three workers bring where work waits: figures to standard output.

    python benchmarks/remote.py [--tasks 300]

A scheduler and workers of this machine, on loopback. The overhead is of empty tasks with a task's real way: fitness,
resource, result. Waiting stands for what a file task waits for: a disk, a network, a database.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from pathlib import Path

from genbank_assets.compute.tasks import run_tasks
from genbank_assets.settings import Settings
from genbank_assets_tests.fix_dask import Cluster

WAIT_SECONDS = 0.2


@dataclasses.dataclass(frozen=True)
class Job:
    """A task that waits so long."""

    number: int
    seconds: float


def work(job: Job) -> int:
    """Wait, and give the number back."""
    time.sleep(job.seconds)
    return job.number


def timed(settings: Settings, *, tasks: int, seconds: float, resource: str | None = None) -> float:
    """Wall seconds of so many tasks, connecting and proving included."""
    jobs = [Job(number, seconds) for number in range(tasks)]
    begun = time.perf_counter()
    results = run_tasks(work, jobs, settings=settings, resource=resource)
    if [result.value for result in results] != list(range(tasks)):
        raise AssertionError("tasks came back otherwise than they went")
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=300)
    count = parser.parse_args().tasks
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "dask").mkdir()
        cluster = Cluster(Path(folder) / "dask")
        settings = Settings(store=Path(folder) / "store", executor=cluster.url)
        settings.store.mkdir()
        try:
            cluster.start()
            cluster.worker("one", "--resources", "objects=1")
            timed(settings, tasks=3, seconds=0.0)  # imports
            start = timed(settings, tasks=1, seconds=0.0)
            rows = {}
            for name, resource in (("no resource", None), ("resource of the worker", "objects")):
                whole = timed(settings, tasks=count, seconds=0.0, resource=resource)
                rows[name] = (whole - start) / (count - 1)
            semaphore = timed(settings, tasks=count // 3, seconds=0.0, resource="source")
            rows["scheduler's semaphore"] = (semaphore - start) / (count // 3 - 1)
            waits = count // 5
            one = timed(settings, tasks=waits, seconds=WAIT_SECONDS)
            for name in ("two", "three"):
                cluster.worker(name, "--resources", "objects=1")
            deadline = time.monotonic() + 60
            lines: list[str] = []
            while not any("3 worker(s)" in line for line in lines) and time.monotonic() < deadline:
                run_tasks(work, [Job(n, 0.05) for n in range(9)], settings=settings, progress=lines.append)
            three = timed(settings, tasks=waits, seconds=WAIT_SECONDS)
        finally:
            cluster.stop()
    print("| figure | value |\n|---|---|")
    print(f"| connecting and proving, once a stage | {1000 * start:.0f} ms |")
    for name, seconds in rows.items():
        print(f"| overhead of a task, {name} ({count} tasks) | {1000 * seconds:.1f} ms |")
    print(f"| three workers against one, {waits} tasks that wait {WAIT_SECONDS} s | {one / three:.2f} x |")


if __name__ == "__main__":
    main()
