"""Writes one Parquet table in a background thread, with this project's options, and computes its digest.

The scanner continues while batches are encoded and compressed; both release the GIL. Which tables a file has, and when
they get their final names, belongs to ``writer``.
"""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

import pyarrow as pa
import pyarrow.parquet as pq

from genbank_assets.schema.tables import SEQUENCE_SCHEMA
from genbank_assets.tables.sequence_file import SequenceFileWriter

ZSTD_LEVEL = 1
# pyarrow writes many small pieces; buffering them saves thousands of calls into Python.
_GATHERED_BYTES = 1024 * 1024
# Batch size for encoding levels and values; pyarrow's default of 1,024 makes encoding 10 % slower.
_WRITE_BATCH_ROWS = 64 * 1024
# Statistics only for columns used in lookups; on long text they would waste space.
_STATISTICS = [
    "accession",
    "accession_version",
    "version",
    "record_ordinal",
    "record_offset",
    "taxon_id",
    "update_date",
]
# Columns with few distinct values. Within lists, dictionaries take an eighth of the encoding time without making the
# files smaller, because zstd also finds repetitions.
_DICTIONARY = [
    "collection", "section", "division", "molecule_type", "strandedness", "topology", "length_unit", "release",
    "source_file", "organism", "source", "update_date",
]  # fmt: skip


class _Encoder(Protocol):
    def write_batch(self, batch: pa.RecordBatch) -> None: ...

    def close(self) -> None: ...


class TableFile:
    """A record or sequence table at ``path``; each batch becomes a row group, so row groups are bounded in bytes.

    One batch is encoded while the next is filled, and :meth:`write` waits for the previous one, so memory is bounded.
    Size and digest are available, and the file readable, once the context has exited without an error.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._sink = _DigestingFile(path)
        self._encoder = _encoder(self._sink, schema)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="parquet")
        self._encoding: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=kind is not None)
        with self._sink:
            try:
                if kind is None and self._encoding:
                    self._encoding.result()
            except BaseException:
                self._sink.given_up = True
                raise
            finally:
                self._sink.given_up |= kind is not None
                self._encoder.close()  # pyarrow's writer must be closed even if the file is discarded

    def write(self, batch: pa.RecordBatch) -> None:
        """Pass a batch to the encoder; raises the error of an earlier batch, if any."""
        if self._encoding:
            self._encoding.result()
        encode = self._encoder.write_batch
        if isinstance(self._encoder, SequenceFileWriter):
            encode = functools.partial(self._encoder.write_batch, last_key=self._encoder.last_key)
        self._encoding = self._thread.submit(encode, batch)

    def write_keys(self, records: pa.RecordBatch) -> None:
        """Add the records of a sequence table's chunks, see ``sequence_file``."""
        if isinstance(self._encoder, SequenceFileWriter):
            self._encoder.write_keys(records)

    @property
    def without_keys(self) -> set[int]:
        """Ordinals of a sequence table's chunks without a record."""
        return self._encoder.without_keys if isinstance(self._encoder, SequenceFileWriter) else set()

    @property
    def bytes(self) -> int:
        """Size in bytes."""
        return self._sink.size

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the file."""
        return self._sink.digest.hexdigest()


def _encoder(sink: BinaryIO, schema: pa.Schema) -> _Encoder:
    return SequenceFileWriter(sink) if schema == SEQUENCE_SCHEMA else _RecordFileWriter(sink, schema)


class _RecordFileWriter:
    """pyarrow's Parquet writer with this project's options."""

    def __init__(self, sink: BinaryIO, schema: pa.Schema) -> None:
        self._gathered = pa.BufferedOutputStream(pa.PythonFile(sink, mode="w"), _GATHERED_BYTES)
        self._writer = pq.ParquetWriter(
            self._gathered,
            schema,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            data_page_version="2.0",  # avoids a copy of each page
            write_batch_size=_WRITE_BATCH_ROWS,
            use_dictionary=[column for column in _DICTIONARY if column in schema.names],
            # Format version 2 would bit-pack booleans, which some readers (polars before 1.0) cannot read within lists.
            column_encoding=dict.fromkeys(_booleans(schema), "PLAIN"),
            write_statistics=[column for column in _STATISTICS if column in schema.names],
            memory_pool=pa.system_memory_pool(),  # the package's default, even if pyarrow was imported first
        )

    def write_batch(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        try:
            self._writer.close()
        finally:
            # Closed rather than detached: a failed writer still writes its footer when it is destroyed.
            self._gathered.close()


@functools.cache
def _booleans(schema: pa.Schema) -> tuple[str, ...]:
    """Yield the paths of boolean columns, including those nested in lists and structs."""

    def below(path: str, type_: pa.DataType) -> Iterator[str]:
        if pa.types.is_boolean(type_):
            yield path
        elif pa.types.is_list(type_):
            yield from below(f"{path}.list.element", type_.value_type)
        elif pa.types.is_struct(type_):
            for field in type_:
                yield from below(f"{path}.{field.name}", field.type)

    return tuple(path for field in schema for path in below(field.name, field.type))


class _DigestingFile(io.FileIO):
    """A file that hashes what is written to it, so that it need not be read again.

    After an abort or a failed write, further writes are discarded: pyarrow flushes its buffers even then, and would
    otherwise print errors.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "wb")
        self.digest = hashlib.sha256()
        self.size = 0
        self.given_up = False

    def write(self, data: Any) -> int:
        view = memoryview(data)
        if self.given_up:
            return len(view)
        self.digest.update(view)
        written = 0
        try:
            while written < len(view):
                written += super().write(view[written:]) or 0
        except BaseException:
            self.given_up = True
            raise
        self.size += len(view)
        return len(view)
