"""File tasks on a real Dask cluster: killed workers, unfit workers, a poison file, a scheduler that is restarted."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from genbank_assets.compute.tasks import run_tasks
from genbank_assets.durable import file_sha256
from genbank_assets.errors import FlatFileError, SettingsError, WorkerLostError, WorkerRefusedError
from genbank_assets.ncbi.fetch import fetch_division
from genbank_assets.objects.publish import publish_division
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets.table_set.publish import publish_tables
from genbank_assets.tables.dedup import build_unique_records, deduplicate
from genbank_assets.tables.records import build_records
from genbank_assets_tests.fix_dask import Cluster
from genbank_assets_tests.fix_networks import why_no_networks
from genbank_assets_tests.paths import SAMPLE

pytest.importorskip("distributed")
pytestmark = pytest.mark.slow


@dataclasses.dataclass(frozen=True)
class Job:
    """A task that leaves a mark, and may end the worker that takes it."""

    number: int
    folder: Path
    poison: bool = False
    dies_once: bool = False
    error: bool = False
    waits_for: Path | None = None

    def __str__(self) -> str:
        return f"file{self.number}"


def work(job: Job) -> int:
    mark = job.folder / f"{job.number}.tried"
    if job.poison or (job.dies_once and not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if job.error:
        raise FlatFileError("damaged", file=str(job), offset=3)
    while job.waits_for is not None and not job.waits_for.exists():
        time.sleep(0.01)
    time.sleep(0.02)
    (job.folder / f"{job.number}.done").touch()
    return job.number * 10


def on(cluster: Cluster, tmp_path: Path, **changes: object) -> Settings:
    store = tmp_path / "store"
    store.mkdir(exist_ok=True)
    return dataclasses.replace(Settings(store=store, executor=cluster.url), **changes)  # type: ignore[arg-type]


def test_tasks_run_on_workers_and_say_on_which(dask_cluster: Cluster, tmp_path: Path) -> None:
    for name in ("one", "two"):
        dask_cluster.worker(name)
    lines: list[str] = []
    settings = on(dask_cluster, tmp_path)
    results = run_tasks(work, [Job(n, tmp_path) for n in range(12)], settings=settings, progress=lines.append)
    assert [result.value for result in results] == [n * 10 for n in range(12)]
    assert all(result.worker and f" on {result.worker}" == result.where for result in results)
    assert any(dask_cluster.url in line and "worker(s)" in line for line in lines)
    assert list(settings.store.iterdir()) == []  # no token is left
    for number in (2, 3):  # the scheduler remembers the first
        bounded = dataclasses.replace(settings, max_remote_tasks=number)
        assert len(run_tasks(work, [Job(n, tmp_path) for n in range(4)], settings=bounded, resource="objects")) == 4


def test_each_worker_has_its_own_network(dask_cluster: Cluster, tmp_path: Path) -> None:
    if why := why_no_networks():
        pytest.skip(why)
    names = ("one", "two", "three")
    for name in names:
        dask_cluster.worker(name)
    _wait_for(dask_cluster, len(names))
    networks = {Path(f"/proc/{process.pid}/ns/net").readlink() for process in dask_cluster.workers}
    assert len(networks) == len(names)
    results = run_tasks(work, [Job(n, tmp_path) for n in range(12)], settings=on(dask_cluster, tmp_path))
    assert len({result.worker for result in results}) == len(names)


def test_a_killed_worker_loses_nothing(dask_cluster: Cluster, tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        dask_cluster.worker(name)
    jobs = [Job(n, tmp_path, dies_once=n in (2, 5)) for n in range(10)]
    results = run_tasks(work, jobs, settings=on(dask_cluster, tmp_path))
    assert [result.value for result in results] == [n * 10 for n in range(10)]


def test_a_task_that_kills_workers_is_named_and_fails_alone(dask_cluster: Cluster, tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        dask_cluster.worker(name)
    jobs = [Job(n, tmp_path, poison=n == 3) for n in range(10)]
    done: list[str] = []
    with pytest.raises(WorkerLostError, match=r"9 of 10 tasks are done; .* lost over file3 .*3 workers") as caught:
        run_tasks(work, jobs, settings=on(dask_cluster, tmp_path), on_done=lambda job, _: done.append(str(job)))
    assert caught.value.transient
    assert sorted(done) == sorted(str(job) for job in jobs if not job.poison)


def test_an_error_of_a_task_is_raised_as_it_is(dask_cluster: Cluster, tmp_path: Path) -> None:
    dask_cluster.worker("one")
    with pytest.raises(FlatFileError, match=r"damaged \(file0, byte 3"):
        run_tasks(work, [Job(0, tmp_path, error=True), Job(1, tmp_path)], settings=on(dask_cluster, tmp_path))


def test_a_worker_that_sees_another_store_is_refused_by_name(dask_cluster: Cluster, tmp_path: Path) -> None:
    """In a mount namespace of its own, where the store's folder is an empty one."""
    if os.geteuid() != 0:
        pytest.skip("a mount namespace needs root")
    dask_cluster.worker("good")
    settings = on(dask_cluster, tmp_path)
    hidden = tmp_path / "wrapper"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import ctypes, os\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "if libc.unshare(0x00020000) == 0:\n"
        "    libc.mount(b'none', b'/', None, 0x4000 | 0x40000, None)\n"
        f"    libc.mount(b'tmpfs', {str(settings.store)!r}.encode(), b'tmpfs', 0, None)\n"
    )
    dask_cluster.worker("blind", nanny=False, PYTHONPATH=str(hidden))
    _wait_for(dask_cluster, 2)
    lines: list[str] = []
    results = run_tasks(work, [Job(n, tmp_path) for n in range(6)], settings=settings, progress=lines.append)
    assert any("worker blind at tcp://" in line and "is refused" in line for line in lines), lines
    assert len({result.worker for result in results}) == 1


def test_a_worker_of_another_version_is_refused_also_when_it_comes_later(dask_cluster: Cluster, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("import genbank_assets\ngenbank_assets.__version__ = '0.0.9'\n")
    dask_cluster.worker("good")
    _wait_for(dask_cluster, 1)
    go = tmp_path / "go"
    jobs = [Job(n, tmp_path, waits_for=go if n else None) for n in range(20)]
    lines: list[str] = []

    def on_done(job: Job, _: object) -> None:
        if job.number == 0:
            dask_cluster.worker("old", nanny=False, PYTHONPATH=str(other))
            _wait_for(dask_cluster, 2)
            go.touch()

    results = run_tasks(work, jobs, settings=on(dask_cluster, tmp_path), progress=lines.append, on_done=on_done)
    assert [result.value for result in results] == [n * 10 for n in range(20)]
    assert sum("worker old" in line and "it has genbank-assets 0.0.9, not" in line for line in lines) == 1
    dask_cluster.workers[0].send_signal(signal.SIGTERM)
    dask_cluster.workers[0].wait()
    with pytest.raises(WorkerRefusedError, match=r"no worker that is fit .* it has genbank-assets 0\.0\.9, not"):
        run_tasks(work, [Job(0, tmp_path)], settings=on(dask_cluster, tmp_path))


def test_a_worker_between_whose_host_and_ours_locks_do_not_hold_is_refused(
    dask_cluster: Cluster, tmp_path: Path
) -> None:
    """As on Lustre with the mount option localflock, or NFS with local_lock=all."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("import fcntl\nfcntl.flock = lambda file, kind: None\n")
    dask_cluster.worker("local-locks", nanny=False, PYTHONPATH=str(other))
    _wait_for(dask_cluster, 1)
    with pytest.raises(
        WorkerRefusedError, match=r"worker local-locks .* does not hold between its host and the caller"
    ):
        run_tasks(work, [Job(0, tmp_path)], settings=on(dask_cluster, tmp_path))


def test_a_worker_needs_the_database_of_its_environment(
    dask_cluster: Cluster, tmp_path: Path, postgres_url: str
) -> None:
    dask_cluster.worker("without", nanny=False, GENBANK_ASSETS_POSTGRES_URL="")
    dask_cluster.worker("with", nanny=False, GENBANK_ASSETS_POSTGRES_URL=postgres_url)
    _wait_for(dask_cluster, 2)
    lines: list[str] = []
    settings = on(dask_cluster, tmp_path, postgres_url=postgres_url)
    jobs = [Job(n, tmp_path) for n in range(4)]
    assert len(run_tasks(work, jobs, settings=settings, resource="postgres", progress=lines.append)) == 4
    assert any("worker without" in line and "GENBANK_ASSETS_POSTGRES_URL is not set there" in line for line in lines)


def test_a_scheduler_that_is_restarted_is_an_error_that_may_pass(dask_cluster: Cluster, tmp_path: Path) -> None:
    dask_cluster.worker("one", nanny=False)
    settings = on(dask_cluster, tmp_path)
    jobs = [Job(n, tmp_path) for n in range(400)]
    done: list[int] = []
    restart = threading.Timer(2.0, dask_cluster.restart_scheduler)
    first = threading.Event()

    def on_done(job: Job, _: object) -> None:
        done.append(job.number)
        if not first.is_set():
            first.set()
            restart.start()

    with pytest.raises(WorkerLostError, match=r"the scheduler was lost"):
        run_tasks(work, jobs, settings=settings, on_done=on_done)
    restart.join()
    assert done
    dask_cluster.worker("again")
    rest = [job for job in jobs if job.number not in set(done)]
    assert len(run_tasks(work, rest, settings=settings)) == len(rest)


def test_unreachable_services_are_reported_at_once(tmp_path: Path) -> None:
    settings = Settings(store=tmp_path, executor="dask://127.0.0.1:1")
    begun = time.monotonic()
    with pytest.raises(WorkerLostError, match=r"scheduler at 127\.0\.0\.1:1 cannot be reached"):
        run_tasks(work, [Job(0, tmp_path)], settings=settings)
    assert time.monotonic() - begun < 60
    with pytest.raises(SettingsError, match="there are local, dask://"):
        run_tasks(work, [Job(0, tmp_path)], settings=dataclasses.replace(settings, executor="nothing://x"))


def quiet(line: str) -> None:
    pass


def _wait_for(cluster: Cluster, workers: int) -> None:
    import distributed

    with distributed.Client(cluster.address, set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=30)


def test_tables_and_objects_are_those_of_this_machine_byte_for_byte(dask_cluster: Cluster, tmp_path: Path) -> None:
    """Parsed, deduplicated and published, one worker dies when the first file's objects are sent."""
    for name in ("one", "two"):
        dask_cluster.worker(name)
    key = PartitionKey("refseq", "vertebrate_mammalian")
    found = {}
    for where in ("local", dask_cluster.url):
        store = tmp_path / where.partition(":")[0]
        settings = Settings(
            store=store, source=SAMPLE.as_uri(), executor=where, requests_per_second=10_000,
            tables=(store / "published").as_uri(),
        )  # fmt: skip
        lines: list[str] = []

        def progress(line: str, lines: list[str] = lines, where: str = where) -> None:
            lines.append(line)
            if "objects sent" in line and where != "local" and (victim := dask_cluster.workers[-1]).poll() is None:
                os.killpg(victim.pid, signal.SIGKILL)

        options: dict[str, Any] = {"settings": settings, "progress": progress, "run_id": "test"}
        manifest = fetch_division(key, **options)
        partition = PartitionRelease(store, key, manifest.release)
        build_records(partition, **options)
        build_unique_records(partition, **options)
        published = publish_division(partition, **options)
        tables = publish_tables(settings, key, run_id="test", progress=progress)
        assert published.report.upload_errors == 0
        for begin in ("parsed", "sent tables/"):
            assert any(" on " in line for line in lines if line.startswith(begin)) == (where != "local")
        assert any(" on " in line for line in lines if "objects sent" in line) == (where != "local")
        assert not list(partition.stage_folder("object_set").glob(".*"))
        table = pl.read_parquet(partition.folder_of(published) / "objects.parquet").drop("etag")  # in folders by time
        found[where] = tables.sent, table.rows(), contents(store)
    local, remote = found["local"], found[dask_cluster.url]
    assert local[:2] == remote[:2]
    assert not {name for name in local[2].keys() | remote[2].keys() if local[2].get(name) != remote[2].get(name)}
    assert {name.partition("/")[0] for name in local[2]} == {"objects", "published", "refseq"}


def contents(store: Path) -> dict[str, str]:
    """Digests of tables and objects, without tables that have ETags in them."""
    tables = [
        path for path in store.rglob("*.parquet") if path.name != "objects.parquet" and "manifests" not in path.parts
    ]
    objects = [path for path in (store / "objects" / "nucleotide").rglob("*") if path.is_file()]
    named = {
        re.sub(r"(records)/[0-9a-f]{16}", r"\1", path.relative_to(store).as_posix()): path
        for path in (*tables, *objects)
    }
    return {name: file_sha256(path) for name, path in named.items()}


def test_deduplication_is_spread_to_the_same_bytes(
    dask_cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Buckets of a few records on three workers, one of which dies at its first task; the other way is this process."""
    monkeypatch.setattr("genbank_assets.tables.buckets.ROWS_PER_BUCKET", 4)
    monkeypatch.setattr("genbank_assets.tables.dedup.MIN_SPREAD_BUCKETS", 1)
    for name in ("one", "two", "three"):
        dask_cluster.worker(name)
    store = tmp_path / "store"
    settings = Settings(store=store, source=SAMPLE.as_uri(), requests_per_second=10_000)
    partitions = []
    for name in ("genbank/pln", "refseq/viral"):
        key = PartitionKey(*name.split("/"))
        manifest = fetch_division(key, settings=settings, progress=quiet, run_id="test")
        partitions.append(PartitionRelease(store, key, manifest.release))
        build_records(partitions[-1], settings=settings, progress=quiet, run_id="test")
    for partition in partitions:
        records = partition.manifest("records")
        assert records is not None
        paths = [partition.folder_of(records) / entry["records_file"] for entry in records.files]
        rows = sum(entry["records"] for entry in records.files)
        found = {}
        for where in ("local", dask_cluster.url):
            lines: list[str] = []
            out = tmp_path / partition.key.division / where.partition(":")[0]
            victim = dask_cluster.workers[-1] if where != "local" and partition is partitions[0] else None

            def progress(line: str, lines: list[str] = lines, victim: subprocess.Popen[bytes] | None = victim) -> None:
                lines.append(line)
                if victim is not None and victim.poll() is None:
                    os.killpg(victim.pid, signal.SIGKILL)

            totals = deduplicate(
                paths,
                out=out,
                rows=rows,
                partition=partition,
                settings=dataclasses.replace(settings, executor=where),
                progress=progress,
            )
            assert any("file tasks go to" in line for line in lines) == (where != "local")
            files = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
            found[where] = totals, files
        assert len(found["local"][1]) == 2
        assert found["local"] == found[dask_cluster.url]


def test_a_result_that_cannot_be_fetched_is_a_loss_not_a_wait_without_end(
    dask_cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheduler is lost between the end of a task and the fetching of its result."""
    import distributed

    dask_cluster.worker("one")
    gather = distributed.Client._gather
    lost: list[object] = []

    async def broken(client: distributed.Client, futures: Any, *arguments: Any, **options: Any) -> Any:
        if not lost:
            lost.append(futures)
            raise distributed.comm.CommClosedError("the stream is closed")
        return await gather(client, futures, *arguments, **options)

    monkeypatch.setattr(distributed.Client, "_gather", broken)
    with pytest.raises(WorkerLostError, match=r"2 of 3 tasks are done; .* file\d \(the scheduler was lost\)"):
        run_tasks(work, [Job(n, tmp_path) for n in range(3)], settings=on(dask_cluster, tmp_path))
