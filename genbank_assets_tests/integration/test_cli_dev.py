"""`genbank-assets dev` as its operator sees it: it stops whole, and does not lose a service without a word."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from genbank_assets.cli.services import noted_address
from genbank_assets.postgres_server.server import stop_server
from genbank_assets_tests.processes import free_port, wait_until

COMMAND = str(Path(sys.executable).parent / "genbank-assets")
pytestmark = pytest.mark.slow


def processes_with(text: str) -> dict[int, str]:
    """Living processes that have a text in their environment: all that a command with that environment started."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z" and text.encode() in (entry / "environ").read_bytes():
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


_DAEMON_IS_UP = "Instance is configured with the following daemons"  # which it says when the graph is loaded


class Dev:
    def __init__(self, store: Path) -> None:
        self.store, self.port, self.mark = store, free_port(), f"DEV_TEST_MARK={store.name}{os.getpid()}{time.time()}"
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("GENBANK_ASSETS_", "DAGSTER_"))}
        name, _, value = self.mark.partition("=")
        self.log = store.with_suffix(".log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [COMMAND, "dev", "--sample", "--port", str(self.port), "--store", str(store)],
                env=environment | {name: value}, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        assert wait_until(lambda: self.answers() and _DAEMON_IS_UP in self.text()), self.text()

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/server_info", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def left_behind(self) -> dict[int, str]:
        return {pid: line for pid, line in processes_with(self.mark).items() if "postgres" not in line}

    def service(self, name: str) -> int:
        return next(pid for pid, line in processes_with(self.mark).items() if re.search(rf"bin/{name} ", line))


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    running = Dev(tmp_path / "store")
    try:
        yield running
    finally:
        for pid in running.left_behind():
            os.kill(pid, signal.SIGKILL)
        running.process.wait()
        stop_server(running.store, force=True)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_nothing_behind(dev: Dev, number: signal.Signals) -> None:
    assert len(dev.left_behind()) >= 3
    dev.process.send_signal(number)
    assert dev.process.wait(90) == 128 + number, dev.text()
    assert wait_until(lambda: not dev.left_behind(), seconds=5), dev.left_behind()
    assert "Dagster's UI and daemon are stopped" in dev.text()
    assert "Traceback" not in dev.text()


def test_a_killed_command_takes_its_services_along(dev: Dev) -> None:
    dev.process.kill()
    assert wait_until(lambda: not dev.left_behind(), seconds=90), dev.left_behind()


def test_a_service_that_dies_is_restarted_and_reported(dev: Dev) -> None:
    for name in ("dagster-daemon", "dagster-webserver"):
        os.kill(dev.service(name), signal.SIGKILL)
        assert wait_until(
            lambda name=name: f"{name} was terminated by SIGKILL and is restarted" in dev.text(), seconds=20
        )
    assert wait_until(dev.answers)


def test_a_service_that_dies_again_and_again_ends_the_command(dev: Dev) -> None:
    while dev.process.poll() is None:
        for pid, line in processes_with(dev.mark).items():
            if "bin/dagster-daemon " in line:
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    assert dev.process.returncode == 1
    assert "dagster-daemon was terminated by SIGKILL repeatedly" in dev.text()
    assert not dev.left_behind()


def test_links_of_other_commands_lead_to_its_port(dev: Dev) -> None:
    assert noted_address(dev.store) == f"http://127.0.0.1:{dev.port}"
