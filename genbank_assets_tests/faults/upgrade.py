"""``python -m genbank_assets_tests.faults.upgrade --points 20 --seed 1``: kills upgrades from version 0.1.0.

Each point kills the upgrading process, its connection or PostgreSQL at a random moment; then the upgrade runs to its
end, and schema, rows and files are compared with those of an undisturbed upgrade.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from genbank_assets.postgres.connection import Database
from genbank_assets.postgres.versions import ensure_schema
from genbank_assets.postgres_server.cluster_paths import existing_paths, postmaster_of, processes_in
from genbank_assets.postgres_server.server import EmbeddedServer, ensure_server
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets.tables.dedup import build_unique_records
from genbank_assets.tables.records import build_records
from genbank_assets_tests.faults.end_state import State, differences, store_files, table_rows
from genbank_assets_tests.faults.world import postgres
from genbank_assets_tests.paths import ROOT

DUMP = ROOT / "genbank_assets_tests" / "integration" / "postgres_version_4.sql"
STORE = ROOT / "genbank_assets_tests" / "stores" / "version-0.1.0.tar.gz"
KEYS = {"genbank/phg": "1.0", "genbank/con": "1.0", "refseq/viral": "1"}
WAYS = ("run", "run", "backend", "postgres")
# What makes the schema, independent of ids and of the order in which it was made.
SCHEMA = """
    SELECT c.oid::regclass::text, c.relkind::text, c.relispartition::text, coalesce(pg_get_indexdef(i.indexrelid), ''),
           (SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || a.attnotnull, ', '
                              ORDER BY attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND attnum > 0)
    FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
    WHERE c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname LIKE 'genbank%')
    UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '' FROM pg_constraint
    WHERE connamespace = 'genbank'::regnamespace
    UNION ALL SELECT oid::regprocedure::text, md5(pg_get_functiondef(oid)), '', '', '' FROM pg_proc
    WHERE pronamespace = 'genbank'::regnamespace ORDER BY 1, 2, 3"""


def upgrade(url: str, store: Path) -> None:
    """Bring database and store to today's form; this is what is killed."""
    settings = Settings(store=store, workers=2, keep_replaced_seconds=0)
    options: dict[str, Any] = {"settings": settings, "progress": lambda _: None, "run_id": "faults"}
    with Database(url, pool_size=2) as database:
        ensure_schema(database)
    for name, release in KEYS.items():
        partition = PartitionRelease(store, PartitionKey(*name.split("/")), release)
        build_records(partition, **options)
        build_unique_records(partition, **options)


def state(url: str, store: Path) -> State:
    """Return schema, rows and files after an upgrade."""
    with psycopg.connect(url) as connection:
        schema = ["|".join(map(str, row)) for row in connection.execute(SCHEMA.encode())]
    return {"schema": {"genbank": schema}, "rows": dict(table_rows(url)), "files": dict(store_files(store))}


@contextlib.contextmanager
def old(server: EmbeddedServer, folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    """Give a database and a store of version 0.1.0."""
    store = folder / name
    with tarfile.open(STORE) as archive:
        archive.extractall(store, filter="data")
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    with psycopg.connect(server.url(name)) as connection:
        connection.execute("SET check_function_bodies = off")
        connection.execute(DUMP.read_bytes())
    try:
        yield server.url(name), store
    finally:
        shutil.rmtree(store)
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def disturb(way: str, step: subprocess.Popen[bytes], server_folder: Path, url: str) -> None:
    """Kill the process, its first connection, or PostgreSQL, which is started again."""
    if way == "run":
        step.send_signal(signal.SIGKILL)
    elif way == "backend":
        with psycopg.connect(url) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid()"
            )
    else:
        paths = existing_paths(server_folder)
        assert paths is not None
        first = postmaster_of(paths.data)
        for pid in sorted(processes_in(paths.data), key=lambda pid: pid != first):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        ensure_server(server_folder, databases=())


def main() -> int:
    """Run the points and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw, problems, missed = random.Random(options.seed), 0, 0
    with tempfile.TemporaryDirectory(prefix="gba-faults-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        server_folder = folder / "server"
        with postgres(server_folder) as server:
            with old(server, folder, "undisturbed") as (url, store):
                begun = time.monotonic()
                subprocess.run(_command(url, store), check=True)
                seconds = time.monotonic() - begun
                expected = state(url, store)
            for point in range(options.points):
                with old(server, folder, f"point_{point}") as (url, store):
                    way, moments = draw.choice(WAYS), sorted(draw.uniform(0.2, 1.0) for _ in range(draw.choice([1, 2])))
                    for moment in moments:
                        step = subprocess.Popen(_command(url, store), stderr=subprocess.DEVNULL)
                        with contextlib.suppress(subprocess.TimeoutExpired):
                            step.wait(moment * seconds)
                        missed += step.poll() is not None
                        disturb(way, step, server_folder, url)
                        step.wait(120)
                    subprocess.run(_command(url, store), check=True)
                    found = differences(state(url, store), expected)
                problems += len(found)
                print(f"point {point}: {way} at {[round(m * seconds, 2) for m in moments]} s: {found}", flush=True)
    print(f"SEED={options.seed}: {options.points} points, {problems} differences, {missed} kills after the end")
    return 1 if problems else 0


def _command(url: str, store: Path) -> list[str]:
    code = f"from genbank_assets_tests.faults.upgrade import *; upgrade({url!r}, Path({str(store)!r}))"
    return [sys.executable, "-W", "ignore", "-c", code]


if __name__ == "__main__":
    sys.exit(main())
