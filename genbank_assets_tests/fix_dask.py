"""A dask.distributed scheduler and workers, each in a process that tests can kill.

Each worker has its own network namespace if this machine permits it; otherwise all use loopback.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from genbank_assets_tests.fix_networks import Network, why_no_networks
from genbank_assets_tests.paths import ROOT
from genbank_assets_tests.processes import free_port


class Cluster:
    """A scheduler to which workers can be added."""

    def __init__(self, folder: Path, *, allowed_failures: int = 2, network: Network | None = None) -> None:
        self._network = network
        self._host = network.address if network else "127.0.0.1"
        self._folder = folder
        self._port = free_port()
        self._allowed_failures = allowed_failures
        self.address = f"{self._host}:{self._port}"
        self.url = f"dask://{self.address}"
        self._scheduler: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        self._scheduler = self._run(
            "scheduler", "--host", self._host, "--port", str(self._port), "--no-dashboard",
            DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=str(self._allowed_failures),
        )  # fmt: skip
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as asking:
                if asking.connect_ex((self._host, self._port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError("the scheduler did not start")

    def worker(self, name: str, *options: str, nanny: bool = True, **environment: str) -> subprocess.Popen[bytes]:
        host, on = self._network.host() if self._network else (self._host, [])
        one = self._run(
            "worker", self.address, "--host", host, "--name", name, "--nthreads", "1", "--no-dashboard",
            "--nanny" if nanny else "--no-nanny", "--local-directory", str(self._folder), *options,
            on=on, **environment,
        )  # fmt: skip
        self.workers.append(one)
        return one

    def restart_scheduler(self) -> None:
        self._end(self._scheduler)
        self.start()

    def stop(self) -> None:
        for process in [*self.workers, self._scheduler]:
            self._end(process)

    def _run(self, *arguments: str, on: list[str] | None = None, **environment: str) -> subprocess.Popen[bytes]:
        paths = [environment.pop("PYTHONPATH", ""), str(ROOT)]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        log = (self._folder / f"{arguments[0]}-{time.monotonic_ns()}.log").open("wb")
        with log:
            return subprocess.Popen(
                [*(on or []), str(Path(sys.executable).parent / "dask"), *arguments],
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
    """A running scheduler without workers; skipped if distributed is not installed.

    If there are network namespaces, the test runs in that of the scheduler.
    """
    pytest.importorskip("distributed")
    folder = tmp_path / "dask"
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        network = None
        if not why_no_networks():
            network = Network()
            stack.callback(network.close)
            stack.enter_context(network.entered())
        cluster = Cluster(folder, network=network)
        stack.callback(cluster.stop)
        cluster.start()
        yield cluster
