"""Dagster's own commands in a fresh copy of the checkout with nothing set: all run, and leave nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from genbank_assets.ncbi.sample import sample_source
from genbank_assets.postgres_server.server import remove_server
from genbank_assets_tests.paths import ROOT

pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The tracked files, and the native modules as ``make setup`` builds them; nothing else."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if not listed.stdout:
        pytest.skip("not a git checkout")
    folder = tmp_path_factory.mktemp("checkout")
    native = [str(path.relative_to(ROOT)) for path in ROOT.glob("genbank_assets/**/*.so")]
    for name in [*listed.stdout.split("\0")[:-1], *native]:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(BIN.parent)
    yield folder
    remove_server(folder / "data")


def environment(checkout: Path, **extra: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GENBANK_ASSETS_", "DAGSTER_", "PYTEST"))}
    return {**kept, "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(checkout), "PYTHONWARNINGS": "", **extra}


def run(checkout: Path, *command: str, **extra: str) -> str:
    if not (BIN / command[0]).exists():
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(
        command, cwd=checkout, env=environment(checkout, **extra), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    return done.stdout or done.stderr


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["dagster", "definitions", "validate"], "All code locations passed validation"),
        (["dagster", "job", "list", "-w", "workspace.yaml"], "Job: mirror_genbank"),
        (["dg", "check", "defs"], "All definitions loaded successfully"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_runs_with_nothing_set(checkout: Path, command: list[str], says: str) -> None:
    assert says in run(checkout, *command)


def test_dg_lists_the_graph(checkout: Path) -> None:
    listed = json.loads(run(checkout, "dg", "list", "defs", "--json"))
    assert {"genbank/raw_files", "refseq/object_set"} <= {asset["asset_key"] for asset in listed["assets"]}


def test_dg_launches_a_partition_and_the_store_has_it(checkout: Path) -> None:
    run(
        checkout, "dg", "launch", "--assets", "key:genbank/*", "--partition", "phg",
        GENBANK_ASSETS_SOURCE=sample_source(),
    )  # fmt: skip
    (row,) = json.loads(run(checkout, "genbank-assets", "status", "--json"))
    assert (row["division"], row["records"], row["rows_loaded"], row["objects"]) == ("phg", 1, 1, 1)


@pytest.mark.parametrize("command", [["dagster", "dev"], ["dg", "dev"]], ids=" ".join)
def test_the_ui_is_served_and_ends_without_leaving_anything(checkout: Path, tmp_path: Path, command: list[str]) -> None:
    if not (BIN / command[0]).exists():
        pytest.skip(f"{command[0]} is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    log = tmp_path / "log"
    with (
        log.open("w") as output,
        subprocess.Popen(
            [*command, "--port", port],
            cwd=checkout,
            env=environment(checkout),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as dev,
    ):
        try:
            answer = wait_for(f"http://127.0.0.1:{port}/server_info", dev)
            printed = log.read_text()
        finally:
            os.killpg(dev.pid, signal.SIGINT)  # as Ctrl-C in a terminal does
            dev.wait(timeout=60)
    assert "dagster_webserver_version" in answer, log.read_text()[-3000:]
    # Not what follows the interrupt: Dagster's daemon prints a traceback where a tick meets the end of its code server.
    assert "Traceback" not in printed
    assert not list(checkout.glob(".tmp_dagster_home_*"))


def wait_for(url: str, process: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + 90
    while time.monotonic() < end and process.poll() is None:
        try:
            with urlopen(url, timeout=5) as answer:
                return str(answer.read().decode())
        except (URLError, OSError):
            time.sleep(0.3)
    return ""
