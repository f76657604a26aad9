"""The scripts of deploy/slurm on a real Slurm: ``make test-slurm`` starts a cluster of one node and runs this."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from psycopg import sql

from genbank_assets.postgres_server.server import EmbeddedServer, remove_server
from genbank_assets_tests.faults.end_state import State, differences, end_state
from genbank_assets_tests.paths import ROOT, SAMPLE

BIN = Path(sys.executable).parent
SCRIPTS = ROOT / "deploy" / "slurm"
PARTITIONS = ["genbank/pln", "refseq/viral"]
psutil = pytest.importorskip("psutil")  # Dask's
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (os.environ.get("SLURM_CONF") and shutil.which("sbatch")), reason="no Slurm: see make test-slurm"
    ),
]


class Cluster:
    """Runs jobs for one store and one database."""

    def __init__(self, folder: Path, url: str, *, source: Path) -> None:
        self.store, self.url, self._folder = folder / "store", url, folder
        self.environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"} | {
            "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT),
            "GENBANK_ASSETS_STORE": str(self.store),
            "GENBANK_ASSETS_SOURCE": source.as_uri(),
            "GENBANK_ASSETS_POSTGRES_URL": url,
            "GENBANK_ASSETS_REQUESTS_PER_SECOND": "1000",
        }

    def local(self) -> None:
        command = [BIN / "genbank-assets", "materialize", *PARTITIONS]
        subprocess.run(command, env=self.environment, check=True, capture_output=True, timeout=300)

    def remove_server(self) -> None:
        """End the embedded server that Dagster's storage is in."""
        remove_server(self.store)

    def sbatch(self, *arguments: str) -> subprocess.Popen[bytes]:
        output = f"--output={self._folder}/job-%A-%a.log"
        return subprocess.Popen(
            ["sbatch", "--wait", output, *arguments], env=self.environment, stdout=subprocess.DEVNULL
        )

    def finished(self, job: subprocess.Popen[bytes]) -> str:
        assert job.wait(300) == 0, self.logs()
        return self.logs()

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self._folder.glob("job-*.log")))

    def state(self) -> State:
        """Tables, rows and objects. Manifests name runs and places, as do the tables of objects by their etags."""
        bucket = self.store / "objects"
        state = end_state(self.store, database=self.url, objects=bucket)
        tables = {
            name: digest
            for name, digest in state["files"].items()
            if name.endswith(".parquet") and "/object_set/" not in name and not name.startswith("objects/")
        }
        lists = {
            name: pq.read_table(bucket / name).drop_columns("etag").to_pylist()
            for name in state["objects"]
            if name.startswith("manifests/")
        }
        assert len(lists) == len(PARTITIONS)
        assert len(tables) > len(lists)
        return state | {"files": tables, "objects": state["objects"] | lists}

    def difference(self, other: Cluster) -> str:
        """What is otherwise here, a line each."""
        return "\n".join(differences(self.state(), other.state(), limit=1000))


def dated_sample(folder: Path) -> Path:
    """The sample with a date for RefSeq: one without stands where it was first fetched, unlike in another store."""
    shutil.copytree(SAMPLE, folder)
    release = folder / "refseq" / "release"
    number = (release / "RELEASE_NUMBER").read_text().strip()
    (release / "release-notes").mkdir()
    notes = f"{'':25}Release {number}\n{'':24}August 31, 2026\n"
    (release / "release-notes" / f"RefSeq-release{number}.txt").write_text(notes)
    return folder


@pytest.fixture
def databases(server: EmbeddedServer) -> Iterator[list[str]]:
    names = [f"slurm_{name}_{os.getpid()}" for name in ("local", "jobs", "dagster")]
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        for name in names:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield [server.url(name) for name in names]
        for name in names:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def clusters(databases: list[str], tmp_path: Path) -> Iterator[tuple[Cluster, Cluster]]:
    """One whose divisions a local run has made, and one for jobs."""
    source = dated_sample(tmp_path / "source")
    local, jobs = (
        Cluster(tmp_path / name, url, source=source) for name, url in zip(("local", "jobs"), databases[:2], strict=True)
    )
    for cluster in (local, jobs):
        cluster.store.parent.mkdir()
    try:
        local.local()
        yield local, jobs
    finally:
        for cluster in (local, jobs):
            cluster.remove_server()


def test_a_dask_cluster_comes_to_the_end_of_a_local_run(clusters: tuple[Cluster, Cluster]) -> None:
    """One of its workers, with its nanny, is killed while it works."""
    local, jobs = clusters
    job = jobs.sbatch("--ntasks=3", "--cpus-per-task=1", "--mem-per-cpu=1G", str(SCRIPTS / "dask.sbatch"), *PARTITIONS)
    deadline = time.monotonic() + 120
    while "parsed" not in jobs.logs() and job.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    nannies = _nannies(jobs.store)
    assert len(nannies) == 3, jobs.logs()
    for process in [nannies[0], *nannies[0].children(recursive=True)]:
        process.kill()
    log = jobs.finished(job)
    assert "file tasks go to dask://" in log
    assert "tls://" in log
    assert not list(jobs.store.glob(".dask-*"))
    assert not (found := jobs.difference(local)), found


def test_an_array_comes_to_the_end_of_a_local_run(clusters: tuple[Cluster, Cluster], databases: list[str]) -> None:
    """Dagster's storage is a server's, as it must be where tasks run on several hosts."""
    local, jobs = clusters
    jobs.environment["GENBANK_ASSETS_DAGSTER_POSTGRES_URL"] = databases[2]
    script = str(SCRIPTS / "array.sbatch")
    jobs.finished(jobs.sbatch("--array=0-1%2", "--cpus-per-task=1", "--mem-per-cpu=2G", script, *PARTITIONS))
    assert not (found := jobs.difference(local)), found


def _nannies(store: Path) -> list[Any]:
    """The processes that Slurm runs as tasks of a job on this store."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        of_the_job = any(part.startswith(str(store)) for part in command)
        if of_the_job and command[1:3] == [str(BIN / "dask"), "worker"]:
            found.append(process)
    return found
