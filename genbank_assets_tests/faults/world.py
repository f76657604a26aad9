"""What the scenario runs on: a store on a file system of its own, PostgreSQL, an S3 server, a source; and their faults.

The servers are real and the suite's own. What is chosen when belongs to ``suite``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
from botocore.exceptions import ClientError
from psycopg import sql

from genbank_assets.postgres_server.cluster_paths import existing_paths, postmaster_of, processes_in
from genbank_assets.postgres_server.server import EmbeddedServer, ensure_server, stop_server
from genbank_assets_tests.faults.end_state import State, end_state
from genbank_assets_tests.faults.source import Source
from genbank_assets_tests.fix_s3 import KEY, SECRET, S3Server, free_port
from genbank_assets_tests.paths import ROOT

STEP_SECONDS = 600.0
MARK = "FAULTS_WORLD"
CLOCK = Path(__file__).parent / "clock"
STORE_MEGABYTES = 1000  # in memory, and only what is used of it


class Step:
    """A step under way, in a session of its own; its lines are read as they come."""

    def __init__(self, name: str, *, environment: dict[str, str]) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "genbank_assets_tests.faults.steps", name],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment,
            start_new_session=True,
        )  # fmt: skip
        self.lines: list[str] = []
        self.stages: dict[str, float] = {}  # name → when it began
        self._came = threading.Condition()
        self._is_closed = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                with self._came:
                    self.lines.append(line.rstrip())
                    if line.startswith("stage "):
                        self.stages[line.split(" ", 1)[1].strip()] = time.monotonic()
                    self._came.notify_all()
        with self._came:
            self._is_closed = True
            self._came.notify_all()

    def wait_begun(self) -> None:
        """Until its imports are done."""
        with self._came:
            self._came.wait_for(lambda: self._is_closed or "begun" in self.lines, STEP_SECONDS)

    def wait_stage(self, name: str) -> None:
        """Until the stage of this name begins, or until it has ended."""
        with self._came:
            self._came.wait_for(lambda: self._is_closed or name in self.stages, STEP_SECONDS)

    def stage(self) -> str:
        """The stage it is at."""
        with self._came:
            return next(reversed(self.stages), "")

    def wait_ended(self, seconds: float) -> None:
        """So long, or until it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)

    def children(self) -> list[int]:
        """Its worker processes; not Python's tracker of resources: one that is begun anew prints tracebacks."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        with contextlib.suppress(OSError):
            pids = [int(pid) for pid in found.read_text().split()]
            return [pid for pid in pids if b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()]
        return []

    def end(self) -> int:
        """Its exit code; one that takes too long is an error that shows where it hangs."""
        try:
            code = self.process.wait(STEP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill(signal.SIGABRT)
            self._reader.join(5)
            raise AssertionError(f"{self.name} hangs: {self.lines[-60:]}") from None
        self._reader.join(5)
        return code

    def kill(self, number: int) -> None:
        """Signal the process, not its workers."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def kill_session(self) -> None:
        """Kill it with everything it started, as a lack of power does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


@dataclasses.dataclass
class World:
    """One store with its servers.

    Attributes:
        folder: holds all of it.
        server: the PostgreSQL, which several worlds may share one after the other.
        is_mounted: whether the store is on a file system of its own, which can be full or read-only.
    """

    folder: Path
    server: EmbeddedServer
    server_folder: Path
    source: Source
    database: str
    is_mounted: bool
    mark: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)
    s3_port: int = dataclasses.field(default_factory=free_port)
    s3_process: subprocess.Popen[bytes] | None = None

    @property
    def store(self) -> Path:
        """The store's folder."""
        return self.folder / "volume" / "store"

    @property
    def objects(self) -> Path:
        """The bucket's folder, as the S3 server keeps it."""
        return self.folder / "s3" / "mirror"

    @property
    def scratch(self) -> Path:
        """Where steps have their temporary files."""
        return self.folder / "scratch"

    @property
    def clock(self) -> Path:
        """The file that says by how many seconds the steps' clock is off."""
        return self.folder / "clock"

    def step_clock(self, seconds: float) -> None:
        """Set the steps' clock so much off the true time."""
        temporary = self.clock.with_suffix(".next")
        temporary.write_text(str(seconds))
        temporary.replace(self.clock)

    def environment(self) -> dict[str, str]:
        """Of a step."""
        s3 = S3Server(f"http://127.0.0.1:{self.s3_port}", "mirror")
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("GENBANK_ASSETS_", "DAGSTER_", "AWS_"))}
        ours |= s3.environment
        ours |= {
            "GENBANK_ASSETS_STORE": str(self.store),
            "GENBANK_ASSETS_SOURCE": self.source.folder.as_uri(),
            "GENBANK_ASSETS_POSTGRES_URL": self.server.url(self.database),
            "GENBANK_ASSETS_OBJECTS": "s3://mirror/set",
            "GENBANK_ASSETS_WORKERS": "2",
            "GENBANK_ASSETS_KEEP_RELEASES": "1",
            "GENBANK_ASSETS_KEEP_REPLACED_SECONDS": "0",
            "GENBANK_ASSETS_MAX_ABSENT_FRACTION": "0.2",
            "GENBANK_ASSETS_REQUESTS_PER_SECOND": "10000",
            "GENBANK_ASSETS_OBJECT_LAYOUT": "record",
            MARK: self.mark,
            "TMPDIR": str(self.scratch),
            "PYTHONPATH": os.pathsep.join([str(CLOCK), str(ROOT)]),
            "FAULTS_CLOCK": str(self.clock),
            "PYTHONFAULTHANDLER": "1",
        }
        return ours

    def start(self, name: str, **more: str) -> Step:
        """Start a step; keyword arguments are further variables of its environment."""
        return Step(name, environment=self.environment() | more)

    def start_s3(self) -> None:
        """Start the S3 server, on the port of before."""
        rclone = Path(sys.executable).parent / "rclone"
        program = str(rclone) if rclone.exists() else "rclone"
        self.s3_process = subprocess.Popen(
            [program, "serve", "s3", "--config", str(self.folder / "none.conf"), "--addr",
             f"127.0.0.1:{self.s3_port}", "--auth-key", f"{KEY},{SECRET}", str(self.folder / "s3")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def kill_s3(self) -> None:
        """``kill -9`` of the S3 server."""
        assert self.s3_process is not None
        self.s3_process.kill()
        self.s3_process.wait()

    def kill_postgres(self, *, only_a_backend: bool) -> None:
        """``kill -9`` of the server with all its processes, or of one that serves a connection."""
        paths = existing_paths(self.server_folder)
        assert paths is not None
        first = postmaster_of(paths.data)
        if only_a_backend:
            with contextlib.suppress(psycopg.Error), psycopg.connect(self.server.url(self.database)) as connection:
                victims = connection.execute(
                    "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()", [self.database]
                ).fetchall()
                for (pid,) in victims[:1]:
                    os.kill(pid, signal.SIGKILL)
            return
        for pid in sorted(processes_in(paths.data), key=lambda pid: pid != first):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def start_postgres(self) -> None:
        """Start it again and wait for its recovery."""
        ensure_server(self.server_folder, databases=())
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.server.url(self.database)).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    def fill(self, *, left_kilobytes: int) -> None:
        """Leave so much room in the store's file system."""
        used = shutil.disk_usage(self.folder / "volume").used
        self.remount(f"rw,size={used // 1024 + left_kilobytes}k")

    def empty(self) -> None:
        """Give the room back, and allow writing."""
        self.remount(f"rw,size={STORE_MEGABYTES}m")

    def remount(self, how: str) -> bool:
        """Change the options of the store's file system; false where it refuses, as with files open for writing."""
        command = ["mount", "-o", f"remount,{how}", str(self.folder / "volume")]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def processes(self) -> list[int]:
        """Processes of steps that are still there."""
        wanted = f"{MARK}={self.mark}".encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes() and "Z" not in (entry / "stat").read_text().split()[2]:
                    found.append(int(entry.name))
        return found

    def wait_for_nobody(self, *, seconds: float = 15.0) -> list[int]:
        """Processes that are still there after so long."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left

    def state(self) -> State:
        """What store, database and bucket are now."""
        found = end_state(self.store, database=self.server.url(self.database), objects=self.objects)
        scratch = {str(path.relative_to(self.scratch)): "there" for path in self.scratch.rglob("*")}
        return found | {"scratch": scratch, "multipart uploads": dict.fromkeys(self.uploads(), "there")}

    def uploads(self) -> list[str]:
        """Keys of multipart uploads that were begun and neither completed nor aborted."""
        s3 = S3Server(f"http://127.0.0.1:{self.s3_port}", "mirror")
        try:
            return [upload["Key"] for upload in s3.client().list_multipart_uploads(Bucket=s3.bucket).get("Uploads", [])]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchUpload":  # rclone says this where there are none
                raise
            return []


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[EmbeddedServer]:
    """A PostgreSQL of the suite's own."""
    folder.mkdir(parents=True)
    try:
        yield ensure_server(folder, databases=())
    finally:
        stop_server(folder, force=True)


@contextlib.contextmanager
def world(folder: Path, *, server: EmbeddedServer, server_folder: Path, seed: int) -> Iterator[World]:
    """An empty store with a source made of the seed; the servers run."""
    volume = folder / "volume"
    volume.mkdir(parents=True)
    (folder / "s3" / "mirror").mkdir(parents=True)
    mounted = os.geteuid() == 0 and _mount(volume)
    database = f"faults_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    made = World(folder, server, server_folder, Source(folder.parent / "ncbi", seed=seed), database, mounted)
    made.scratch.mkdir()
    made.step_clock(0)
    made.start_s3()
    try:
        yield made
    finally:
        made.kill_s3()
        for pid in made.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if mounted:
            made.empty()
            subprocess.run(["umount", "--lazy", str(volume)], check=False, capture_output=True)
        made.start_postgres()
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))


def _mount(volume: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={STORE_MEGABYTES}m", "tmpfs", str(volume)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
