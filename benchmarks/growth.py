r"""Whether the cost of loading grows with what is there: one run, and ratios within it.

A division of many files of one size, loaded into an empty database and brought to the next release, in which one record
of fifty changed; days on top of it. The same of a division of a tenth of the files. What is compared:

* the last files of the first load with its first ones, per MB of text (goal at most 1.2);
* the same of the update's files, and the whole update with the small division's, per MB (goal 1.2);
* the last of twenty days on top of it with the first (goal 1.2), and a day with the same one on top of the small
  division, whose indexes lie in memory; half of a day's records are new, the others lie anywhere in the division;
* the first load of the small division with ``\copy`` of the same rows into the same tables without indexes and the same
  indexes built one after the other (goal at least 0.85 as fast), and two workers with one (goal 1.7).

    python benchmarks/growth.py --small                       minutes
    python benchmarks/growth.py --megabytes 200 --files 20 --kind bct
    python benchmarks/growth.py --megabytes 500 --folder /data/growth --prepare   the files alone
    python benchmarks/growth.py --megabytes 500 --folder /data/growth             what is measured

``--kind skewed`` has the records of ``vrl`` with one product on 60 % of the features, one taxon for 90 % of them, and
values of 5,000 and 200,000 characters. ``--kind uneven`` has one product on 60 % of all features, 3,000 organisms of
which few are frequent, empty names, names that no B-tree takes, and, among more than five files, one in the middle
with a hundred times the features a record.
"""

from __future__ import annotations

import argparse
import datetime as dt
import functools
import hashlib
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from grown_sample import Mould, grown, revised, skewed, spread, uneven
from isal import igzip
from psycopg import sql

from genbank_assets.postgres import partitions
from genbank_assets.postgres.connection import Database
from genbank_assets.postgres.daily import apply_day
from genbank_assets.postgres.load import load_division
from genbank_assets.postgres.statements import PARTITIONED
from genbank_assets.postgres.versions import ensure_schema
from genbank_assets.postgres_server.server import client_program, ensure_server, remove_server
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, publish_manifest
from genbank_assets.tables.dedup import build_unique_records
from genbank_assets.tables.records import build_records

ROOT = Path(__file__).parent.parent
KINDS = {"vrl": ("vrl", "pln", "est", "rod", "vrt"), "bct": ("bct",)}
KINDS["skewed"] = KINDS["uneven"] = KINDS["vrl"]
KEY = PartitionKey("genbank", "vrl")
DAYS = [dt.date(2026, 11, 1) + dt.timedelta(days=n) for n in range(20)]
_FILE = re.compile(r"loaded (\S+): .* in ([\d.]+) s,")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=100, help="of text in a file")
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--kind", choices=sorted(KINDS), default="vrl", help="what the records are like")
    parser.add_argument("--small", action="store_true", help="20 files of 10 MB")
    parser.add_argument("--folder", type=Path, help="where the store and the server go; a temporary folder by default")
    parser.add_argument("--prepare", action="store_true", help="make the files in the folder and end")
    options = parser.parse_args()
    if options.small:
        options.megabytes = 10
    if options.prepare or (options.folder and options.folder.is_dir()):
        results = measured(options.folder, options)
    else:
        results = measured_in_temporary_folder(options)
    if not results:
        return
    show(results)
    target = ROOT / "benchmarks" / "results" / f"growth-{options.kind}.json"
    target.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def measured_in_temporary_folder(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="genbank-assets-growth-", dir=options.folder) as folder:
        return measured(Path(folder), options)


def measured(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    try:
        growth = Growth(folder, options)
        if options.prepare:
            growth.prepare()
            return {}
        return growth.run()
    finally:
        remove_server(folder)


class Growth:
    """One server; a database and a store for the whole division, and one each for a tenth of it."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder = folder
        self.options = options
        self.server = ensure_server(folder)

    @property
    def few(self) -> int:
        return max(2, int(self.options.files) // 10)

    def prepare(self) -> None:
        cases = [Case(self, name, files) for name, files in (("large", self.options.files), ("small", self.few))]
        for release in ("273.0", "274.0"):
            for case in cases:
                case.release(release)

    def run(self) -> dict[str, Any]:
        count, few = self.options.files, self.few
        large, small = Case(self, "large", count), Case(self, "small", few)
        results: dict[str, Any] = {
            "kind": self.options.kind, "megabytes_a_file": self.options.megabytes, "files": count, "small_files": few,
        }  # fmt: skip
        first = large.load(large.release("273.0"))
        results["records"] = large.count()
        results["first_load_seconds"] = first.seconds
        results["first_load_files"] = first.files
        small_first = small.load(small.release("273.0"))
        results["small_first_load_seconds"] = small_first.seconds
        results["copy_and_index_seconds"], results["copy_index_and_vacuum_seconds"] = self.copied(small)
        results["two_workers_seconds"] = Case(self, "twice", few, store=small.store).load(
            PartitionRelease(small.store, KEY, "273.0"), workers=2
        ).seconds  # fmt: skip
        results["indexes"] = large.indexes()
        update, small_update = (case.load(case.release("274.0")) for case in (large, small))
        results |= {
            "update_seconds": update.seconds, "update_files": update.files,
            "small_update_seconds": small_update.seconds,
        }  # fmt: skip
        days = [(large.day(number), small.day(number)) for number in range(len(DAYS))]
        for name, of_case in zip(("", "small_"), zip(*days, strict=True), strict=True):
            results[f"{name}days"] = [day.seconds for day in of_case]
            results[f"{name}day_seconds"] = statistics.median(day.seconds for day in of_case)
            results[f"{name}day_pages"] = {
                "logged": statistics.median(day.pages_logged for day in of_case),
                "read": statistics.median(day.pages_read for day in of_case),
                "found": statistics.median(day.pages_found for day in of_case),
            }
        return results | ratios(results)

    def database(self, name: str) -> str:
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            connection.execute("CHECKPOINT")
        with Database(self.server.url(name), pool_size=1) as database:
            ensure_schema(database)
        return self.server.url(name)

    def copied(self, case: Case) -> tuple[float, float]:
        r"""The case's rows by ``\copy`` into bare tables, then every index one after the other; then VACUUM, too.

        Our load includes it: without it, the first readers of all pages write them again.
        """
        names = {t: partitions.partition_name(t, collection=KEY.collection, section=KEY.division) for t in PARTITIONED}
        for name in names.values():
            self.psql(case.url, f"\\copy genbank.{name} TO '{self.folder / name}.copy'")
        url = self.database("copied")
        with Database(url, pool_size=1) as database, database.transaction() as session:
            partitions.make_tables(session, collection=KEY.collection, section=KEY.division)
        statements = partitions.index_statements(collection=KEY.collection, section=KEY.division)
        begun = time.perf_counter()
        for name in names.values():
            self.psql(url, f"\\copy genbank.{name} FROM '{self.folder / name}.copy'")
        settings = ("SET maintenance_work_mem = '256MB'", "SET max_parallel_maintenance_workers = 0")
        self.psql(url, *settings, *statements, *(f"ANALYZE genbank.{name}" for name in names.values()))
        without = time.perf_counter() - begun
        self.psql(url, *(f"VACUUM (FREEZE) genbank.{name}" for name in names.values()))
        seconds = time.perf_counter() - begun
        for name in names.values():
            (self.folder / f"{name}.copy").unlink()
        return without, seconds

    def psql(self, url: str, *commands: str) -> None:
        arguments = [part for command in commands for part in ("-c", command)]
        program = [str(client_program(self.folder, "psql")), "-X", "-q", "-v", "ON_ERROR_STOP=1", url]
        subprocess.run(program + arguments, check=True, stdout=subprocess.DEVNULL)


class Load:
    """What a load took: all of it, and each file's seconds per MB of text."""

    def __init__(self, seconds: float, lines: Sequence[str], megabytes: float) -> None:
        self.seconds = seconds
        self.files = [float(m[2]) / megabytes for line in lines if (m := _FILE.match(line))]


class Day(NamedTuple):
    """What a day took: seconds, and pages of tables and indexes logged as a whole, read, and found in the buffers."""

    seconds: float
    pages_logged: int
    pages_read: int
    pages_found: int


class Case:
    """A division of so many files in a database of its own."""

    def __init__(self, growth: Growth, name: str, files: int, *, store: Path | None = None) -> None:
        self.url = growth.database(name)
        self.store = store or growth.folder / name
        self._options = growth.options
        self._files = files
        self._settings = Settings(store=self.store, workers=1, postgres_url=self.url)

    def release(self, release: str) -> PartitionRelease:
        """The division's tables, made where they are not there; in release 274.0 one of fifty records is changed."""
        partition = PartitionRelease(self.store, KEY, release)
        if partition.manifest("unique_records") is not None:
            return partition
        kind, megabytes = self._options.kind, self._options.megabytes
        mould = mould_of(kind, release, megabytes)
        crowded = mould_of(kind, release, megabytes / 20, times=100) if kind == "uneven" else mould
        entries = []
        for number in range(self._files):
            path = partition.stage_folder("raw_files") / f"gb{KEY.division}{number + 1}.seq.gz"
            is_crowded = self._files > 5 and number == self._files // 2
            text = (crowded if is_crowded else mould).cast(first=number * mould.records)
            entries.append(raw_file(path, text))
        dates = {"273.0": "August 15 2026", "274.0": "October 15 2026"}
        publish(partition, entries, release_date=dates[release])
        settings = Settings(store=self.store, workers=2)
        for stage in (build_records, build_unique_records):
            stage(partition, settings=settings, progress=note, run_id="bench")
        for path in partition.stage_folder("raw_files").glob("*.seq.gz"):
            path.unlink()  # the load reads tables only
        return partition

    def load(self, partition: PartitionRelease, *, workers: int = 1) -> Load:
        settings = Settings(store=self.store, workers=workers, postgres_url=self.url)
        lines: list[str] = []

        def progress(line: str) -> None:
            lines.append(line)
            note(line)

        self._checkpoint()
        begun = time.perf_counter()
        load_division(partition, settings=settings, progress=progress, run_id="bench")
        return Load(time.perf_counter() - begun, lines, self._options.megabytes)

    def day(self, number: int) -> Day:
        """A day of four MB: half of its records are new, the others lie anywhere in the division."""
        partition = PartitionRelease(self.store, PartitionKey(KEY.collection, "daily"), f"{DAYS[number]:%Y%m%d}")
        kinds = KINDS[self._options.kind]
        first = PartitionRelease(self.store, KEY, "273.0").manifest("records")
        assert first is not None
        known = spread(grown(2, divisions=kinds), among=sum(e["records"] for e in first.files), seed=number)
        new = grown(2, divisions=kinds, first=50_000_000 + number * 10_000)
        text = known.replace(b"DEFINITION  ", b"DEFINITION  Daily ") + new
        text = re.sub(rb"(?m)^(LOCUS .* )[A-Z]{3}( +\d\d-[A-Z]{3}-\d{4})$", rb"\1VRL\2", text)
        publish(partition, [raw_file(partition.stage_folder("raw_files") / "nc1.flat.gz", text)], release_date=None)
        for stage in (build_records, build_unique_records):
            stage(partition, settings=self._settings, progress=note, run_id="bench")
        self._checkpoint()
        before, begun = self._pages(), time.perf_counter()
        apply_day(partition, settings=self._settings, progress=note, run_id="bench")
        seconds = time.perf_counter() - begun
        return Day(seconds, *(after - count for after, count in zip(self._pages(), before, strict=True)))

    def _pages(self) -> tuple[int, ...]:
        with psycopg.connect(self.url) as connection:
            row = connection.execute(
                "SELECT w.wal_fpi, d.blks_read, d.blks_hit FROM pg_stat_wal w, pg_stat_database d "
                "WHERE d.datname = current_database()"
            ).fetchone()
        return tuple(int(count) for count in row or ())

    def _checkpoint(self) -> None:
        """Begin as a day or a release does, hours after the one before: the first change of a page logs all of it."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")

    def count(self) -> int:
        with psycopg.connect(self.url) as connection:
            return int((connection.execute("SELECT count(*) FROM genbank.record").fetchone() or (0,))[0])

    def indexes(self) -> dict[str, float]:
        """MB of each index and table."""
        with psycopg.connect(self.url) as connection:
            rows = connection.execute(
                "SELECT relname, pg_relation_size(oid) / 1e6 FROM pg_class "
                "WHERE relnamespace = 'genbank'::regnamespace "
                "AND relkind IN ('i', 'r') AND relname LIKE '%\\_genbank\\_%' ORDER BY 1"
            )
            return {str(name): round(float(size), 1) for name, size in rows}


@functools.lru_cache(maxsize=2)
def mould_of(kind: str, release: str, megabytes: float, *, times: int = 1) -> Mould:
    """The form of a division's files; the next release's text is the same but for one record of fifty."""
    text = grown(megabytes, divisions=KINDS[kind])
    if kind == "skewed":
        text = skewed(text)
    elif kind == "uneven":
        text = uneven(text, times=times)
    return Mould(revised(text) if release == "274.0" else text)


def raw_file(path: Path, text: bytes) -> dict[str, Any]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(igzip.compress(text, compresslevel=0))
    unknown = dict.fromkeys(("modified", "etag", "md5", "expected_records", "expected_bases"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": digest, "url": ""} | unknown


def publish(partition: PartitionRelease, entries: list[dict[str, Any]], *, release_date: str | None) -> None:
    manifest = Manifest(
        stage="raw_files", code_version="1", collection=partition.key.collection, release=partition.release,
        division=partition.key.division, input_digest="", files=tuple(entries),
        extra={"release_date": release_date, "source": ""},
    )  # fmt: skip
    publish_manifest(manifest, partition=partition)


def ratios(results: dict[str, Any]) -> dict[str, float]:
    """What is to be compared; a share of the files at either end stands for the first and the last."""

    def grows(seconds: list[float]) -> float:
        end = max(1, len(seconds) // 5)
        return statistics.median(seconds[-end:]) / statistics.median(seconds[:end])

    share = results["files"] / results["small_files"]
    return {
        "last_file_to_first": grows(results["first_load_files"]),
        "last_updated_file_to_first": grows(results["update_files"]),
        "first_load_to_small_per_mb": results["first_load_seconds"] / results["small_first_load_seconds"] / share,
        "update_to_small_per_mb": results["update_seconds"] / results["small_update_seconds"] / share,
        "update_to_first_load": results["update_seconds"] / results["first_load_seconds"],
        "last_day_to_first": grows(results["days"]),
        "day_to_small": results["day_seconds"] / results["small_day_seconds"],
        "speed_of_copy_and_index": results["copy_and_index_seconds"] / results["small_first_load_seconds"],
        "speed_of_copy_index_and_vacuum": results["copy_index_and_vacuum_seconds"]
        / results["small_first_load_seconds"],
        "two_workers": results["small_first_load_seconds"] / results["two_workers_seconds"],
    }


def note(line: str) -> None:
    print(f"  {line}", file=sys.stderr)


def show(results: dict[str, Any]) -> None:
    goals: dict[str, Callable[[float], bool]] = {
        "last_file_to_first": lambda x: x <= 1.2, "last_updated_file_to_first": lambda x: x <= 1.2,
        "update_to_small_per_mb": lambda x: x <= 1.2, "last_day_to_first": lambda x: x <= 1.2,
        "speed_of_copy_and_index": lambda x: x >= 0.85, "two_workers": lambda x: x >= 1.7,
    }  # fmt: skip
    text = results["megabytes_a_file"] * results["files"]
    print(f"{results['kind']}: {results['files']} files, {text:,.0f} MB of text, {results['records']:,} records")
    for name, value in results.items():
        if isinstance(value, float) and name != "megabytes_a_file":
            verdict = {True: "as wanted", False: "NOT as wanted"}[goals[name](value)] if name in goals else ""
            print(f"{name:32}{value:10.2f}  {verdict}")


if __name__ == "__main__":
    main()
