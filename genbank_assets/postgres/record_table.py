"""Reads a record table for loading: columns of all records, or of selected ones.

Threads read and filter row groups ahead while the caller sends; memory is bounded by :data:`READ_AHEAD_BYTES` and the
size of the largest row groups. Converting columns belongs to ``staging``.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

READ_AHEAD_BYTES = 32 * 1024 * 1024  # uncompressed rows read while others are being sent
GATHERED_BYTES = 8 * 1024 * 1024  # selected records combined into one batch, if each row group has only few
_READERS = 2  # threads; a single nested column is decoded by one thread


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The records of a file to send, and their ``record_id``.

    Attributes:
        ids: record_id by record ordinal; 0 for records not to be sent.
    """

    ids: np.ndarray[Any, Any]

    @classmethod
    def from_pairs(cls, pairs: bytes | None, *, ordinals: int) -> Wanted:
        """Decode the result of ``genbank.plan_file``: 8-byte pairs of ordinal and record_id; None selects nothing."""
        ids = np.zeros(ordinals, np.int64)
        if pairs:
            both = np.frombuffer(pairs, ">i8").reshape(-1, 2)
            ids[both[:, 0]] = both[:, 1]
        return cls(ids)

    def __len__(self) -> int:
        return int(np.count_nonzero(self.ids))

    def among(self, ordinals: pa.Array) -> np.ndarray[Any, Any]:
        """Return the record_id of each ordinal, or 0."""
        found: np.ndarray[Any, Any] = self.ids[ordinals.to_numpy()]
        return found


class RecordTable:
    """The record table of one file."""

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path, pre_buffer=True)
        # One reader per thread: readers are not thread-safe.
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

    def batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Yield these columns of all records in order, in one or more batches per row group."""
        jobs = [
            (self._file.metadata.row_group(group).total_byte_size, partial(self._read, group, columns))
            for group in range(self._file.num_row_groups)
        ]
        for batches in _ReadAhead(self._threads, jobs):
            yield from batches

    def wanted(self, columns: Sequence[list[str]], wanted: Wanted) -> list[Iterator[tuple[pa.RecordBatch, pa.Array]]]:
        """Return an iterator per set of columns over the selected records' columns and record_ids.

        Row groups without selected records are skipped. Reading starts at once and continues from set to set, so the
        iterators must be consumed in order, before the table is closed; they raise any read errors.
        """
        groups = [group for group, ordinals in enumerate(self._ordinals) if wanted.among(ordinals).any()]
        jobs = [
            (self._file.metadata.row_group(group).total_byte_size, partial(self._read_wanted, group, names, wanted))
            for names in columns
            for group in groups
        ]
        results = _ReadAhead(self._threads, jobs)
        return [_batches(itertools.islice(results, len(groups)), wanted) for _ in columns]

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

    def _read_wanted(self, group: int, columns: list[str], wanted: Wanted) -> list[pa.RecordBatch]:
        found = []
        for batch in self._read(group, list(dict.fromkeys([*columns, "record_ordinal"]))):
            ids = wanted.among(batch["record_ordinal"])
            found.append(batch if ids.all() else batch.filter(pa.array(ids != 0)))
        return found


class _ReadAhead(Iterator[list[pa.RecordBatch]]):
    """Runs jobs ahead of time and returns their results in order, limited to :data:`READ_AHEAD_BYTES` of results.

    A running job counts as its row group, a finished one as its actual result, which may be anything from a few records
    to most of the row group.
    """

    def __init__(
        self, threads: ThreadPoolExecutor, jobs: Iterable[tuple[int, Callable[[], list[pa.RecordBatch]]]]
    ) -> None:
        self._threads = threads
        self._jobs = collections.deque(jobs)
        self._running: collections.deque[_Job] = collections.deque()
        self._ahead_bytes = 0
        self._lock = threading.RLock()  # a job that finishes immediately starts the next one recursively
        self._start()

    def _start(self) -> None:
        with self._lock:
            while self._jobs and (not self._running or self._ahead_bytes + self._jobs[0][0] <= READ_AHEAD_BYTES):
                size, job = self._jobs.popleft()
                try:
                    future = self._threads.submit(job)
                except RuntimeError:  # the table is being closed, and the result is not needed
                    self._jobs.clear()
                    return
                running = _Job(size, future)
                self._running.append(running)
                self._ahead_bytes += size
                future.add_done_callback(partial(self._done, running))

    def _done(self, job: _Job, future: Future[list[pa.RecordBatch]]) -> None:
        if future.cancelled() or future.exception() is not None:
            return
        size = sum(batch.nbytes for batch in future.result())
        with self._lock:
            if not job.taken:
                self._ahead_bytes += size - job.bytes
                job.bytes = size
        self._start()

    def __next__(self) -> list[pa.RecordBatch]:
        if not self._running:
            raise StopIteration
        job = self._running.popleft()
        found = job.future.result()
        with self._lock:
            job.taken = True
            self._ahead_bytes -= job.bytes
        self._start()
        return found


@dataclasses.dataclass
class _Job:
    bytes: int
    future: Future[list[pa.RecordBatch]]
    taken: bool = False


def _batches(results: Iterator[list[pa.RecordBatch]], wanted: Wanted) -> Iterator[tuple[pa.RecordBatch, pa.Array]]:
    gathered: list[pa.RecordBatch] = []
    gathered_bytes = 0
    for batch in itertools.chain.from_iterable(results):
        gathered.append(batch)
        gathered_bytes += batch.nbytes
        if gathered_bytes >= GATHERED_BYTES:
            yield _concatenated(gathered, wanted)
            gathered, gathered_bytes = [], 0
    if gathered:
        yield _concatenated(gathered, wanted)


def _concatenated(batches: list[pa.RecordBatch], wanted: Wanted) -> tuple[pa.RecordBatch, pa.Array]:
    batch = batches[0] if len(batches) == 1 else pa.concat_batches(batches)
    return batch, pa.array(wanted.among(batch["record_ordinal"]))
