"""Two hosts on one store: processes with hostnames and process namespaces of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from genbank_assets.durable import hidden_name, sweep_temporaries
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.postgres_server import host
from genbank_assets.postgres_server.server import ensure_server, remove_server
from genbank_assets.processes import process_space
from genbank_assets_tests.paths import ROOT, SAMPLE

pytestmark = pytest.mark.slow
COMMAND = Path(sys.executable).parent / "genbank-assets"
_started: list[subprocess.Popen[str]] = []


def on_host(name: str, *command: str, **environment: str) -> subprocess.Popen[str]:
    """Start a command on a "host" of that name; its processes see none of ours."""
    namespaces = ["unshare", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child"]
    process = subprocess.Popen(
        [*namespaces, "sh", "-c", 'hostname "$0" && exec "$@"', name, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )
    _started.append(process)
    return process


def python_on_host(name: str, script: str, *arguments: str) -> subprocess.Popen[str]:
    return on_host(name, sys.executable, "-c", script, *arguments)


@pytest.fixture(autouse=True)
def _namespaces() -> Iterator[None]:
    probe = ["unshare", "--uts", "--pid", "--fork", "--mount-proc", "true"]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True).returncode != 0:
        pytest.skip("this machine lets nobody make namespaces, or not this user")
    yield
    while _started:
        with _started.pop() as process:  # closes the pipes and waits
            process.kill()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "store"
    remove_server(tmp_path / "store")


def test_names_of_temporary_files_differ_where_numbers_of_processes_do_not(tmp_path: Path) -> None:
    """Both hosts have the same name: containers in the network of their node."""
    script = (
        "import os, sys, pathlib; from genbank_assets.durable import hidden_name, sweep_temporaries\n"
        "folder = pathlib.Path(sys.argv[1]); path = folder / hidden_name('x', suffix='.tmp'); path.write_text('')\n"
        "print(os.getpid(), path.name, flush=True); sys.stdin.readline(); sweep_temporaries(folder)\n"
    )
    processes = [python_on_host("node", script, str(tmp_path)) for _ in range(2)]
    (pid, name), (other_pid, other) = [process.stdout.readline().split() for process in processes]  # type: ignore[union-attr]
    assert pid == other_pid
    assert name.rpartition("-")[0] != other.rpartition("-")[0]
    gone = hidden_name("y", suffix=".tmp").replace(str(os.getpid()), "999999999")
    (tmp_path / gone).write_text("")
    processes[0].communicate("\n", timeout=60)
    sweep_temporaries(tmp_path)  # this host sees neither process, nor does each of them the other
    assert {path.name for path in tmp_path.iterdir()} == {name, other}
    processes[1].communicate("\n", timeout=60)


def test_the_embedded_server_is_one_hosts(store: Path) -> None:
    with_server = python_on_host(
        "first",
        "import sys, pathlib; from genbank_assets.postgres_server.server import ensure_server\n"
        "ensure_server(pathlib.Path(sys.argv[1])); print('up', flush=True); sys.stdin.readline()",
        str(store),
    )
    assert with_server.stdout is not None
    assert with_server.stdout.readline() == "up\n"
    for command in (["stop", "--force"], ["stop"], ["psql", "--", "-c", "SELECT 1"]):
        second = on_host("second", str(COMMAND), *command, GENBANK_ASSETS_STORE=str(store))
        _, said = second.communicate(timeout=60)
        assert second.returncode == 1, said
        assert "runs on the host or container first, and only one host at a time can use it" in said
        assert "Traceback" not in said
    with_server.kill()
    # Its namespace took the server along; the lock has ended with it, and the data are this host's now.
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            host.refuse_second_host(store)
            break
        except host.DatabaseError:
            time.sleep(0.2)
    ensure_server(store)
    assert json.loads((store / "postgres" / "host").read_text())["space"] == process_space()
    ensure_server(store)  # from the same host, as often as one likes


def test_the_sources_rate_holds_over_all_hosts(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib, time; from genbank_assets.ncbi.limiter import Limiter\n"
        "limiter = Limiter(pathlib.Path(sys.argv[1]), requests_per_second=20, files=1)\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "for _ in range(15): limiter.wait_for_turn(); print(time.time())\n"
        "with limiter.download_slot(lambda: None): begun = time.time(); time.sleep(0.3); ended = time.time()\n"
        "print('slot', begun, ended)\n"
    )
    hosts = [python_on_host(f"host{n}", script, str(tmp_path)) for n in range(2)]
    for one in hosts:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    said = []
    for one in hosts:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    for one in hosts:
        out, error = one.communicate(timeout=60)
        assert one.returncode == 0, error
        said.append(out)
    moments = sorted(float(line) for line in "\n".join(said).split("\n") if re.fullmatch(r"[\d.]+", line))
    assert len(moments) == 30
    assert moments[-1] - moments[0] > 29 / 20 * 0.9
    (begun, ended), (other_begun, other_ended) = sorted(
        tuple(map(float, re.findall(r"slot ([\d.]+) ([\d.]+)", out)[0])) for out in said
    )
    assert ended <= other_begun + 0.01, (begun, other_ended)


def test_the_rate_holds_when_clocks_are_apart(tmp_path: Path) -> None:
    """One host's clock is five seconds ahead: turns are waited for, none is given twice."""
    ahead, behind = [Limiter(tmp_path, requests_per_second=10, sleep=lambda seconds: None) for _ in range(2)]
    now = time.time()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: now + 5)
        turns = [ahead.wait_for_turn()]
    turns.append(behind.wait_for_turn())
    assert turns[1] - turns[0] == pytest.approx(0.1, abs=0.01)


def test_two_hosts_that_want_the_same_division_make_it_once(store: Path) -> None:
    """Both fetch and parse; who comes second finds everything in place."""
    script = (
        "import sys, pathlib; from genbank_assets.settings import Settings\n"
        "from genbank_assets.locks import exclusive; from genbank_assets.store import PartitionKey, PartitionRelease\n"
        "from genbank_assets.ncbi.fetch import fetch_division\n"
        "from genbank_assets.tables.records import build_records\n"
        "store = pathlib.Path(sys.argv[1]); key = PartitionKey('genbank', 'phg'); lines = []\n"
        "settings = Settings(store=store, source=sys.argv[2], requests_per_second=10_000, workers=1)\n"
        "with exclusive(settings, 'genbank/phg', progress=lines.append):\n"
        "    raw = fetch_division(key, settings=settings, progress=lines.append, run_id='test')\n"
        "    records = build_records(PartitionRelease(store, key, raw.release), settings=settings,\n"
        "        progress=lines.append, run_id='test')\n"
        "print(len([line for line in lines if line.startswith('parsed ')]), records.digest)\n"
    )
    hosts = [python_on_host(f"host{n}", script, str(store), SAMPLE.as_uri()) for n in range(2)]
    answers = [one.communicate(timeout=120) for one in hosts]
    assert all(one.returncode == 0 for one in hosts), answers
    counts, digests = zip(*(out.split() for out, _ in answers), strict=True)
    assert len(set(digests)) == 1
    assert min(map(int, counts)) == 0 < max(map(int, counts))
    assert not list(store.rglob("*.tmp"))
