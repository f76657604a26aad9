"""Compares two ways of sending Arrow data by COPY: pgpq with psycopg, as the load does, and ADBC's PostgreSQL driver.

Both send the same batches, the features and records of one table, to empty unlogged tables without indexes, to measure
the client rather than the server. jsonb columns are text here, as ADBC cannot write jsonb. Both alternate; shown are
medians of wall time and client CPU time.

    python benchmarks/copy_ways.py [RECORDS.parquet]     without a table, the bundled sample is multiplied to
    --megabytes
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from grown_sample import grown

from genbank_assets.postgres.connection import Database
from genbank_assets.postgres.record_table import RecordTable, Wanted
from genbank_assets.postgres.staging import Copy, row_copies
from genbank_assets.postgres.versions import ensure_schema
from genbank_assets.postgres_server.server import ensure_server, remove_server
from genbank_assets.tables.writer import parse_file


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("table", type=Path, nargs="?", help="a *.records.parquet")
    parser.add_argument("--megabytes", type=int, default=100, help="of text to grow the sample to, without a table")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    if find_spec("adbc_driver_postgresql") is None:
        print("ADBC is left out: pip install adbc-driver-postgresql")
        return
    with tempfile.TemporaryDirectory(prefix="genbank-assets-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        try:
            url = ensure_server(folder).url("genbank")
            with Database(url, pool_size=1) as database:
                ensure_schema(database)
            compare(url, options.table or sample_table(folder, options.megabytes), repeats=options.repeats)
        finally:
            remove_server(folder)


def sample_table(folder: Path, megabytes: int) -> Path:
    text = folder / "gbxxx1.seq"
    text.write_bytes(grown(megabytes))
    return folder / parse_file(text, out=folder).records_file


def compare(url: str, path: Path, *, repeats: int) -> None:
    rows = pq.read_metadata(path).num_rows
    wanted = Wanted(np.arange(1, rows + 1))
    with RecordTable(path) as table:
        for copy in row_copies(table, wanted, section="bct", code_version="1")[:2]:
            batches = list(copy.batches())
            megabytes = sum(batch.nbytes for batch in batches) / 1e6
            sent = sum(batch.num_rows for batch in batches)
            ways: dict[str, Callable[[], Any]] = {
                "pgpq + psycopg": lambda c=copy, b=batches: by_pgpq(url, c, b),
                "ADBC": lambda c=copy, b=batches: by_adbc(url, c, b),
            }
            taken: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
            for _ in range(repeats):
                for way, send in ways.items():
                    make_plain(url, copy)
                    begun, cpu = time.perf_counter(), time.process_time()
                    send()
                    taken[way].append((time.perf_counter() - begun, time.process_time() - cpu))
                    with psycopg.connect(url) as connection:
                        found = connection.execute("SELECT count(*) FROM plain").fetchone()
                        assert found == (sent,), (way, found, sent)
            print(f"{copy.table}: {sent:,} rows, {megabytes:.0f} MB of Arrow")
            for way, seconds in taken.items():
                wall, client = (statistics.median(column) for column in zip(*seconds, strict=True))
                print(f"  {way:16}{wall:7.3f} s, client CPU {client:.3f} s, {megabytes / wall:,.0f} MB/s")


def make_plain(url: str, copy: Copy) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE IF EXISTS plain")
        columns = ", ".join(copy.columns)
        # Made of our own table and column names.
        connection.execute(f"CREATE UNLOGGED TABLE plain AS SELECT {columns} FROM {copy.table} LIMIT 0")  # type: ignore[arg-type]
        for name in copy.json_columns:
            connection.execute(f"ALTER TABLE plain ALTER {name} TYPE text")  # type: ignore[arg-type]


def by_pgpq(url: str, copy: Copy, batches: list[pa.RecordBatch]) -> None:
    plain = Copy("plain", copy.columns, lambda: iter(batches))
    with psycopg.connect(url) as connection, connection.cursor().copy(plain.statement) as out:  # type: ignore[arg-type]
        for piece in plain.stream():
            out.write(piece)


def by_adbc(url: str, copy: Copy, batches: list[pa.RecordBatch]) -> None:
    from adbc_driver_postgresql import dbapi

    reader = pa.RecordBatchReader.from_batches(batches[0].schema, batches)
    with dbapi.connect(url) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("plain", reader, mode="append")
        connection.commit()


if __name__ == "__main__":
    main()
