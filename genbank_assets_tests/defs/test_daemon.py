"""The release sensor in a real daemon: a release appears, is issued again, is replaced by the next; runs load each."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from genbank_assets.database_url import genbank_url
from genbank_assets.lineage.status import is_whole
from genbank_assets.postgres_server.server import stop_server
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets_tests.fix_ncbi import HttpMirror
from genbank_assets_tests.fix_postgres import stopped_where_files_are_noted, waiting_there
from genbank_assets_tests.paths import MIRROR_273, MIRROR_274, ROOT
from genbank_assets_tests.processes import free_port

SCRIPTS = Path(sys.executable).parent
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MIRROR_273.is_dir(), reason="the shared mirrors are not here"),
]


class Service:
    """`genbank-assets dev` with a store of its own."""

    def __init__(self, store: Path, source: str, **settings: str) -> None:
        self.store = store
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("GENBANK_ASSETS_", "DAGSTER_"))}
        self.environment |= {
            "GENBANK_ASSETS_SOURCE": source,
            "GENBANK_ASSETS_STORE": str(store),
            "GENBANK_ASSETS_DIVISIONS": "genbank/vrl",
            "GENBANK_ASSETS_POLL_SECONDS": "2",
            "GENBANK_ASSETS_REQUESTS_PER_SECOND": "1000",
            **{f"GENBANK_ASSETS_{name.upper()}": value for name, value in settings.items()},
        }
        self.log = store / "dev.log"
        with self.log.open("wb") as log:
            command = [str(SCRIPTS / "genbank-assets"), "dev", "--port", str(free_port())]
            self.process = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def answer(self, *arguments: str) -> Any:
        done = subprocess.run(
            [str(SCRIPTS / "genbank-assets"), *arguments, "--json"],
            env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return json.loads(done.stdout) if done.returncode == 0 else []

    def turn_on(self, sensor: str) -> None:
        command = [str(SCRIPTS / "dagster"), "sensor", "start", sensor, "-w", str(ROOT / "workspace.yaml")]
        home = {"DAGSTER_HOME": str(self.store / "dagster")}
        storage = subprocess.run(
            [sys.executable, "-c", _STORAGE_URL, str(self.store)], capture_output=True, text=True, check=True
        ).stdout.strip()
        home["GENBANK_ASSETS_DAGSTER_POSTGRES_URL"] = storage
        done = subprocess.run(command, env=self.environment | home, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(1)

    def loaded(self) -> dict[str, tuple[str, bool]]:
        """Division → newest release, and whether all of its stages are there."""
        return {row["division"]: (row["release"], row["objects"] is not None) for row in self.answer("status")}

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
        stop_server(self.store, force=True)


_STORAGE_URL = (
    "import sys; from pathlib import Path; from genbank_assets.postgres_server.server import ensure_server;"
    "print(ensure_server(Path(sys.argv[1])).sqlalchemy_url('dagster'))"
)


@pytest.fixture
def service(tmp_path: Path, http_mirror: HttpMirror) -> Iterator[Service]:
    shutil.copytree(MIRROR_273, http_mirror.folder, dirs_exist_ok=True)
    (tmp_path / "store").mkdir()
    running = Service(tmp_path / "store", http_mirror.url)
    try:
        yield running
    finally:
        running.stop()


def sha256_here(service: Service) -> str:
    """The digest of the raw file of vrl, once all of its stages are there."""
    partition = PartitionRelease(service.store, PartitionKey("genbank", "vrl"), "273.0")
    raw = partition.manifest("raw_files")
    return str(raw.files[0]["sha256"]) if raw is not None and is_whole(partition) else ""


def test_a_release_its_second_issue_its_first_again_and_the_next_are_loaded_by_the_daemon(
    service: Service, http_mirror: HttpMirror
) -> None:
    path = http_mirror.folder / "genbank" / "gbvrl1.seq.gz"
    first, text = path.read_bytes(), gzip.decompress(path.read_bytes())
    second = gzip.compress(text, compresslevel=1, mtime=0)
    service.until(lambda: (service.store / "dagster" / "dagster.yaml").is_file(), seconds=60)
    service.turn_on("genbank_release_sensor")
    for number, content in enumerate((first, second, first)):
        path.write_bytes(content)
        os.utime(path, (1_780_000_000 + 420 * (number % 2),) * 2)
        wanted = hashlib.sha256(content).hexdigest()
        service.until(lambda: sha256_here(service) == wanted, seconds=200)  # noqa: B023
    assert service.loaded() == {"vrl": ("273.0", True)}
    shutil.rmtree(http_mirror.folder)
    shutil.copytree(MIRROR_274, http_mirror.folder)
    service.until(lambda: service.loaded() == {"vrl": ("274.0", True)}, seconds=200)
    states = {change["state"] for change in service.answer("changes", "--release", "274.0")}
    assert {"new", "absent"} <= states
    runs = sorted((service.store / "genbank" / "274.0").iterdir())
    assert [path.name for path in runs if path.is_dir() and path.name != "lists"] == ["vrl"]


def processes() -> dict[int, tuple[int, str]]:
    """Every process: its parent and its command."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[:2]
            if state != "Z":
                found[int(folder.name)] = (int(parent), (folder / "cmdline").read_text().replace("\0", " "))
    return found


@pytest.fixture
def busy_service(tmp_path: Path, http_mirror: HttpMirror) -> Iterator[Service]:
    """A service whose next load has three files and two workers."""
    shutil.copytree(MIRROR_273, http_mirror.folder, dirs_exist_ok=True)
    (tmp_path / "store").mkdir()
    running = Service(tmp_path / "store", http_mirror.url, divisions="genbank/bct", workers="2")
    try:
        yield running
    finally:
        running.stop()


def test_workers_end_with_a_run_of_the_daemon_that_is_killed(busy_service: Service) -> None:
    service = busy_service
    service.until(lambda: (service.store / "dagster" / "dagster.yaml").is_file(), seconds=60)
    command = [str(SCRIPTS / "genbank-assets"), "materialize", "genbank/una"]  # makes the schema
    done = subprocess.run(command, env=service.environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with stopped_where_files_are_noted(genbank_url(Settings(store=service.store), create=False)) as blocker:
        service.turn_on("genbank_release_sensor")
        service.until(lambda: waiting_there(blocker) == 2, seconds=200)
        there = processes()
        spawned = {pid: parent for pid, (parent, command) in there.items() if "spawn_main" in command}
        workers = {pid: parent for pid, parent in spawned.items() if parent in spawned}
        assert len(workers) == 2
        (run,) = set(workers.values())
        os.kill(run, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while set(workers) & processes().keys():
            assert time.monotonic() < deadline, "a worker goes on without its run"
            time.sleep(0.1)
