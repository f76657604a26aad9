"""One Parquet table as it is written: its options, its digest, and a thread of its own that encodes.

The scanner goes on while batches are encoded and compressed here; both leave Python alone while they work. What the
tables of a file are, and when they get their names, belongs to ``writer``.
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
# pyarrow writes many small pieces; gathered, they are a few calls into Python instead of thousands.
_GATHERED_BYTES = 1024 * 1024
# Levels and values are encoded this many at a time; pyarrow's own 1,024 costs a tenth of the encoding.
_WRITE_BATCH_ROWS = 64 * 1024
# Statistics make lookups quick where a column is looked up; on long text they would only be dead weight.
_STATISTICS = [
    "accession",
    "accession_version",
    "version",
    "record_ordinal",
    "record_offset",
    "taxon_id",
    "update_date",
]
# Columns of few values. Below lists a dictionary takes an eighth of the encoding's time, and zstd finds what repeats as
# well: the files are as small without.
_DICTIONARY = [
    "collection", "section", "division", "molecule_type", "strandedness", "topology", "length_unit", "release",
    "source_file", "organism", "source", "update_date",
]  # fmt: skip


class _Encoder(Protocol):
    def write_batch(self, batch: pa.RecordBatch) -> None: ...

    def close(self) -> None: ...


class TableFile:
    """A record or sequence table at ``path``: a batch becomes a row group, so that row groups are bounded in bytes.

    One batch is encoded while the next is filled; :meth:`write` waits for the one before, so memory stays bounded.
    Size and digest are known, and the file is readable, when the context has ended well.
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
                self._encoder.close()  # pyarrow's writer wants its end, also where nobody will read the file

    def write(self, batch: pa.RecordBatch) -> None:
        """Hand a batch to the encoder; an error of an earlier batch is raised here."""
        if self._encoding:
            self._encoding.result()
        encode = self._encoder.write_batch
        if isinstance(self._encoder, SequenceFileWriter):
            encode = functools.partial(self._encoder.write_batch, last_key=self._encoder.last_key)
        self._encoding = self._thread.submit(encode, batch)

    def write_keys(self, records: pa.RecordBatch) -> None:
        """Of a sequence table that takes chunks: the records whose chunks come or came (``sequence_file``)."""
        if isinstance(self._encoder, SequenceFileWriter):
            self._encoder.write_keys(records)

    @property
    def without_keys(self) -> set[int]:
        """Of a sequence table: ordinals of chunks whose record did not come."""
        return self._encoder.without_keys if isinstance(self._encoder, SequenceFileWriter) else set()

    @property
    def bytes(self) -> int:
        """Bytes written."""
        return self._sink.size

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes written, in hex."""
        return self._sink.digest.hexdigest()


def _encoder(sink: BinaryIO, schema: pa.Schema) -> _Encoder:
    return SequenceFileWriter(sink) if schema == SEQUENCE_SCHEMA else _RecordFileWriter(sink, schema)


class _RecordFileWriter:
    """pyarrow's writer with this project's options."""

    def __init__(self, sink: BinaryIO, schema: pa.Schema) -> None:
        self._gathered = pa.BufferedOutputStream(pa.PythonFile(sink, mode="w"), _GATHERED_BYTES)
        self._writer = pq.ParquetWriter(
            self._gathered,
            schema,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            data_page_version="2.0",  # a record's values are one page a column, and version 1 copies it once more
            write_batch_size=_WRITE_BATCH_ROWS,
            use_dictionary=[column for column in _DICTIONARY if column in schema.names],
            # Version 2 would pack them, which some readers (polars before 1.0) cannot read below lists.
            column_encoding=dict.fromkeys(_booleans(schema), "PLAIN"),
            write_statistics=[column for column in _STATISTICS if column in schema.names],
            memory_pool=pa.system_memory_pool(),  # as the package's; matters where pyarrow was imported before it
        )

    def write_batch(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        try:
            self._writer.close()
        finally:
            # Closed, not detached: a writer that failed writes its end when it goes, and would do so into nowhere.
            self._gathered.close()


@functools.cache
def _booleans(schema: pa.Schema) -> tuple[str, ...]:
    """Yield the paths of boolean columns, also of those within lists and structures."""

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

    Once it is given up, or a write has failed, what is written is dropped: pyarrow's buffers want to get rid of their
    rest even then, and would complain on standard error that they cannot.
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
