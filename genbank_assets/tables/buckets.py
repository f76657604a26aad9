"""External sorting: rows are distributed to bucket files by key range, and each bucket is sorted in memory.

Each bucket covers one range of keys, so the sorted buckets in order form a sorted whole. Digests are uniformly
distributed and split by their first bytes; accessions are not, so their ranges come from a sample. The meaning of the
rows belongs to ``dedup``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

# Grouping and sorting a bucket of this size takes about 0.4 GB (benchmarks/dedup.py).
ROWS_PER_BUCKET = 250_000
ROW_GROUP_ROWS = 100_000
MAX_BUCKETS = 800  # each is an open file; the usual limit per process is 1,024
_WRITE_BYTES = 64 * 1024  # buffered for each bucket


def bucket_count(rows: int) -> int:
    """Return the number of buckets of about :data:`ROWS_PER_BUCKET` rows each; at most :data:`MAX_BUCKETS`."""
    return min(MAX_BUCKETS, max(1, -(-rows // ROWS_PER_BUCKET)))


class Buckets:
    """Arrow IPC files in a scratch folder, one per bucket, appended to batch by batch.

    Rows of a bucket keep the order in which they were added.
    """

    def __init__(self, folder: Path, *, count: int) -> None:
        self.count = count
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}
        self._open = contextlib.ExitStack()

    def add(self, frame: pl.DataFrame, bucket: pl.Series) -> None:
        """Append each row to the bucket with the given number."""
        if frame.is_empty():
            return
        # Slices of one batch, because a frame per bucket took twice as long as everything else with 400 buckets.
        numbered = frame.with_columns(bucket.cast(pl.UInt32).alias("_bucket")).sort("_bucket", maintain_order=True)
        numbers, counts = np.unique(numbered["_bucket"].to_numpy(), return_counts=True)
        (batch,) = numbered.drop("_bucket").to_arrow().combine_chunks().to_batches()
        begin = 0
        for index, rows in zip(numbers.tolist(), counts.tolist(), strict=True):
            if index not in self._writers:
                stream = pa.output_stream(self._folder / f"{index}.arrows", buffer_size=_WRITE_BYTES)
                self._writers[index] = pa.ipc.new_stream(self._open.enter_context(stream), batch.schema)
            self._writers[index].write_batch(batch.slice(begin, rows))
            begin += rows

    def close(self) -> None:
        """Close the bucket files; no more rows can be added."""
        for writer in self._writers.values():
            writer.close()
        self._open.close()

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the non-empty buckets in order, one at a time."""
        for number in range(self.count):
            if (frame := self.frame(number)) is not None:
                yield frame

    def frame(self, number: int) -> pl.DataFrame | None:
        """Return the rows of one bucket and delete its file; None if it is empty."""
        path = self._folder / f"{number}.arrows"
        if not path.exists():
            return None
        frame = read_stream(path)
        path.unlink()
        return frame


def read_stream(path: Path) -> pl.DataFrame:
    """Read the rows of a bucket file."""
    with path.open("rb") as file, pa.ipc.open_stream(file) as reader:
        frame = pl.from_arrow(reader.read_all())
    assert isinstance(frame, pl.DataFrame)
    return frame


def digest_bucket(digests: pl.Series, *, count: int) -> pl.Series:
    """Return bucket numbers derived from the first four bytes of each digest, preserving their order."""
    first = digests.bin.slice(0, 4).bin.reinterpret(dtype=pl.UInt32, endianness="big")
    return (first.cast(pl.UInt64) * count // 2**32).cast(pl.UInt32)


def range_bucket(keys: pl.Series, *, splits: list[str]) -> pl.Series:
    """Return bucket numbers by split points: bucket i holds the keys in [splits[i-1], splits[i])."""
    if not splits:
        return pl.Series([0], dtype=pl.UInt32).new_from_index(0, len(keys))
    return pl.Series(splits).search_sorted(keys, side="right").cast(pl.UInt32)


def split_points(sample: pl.Series, *, count: int) -> list[str]:
    """Return ``count - 1`` keys that divide a sample of keys evenly; fewer if keys repeat."""
    if count <= 1 or sample.is_empty():
        return []
    ordered = sample.sort()
    points = [str(ordered[len(ordered) * number // count]) for number in range(1, count)]
    return sorted(set(points))


def sorted_writer(path: Path, schema: pa.Schema, *, sorted_by: list[str]) -> pq.ParquetWriter:
    """Open a Parquet writer for sorted rows, with statistics that let lookups read one row group."""
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        sorting_columns=[pq.SortingColumn(schema.get_field_index(name)) for name in sorted_by],
        write_page_index=True,
    )


def write_sorted(writer: pq.ParquetWriter, frame: pl.DataFrame, schema: pa.Schema) -> None:
    """Append rows that continue the sort order, in small row groups suited to lookups."""
    table = frame.select(schema.names).to_arrow().cast(schema)
    writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
