"""The environment of the scenario: a store, PostgreSQL, an S3 server and a source, with fault injection.

The servers are real and belong to the suite. Choosing faults belongs to ``suite``.
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
from genbank_assets_tests.fix_s3 import KEY, SECRET, S3Server
from genbank_assets_tests.paths import ROOT
from genbank_assets_tests.processes import free_port

STEP_SECONDS = 600.0
MARK = "FAULTS_WORLD"
CLOCK = Path(__file__).parent / "clock"
STORE_MEGABYTES = 1000  # tmpfs; memory is only used as needed


class Step:
    """A running step in its own session; its output is read line by line."""

    def __init__(self, name: str, *, environment: dict[str, str]) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "genbank_assets_tests.faults.steps", name],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment,
            start_new_session=True,
        )  # fmt: skip
        self.lines: list[str] = []
        self.stages: dict[str, float] = {}  # name → start time
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
        """Wait until its imports are done."""
        with self._came:
            self._came.wait_for(lambda: self._is_closed or "begun" in self.lines, STEP_SECONDS)

    def wait_stage(self, name: str) -> None:
        """Wait until a stage starts, or until the step has ended."""
        with self._came:
            self._came.wait_for(lambda: self._is_closed or name in self.stages, STEP_SECONDS)

    def stage(self) -> str:
        """Return the current stage."""
        with self._came:
            return next(reversed(self.stages), "")

    def wait_ended(self, seconds: float) -> None:
        """Wait until it has ended, at most ``seconds``."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)

    def children(self) -> list[int]:
        """Return its worker processes, without Python's resource tracker, which prints tracebacks if restarted."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        with contextlib.suppress(OSError):
            pids = [int(pid) for pid in found.read_text().split()]
            return [pid for pid in pids if b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()]
        return []

    def end(self) -> int:
        """Return its exit code; raise with a stack dump if it takes too long."""
        try:
            code = self.process.wait(STEP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill(signal.SIGABRT)
            self._reader.join(5)
            raise AssertionError(f"{self.name} hangs: {self.lines[-60:]}") from None
        self._reader.join(5)
        return code

    def kill(self, number: int) -> None:
        """Signal the process, but not its workers."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def kill_session(self) -> None:
        """Kill it with everything it started, like a power failure."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


@dataclasses.dataclass
class World:
    """One store with its servers.

    Attributes:
        folder: parent folder of everything.
        server: the PostgreSQL server, which several worlds may use in turn.
        is_mounted: whether the store has its own file system, which can be filled or remounted read-only.
        is_large: whether its divisions are loaded like large ones.
    """

    folder: Path
    server: EmbeddedServer
    server_folder: Path
    source: Source
    database: str
    is_mounted: bool
    is_large: bool
    mark: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)
    s3_port: int = dataclasses.field(default_factory=free_port)
    s3_process: subprocess.Popen[bytes] | None = None

    @property
    def store(self) -> Path:
        """The store's folder."""
        return self.folder / "volume" / "store"

    @property
    def objects(self) -> Path:
        """The bucket's folder on the S3 server."""
        return self.folder / "s3" / "mirror"

    @property
    def scratch(self) -> Path:
        """Folder for the steps' temporary files."""
        return self.folder / "scratch"

    @property
    def clock(self) -> Path:
        """File with the offset of the steps' clock in seconds."""
        return self.folder / "clock"

    def step_clock(self, seconds: float) -> None:
        """Set the offset of the steps' clock."""
        temporary = self.clock.with_suffix(".next")
        temporary.write_text(str(seconds))
        temporary.replace(self.clock)

    def environment(self) -> dict[str, str]:
        """Return the environment of a step."""
        s3 = S3Server(f"http://127.0.0.1:{self.s3_port}", "mirror")
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("GENBANK_ASSETS_", "DAGSTER_", "AWS_"))}
        ours |= s3.environment
        ours |= {
            "GENBANK_ASSETS_STORE": str(self.store),
            "GENBANK_ASSETS_SOURCE": self.source.folder.as_uri(),
            "GENBANK_ASSETS_POSTGRES_URL": self.server.url(self.database),
            "GENBANK_ASSETS_OBJECTS": "s3://mirror/set",
            "GENBANK_ASSETS_TABLES": "s3://mirror/tables",
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
        return ours | ({"FAULTS_LARGE": "1"} if self.is_large else {})

    def start(self, name: str, **more: str) -> Step:
        """Start a step; keyword arguments are further variables of its environment."""
        return Step(name, environment=self.environment() | more)

    def start_s3(self) -> None:
        """Start the S3 server on its previous port."""
        rclone = Path(sys.executable).parent / "rclone"
        program = str(rclone) if rclone.exists() else "rclone"
        self.s3_process = subprocess.Popen(
            [program, "serve", "s3", "--config", str(self.folder / "none.conf"), "--addr",
             f"127.0.0.1:{self.s3_port}", "--auth-key", f"{KEY},{SECRET}", str(self.folder / "s3")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def kill_s3(self) -> None:
        """Kill the S3 server."""
        assert self.s3_process is not None
        self.s3_process.kill()
        self.s3_process.wait()

    def kill_postgres(self, *, only_a_backend: bool) -> None:
        """Kill PostgreSQL with all its processes, or only one backend."""
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
        """Start PostgreSQL and wait for recovery."""
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
        """Fill the store's file system up to the given free space."""
        used = shutil.disk_usage(self.folder / "volume").used
        self.remount(f"rw,size={used // 1024 + left_kilobytes}k")

    def empty(self) -> None:
        """Free the space, and remount read-write."""
        self.remount(f"rw,size={STORE_MEGABYTES}m")

    def remount(self, how: str) -> bool:
        """Change mount options of the store's file system; return False if refused, as with files open for writing."""
        command = ["mount", "-o", f"remount,{how}", str(self.folder / "volume")]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def processes(self) -> list[int]:
        """Return remaining processes of steps."""
        wanted = f"{MARK}={self.mark}".encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes() and "Z" not in (entry / "stat").read_text().split()[2]:
                    found.append(int(entry.name))
        return found

    def wait_for_nobody(self, *, seconds: float = 15.0) -> list[int]:
        """Return the processes that remain after ``seconds``."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left

    def state(self) -> State:
        """Return the current state of store, database and bucket."""
        found = end_state(self.store, database=self.server.url(self.database), objects=self.objects)
        scratch = {str(path.relative_to(self.scratch)): "there" for path in self.scratch.rglob("*")}
        return found | {"scratch": scratch, "multipart uploads": dict.fromkeys(self.uploads(), "there")}

    def uploads(self) -> list[str]:
        """Return keys of unfinished multipart uploads."""
        s3 = S3Server(f"http://127.0.0.1:{self.s3_port}", "mirror")
        try:
            return [upload["Key"] for upload in s3.client().list_multipart_uploads(Bucket=s3.bucket).get("Uploads", [])]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchUpload":  # rclone's response if there are none
                raise
            return []


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[EmbeddedServer]:
    """Start a PostgreSQL server for the suite."""
    folder.mkdir(parents=True)
    try:
        yield ensure_server(folder, databases=())
    finally:
        stop_server(folder, force=True)


@contextlib.contextmanager
def world(folder: Path, *, server: EmbeddedServer, server_folder: Path, seed: int, is_large: bool) -> Iterator[World]:
    """Give an empty store with a source generated from the seed, and running servers."""
    volume = folder / "volume"
    volume.mkdir(parents=True)
    (folder / "s3" / "mirror").mkdir(parents=True)
    mounted = os.geteuid() == 0 and _mount(volume)
    database = f"faults_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    made = World(folder, server, server_folder, Source(folder.parent / "ncbi", seed=seed), database, mounted, is_large)
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
