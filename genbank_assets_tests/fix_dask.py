"""A scheduler and workers of dask.distributed on loopback, each a process that a test may kill."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from genbank_assets_tests.paths import ROOT


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


class Cluster:
    """One scheduler; workers are added one by one."""

    def __init__(self, folder: Path, *, allowed_failures: int = 2) -> None:
        self._folder = folder
        self._port = free_port()
        self._allowed_failures = allowed_failures
        self.address = f"127.0.0.1:{self._port}"
        self.url = f"dask://{self.address}"
        self._scheduler: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        self._scheduler = self._run(
            "scheduler", "--host", "127.0.0.1", "--port", str(self._port), "--no-dashboard",
            DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=str(self._allowed_failures),
        )  # fmt: skip
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as asking:
                if asking.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError("the scheduler did not start")

    def worker(self, name: str, *options: str, nanny: bool = True, **environment: str) -> subprocess.Popen[bytes]:
        one = self._run(
            "worker", self.address, "--host", "127.0.0.1", "--name", name, "--nthreads", "1", "--no-dashboard",
            "--nanny" if nanny else "--no-nanny", "--local-directory", str(self._folder), *options, **environment,
        )  # fmt: skip
        self.workers.append(one)
        return one

    def restart_scheduler(self) -> None:
        self._end(self._scheduler)
        self.start()

    def stop(self) -> None:
        for process in [*self.workers, self._scheduler]:
            self._end(process)

    def _run(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        paths = [environment.pop("PYTHONPATH", ""), str(ROOT)]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        log = (self._folder / f"{arguments[0]}-{time.monotonic_ns()}.log").open("wb")
        with log:
            return subprocess.Popen(
                [str(Path(sys.executable).parent / "dask"), *arguments],
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    @staticmethod
    def _end(process: subprocess.Popen[bytes] | None) -> None:
        if process is not None and process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def dask_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler without workers, started; skipped where distributed is not installed."""
    pytest.importorskip("distributed")
    folder = tmp_path / "dask"
    folder.mkdir()
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
