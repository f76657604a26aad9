"""One record table, open for loading: the columns of all its records, or of those that are wanted.

Row groups are read ahead by threads while the caller sends what it has; memory is bounded by :data:`READ_AHEAD_BYTES`
and the largest row group. What becomes of the columns belongs to ``staging``.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

READ_AHEAD_BYTES = 32 * 1024 * 1024  # of row groups that are read while another is sent, uncompressed
GATHERED_BYTES = 8 * 1024 * 1024  # of wanted records that are sent together when few of a row group are
_READERS = 2  # threads: a nested column is decoded by one alone


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Which records of a file are to be sent, and the ``record_id`` of each.

    Attributes:
        ids: record_id by record ordinal; 0 for a record that is not wanted.
    """

    ids: np.ndarray[Any, Any]

    @classmethod
    def from_pairs(cls, pairs: bytes | None, *, ordinals: int) -> Wanted:
        """From what ``genbank.plan_file`` answers: ordinal and record_id, 8 bytes each; None wants nothing."""
        ids = np.zeros(ordinals, np.int64)
        if pairs:
            both = np.frombuffer(pairs, ">i8").reshape(-1, 2)
            ids[both[:, 0]] = both[:, 1]
        return cls(ids)

    def __len__(self) -> int:
        return int(np.count_nonzero(self.ids))

    def among(self, ordinals: pa.Array) -> np.ndarray[Any, Any]:
        """The record_id of each of these ordinals, or 0."""
        found: np.ndarray[Any, Any] = self.ids[ordinals.to_numpy()]
        return found


class RecordTable:
    """A ``records.parquet`` of one file."""

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path, pre_buffer=True)
        # A reader for each thread: one is not for several of them.
        self._readers: SimpleQueue[pq.ParquetFile] = SimpleQueue()
        for _ in range(_READERS):
            self._readers.put(pq.ParquetFile(path, pre_buffer=True, metadata=self._file.metadata))
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="parquet")

    def __enter__(self) -> RecordTable:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._file.close()
        while not self._readers.empty():
            self._readers.get().close()

    def batches(self, columns: list[str], *, groups: Iterable[int] | None = None) -> Iterator[pa.RecordBatch]:
        """These columns, one batch or more for each row group, in order; of all row groups or of some."""
        waiting: collections.deque[tuple[int, Future[list[pa.RecordBatch]]]] = collections.deque()
        ahead = 0
        for group in range(self._file.num_row_groups) if groups is None else groups:
            size = self._file.metadata.row_group(group).total_byte_size
            while waiting and ahead + size > READ_AHEAD_BYTES:
                ahead -= waiting[0][0]
                yield from waiting.popleft()[1].result()
            waiting.append((size, self._threads.submit(self._read, group, columns)))
            ahead += size
        while waiting:
            yield from waiting.popleft()[1].result()

    def wanted(self, columns: list[str], wanted: Wanted) -> Iterator[tuple[pa.RecordBatch, pa.Array]]:
        """The wanted records' columns and their record_ids; row groups without any are not read."""
        columns = list(dict.fromkeys([*columns, "record_ordinal"]))
        groups = [number for number, ordinals in enumerate(self._ordinals) if wanted.among(ordinals).any()]
        gathered: list[pa.RecordBatch] = []
        gathered_bytes = 0
        for batch in self.batches(columns, groups=groups):
            ids = wanted.among(batch["record_ordinal"])
            gathered.append(batch if ids.all() else batch.filter(pa.array(ids != 0)))
            gathered_bytes += gathered[-1].nbytes
            if gathered_bytes >= GATHERED_BYTES:
                yield _together(gathered, wanted)
                gathered, gathered_bytes = [], 0
        if gathered:
            yield _together(gathered, wanted)

    @cached_property
    def _ordinals(self) -> list[pa.ChunkedArray]:
        column = ["record_ordinal"]
        return [self._file.read_row_group(n, columns=column)[0] for n in range(self._file.num_row_groups)]

    def _read(self, group: int, columns: list[str]) -> list[pa.RecordBatch]:
        file = self._readers.get()
        try:
            table = file.read_row_group(group, columns=columns, use_threads=False).combine_chunks()
        finally:
            self._readers.put(file)
        return [batch for batch in table.to_batches() if batch.num_rows]


def _together(batches: list[pa.RecordBatch], wanted: Wanted) -> tuple[pa.RecordBatch, pa.Array]:
    batch = batches[0] if len(batches) == 1 else pa.concat_batches(batches)
    return batch, pa.array(wanted.among(batch["record_ordinal"]))
