"""Out-of-core deduplication: time and memory by number of rows.

    python benchmarks/dedup.py [--rows 1000000 10000000] [--engines buckets duckdb]

Rows are synthetic (accessions in random order, one sequence in eight a duplicate), with the columns read by
deduplication; each size and engine runs in a separate process. ``duckdb`` builds the same two tables in the same order
with SQL, limited to 1 GB. The table is written to benchmarks/results/.
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

    begun = time.perf_counter()
    distinct = ENGINES[engine](sorted(folder.glob("*.records.parquet")), folder / engine, rows)
    seconds = time.perf_counter() - begun
    return {"rows": rows, "seconds": seconds, "peak": peak_memory_bytes(), "distinct": distinct}


def main() -> None:
    """Measure each size and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=["buckets"])
    parser.add_argument("--one", type=Path)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.engines[0], options.rows[0], options.one)))
        return
    lines = ["| engine | rows | distinct | seconds | rows/s | peak MB |", "|---|--:|--:|--:|--:|--:|"]
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as name:
            make_tables(Path(name), rows)
            for engine in options.engines:
                command = [sys.executable, __file__, "--rows", str(rows), "--engines", engine, "--one", name]
                found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                lines.append(
                    f"| {engine} | {rows:,} | {found['distinct']:,} | {found['seconds']:.1f} "
                    f"| {rows / found['seconds']:,.0f} | {found['peak'] / 1e6:,.0f} |"
                )
                print(lines[-1], flush=True)
    text = "\n".join([f"# Deduplication, {dt.datetime.now(dt.UTC).date().isoformat()}", "", *lines, ""])
    target = ROOT / "benchmarks" / "results" / f"dedup-{version('genbank-assets')}.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text(text)


if __name__ == "__main__":
    main()
