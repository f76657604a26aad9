"""Rate and output size of each stage: writes ``planning/rates.json``, which is used by the command ``plan``.

A release of two divisions whose files resemble ``vrl`` and ``bct`` of release 273.0 (records of the bundled sample,
repeated) goes through the five stages like ``materialize``: one worker, each stage in a separate process, then the load
again with two workers; source, store, PostgreSQL and objects are on the local disk. Rates are for both divisions
together, with half of the text each. The bandwidth to NCBI cannot be measured here, and the compression of NCBI's files
is known from the release notes: both are kept.

Residues and translations are generated randomly, so that repetition does not make them compressible; other annotation
is repeated, so tables of real files may be somewhat larger.

    python benchmarks/rates.py [--megabytes 600]
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import multiprocessing
import os
import re
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from grown_sample import grown
from isal import igzip

from genbank_assets.ncbi.fetch import fetch_division
from genbank_assets.objects.publish import publish_division
from genbank_assets.planning.rates import RATES_FILE, Rates, measured_rates
from genbank_assets.postgres.connection import open_database
from genbank_assets.postgres.load import load_division
from genbank_assets.postgres.versions import ensure_schema
from genbank_assets.postgres_server.server import ensure_server, remove_server
from genbank_assets.reports import StageReport
from genbank_assets.settings import Settings
from genbank_assets.store import STAGES, PartitionKey, PartitionRelease, Stage
from genbank_assets.tables.dedup import build_unique_records
from genbank_assets.tables.records import build_records

KINDS = {"vrl": ("vrl", "pln", "est", "rod", "vrt"), "bct": ("bct",)}
FILES = 2  # of each division
# What is drawn at random, as the pattern's group, and from which letters.
REDRAWN = (
    (rb"(?ms)^ORIGIN.*?$(.+?)^//$", b"acgt"),
    (rb'(?m)^ {21}/translation="([^"]+)"', b"ACDEFGHIKLMNPQRSTVWY"),
)
_SIZE = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relname LIKE '%%\\_genbank\\_%%'"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=600, help="of text in each division")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="genbank-assets-rates-") as folder:
        Path(folder).chmod(0o755)
        try:
            rates = measured(Path(folder), megabytes=options.megabytes)
        finally:
            remove_server(Path(folder) / "store")
    print(rates.to_json(), end="")
    RATES_FILE.write_text(rates.to_json(), encoding="utf-8")


def measured(folder: Path, *, megabytes: int) -> Rates:
    """Run both divisions through all stages."""
    text_bytes = make_release(folder / "ncbi" / "genbank", megabytes=megabytes)
    settings = Settings(store=folder / "store", source=(folder / "ncbi").as_uri(), workers=1, object_layout="record")
    with open_database(settings, create=True) as database:
        ensure_schema(database)  # made once, not with every load
    reports: dict[str, list[StageReport]] = {stage: [] for stage in STAGES}
    packed: list[StageReport] = []
    for division in KINDS:
        key = PartitionKey("genbank", division)
        for stage in STAGES:
            reports[stage].append(apart(stage, key, settings))
        elsewhere = dataclasses.replace(settings, objects=(folder / "packs").as_uri(), object_layout="pack")
        packed.append(apart("object_set", key, elsewhere))
    in_twos = twice(settings)
    side_by_side = [apart("postgres_table", PartitionKey("genbank", division), in_twos) for division in KINDS]

    def total(name: str, found: list[StageReport]) -> float:
        return float(sum(getattr(report, name) for report in found))

    def rate(amount: float, found: list[StageReport], *, by: str = "seconds") -> float:
        return float(f"{amount / total(by, found):.3g}")

    def share(amount: float) -> float:
        return float(f"{amount / text_bytes:.2g}")

    tables = total("bytes_out", reports["records"]) + total("bytes_out", reports["unique_records"])
    with open_database(settings) as database, database.transaction() as session:
        postgres_bytes = int(session.execute(_SIZE)[0][0])
    return dataclasses.replace(
        measured_rates(),
        measured_on=f"{dt.date.today()}, {os.cpu_count()} cores of {processor()}",
        verify_bytes_per_second=rate(total("bytes_in", reports["raw_files"]), reports["raw_files"]),
        parse_text_bytes_per_second=rate(text_bytes, reports["records"], by="cpu_seconds"),
        deduplicate_records_per_second=rate(total("records", reports["unique_records"]), reports["unique_records"]),
        load_text_bytes_per_second=rate(text_bytes, reports["postgres_table"]),
        load_gain_of_a_worker=round(
            max(0.0, total("seconds", reports["postgres_table"]) / total("seconds", side_by_side) - 1), 2
        ),
        objects_per_second=rate(total("objects_put", reports["object_set"]), reports["object_set"]),
        object_bytes_per_second=rate(total("bytes_out", reports["object_set"]), packed),
        table_bytes_per_text_byte=share(tables),
        postgres_bytes_per_text_byte=share(postgres_bytes),
        object_bytes_per_text_byte=share(total("bytes_out", reports["object_set"])),
        pack_bytes_per_object_byte=float(
            f"{total('bytes_out', packed) / total('bytes_out', reports['object_set']):.2g}"
        ),
        peak_memory_bytes={
            stage: round(max(report.peak_memory_bytes or 0 for report in reports[stage]), -6) for stage in STAGES
        },
    )


def twice(settings: Settings) -> Settings:
    """Two workers and an empty database on the same server."""
    server = ensure_server(settings.store)
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS twice WITH (FORCE)")
        connection.execute("CREATE DATABASE twice")
    found = dataclasses.replace(settings, workers=2, postgres_url=server.url("twice"))
    with open_database(found) as database:
        ensure_schema(database)
    return found


def make_release(folder: Path, *, megabytes: int) -> int:
    """Write the files and the notes of a release; bytes of text."""
    folder.mkdir(parents=True)
    described, sizes, counts = [], [], []
    for division, kinds in KINDS.items():
        first = 10_000_000 * (1 + list(KINDS).index(division))
        for number in range(1, FILES + 1):
            text = with_other_residues(grown(megabytes / FILES, divisions=kinds, first=first), seed=first)
            lengths = re.findall(rb"(?m)^LOCUS +\S+ +(\d+) ", text)
            first += len(lengths)
            (folder / f"gb{division}{number}.seq.gz").write_bytes(igzip.compress(text, compresslevel=2))
            name = f"gb{division}{number}.seq"
            described.append(f"{len(described) + 1}. {name} - sequence entries, part {number}.")
            sizes.append((len(text), name))
            counts.append(f"{division.upper()}{number} {len(lengths)} {sum(map(int, lengths))}")
    notes = [
        f"GBREL.TXT          Genetic Sequence Data Bank\n{'August 15 2026':>39}\n\n"
        "               NCBI-GenBank Flat File Release 273.0\n\n                    Distribution Release Notes\n",
        f"2.2 Files\n\n  This GenBank flat file release consists of {len(described)} files.\n",
        "2.2.1 File Descriptions\n\nFiles included in this release are:\n", *described,
        "\n2.2.5 File Sizes\n\nFile Size      File Name\n", *(f"{size:>10}     {name}" for size, name in sizes),
        "\n2.2.6 Per-Division Statistics\n\nDivision     Entries    Bases\n", *counts,
    ]  # fmt: skip
    (folder / "gbrel.txt").write_text("\n".join(notes) + "\n", encoding="ascii")
    (folder / "GB_Release_Number").write_text("273.0\n", encoding="ascii")
    return sum(size for size, _ in sizes)


def with_other_residues(text: bytes, *, seed: int) -> bytes:
    """Return the records with random residues between ORIGIN and //, and random letters in translations."""
    letters, draw = np.frombuffer(text, np.uint8).copy(), np.random.default_rng(seed)
    for pattern, alphabet in REDRAWN:
        lowest, choice = min(alphabet), np.frombuffer(alphabet, np.uint8)
        for match in re.finditer(pattern, text):
            span = letters[match.start(1) : match.end(1)]
            places = np.flatnonzero(span >= lowest)
            span[places] = choice[draw.integers(0, len(choice), len(places))]
    return letters.tobytes()


def apart(stage: Stage, key: PartitionKey, settings: Settings) -> StageReport:
    """Run a stage in a process of its own, whose peak memory is the stage's."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        report = pool.submit(run_stage, stage, key, settings).result()
    print(f"{key} {stage}: {report.as_dict()}", file=sys.stderr)
    return report


def run_stage(stage: Stage, key: PartitionKey, settings: Settings) -> StageReport:
    common: dict[str, Any] = {"settings": settings, "progress": lambda line: None, "run_id": "bench"}
    if stage == "raw_files":
        return fetch_division(key, **common).report
    function = {
        "records": build_records, "unique_records": build_unique_records, "postgres_table": load_division,
        "object_set": publish_division,
    }[stage]  # fmt: skip
    return function(PartitionRelease(settings.store, key, "273.0"), **common).report


def processor() -> str:
    """The processor's name, as Linux has it."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    found = re.search(r"(?m)^model name\s*: (.+)$", info)
    return found[1] if found else "this machine"


if __name__ == "__main__":
    main()
