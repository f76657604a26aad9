"""The release sensor in a real daemon: a release appears, is replaced by the next, and both are loaded by runs."""

from __future__ import annotations

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

from genbank_assets.postgres_server.server import stop_server
from genbank_assets_tests.fix_ncbi import HttpMirror
from genbank_assets_tests.fix_s3 import free_port
from genbank_assets_tests.paths import MIRROR_273, MIRROR_274, ROOT

SCRIPTS = Path(sys.executable).parent
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MIRROR_273.is_dir(), reason="the shared mirrors are not here"),
]


class Service:
    """`genbank-assets dev` with a store of its own."""

    def __init__(self, store: Path, source: str) -> None:
        self.store = store
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("GENBANK_ASSETS_", "DAGSTER_"))}
        self.environment |= {
            "GENBANK_ASSETS_SOURCE": source,
            "GENBANK_ASSETS_STORE": str(store),
            "GENBANK_ASSETS_DIVISIONS": "genbank/vrl genbank/syn",
            "GENBANK_ASSETS_POLL_SECONDS": "2",
            "GENBANK_ASSETS_REQUESTS_PER_SECOND": "1000",
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
        subprocess.run(command, env=self.environment | home, check=True, capture_output=True)

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


def test_a_release_and_the_next_are_loaded_by_the_daemon(service: Service, http_mirror: HttpMirror) -> None:
    service.until(lambda: (service.store / "dagster" / "dagster.yaml").is_file(), seconds=60)
    service.turn_on("genbank_release_sensor")
    service.until(lambda: service.loaded() == {"syn": ("273.0", True), "vrl": ("273.0", True)}, seconds=150)
    shutil.rmtree(http_mirror.folder)
    shutil.copytree(MIRROR_274, http_mirror.folder)
    service.until(lambda: service.loaded() == {"syn": ("274.0", True), "vrl": ("274.0", True)}, seconds=150)
    states = {change["state"] for change in service.answer("changes", "--release", "274.0")}
    assert {"new", "absent"} <= states
    runs = sorted((service.store / "genbank" / "274.0").iterdir())
    assert [path.name for path in runs if path.is_dir() and path.name != "lists"] == ["syn", "vrl"]
