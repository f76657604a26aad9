r"""How fast a division gets into PostgreSQL, beside three other ways of putting the same records there.

Ours is ``load_division``: Parquet in, the indexed and versioned schema out. The others are (a) ``psql \copy`` of the
rows it made into the same indexed tables, (b) INSERTs in pipelined batches of 500 into the same tables, (c) Biopython's
BioSQL loader. Then the same division again with 2 % of its records changed. Each runs in a fresh database of one
embedded server. (b) and (c) are far slower and get a share of the records; the rates are per row and per MB of text.
Ours, (a), (c) and the update take turns, and what is compared is compared within a round: shown is the median of the
rounds' ratios, so that a machine that is busy for a while slows both sides.

    python benchmarks/load.py [FILE.seq.gz ...]     without files, the bundled sample is grown to --megabytes
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import hashlib
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from grown_sample import grown, records_of, revised
from psycopg import sql

from genbank_assets.postgres.connection import Database
from genbank_assets.postgres.load import load_division
from genbank_assets.postgres.versions import ensure_schema
from genbank_assets.postgres_server.server import EmbeddedServer, client_program, ensure_server, remove_server
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, publish_manifest
from genbank_assets.tables.dedup import build_unique_records
from genbank_assets.tables.records import build_records

ROOT = Path(__file__).parent.parent
TABLES = ("sequence", "record", "record_presence", "feature", "reference", "record_event")
KEY = PartitionKey("genbank", "bct")
BATCH = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="GenBank flat files of one division")
    parser.add_argument("--megabytes", type=int, default=300, help="of text to grow the sample to, without files")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--insert-records", type=int, default=20_000, help="records that (b) loads at most")
    parser.add_argument("--biosql-records", type=int, default=300, help="records that (c) loads")
    parser.add_argument("--biosql-schema", type=Path, help="biosqldb-pg.sql; otherwise from Biopython's sdist on PyPI")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="genbank-assets-bench-") as folder:
        Path(folder).chmod(0o755)
        try:
            results = Bench(Path(folder), options).run()
        finally:
            remove_server(Path(folder))
    show(results)
    target = ROOT / "benchmarks" / "results" / "load.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


@dataclasses.dataclass(frozen=True)
class BioSqlInput:
    """What BioSQL loads."""

    path: Path
    schema: Path
    records: int
    megabytes: float


class Bench:
    """One store and one server; each measurement in a database of its own."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder = folder
        self.options = options
        self.server: EmbeddedServer = ensure_server(folder)
        self.bin = client_program(folder, "psql").parent
        self.databases = 0
        self.files = {table: folder / f"{table}.copy" for table in TABLES}  # the rows of the last load

    def run(self) -> dict[str, Any]:
        texts = [gzip.decompress(path.read_bytes()) for path in self.options.files] or [grown(self.options.megabytes)]
        first = self.partition("273.0", [text.replace(b"Release 274", b"Release 273") for text in texts])
        second = self.partition("274.0", [revised(text) for text in texts])
        rounds, theirs = [], self.biosql_input(texts)
        for _ in range(self.options.repeats):
            one_round = self.ours(first, second, text_bytes=sum(map(len, texts)))
            one_round["copy_seconds"] = self.psql_copy()
            one_round["biosql_seconds"] = self.biosql(theirs) if theirs else None
            rounds.append(one_round)
        results: dict[str, Any] = {"machine": f"{platform.machine()}, {platform.system()} {platform.release()}"}
        results |= rounds[-1]
        for name in ("ours_seconds", "update_seconds", "copy_seconds"):
            results[name] = statistics.median(found[name] for found in rounds)
        results["copy_ratio"] = statistics.median(r["copy_seconds"] / r["ours_seconds"] for r in rounds)
        results["update_ratio"] = statistics.median(r["update_seconds"] / r["ours_seconds"] for r in rounds)
        results["insert"] = self.inserts(str(results.pop("url")))
        results["biosql"] = None
        if theirs:
            megabytes = results["text_megabytes"]
            results["biosql"] = {
                "records": theirs.records,
                "megabytes": theirs.megabytes,
                "seconds": statistics.median(r["biosql_seconds"] for r in rounds),
                "ratio": statistics.median(
                    (megabytes / r["ours_seconds"]) / (theirs.megabytes / r["biosql_seconds"]) for r in rounds
                ),
            }
        results["rounds"] = [
            {name: found[name] for name in ("ours_seconds", "update_seconds", "copy_seconds", "biosql_seconds")}
            for found in rounds
        ]
        results.pop("biosql_seconds")
        return results

    def partition(self, release: str, texts: list[bytes]) -> PartitionRelease:
        partition = PartitionRelease(self.folder, KEY, release)
        raw = partition.stage_folder("raw_files")
        raw.mkdir(parents=True)
        entries = []
        for number, text in enumerate(texts, 1):
            path = raw / f"gbbct{number}.seq.gz"
            path.write_bytes(gzip.compress(text, compresslevel=1, mtime=0))
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            unknown = dict.fromkeys(("modified", "etag", "checksum", "expected_records", "expected_bases"))
            entry = {"name": path.name, "bytes": path.stat().st_size, "sha256": digest, "url": ""}
            entries.append(entry | unknown)
        manifest = Manifest(
            stage="raw_files", code_version="1", collection=KEY.collection, release=release, division=KEY.division,
            input_digest="", files=tuple(entries), extra={"release_date": None, "source": ""},
        )  # fmt: skip
        publish_manifest(manifest, partition=partition)
        settings = Settings(store=self.folder, workers=1)
        for stage in (build_records, build_unique_records):
            stage(partition, settings=settings, progress=note, run_id="bench")
        return partition

    def ours(self, first: PartitionRelease, second: PartitionRelease, *, text_bytes: int) -> dict[str, Any]:
        url = self.database()
        settings = Settings(store=self.folder, workers=1, postgres_url=url)
        seconds, loaded = timed(lambda: load_division(first, settings=settings, progress=note, run_id="bench"))
        rows = dict(zip(TABLES, self.counts(url), strict=True))
        for table, path in self.files.items():
            self.psql(url, f"\\copy genbank.{table} TO '{path}'")
        again, updated = timed(lambda: load_division(second, settings=settings, progress=note, run_id="bench"))
        return {
            "url": url,
            "server": self.version(url),
            "text_megabytes": round(text_bytes / 1e6, 1),
            "records": rows["record"],
            "rows": sum(rows.values()),
            "ours_seconds": seconds,
            "ours_statements": loaded.report.sql_statements,
            "update_seconds": again,
            "update_sent": updated.report.records_annotation_changed,
        }

    def database(self) -> str:
        """A fresh database with the schema in it."""
        self.databases += 1
        name = f"bench{self.databases}"
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            connection.execute("CHECKPOINT")
        with Database(self.server.url(name), pool_size=1) as database:
            ensure_schema(database)
        return self.server.url(name)

    def version(self, url: str) -> str:
        with psycopg.connect(url) as connection:
            return str((connection.execute("SHOW server_version").fetchone() or ("?",))[0])

    def counts(self, url: str) -> list[int]:
        with psycopg.connect(url) as connection:
            return [one(connection.execute(f"SELECT count(*) FROM genbank.{table}")) for table in TABLES]

    def psql_copy(self) -> float:
        r"""(a): one transaction, one ``\copy`` a table, into the same tables with the same indexes."""
        url = self.database()
        commands = [f"\\copy genbank.{table} FROM '{path}'" for table, path in self.files.items()]
        return timed(lambda: self.psql(url, "BEGIN", *commands, "COMMIT"))[0]

    def psql(self, url: str, *commands: str) -> None:
        arguments = [part for command in commands for part in ("-c", command)]
        program = [str(self.bin / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", url]
        subprocess.run(program + arguments, check=True, stdout=subprocess.DEVNULL)

    def inserts(self, url: str) -> dict[str, Any]:
        """(b): the rows of some records, prepared beforehand, by ``executemany`` in pipelined batches of 500."""
        with psycopg.connect(url) as connection:
            chosen = (
                f"record_id IN (SELECT record_id FROM genbank.record ORDER BY 1 LIMIT {self.options.insert_records})"
            )
            tables = [table for table in TABLES if table != "sequence"]
            columns = {t: [c.name for c in connection.execute(f"SELECT * FROM genbank.{t} LIMIT 0").description or []]
                       for t in tables}  # fmt: skip
            text = {t: ", ".join(f"{c}::text" for c in columns[t]) for t in tables}
            types = {t: [r[0] for r in connection.execute(
                "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
                "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum", [f"genbank.{t}"],
            )] for t in tables}  # fmt: skip
            rows = {
                t: connection.execute(f"SELECT {text[t]} FROM genbank.{t} WHERE {chosen}").fetchall() for t in tables
            }
        target = self.database()
        begun = time.perf_counter()
        with psycopg.connect(target) as connection, connection.cursor() as cursor:
            for table in tables:
                values = ", ".join(f"%s::{type_}" for type_ in types[table])
                overriding = "OVERRIDING SYSTEM VALUE " if table == "record" else ""
                statement = f"INSERT INTO genbank.{table} ({', '.join(columns[table])}) {overriding}VALUES ({values})"
                for start in range(0, len(rows[table]), BATCH):
                    cursor.executemany(statement, rows[table][start : start + BATCH])
            connection.commit()
        seconds = time.perf_counter() - begun
        return {"rows": sum(map(len, rows.values())), "seconds": seconds}

    def biosql_input(self, texts: list[bytes]) -> BioSqlInput | None:
        """A share of the records for (c), as evenly taken as may be; None where BioSQL is not installed."""
        try:
            import BioSQL  # noqa: F401

            schema = self.options.biosql_schema or sdist_schema(self.folder)
        except (ImportError, subprocess.CalledProcessError, OSError) as error:
            note(f"BioSQL is left out: {error}")
            return None
        records = [record for text in texts for record in records_of(text)]
        step = max(1, len(records) // self.options.biosql_records)
        chosen = records[::step][: self.options.biosql_records]
        path = self.folder / "biosql.gb"
        path.write_bytes(b"".join(chosen))
        return BioSqlInput(path=path, schema=schema, records=len(chosen), megabytes=path.stat().st_size / 1e6)

    def biosql(self, theirs: BioSqlInput) -> float:
        """(c): parsing is left out; what is timed is ``load`` and ``commit``."""
        from Bio import SeqIO
        from BioSQL import BioSeqDatabase

        url = self.database()
        self.psql_file(url, theirs.schema)
        records = list(SeqIO.parse(theirs.path, "genbank"))
        parameters = psycopg.conninfo.conninfo_to_dict(url)
        server = BioSeqDatabase.open_database(
            driver="psycopg2", user="postgres", host=urllib.parse.unquote(str(parameters["host"])),
            database=parameters["dbname"],
        )  # fmt: skip
        seconds, _ = timed(lambda: (server.new_database("bench").load(records), server.commit()))
        server.close()
        return seconds

    def psql_file(self, url: str, path: Path) -> None:
        subprocess.run([str(self.bin / "psql"), "-X", "-q", "-f", str(path), url], check=True, capture_output=True)


def sdist_schema(folder: Path) -> Path:
    """``biosqldb-pg.sql`` out of Biopython's source distribution."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:", "biopython"]
    subprocess.run([*command, "-d", str(folder)], check=True, capture_output=True)
    archive = next(folder.glob("biopython-*.tar.gz"))
    name = f"{archive.name.removesuffix('.tar.gz')}/Tests/BioSQL/biosqldb-pg.sql"
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(folder), name], check=True)
    return folder / name


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    found = work()
    return time.perf_counter() - begun, found


def one(cursor: psycopg.Cursor[Any]) -> int:
    row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def note(line: str) -> None:
    print(f"  {line}", file=sys.stderr)


def show(results: dict[str, Any]) -> None:
    rows, records, megabytes = results["rows"], results["records"], results["text_megabytes"]
    statements = results["ours_statements"]
    ours, copy, insert = results["ours_seconds"], results["copy_seconds"], results["insert"]
    rate, inserted = rows / ours, insert["rows"] / insert["seconds"]
    fewer = rows / statements
    print(f"{megabytes} MB of flat file, {records:,} records, {rows:,} rows, PostgreSQL {results['server']}")
    lines = [
        ("load_division", ours, f"{rate:,.0f} rows/s", f"{megabytes / ours:,.0f} MB/s, {statements} SQL"),
        ("psql \\copy", copy, f"{rows / copy:,.0f} rows/s",
         f"ours is {results['copy_ratio']:.2f} times as fast (goal 0.6)"),
        ("INSERT by 500", insert["seconds"], f"{inserted:,.0f} rows/s",
         f"ours is {rate / inserted:.1f} times as fast (goal 2), {fewer:,.0f} times fewer statements (goal 1,000)"),
    ]  # fmt: skip
    if biosql := results["biosql"]:
        times = f"ours is {biosql['ratio']:,.0f} times as fast by MB of text (goal 100)"
        lines.append(("BioSQL", biosql["seconds"], f"{biosql['records'] / biosql['seconds']:,.1f} records/s", times))
    update = results["update_seconds"]
    sent = f"{results['update_sent']:,} records sent"
    lines.append(("2 % changed", update, sent, f"{results['update_ratio']:.1%} of the first load (goal 15 %)"))
    for name, seconds, speed, remark in lines:
        print(f"{name:14}{seconds:8.2f} s  {speed:>20}  {remark}")


if __name__ == "__main__":
    main()
