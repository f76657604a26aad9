"""Writer of the sequence table: Parquet with plain pages, compressed with zstd parameters suited to residues.

pyarrow writes all other tables, but it only sets zstd's level. No level suits this column, which accounts for half of
all bytes: in text of four letters zstd finds many short matches, which cost more than the letters they replace. Here
pages use two bits per letter, unless the residues are repetitive or not nucleotides (docs/decisions/0013 has figures).
A record's digest is known only at its end, after its first chunks were written: therefore the numbers and residues of a
row group are written at once, and its other columns when its last record has ended. Only the features of the format
that SEQUENCE_SCHEMA needs are implemented: required columns, one page per column chunk, and statistics for lookup
columns. Any Parquet library can read the files.
"""

from __future__ import annotations

import collections
import dataclasses
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import zstandard

from genbank_assets.schema.tables import CHUNK_SCHEMA, SEQUENCE_SCHEMA
from genbank_assets.tables.delta import delta_lengths
from genbank_assets.tables.record_keys import WHOSE, Ordinals, RecordKeys
from genbank_assets.tables.thrift import Value, binary, i32, i64, list_of, struct
from genbank_assets.tables.twobit import two_bit_frame

CREATED_BY = b"genbank-assets"
PROBE_BYTES = 256 * 1024
PROBE_EVERY = 4  # pages

# https://github.com/apache/parquet-format: Type, ConvertedType, Encoding, CompressionCodec
_INT32, _INT64, _BYTE_ARRAY, _FIXED = 1, 2, 6, 7
_UTF8 = 0
_PLAIN, _RLE, _DELTA_LENGTH = 0, 3, 6
_UNCOMPRESSED, _ZSTD = 0, 6

_REPEATS = zstandard.ZstdCompressionParameters(compression_level=1)
#: zstd parameters for other residues without repeats: the smallest hash table and the longest minimum match, which find
#: only runs and leave the rest to Huffman coding.
LETTERS = zstandard.ZstdCompressionParameters(
    compression_level=1,
    strategy=zstandard.STRATEGY_FAST,
    hash_log=6,
    chain_log=6,
    search_log=1,
    min_match=7,
    window_log=20,
)


@dataclasses.dataclass(frozen=True)
class _Column:
    name: bytes
    type: int
    encoding: int
    codec: int = _ZSTD
    width: int = 0

    def element(self) -> Value:
        """Return the SchemaElement of a required column; text has both the old and the new UTF8 annotation."""
        text = {6: i32(_UTF8), 10: struct({1: struct({})})} if self.type == _BYTE_ARRAY else {}
        width = {2: i32(self.width)} if self.width else {}
        return struct({1: i32(self.type), **width, 3: i32(0), 4: binary(self.name), **text})


_COLUMNS = (
    _Column(b"record_ordinal", _INT64, _PLAIN),
    _Column(b"chunk_ordinal", _INT32, _PLAIN),
    _Column(b"accession_version", _BYTE_ARRAY, _DELTA_LENGTH),
    _Column(b"sequence_sha256", _FIXED, _PLAIN, codec=_UNCOMPRESSED, width=32),
    _Column(b"collection", _BYTE_ARRAY, _DELTA_LENGTH),
    _Column(b"section", _BYTE_ARRAY, _DELTA_LENGTH),
    _Column(b"release", _BYTE_ARRAY, _DELTA_LENGTH),
    _Column(b"residues", _BYTE_ARRAY, _DELTA_LENGTH),
)
_ORDINAL, _CHUNK, _ACCESSION, _DIGEST, _COLLECTION, _SECTION, _RELEASE, _RESIDUES = range(len(_COLUMNS))


@dataclasses.dataclass(frozen=True)
class _Group:
    """A row group whose numbers and residues have been written and whose keys are still missing.

    Column chunks are stored with their uncompressed and compressed sizes.
    """

    ordinals: Ordinals
    begin: int
    numbers: tuple[tuple[Value, int, int], ...]
    residues: tuple[Value, int, int]


class SequenceFileWriter:
    """Writes batches of chunks to a binary file, one row group per batch.

    The file is valid Parquet only after :meth:`close` has written its footer.

    Attributes:
        without_keys: ordinals of records with chunks but without keys; their rows have an empty accession and a digest
            of zeros.
    """

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._position = 0
        self._rows = 0
        self._groups: list[Value] = []
        self._waiting: collections.deque[_Group] = collections.deque()
        self._keys = RecordKeys()
        self._begun = 0
        self._repeats = False
        self.without_keys: set[int] = set()
        self._write(b"PAR1")

    @property
    def last_key(self) -> int:
        """The ordinal up to which keys were added; -1 initially."""
        return self._keys.last

    def write_batch(self, batch: pa.RecordBatch, *, last_key: int | None = None) -> None:
        """Append a row group.

        Args:
            batch: chunks with CHUNK_SCHEMA, whose keys are added by :meth:`write_keys`, or complete rows with
                SEQUENCE_SCHEMA.
            last_key: value of :attr:`last_key` when the batch was handed over. Groups that need later keys keep waiting
                even if these have arrived meanwhile, so that the file does not depend on thread timing.

        Raises:
            ValueError: the batch has neither schema, or contains nulls.
        """
        whole = batch.schema == SEQUENCE_SCHEMA
        if not (whole or batch.schema == CHUNK_SCHEMA) or any(column.null_count for column in batch.columns):
            raise ValueError("not a batch of sequence chunks")
        if batch.num_rows == 0:
            return
        begin = self._position
        residues = batch["residues"]
        lengths, text = delta_lengths(residues)
        if self._begun % PROBE_EVERY == 0:
            self._repeats = _repeats(text)
        self._begun += 1
        ordinals: Ordinals = batch["record_ordinal"].to_numpy().copy()
        chunks = batch["chunk_ordinal"].to_numpy()
        # Spark locates a row group by its first column, and skips one that would extend beyond the end of the file.
        numbers = (
            self._column_chunk(_ORDINAL, memoryview(ordinals.tobytes()), batch.num_rows, bounds=_bounds(ordinals)),
            self._column_chunk(_CHUNK, memoryview(chunks.tobytes()), batch.num_rows, bounds=_bounds(chunks)),
        )
        group = _Group(
            ordinals=ordinals,
            begin=begin,
            numbers=numbers,
            residues=self._column_chunk(_RESIDUES, text, batch.num_rows, lengths=lengths, packed=True),
        )
        if whole:
            whose = tuple(batch[name] for name in WHOSE)
            self._write_rest(group, batch["accession_version"], batch["sequence_sha256"], whose)
        else:
            self._waiting.append(group)
            self._write_waiting(self._keys.last if last_key is None else last_key)

    def write_keys(self, records: pa.RecordBatch) -> None:
        """Add names and digests from rows of the record table; may be called from another thread.

        Rows must be ordered by ordinal, without gaps except for quarantined records. Keeps no reference to the batch.
        """
        self._keys.add(records)

    def _write_waiting(self, last_key: int | None) -> None:
        """Finish the row groups of records up to ``last_key``; None finishes all."""
        while self._waiting and (last_key is None or self._waiting[0].ordinals[-1] <= last_key):
            group = self._waiting.popleft()
            accessions, digests, without = self._keys.of(group.ordinals)
            self.without_keys |= without
            whose = tuple(pa.repeat(name, len(group.ordinals)) for name in self._keys.whose)
            self._write_rest(group, accessions, digests, whose, same=True)
            self._keys.forget_before(int(group.ordinals[-1]))  # this record may have further chunks

    def _write_rest(
        self,
        group: _Group,
        accessions: pa.Array,
        digests: pa.Array,
        whose: tuple[pa.Array, ...],
        *,
        same: bool = False,
    ) -> None:
        rows = len(group.ordinals)
        digest_bytes = memoryview(digests.buffers()[1])[digests.offset * 32 :][: rows * 32]
        names = zip(range(_COLLECTION, _RESIDUES), whose, strict=True)
        chunks = [
            *group.numbers,
            self._text_chunk(_ACCESSION, accessions),
            self._column_chunk(_DIGEST, digest_bytes, rows),
            *(self._text_chunk(number, column, same=same) for number, column in names),
            group.residues,
        ]
        self._groups.append(
            struct(
                {
                    1: list_of(12, [chunk for chunk, _, _ in chunks]),
                    2: i64(sum(size for _, size, _ in chunks)),
                    3: i64(rows),
                    5: i64(group.begin),
                    6: i64(sum(size for _, _, size in chunks)),
                }
            )
        )
        self._rows += rows

    def close(self) -> None:
        """Write remaining row groups and the footer; the sink stays open."""
        self._write_waiting(None)
        root = struct({4: binary(b"schema"), 5: i32(len(_COLUMNS))})
        footer = struct(
            {
                1: i32(2),
                2: list_of(12, [root, *(column.element() for column in _COLUMNS)]),
                3: i64(self._rows),
                4: list_of(12, self._groups),
                6: binary(CREATED_BY),
                7: list_of(12, [struct({1: struct({})})] * len(_COLUMNS)),  # type-defined sort order
            }
        )[1]
        self._write(footer + len(footer).to_bytes(4, "little") + b"PAR1")

    def _write(self, data: bytes | memoryview) -> None:
        self._sink.write(data)
        self._position += len(data)

    def _text_chunk(self, number: int, values: pa.Array, *, same: bool = False) -> tuple[Value, int, int]:
        """Write a column of text with its minimum and maximum; ``same`` if all values are equal."""
        lengths, text = delta_lengths(values)
        ends = (values[0], values[0]) if same else pc.min_max(values).values()
        bounds = tuple(value.as_py().encode() for value in ends)
        return self._column_chunk(number, text, len(values), lengths=lengths, bounds=bounds)

    def _column_chunk(
        self,
        number: int,
        values: memoryview,
        rows: int,
        *,
        lengths: bytes = b"",
        bounds: tuple[bytes, ...] = (),
        packed: bool = False,
    ) -> tuple[Value, int, int]:
        """Write a chunk of one page; return its ColumnChunk, uncompressed and compressed size."""
        column, at = _COLUMNS[number], self._position
        page: bytes | memoryview | None = values if column.codec == _UNCOMPRESSED else None
        if packed and not self._repeats:
            page = two_bit_frame(values, head=lengths)
        if page is None:
            text = packed and not self._repeats
            page = _compress(b"".join((lengths, values)), LETTERS if text else _REPEATS)
        page_bytes = len(lengths) + len(values)
        data_page = struct({1: i32(rows), 2: i32(column.encoding), 3: i32(_RLE), 4: i32(_RLE)})
        header = struct({1: i32(0), 2: i32(page_bytes), 3: i32(len(page)), 5: data_page})[1]
        self._write(header)
        self._write(page)
        fields = {
            1: i32(column.type),
            2: list_of(5, [i32(column.encoding), i32(_RLE)]),
            3: list_of(8, [binary(column.name)]),
            4: i32(column.codec),
            5: i64(rows),
            6: i64(len(header) + page_bytes),
            7: i64(self._position - at),
            9: i64(at),
        }
        if bounds:
            fields[12] = struct({3: i64(0), 5: binary(bounds[1]), 6: binary(bounds[0])})
        return struct({2: i64(at), 3: struct(fields)}), len(header) + page_bytes, self._position - at


def _repeats(text: memoryview) -> bool:
    """Return whether a sample from the middle of a page is repetitive, so that matching beats entropy coding."""
    middle = max(0, len(text) - PROBE_BYTES) // 2
    probe = text[middle : middle + PROBE_BYTES]
    return len(_compress(probe, _REPEATS)) < len(two_bit_frame(probe) or _compress(probe, LETTERS))


def _compress(page: bytes | memoryview, parameters: zstandard.ZstdCompressionParameters) -> bytes:
    return zstandard.ZstdCompressor(compression_params=parameters).compress(page)


def _bounds(values: np.ndarray[Any, Any]) -> tuple[bytes, ...]:
    return values.min().tobytes(), values.max().tobytes()
