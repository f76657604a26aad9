"""Out-of-core deduplication: time and memory by number of rows.

    python benchmarks/dedup.py [--rows 1000000 10000000] [--engines buckets duckdb]
    python benchmarks/dedup.py --rows 100000000 --folder /data/dedup --prepare    the record tables alone
    python benchmarks/dedup.py --rows 100000000 --folder /data/dedup              what is measured

Rows are synthetic (accessions in random order, one sequence in eight a duplicate), with the columns read by
deduplication; each size and engine runs in a separate process. ``duckdb`` builds the same two tables in the same order
with SQL, limited to 1 GB. The table is written to benchmarks/results/, beside the sizes measured before.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
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


def by_buckets(paths: list[Path], out: Path, rows: int) -> int:
    """As the stage does it; returns the number of distinct sequences."""
    from genbank_assets.store import PartitionKey, PartitionRelease
    from genbank_assets.tables.dedup import deduplicate

    partition = PartitionRelease(out, PartitionKey("genbank", "vrl"), "1.0")
    return deduplicate(paths, out=out, rows=rows, partition=partition).distinct_sequences


def by_duckdb(paths: list[Path], out: Path, rows: int) -> int:
    """The same tables by SQL."""
    import duckdb

    del rows
    out.mkdir()
    order = "accession, version, source_file, record_ordinal"
    where = "'genbank' AS collection, 'vrl' AS section, '1.0' AS release"
    parquet = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 65536)"
    with duckdb.connect(str(out / "scratch.duckdb")) as connection:
        connection.execute("SET memory_limit = '1GB'")
        connection.execute(f"SET temp_directory = '{out}'")
        connection.execute(
            "CREATE TABLE members AS SELECT * EXCLUDE (length_unit), "
            "CASE WHEN length_unit = 'aa' THEN 'protein' ELSE 'nucleotide' END AS molecule_class, "
            f"sequence_sha256 IS NOT NULL AND row_number() OVER (PARTITION BY sequence_sha256, length_unit = 'aa' "
            f"ORDER BY {order}) = 1 AS is_representative FROM read_parquet($1)",
            [[str(path) for path in paths]],
        )
        connection.execute(
            f"COPY (SELECT *, {where} FROM members ORDER BY {order}) TO '{out}/memberships.parquet' {parquet}"
        )
        connection.execute(
            "COPY (SELECT sequence_sha256, molecule_class, length, c.member_count, accession_version, source_file, "
            f"record_ordinal, {where} FROM members JOIN (SELECT sequence_sha256, molecule_class, "
            "count(*) AS member_count FROM members WHERE sequence_sha256 IS NOT NULL GROUP BY ALL) c "
            "USING (sequence_sha256, molecule_class) WHERE is_representative ORDER BY 1, 2) "
            f"TO '{out}/sequences.parquet' {parquet}"
        )
    return pq.read_metadata(out / "sequences.parquet").num_rows


ENGINES = {"buckets": by_buckets, "duckdb": by_duckdb}


def measure(engine: str, rows: int, folder: Path) -> dict[str, float]:
    """Deduplicate tables that are there; runs in a process of its own."""
    from genbank_assets.measure import peak_memory_bytes

    paths = sorted(folder.glob("*.records.parquet"))
    largest = Largest(folder / engine)
    before = os.times()
    begun = time.perf_counter()
    distinct = ENGINES[engine](paths, folder / engine, rows)
    seconds = time.perf_counter() - begun
    after = os.times()
    shutil.rmtree(folder / engine)
    return {
        "rows": rows, "seconds": seconds, "cpu_seconds": after.user + after.system - before.user - before.system,
        "peak": peak_memory_bytes(), "distinct": distinct, "scratch": largest.bytes,
    }  # fmt: skip


class Largest:
    """The largest size that a folder had, looked at every second."""

    def __init__(self, folder: Path) -> None:
        self.bytes = 0
        self._folder = folder
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while True:
            sizes = 0
            for path in self._folder.rglob("*"):
                with contextlib.suppress(OSError):
                    sizes += path.stat().st_size
            self.bytes = max(self.bytes, sizes)
            time.sleep(1)


def main() -> None:
    """Measure each size and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=["buckets"])
    parser.add_argument("--folder", type=Path, help="where the tables go, and are kept; a temporary folder by default")
    parser.add_argument("--prepare", action="store_true", help="make the tables in the folder and end")
    parser.add_argument("--one", type=Path)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.engines[0], options.rows[0], options.one)))
        return
    found = {}
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as name:
            folder = options.folder or Path(name)
            folder.mkdir(parents=True, exist_ok=True)
            if len(list(folder.glob("*.records.parquet"))) != -(-rows // FILE_ROWS):
                make_tables(folder, rows)
            for engine in () if options.prepare else options.engines:
                command = [sys.executable, __file__, "--rows", str(rows), "--engines", engine, "--one", str(folder)]
                one = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                found[engine, rows] = (
                    f"| {engine} | {rows:,} | {one['distinct']:,} | {one['seconds']:.1f} | {one['cpu_seconds']:.1f} "
                    f"| {rows / one['seconds']:,.0f} | {one['peak'] / 1e6:,.0f} | {one['scratch'] / 1e9:,.1f} |"
                )
                print(found[engine, rows], flush=True)
    if found:
        write(found)


def write(found: dict[tuple[str, int], str]) -> None:
    """Write the page of results, keeping what was measured of other sizes."""
    target = ROOT / "benchmarks" / "results" / f"dedup-{version('genbank-assets')}.md"
    head = [
        "| engine | rows | distinct | seconds | CPU seconds | rows/s | peak MB | largest GB of scratch |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    kept = {}
    if target.exists() and head[0] in target.read_text():
        lines = [line for line in target.read_text().splitlines() if line.startswith(("| buckets", "| duckdb"))]
        cells = {line: [cell.strip() for cell in line.split("|")] for line in lines}
        kept = {(c[1], int(c[2].replace(",", ""))): line for line, c in cells.items()}
    lines = [line for _, line in sorted((kept | found).items())]
    text = "\n".join([f"# Deduplication, {dt.datetime.now(dt.UTC).date().isoformat()}", "", *head, *lines, ""])
    target.parent.mkdir(exist_ok=True)
    target.write_text(text)


if __name__ == "__main__":
    main()
