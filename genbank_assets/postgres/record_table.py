"""One record table, open for loading: the columns of all its records, or of those that are wanted.

Row groups are read and filtered ahead by threads while the caller sends what it has; memory is bounded by
:data:`READ_AHEAD_BYTES` and the largest row groups. What becomes of the columns belongs to ``staging``.
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

READ_AHEAD_BYTES = 32 * 1024 * 1024  # of rows that are read while others are sent, uncompressed
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
        """Return the record_id of each of these ordinals, or 0."""
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

    def batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """These columns, one batch or more for each row group, in order."""
        jobs = [
            (self._file.metadata.row_group(group).total_byte_size, partial(self._read, group, columns))
            for group in range(self._file.num_row_groups)
        ]
        for batches in _ReadAhead(self._threads, jobs):
            yield from batches

    def wanted(self, columns: Sequence[list[str]], wanted: Wanted) -> list[Iterator[tuple[pa.RecordBatch, pa.Array]]]:
        """For each of these sets of columns, the wanted records' columns and their record_ids, some MiB at a time.

        Row groups without any are not read. Reading begins at once and goes on from set to set, so the iterators are to
        be used up in their order, before the table is closed; what goes wrong in reading is raised by them.
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
    """Results of jobs in their order; they run as far ahead as :data:`READ_AHEAD_BYTES` of results go.

    A job counts as its row group until it is done, and as what it found from then on: a few records may be most of a
    row group, or next to nothing of it.
    """

    def __init__(
        self, threads: ThreadPoolExecutor, jobs: Iterable[tuple[int, Callable[[], list[pa.RecordBatch]]]]
    ) -> None:
        self._threads = threads
        self._jobs = collections.deque(jobs)
        self._running: collections.deque[_Job] = collections.deque()
        self._ahead_bytes = 0
        self._lock = threading.RLock()  # a job that is done at once starts the next one within
        self._start()

    def _start(self) -> None:
        with self._lock:
            while self._jobs and (not self._running or self._ahead_bytes + self._jobs[0][0] <= READ_AHEAD_BYTES):
                size, job = self._jobs.popleft()
                try:
                    future = self._threads.submit(job)
                except RuntimeError:  # the table is being closed, and nobody waits for this any more
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
