"""Overhead of file tasks on a Dask cluster, and the speed-up by three workers if tasks wait; prints its figures.

    python benchmarks/remote.py [--tasks 300]

Scheduler and workers run on this machine, on loopback. The overhead is that of empty tasks with the full protocol:
fitness, resource, result. Waiting represents a disk, a network or a database. Uploads are those of a division of 200
files to an S3 server with a latency of 0.25 s; complete stages are timed.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
import time
from pathlib import Path

import distributed

from genbank_assets.compute.tasks import run_tasks
from genbank_assets.ncbi.fetch import fetch_division
from genbank_assets.objects.publish import publish_division
from genbank_assets.objects.retry import no_progress
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets.table_set.publish import publish_tables
from genbank_assets.tables.dedup import build_unique_records
from genbank_assets.tables.records import build_records

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # the tests and their servers are not installed with the package
from benchmarks.small_files import make_source  # noqa: E402
from genbank_assets_tests.fix_dask import Cluster  # noqa: E402
from genbank_assets_tests.fix_s3 import Fault, FaultyProxy, rclone_server  # noqa: E402

WAIT_SECONDS = 0.2
FILES, RECORDS, DELAY_SECONDS = 200, 8, 0.25


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


def make_division(folder: Path, *, executor: str) -> tuple[PartitionRelease, Settings]:
    """A division of :data:`FILES` files, deduplicated, in a store of its own."""
    make_source(folder / "source", files=FILES, division="una", records=RECORDS)
    settings = Settings(
        store=folder / "store", source=(folder / "source").as_uri(), executor="local", requests_per_second=10_000,
        upload_concurrency=4, object_layout="record",
    )  # fmt: skip
    key = PartitionKey("genbank", "una")
    release = fetch_division(key, settings=settings, progress=no_progress, run_id="benchmark").release
    partition = PartitionRelease(settings.store, key, release)
    build_records(partition, settings=settings, progress=no_progress, run_id="benchmark")
    build_unique_records(partition, settings=settings, progress=no_progress, run_id="benchmark")
    return partition, dataclasses.replace(settings, executor=executor)


def upload_seconds(
    partition: PartitionRelease, settings: Settings, *, bucket: str, name: str
) -> tuple[float, float, int]:
    """Wall seconds of the stages ``object_set`` and ``table_set`` into places that are empty, and how many tables."""
    there = dataclasses.replace(
        settings, objects=f"s3://{bucket}/{name}/objects", tables=f"s3://{bucket}/{name}/tables"
    )
    begun = time.perf_counter()
    published = publish_division(partition, settings=there, progress=no_progress, run_id="benchmark")
    objects = time.perf_counter() - begun
    if published.report.objects_put != FILES * RECORDS:
        raise AssertionError(f"{published.report.objects_put} objects were sent, not {FILES * RECORDS}")
    begun = time.perf_counter()
    sent = publish_tables(there, partition.key, run_id="benchmark", progress=no_progress).sent
    return objects, time.perf_counter() - begun, sent


def uploads(folder: Path) -> dict[str, float]:
    """How many times as fast three workers publish as one does."""
    cluster = Cluster(folder / "dask")
    (folder / "dask").mkdir()
    with (
        rclone_server(folder / "s3") as server,
        FaultyProxy(server, lambda asked: Fault(seconds=DELAY_SECONDS)) as proxy,
    ):
        os.environ.update(server.environment | {"AWS_ENDPOINT_URL_S3": proxy.endpoint})
        partition, settings = make_division(folder, executor=cluster.url)
        try:
            cluster.start()
            cluster.worker("one")
            one = upload_seconds(partition, settings, bucket=server.bucket, name="one")
            for name in ("two", "three"):
                cluster.worker(name)
            with distributed.Client(cluster.address, set_as_default=False) as client:
                client.wait_for_workers(3, timeout=60)
            three = upload_seconds(partition, settings, bucket=server.bucket, name="three")
        finally:
            cluster.stop()
    return {
        f"object_set, {FILES * RECORDS:,} objects ({one[0]:.1f} s and {three[0]:.1f} s)": one[0] / three[0],
        f"table_set, {one[2]} tables ({one[1]:.1f} s and {three[1]:.1f} s)": one[1] / three[1],
    }


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
    with tempfile.TemporaryDirectory() as folder:
        ratios = uploads(Path(folder))
    print("| figure | value |\n|---|---|")
    print(f"| connecting and proving, once a stage | {1000 * start:.0f} ms |")
    for name, seconds in rows.items():
        print(f"| overhead of a task, {name} ({count} tasks) | {1000 * seconds:.1f} ms |")
    print(f"| three workers against one, {waits} tasks that wait {WAIT_SECONDS} s | {one / three:.2f} x |")
    for name, ratio in ratios.items():
        print(f"| three workers against one, {name} | {ratio:.2f} x |")


if __name__ == "__main__":
    main()
