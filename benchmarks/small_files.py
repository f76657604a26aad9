"""A division of very many small files: events in Dagster's log, manifests, and memory.

    python benchmarks/small_files.py [--files 1000 3000 10000] [--division una]

Divisions of each number of files go through all five stages like ``genbank-assets materialize``, from a local folder to
an embedded PostgreSQL, which shows how cost grows with files. Memory is the peak resident set of the process that
submits the tasks, without its workers.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from genbank_assets.postgres_server.server import ensure_server, remove_server

RECORD = """\
LOCUS       {name:<16} 60 bp    DNA     linear   UNA 01-JAN-2020
DEFINITION  A record of a small file.
ACCESSION   {name}
VERSION     {name}.1
SOURCE      unidentified
  ORGANISM  unidentified
            unclassified sequences.
FEATURES             Location/Qualifiers
     source          1..60
                     /organism="unidentified"
                     /mol_type="genomic DNA"
ORIGIN
        1 {residues}
//
"""


def make_source(folder: Path, *, files: int, division: str, records: int = 1) -> None:
    """A release with so many files of so many records each, no two of which are the same."""
    genbank = folder / "genbank"
    genbank.mkdir(parents=True)
    (genbank / "GB_Release_Number").write_text("900.0\n")
    notes = [f"{'':25}August 15 2026", "", "                NCBI-GenBank Flat File Release 900.0", ""]
    for number in range(1, files + 1):
        notes.append(f"{number}. gb{division}{number}.seq - sequences, part {number}.")
        text = ""
        for serial in range((number - 1) * records + 1, number * records + 1):
            bases = "".join("acgt"[serial >> 2 * place & 3] for place in range(60))
            residues = " ".join(bases[at : at + 10] for at in range(0, 60, 10))
            text += RECORD.format(name=f"ZZ{serial:06}", residues=residues).replace("UNA", division.upper())
        (genbank / f"gb{division}{number}.seq.gz").write_bytes(gzip.compress(text.encode(), 1))
    (genbank / "gbrel.txt").write_text("\n".join(notes) + "\n")


def run(folder: Path, *, files: int, division: str) -> dict[str, float]:
    """Materialize such a division and measure."""
    make_source(folder / "source", files=files, division=division)
    store = folder / "store"
    environment = os.environ | {
        "GENBANK_ASSETS_STORE": str(store),
        "GENBANK_ASSETS_SOURCE": (folder / "source").as_uri(),
        "GENBANK_ASSETS_REQUESTS_PER_SECOND": "100000",
    }
    begun = time.perf_counter()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "genbank_assets.cli", "materialize", f"genbank/{division}", "-q"], env=environment
        )
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, resident_bytes(process.pid))
            time.sleep(0.2)
        if process.returncode:
            raise SystemExit(f"the run failed with exit code {process.returncode}")
        seconds = time.perf_counter() - begun
        with psycopg.connect(ensure_server(store).url("dagster")) as connection:
            (event_log_bytes,) = connection.execute("SELECT pg_total_relation_size('event_logs')").fetchone() or (0,)
        partition = store / "genbank" / "900.0" / division
        found = {
            "seconds": seconds,
            "peak memory of the client, MB": peak / 1e6,
            "Dagster's event log, MB": event_log_bytes / 1e6,
        }
        for stage in ("raw_files", "records", "unique_records", "postgres_table", "object_set"):
            manifest = partition / stage / "manifest.json"
            report = json.loads(manifest.read_text())["report"]
            found[f"{stage}, seconds"] = report["seconds"]
            found[f"{stage}, CPU seconds of its own process"] = report["cpu_seconds"]
            found[f"manifest of {stage}, MB"] = manifest.stat().st_size / 1e6
        return found
    finally:
        remove_server(store)


def resident_bytes(pid: int) -> int:
    """What a process holds in memory."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(match[1]) * 1024 if match else 0


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, nargs="+", default=[1_000, 3_000, 10_000])
    parser.add_argument("--division", default="una")
    options = parser.parse_args()
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    columns = []
    for files in options.files:
        with tempfile.TemporaryDirectory() as folder:
            columns.append(run(Path(folder), files=files, division=options.division))
        print(files, {name: round(value, 1) for name, value in columns[-1].items()}, file=sys.stderr, flush=True)
    print(f"| figure (open files: {soft}) | {' | '.join(f'{files:,} files' for files in options.files)} |")
    print("|---" * (1 + len(columns)) + "|")
    for name in columns[0]:
        print(f"| {name} | {' | '.join(f'{column[name]:,.1f}' for column in columns)} |")


if __name__ == "__main__":
    main()
