"""Workers and the process that waits for them: they end together, whatever ends it; errors and stops are passed on."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from genbank_assets.compute.lifetime import end_with_parent
from genbank_assets.compute.local import run_tasks
from genbank_assets.errors import WorkerLostError
from genbank_assets_tests.fix_postgres import Divisions, stopped_where_files_are_noted, waiting_there
from genbank_assets_tests.integration.test_postgres_faults import SPAWN, load_in_process, records
from genbank_assets_tests.paths import ROOT
from genbank_assets_tests.processes import wait_until


@dataclasses.dataclass(frozen=True)
class Task:
    """Notes its process beside others and waits, or fails."""

    folder: Path
    name: str
    fails: bool = False
    seconds: float = 600.0


def work(task: Task) -> str:
    (task.folder / f"{task.name}.tmp").write_text(str(os.getpid()))
    (task.folder / f"{task.name}.tmp").rename(task.folder / f"{task.name}.pid")
    if task.fails:
        raise ZeroDivisionError(task.name)
    time.sleep(task.seconds)
    return task.name


def killed(task: Task) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hold_the_interpreter(task: Task) -> None:
    """Work that never lets another thread run: a C function that keeps the GIL."""
    work(dataclasses.replace(task, seconds=0))
    sys.setswitchinterval(1000)
    while True:
        pass


def is_running(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def pids(folder: Path, number: int) -> list[int]:
    """Of the workers, as soon as so many have begun."""
    assert wait_until(lambda: len(list(folder.glob("*.pid"))) >= number)
    return [int(path.read_text()) for path in folder.glob("*.pid")]


PARENT = """
import sys
from pathlib import Path
from genbank_assets.compute.local import run_tasks
from genbank_assets_tests.integration import test_workers as here
if __name__ == "__main__":
    run_tasks(getattr(here, sys.argv[2]), [here.Task(Path(sys.argv[1]), str(n)) for n in range(6)], workers=2)
"""


def start_parent(folder: Path, function: str) -> subprocess.Popen[bytes]:
    script = folder / "parent.py"
    script.write_text(PARENT)
    return subprocess.Popen(
        [sys.executable, str(script), str(folder), function], env=os.environ | {"PYTHONPATH": str(ROOT)}
    )


@pytest.mark.parametrize("function", ["work", "hold_the_interpreter"])
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc to look for processes in")
def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path, function: str) -> None:
    parent = start_parent(tmp_path, function)
    workers = pids(tmp_path, 2)
    assert all(map(is_running, workers))
    parent.kill()
    parent.wait()
    gone = wait_until(lambda: not any(map(is_running, workers)), seconds=10)
    for pid in filter(is_running, workers):
        os.kill(pid, signal.SIGKILL)
    assert gone


def watched(folder: Path) -> None:
    end_with_parent(by_kernel=False)
    work(Task(folder, "child"))


def parent_of_watched(folder: Path) -> None:
    child = SPAWN.Process(target=watched, args=(folder,))
    child.start()
    child.join()


def test_without_the_kernel_a_thread_notices(tmp_path: Path) -> None:
    parent = SPAWN.Process(target=parent_of_watched, args=(tmp_path,))
    parent.start()
    (child,) = pids(tmp_path, 1)
    parent.kill()
    parent.join()
    assert wait_until(lambda: not is_running(child), seconds=10)


def test_a_killed_load_leaves_no_worker_in_the_database(divisions: Divisions) -> None:
    url = divisions.settings.postgres_url or ""
    divisions.load(divisions.make("genbank/phg", "1.0", {"gbphg1.seq.gz": records(0, 1)}))
    files = {f"gbbct{n}.seq.gz": records(10 * n, 5) for n in range(1, 5)}
    partition = divisions.make("genbank/bct", "1.0", files)
    settings = dataclasses.replace(divisions.settings, workers=2)
    with stopped_where_files_are_noted(url) as blocker:
        process = SPAWN.Process(target=load_in_process, args=(settings, partition))
        process.start()
        assert wait_until(lambda: waiting_there(blocker) == 2, seconds=120)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    with psycopg.connect(url, autocommit=True) as connection:
        others = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND application_name = 'genbank-assets'"
        )
        assert wait_until(lambda: connection.execute(others).fetchone() == (0,), seconds=10)
        loaded = connection.execute("SELECT count(*) FROM genbank.source_file WHERE section = 'bct'").fetchone()
    assert loaded == (0,), "nothing is loaded by workers whose run is gone"


def test_a_killed_worker_is_reported_as_transient(tmp_path: Path) -> None:
    with pytest.raises(WorkerLostError, match="out of memory") as caught:
        run_tasks(killed, [Task(tmp_path, str(n)) for n in range(3)], workers=2)
    assert caught.value.transient


def test_pending_tasks_are_cancelled_after_an_error(tmp_path: Path) -> None:
    tasks = [Task(tmp_path, "0", fails=True), *(Task(tmp_path, str(n), seconds=1.0) for n in range(1, 9))]
    with pytest.raises(ZeroDivisionError, match="0"):
        run_tasks(work, tasks, workers=2)
    begun = sorted(path.name for path in tmp_path.glob("*.pid"))
    assert len(begun) <= 3, "what had not begun begins no more"
    assert multiprocessing.active_children() == [], "what was under way is over: the caller may give its lock away"


def test_a_stop_ends_the_tasks_under_way_at_once(tmp_path: Path) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    begun = time.monotonic()
    tasks = [Task(tmp_path, "0", seconds=0), *(Task(tmp_path, str(n)) for n in range(1, 4))]
    with pytest.raises(KeyboardInterrupt):
        run_tasks(work, tasks, workers=2, on_done=stop)
    assert time.monotonic() - begun < 60
    assert not any(map(is_running, pids(tmp_path, 1)))
    assert multiprocessing.active_children() == []
