"""Ctrl-C and its like end a command after a clean stop, at whatever moment they come; the next run goes on."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from genbank_assets.cli.services import _has_members
from genbank_assets_tests.paths import SAMPLE

COMMAND = str(Path(sys.executable).parent / "genbank-assets")
PARTITIONS = ["genbank/phg", "genbank/pln", "genbank/vrl"]
SENTENCE = "genbank-assets: stopped; run it again to resume"
pytestmark = pytest.mark.slow


class Running:
    """A command whose lines are read as they come."""

    def __init__(self, store: Path, *arguments: str, workers: int = 2) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("GENBANK_ASSETS_", "DAGSTER_"))}
        environment |= {"GENBANK_ASSETS_STORE": str(store), "GENBANK_ASSETS_SOURCE": SAMPLE.as_uri()}
        self.process = subprocess.Popen(
            [COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            env=environment | {"GENBANK_ASSETS_WORKERS": str(workers)},
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # the tests may run under nohup
        )  # fmt: skip
        self.lines: list[str] = []
        self._came = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._came:
                self.lines.append(line.rstrip("\n"))
                self._came.notify_all()

    def wait_for(self, text: str, seconds: float = 90) -> None:
        with self._came:
            assert self._came.wait_for(lambda: any(text in line for line in self.lines), seconds), self.lines

    def signal_group(self, number: signal.Signals) -> None:
        """As a terminal does: to the command and to everything it started."""
        os.killpg(self.process.pid, number)

    def end(self, seconds: float = 60) -> int:
        code = self.process.wait(seconds)
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("stops") / "store"
    yield folder
    subprocess.run([COMMAND, "stop", "--force", "--store", str(folder)], check=False, capture_output=True)


def runs_of(store: Path) -> list[str]:
    """The states of the store's runs, the last first."""
    script = (
        "import sys, json, pathlib\nfrom genbank_assets.settings import Settings\n"
        "from genbank_assets.defs.instance import open_instance\n"
        "with open_instance(Settings(store=pathlib.Path(sys.argv[1]))) as instance:\n"
        "    print(json.dumps([run.status.value for run in instance.get_runs(limit=50)]))"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script, str(store)], capture_output=True, check=True)
    return list(json.loads(done.stdout))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_next_division_does_not_begin(store: Path, number: signal.Signals) -> None:
    command = Running(store, "materialize", *PARTITIONS)
    command.wait_for("genbank/raw_files phg:")
    command.signal_group(number)
    assert command.end() == 128 + number
    assert command.lines[-1] == SENTENCE or SENTENCE in command.lines
    assert any("stopping cleanly; press Ctrl-C again" in line for line in command.lines)
    assert not any(f"raw_files {division}:" in line for line in command.lines for division in ("pln", "vrl"))
    assert not any("Traceback" in line or "failed" in line for line in command.lines), command.lines
    assert runs_of(store)[0] == "CANCELED"


def test_at_any_moment_and_the_next_run_resumes(store: Path) -> None:
    moments = random.Random(2026)
    stopped = 0
    for attempt in range(5):
        command = Running(store, "materialize", *PARTITIONS)
        with contextlib.suppress(subprocess.TimeoutExpired):
            command.process.wait(moments.uniform(0.3, 9))
        number = moments.choice([signal.SIGINT, signal.SIGTERM])
        with contextlib.suppress(ProcessLookupError):
            command.signal_group(number)
        code = command.end()
        # It may be done by then, or so near its end that nothing listens any more: that is the signal's own way.
        assert code in {0, 128 + number, -number}, (attempt, command.lines)
        stopped += code == 128 + number
        assert not any("Traceback" in line or "KeyboardInterrupt" in line for line in command.lines), command.lines
    assert stopped, "nothing was stopped"
    assert not {"STARTED", "CANCELING", "FAILURE"} & set(runs_of(store))
    whole = Running(store, "materialize", *PARTITIONS)
    assert whole.end(120) == 0, whole.lines
    assert any(line.startswith("3 of 3 partitions are up to date") for line in whole.lines)


def test_workers_end_too(store: Path) -> None:
    """RefSeq's mammals of the sample have three files: they are parsed by two workers."""
    command = Running(store, "materialize", "refseq/vertebrate_mammalian", "genbank/phg")
    command.wait_for("refseq/records vertebrate_mammalian: parsed")
    command.signal_group(signal.SIGINT)
    assert command.end() == 130
    assert not any("Traceback" in line or "KeyboardInterrupt" in line for line in command.lines), command.lines
    end = time.monotonic() + 5  # multiprocessing's own helper notices a moment later
    while _has_members(command.process.pid):
        assert time.monotonic() < end
        time.sleep(0.1)


def test_an_update_stops_before_the_next_day(store: Path) -> None:
    days = [f"2026-09-{day:02}" for day in range(1, 9)]
    command = Running(store, "update", "genbank", *days)
    command.wait_for("genbank/daily/2026-09-01 failed")  # the sample has no days
    command.signal_group(signal.SIGTERM)
    assert command.end() == 143
    assert SENTENCE in command.lines
    assert sum("failed" in line for line in command.lines) < len(days)


def test_the_second_wish_ends_at_once_what_does_not_end() -> None:
    """The script says when a signal has been noticed, and is told when the time of one wish is over."""
    script = (
        "import signal, time\nfrom genbank_assets import stopping\n"
        "class Told(stopping.StopSignals):\n"
        "    def _noticed(self, number):\n"
        "        super()._noticed(number)\n        print('noticed', number, flush=True)\n"
        "stopping.REPEATED_SIGNAL_SECONDS = 3600.0\n"
        "def later(*_):\n    stopping.REPEATED_SIGNAL_SECONDS = 0.0\n    print('later', flush=True)\n"
        "signal.signal(signal.SIGUSR1, later)\n"
        "with Told(lambda line: print(line, flush=True)) as stop, stop.shielded():\n"
        "    print('ready', flush=True)\n"
        "    while True:\n        time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as lines:
        assert lines.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert lines.readline().startswith("stopping cleanly; press Ctrl-C again")
        assert lines.readline() == "noticed 2\n"
        process.send_signal(signal.SIGINT)  # the same wish, by way of the group and of a parent
        assert lines.readline() == "noticed 2\n"
        assert process.poll() is None
        process.send_signal(signal.SIGUSR1)
        assert lines.readline() == "later\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
        assert lines.read() == ""


def test_an_interrupt_that_python_drops_comes_again() -> None:
    """One that is raised in a callback of the garbage collector is printed and forgotten by Python."""
    script = (
        "import os, signal, sys, time, weakref\nfrom genbank_assets import stopping\n"
        "class Thing: pass\n"
        "def callback(_):\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(1)\n"
        "thing = Thing()\nreference = weakref.ref(thing, callback)\n"
        "with stopping.StopSignals(lambda line: None):\n"
        "    try:\n        del thing\n        time.sleep(60)\n"
        "    except KeyboardInterrupt:\n        print('stopped')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "stopped\n", "")


def test_what_is_ignored_stays_ignored(store: Path) -> None:
    script = f"trap '' HUP; exec {COMMAND} materialize genbank/phg -q"
    environment = os.environ | {"GENBANK_ASSETS_STORE": str(store), "GENBANK_ASSETS_SOURCE": SAMPLE.as_uri()}
    process = subprocess.Popen(["/bin/sh", "-c", script], env=environment, start_new_session=True)
    time.sleep(2)
    os.killpg(process.pid, signal.SIGHUP)
    assert process.wait(60) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_long_query_is_stopped_and_not_taken_for_a_bug(tmp_path: Path, number: signal.Signals) -> None:
    subprocess.run([COMMAND, "catalog", "--store", str(tmp_path)], check=True, capture_output=True)
    running = Running(tmp_path, "sql", "SELECT count(*) FROM range(1000000000000)")
    time.sleep(3)
    running.process.send_signal(number)
    assert running.end() == 128 + number, running.lines
    assert running.lines[-1] == SENTENCE
