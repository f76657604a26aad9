"""Backfill from a slow source: one division at a time compared with four, as configured in dagster.yaml.

    python benchmarks/backfill.py [--latency-ms 4000] [--kilobytes-per-second 100] [--at-a-time 1 4]

All GenBank divisions of the bundled sample go through the real job: Dagster's daemon takes runs from its queue, each
run is a process, and PostgreSQL is the embedded server. The source is an HTTP server on loopback that delays every
response and limits the rate per connection. A first load is bound by its source: a division of hundreds of gigabytes
takes hours to fetch and minutes of one core to parse. As the sample is only a megabyte, the delay must be long for runs
to be bound by the source rather than by the start of their process. The source's share is measured and printed with the
result.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg

from genbank_assets import __version__
from genbank_assets.defs.instance import STORAGE_VARIABLE, open_instance, prepare_instance, project_file
from genbank_assets.lineage.status import status
from genbank_assets.ncbi.sample import SAMPLE, sample_partitions
from genbank_assets.postgres_server.server import remove_server
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, current_release

ROOT = Path(__file__).parent.parent
JOB = "mirror_genbank"
MAX_SECONDS = 3600
PIECE_BYTES = 2048


@dataclasses.dataclass
class Source:
    """The server and what it was asked."""

    url: str = ""
    requests: int = 0
    waiting: int = 0
    max_waiting: int = 0
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)


@contextmanager
def slow_source(*, latency_seconds: float, bytes_per_second: float) -> Iterator[Source]:
    """The sample behind HTTP/1.1: every answer waits, every body is sent at a bounded rate per connection."""
    source = Source()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            with source.lock:
                source.requests += 1
                source.waiting += 1
                source.max_waiting = max(source.max_waiting, source.waiting)
            try:
                time.sleep(latency_seconds)
                self.send(SAMPLE / self.path.strip("/"), body=body)
            finally:
                with source.lock:
                    source.waiting -= 1

        def send(self, target: Path, *, body: bool) -> None:
            if not target.exists():
                self.send_error(404)
                return
            content = listing(target) if target.is_dir() else target.read_bytes()
            start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("ETag", f'"{target.name}-{len(content)}"')
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            for at in range(start, len(content) if body else start, PIECE_BYTES):
                piece = content[at : at + PIECE_BYTES]
                self.wfile.write(piece)
                time.sleep(len(piece) / bytes_per_second)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    source.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield source
    server.shutdown()
    server.server_close()


def listing(folder: Path) -> bytes:
    """A directory as Apache shows it."""
    rows = "".join(
        f'<a href="{p.name}{"/" if p.is_dir() else ""}">{p.name}</a>  2026-08-15 10:00  {p.stat().st_size}\n'
        for p in sorted(folder.iterdir())
    )
    return f'<html><pre><a href="../">Parent Directory</a>\n{rows}</pre></html>'.encode()


@dataclasses.dataclass(frozen=True)
class Backfill:
    """One backfill, measured."""

    at_a_time: int
    wall_seconds: float  # from the first run's creation to the last one's end, waiting in the queue included
    run_seconds: float  # of all runs, added up
    source_seconds: float  # of their stage raw_files, added up
    records: int
    requests: int
    max_waiting: int
    max_running: int


def backfill(keys: list[PartitionKey], *, at_a_time: int, options: argparse.Namespace) -> Backfill:
    """Fill an empty store; checks that every run went well and everything arrived."""
    rate = options.kilobytes_per_second * 1000
    with (
        tempfile.TemporaryDirectory(prefix="genbank-assets-bench-") as folder,
        slow_source(latency_seconds=options.latency_ms / 1000, bytes_per_second=rate) as source,
    ):
        store = Path(folder)
        store.chmod(0o755)
        for name in ("DAGSTER_HOME", STORAGE_VARIABLE):
            os.environ.pop(name, None)
        os.environ |= {"GENBANK_ASSETS_STORE": folder, "GENBANK_ASSETS_SOURCE": source.url}
        settings = Settings(store=store, source=source.url)
        home = prepare_instance(settings)
        open_instance(settings).dispose()
        yaml = (home / "dagster.yaml").read_text()
        assert "max_concurrent_runs: 4" in yaml
        (home / "dagster.yaml").write_text(yaml.replace("max_concurrent_runs: 4", f"max_concurrent_runs: {at_a_time}"))
        try:
            records = run_all(keys, log=store / "daemon.log")
            reports = [r.report for key in keys if (r := published(settings, key)) is not None]
            assert len(reports) == len(keys)
            rows = status(settings)
            assert all(row.rows_loaded == row.records for row in rows)
            return Backfill(
                at_a_time=at_a_time,
                wall_seconds=max(r.end_time or 0 for r in records)
                - min(r.create_timestamp.timestamp() for r in records),
                run_seconds=sum((r.end_time or 0) - (r.start_time or 0) for r in records),
                source_seconds=sum(report.seconds or 0 for report in reports),
                records=sum(row.records or 0 for row in rows),
                requests=source.requests,
                max_waiting=source.max_waiting,
                max_running=max_at_once([(r.start_time or 0, r.end_time or 0) for r in records]),
            )
        finally:
            remove_server(store)


def published(settings: Settings, key: PartitionKey):
    partition = current_release(settings.store, key=key, stage="raw_files")
    return partition.manifest("raw_files") if partition is not None else None


def run_all(keys: list[PartitionKey], *, log: Path) -> list[dg.RunRecord]:
    """Queue a run per partition and wait for all of them; the daemon does the rest."""
    scripts = Path(sys.executable).parent
    workspace = ["-w", str(project_file("workspace.yaml"))]
    with log.open("wb") as out:
        daemon = subprocess.Popen([scripts / "dagster-daemon", "run", *workspace], stdout=out, stderr=out)
        try:
            time.sleep(20)  # until it has loaded the graph: its start is not what is measured
            partitions = ",".join(key.division for key in keys)
            launch = [scripts / "dagster", "job", "backfill", *workspace, "-j", JOB, "--partitions", partitions]
            subprocess.run([*launch, "--noprompt"], check=True, stdout=out, stderr=out)
            return wait_for(len(keys), daemon=daemon, log=log)
        finally:
            daemon.terminate()
            daemon.wait()


def wait_for(number: int, *, daemon: subprocess.Popen[bytes], log: Path) -> list[dg.RunRecord]:
    deadline = time.monotonic() + MAX_SECONDS
    with dg.DagsterInstance.get() as instance:
        while True:
            records = list(instance.get_run_records())
            failed = [r for r in records if r.dagster_run.status in (dg.DagsterRunStatus.FAILURE,)]
            if failed or daemon.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{len(failed)} runs failed, of {len(records)}\n{log.read_text()[-3000:]}")
            if len(records) == number and all(r.end_time for r in records):
                return records
            time.sleep(1)


def max_at_once(spans: list[tuple[float, float]]) -> int:
    """How many of these spans overlapped at most."""
    return max(sum(1 for start, end in spans if start <= at < end) for at, _ in spans)


def page(results: list[Backfill], *, divisions: int, options: argparse.Namespace) -> str:
    first = results[0]
    lines = [
        f"# Backfill, {dt.datetime.now(dt.UTC).date()}, version {__version__}",
        "",
        f"{divisions} divisions of the bundled sample ({first.records} records) through the job `{JOB}`, from an HTTP "
        f"source on loopback that waits {options.latency_ms:,} ms before each answer and sends "
        f"{options.kilobytes_per_second:g} kB/s per connection. Dagster's daemon and run queue, pools as in "
        f"`dagster.yaml`; {os.cpu_count()} cores ({cpu()}). The delay is long on purpose: it makes a run of this small "
        "sample as bound by its source as a run over a real division, whose files take hours to come.",
        "",
        "| runs at a time | wall, s | faster | runs added up, s | of that fetching | most runs at once | requests |",
        "|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {r.at_a_time} | {r.wall_seconds:.0f} | {first.wall_seconds / r.wall_seconds:.2f} | {r.run_seconds:.0f} | "
        f"{r.source_seconds / r.run_seconds:.0%} | {r.max_running} | {r.requests} |"
        for r in results
    ]
    return "\n".join(lines) + "\n"


def cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--latency-ms", type=int, default=4000, help="before every answer of the source")
    parser.add_argument("--kilobytes-per-second", type=float, default=100, help="of each connection")
    parser.add_argument("--at-a-time", type=int, nargs="+", default=[1, 4], help="max_concurrent_runs to measure")
    parser.add_argument("--divisions", type=int, default=100, help="the first so many only")
    options = parser.parse_args()
    keys = [key for key in sample_partitions() if key.collection == "genbank"][: options.divisions]
    results = [backfill(keys, at_a_time=number, options=options) for number in options.at_a_time]
    text = page(results, divisions=len(keys), options=options)
    print(text)
    target = ROOT / "benchmarks" / "results" / f"backfill-{__version__}.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
