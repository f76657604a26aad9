"""Deduplication out of core: time and memory against the number of rows.

    python benchmarks/dedup.py [--rows 1000000 10000000]

Rows are made up (accessions in random order, one sequence in eight known before), with the columns deduplication
reads; each size is a process of its own. The table goes to benchmarks/results/.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROOT = Path(__file__).parent.parent
FILE_ROWS = 1_000_000


def digests_of(content: bytes) -> pa.Array:
    """A digest column over raw bytes."""
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), len(content) // 32, [None, pa.py_buffer(content)])


def make_tables(folder: Path, rows: int) -> list[Path]:
    """Record tables of ``rows`` rows in all, a million a file."""
    chance = np.random.default_rng(rows)
    paths = []
    for number, first in enumerate(range(0, rows, FILE_ROWS)):
        count = min(FILE_ROWS, rows - first)
        names = chance.permutation(np.arange(first, first + count))
        accessions = pa.array([f"AB{name:09}" for name in names])
        digests = chance.bytes(32 * count)
        known = chance.integers(0, 8, count) == 0
        table = np.frombuffer(digests, dtype="V32").copy()
        table[known] = np.frombuffer(np.random.default_rng(7).bytes(32 * 1000), dtype="V32")[
            chance.integers(0, 1000, int(known.sum()))
        ]
        columns = {
            "accession": accessions,
            "version": pa.array(np.ones(count, np.int32)),
            "accession_version": pc.binary_join_element_wise(accessions, "1", "."),
            "source_file": pa.array([f"gbxxx{number + 1}.seq.gz"] * count),
            "record_ordinal": pa.array(np.arange(count)),
            "record_offset": pa.array(np.arange(count) * 3000),
            "record_bytes": pa.array(np.full(count, 3000)),
            "length": pa.array(np.full(count, 1000)),
            "length_unit": pa.array(["bp"] * count),
            "record_sha256": digests_of(chance.bytes(32 * count)),
            "sequence_sha256": digests_of(table.tobytes()),
        }  # fmt: skip
        path = folder / f"gbxxx{number + 1}.records.parquet"
        pq.write_table(pa.table(columns), path, compression="zstd", row_group_size=100_000)
        paths.append(path)
    return paths


def measure(rows: int, folder: Path) -> dict[str, float]:
    """Deduplicate tables that are there; runs in a process of its own."""
    from genbank_assets.measure import peak_memory_bytes
    from genbank_assets.tables.dedup import deduplicate

    begun = time.perf_counter()
    totals = deduplicate(sorted(folder.glob("*.records.parquet")), out=folder / "out", rows=rows)
    return {
        "rows": rows,
        "seconds": time.perf_counter() - begun,
        "peak": peak_memory_bytes(),
        "distinct": totals.distinct_sequences,
    }


def main() -> None:
    """Measure each size and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--one", type=Path)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.rows[0], options.one)))
        return
    lines = ["| rows | distinct | seconds | rows/s | peak MB |", "|--:|--:|--:|--:|--:|"]
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as name:
            make_tables(Path(name), rows)
            command = [sys.executable, __file__, "--rows", str(rows), "--one", name]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        lines.append(
            f"| {rows:,} | {found['distinct']:,} | {found['seconds']:.1f} | {rows / found['seconds']:,.0f} "
            f"| {found['peak'] / 1e6:,.0f} |"
        )
        print(lines[-1], flush=True)
    text = "\n".join([f"# Deduplication, {dt.datetime.now(dt.UTC).date().isoformat()}", "", *lines, ""])
    target = ROOT / "benchmarks" / "results" / f"dedup-{version('genbank-assets')}.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text(text)


if __name__ == "__main__":
    main()
