"""The Parquet file of residues: plain pages, compressed by zstd with parameters that fit residues.

pyarrow writes every other table. It sets zstd's level and nothing else, and no level fits this column, which is half
of all bytes: among four letters zstd finds short matches everywhere, which cost more than the letters they replace.
Here a page has two bits a letter, unless its residues repeat each other or are no nucleotides (docs/decisions/0013 has
the figures). Only what SEQUENCE_SCHEMA needs of the format is here: required columns, one page a column chunk,
statistics of the ordinals. Reading belongs to any Parquet library.
"""

from __future__ import annotations

import dataclasses
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import zstandard

from genbank_assets.tables.schema import SEQUENCE_SCHEMA
from genbank_assets.tables.twobit import two_bit_frame

CREATED_BY = b"genbank-assets"
PROBE_BYTES = 256 * 1024
PROBE_EVERY = 4  # pages

# https://github.com/apache/parquet-format: Type, ConvertedType, Encoding, CompressionCodec
_INT32, _INT64, _BYTE_ARRAY = 1, 2, 6
_UTF8 = 0
_PLAIN, _RLE, _DELTA_LENGTH = 0, 3, 6
_ZSTD = 6
_BLOCK, _MINIBLOCKS = 128, 4  # values in a block of packed differences, and into how many parts it is cut

_REPEATS = zstandard.ZstdCompressionParameters(compression_level=1)
#: Parameters for residues that do not repeat each other and are not of four letters: the smallest table of matches that
#: zstd allows and the longest shortest match find runs, and leave the rest to Huffman's code.
LETTERS = zstandard.ZstdCompressionParameters(
    compression_level=1,
    strategy=zstandard.STRATEGY_FAST,
    hash_log=6,
    chain_log=6,
    search_log=1,
    min_match=7,
    window_log=20,
)


# ---- Thrift's compact protocol, as far as Parquet's metadata needs it ----------------------------------------------

_Value = tuple[int, bytes]  # type in a field's head, encoded value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _int(kind: int, value: int) -> _Value:
    return kind, _varint(value << 1 if value >= 0 else (-value << 1) - 1)


def _i32(value: int) -> _Value:
    return _int(5, value)


def _i64(value: int) -> _Value:
    return _int(6, value)


def _binary(value: bytes) -> _Value:
    return 8, _varint(len(value)) + value


def _list(kind: int, items: list[_Value]) -> _Value:
    head = bytes([len(items) << 4 | kind]) if len(items) < 15 else bytes([0xF0 | kind]) + _varint(len(items))
    return 9, head + b"".join(value for _, value in items)


def _struct(fields: dict[int, _Value]) -> _Value:
    """Fields by their number, which may leave out at most fifteen at a time."""
    out, last = bytearray(), 0
    for number, (kind, value) in sorted(fields.items()):
        out.append((number - last) << 4 | kind)
        out += value
        last = number
    return 12, bytes(out) + b"\0"


# ---- the file ------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Column:
    name: bytes
    type: int
    encoding: int

    def element(self) -> _Value:
        """SchemaElement of a required column; text is UTF8, in the old way of saying it and in the new."""
        text = {6: _i32(_UTF8), 10: _struct({1: _struct({})})} if self.type == _BYTE_ARRAY else {}
        return _struct({1: _i32(self.type), 3: _i32(0), 4: _binary(self.name), **text})


_COLUMNS = (
    _Column(b"record_ordinal", _INT64, _PLAIN),
    _Column(b"chunk_ordinal", _INT32, _PLAIN),
    _Column(b"residues", _BYTE_ARRAY, _DELTA_LENGTH),
)


class SequenceFileWriter:
    """Writes batches of SEQUENCE_SCHEMA to a binary file; a batch becomes a row group.

    The file is readable once :meth:`close` has written its footer; before that it is no Parquet file.
    """

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._position = 0
        self._rows = 0
        self._groups: list[_Value] = []
        self._repeats = False
        self._write(b"PAR1")

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Append one row group.

        Raises:
            ValueError: the batch is not of SEQUENCE_SCHEMA, or has nulls.
        """
        if batch.schema != SEQUENCE_SCHEMA or any(column.null_count for column in batch.columns):
            raise ValueError("not a batch of sequence chunks")
        if batch.num_rows == 0:
            return
        begin = self._position
        ordinals, chunks, residues = batch.columns
        lengths, text = _delta_lengths(residues)
        if len(self._groups) % PROBE_EVERY == 0:
            self._repeats = _repeats(text)
        chunk_meta = [
            self._column_chunk(0, _fixed(ordinals), batch.num_rows, bounds=_bounds(ordinals, np.int64)),
            self._column_chunk(1, _fixed(chunks), batch.num_rows, bounds=_bounds(chunks, np.int32)),
            self._column_chunk(2, text, batch.num_rows, lengths=lengths),
        ]
        self._groups.append(
            _struct(
                {
                    1: _list(12, [chunk for chunk, _ in chunk_meta]),
                    2: _i64(sum(size for _, size in chunk_meta)),
                    3: _i64(batch.num_rows),
                    5: _i64(begin),
                    6: _i64(self._position - begin),
                }
            )
        )
        self._rows += batch.num_rows

    def close(self) -> None:
        """Write the footer. The sink stays open."""
        root = _struct({4: _binary(b"schema"), 5: _i32(len(_COLUMNS))})
        footer = _struct(
            {
                1: _i32(2),
                2: _list(12, [root, *(column.element() for column in _COLUMNS)]),
                3: _i64(self._rows),
                4: _list(12, self._groups),
                6: _binary(CREATED_BY),
                7: _list(12, [_struct({1: _struct({})})] * len(_COLUMNS)),  # bounds are ordered as the type is
            }
        )[1]
        self._write(footer + len(footer).to_bytes(4, "little") + b"PAR1")

    def _write(self, data: bytes) -> None:
        self._sink.write(data)
        self._position += len(data)

    def _column_chunk(
        self,
        number: int,
        values: memoryview,
        rows: int,
        *,
        lengths: bytes = b"",
        bounds: tuple[bytes, bytes] | None = None,
    ) -> tuple[_Value, int]:
        """Write the chunk's one page; returns its ColumnChunk and its size before compression."""
        column, at = _COLUMNS[number], self._position
        packed = None if self._repeats or not lengths else two_bit_frame(values, head=lengths)
        if packed is None:
            packed = _compress(b"".join((lengths, values)), _REPEATS if self._repeats else LETTERS)
        page_bytes = len(lengths) + len(values)
        data_page = _struct({1: _i32(rows), 2: _i32(column.encoding), 3: _i32(_RLE), 4: _i32(_RLE)})
        header = _struct({1: _i32(0), 2: _i32(page_bytes), 3: _i32(len(packed)), 5: data_page})[1]
        self._write(header)
        self._write(packed)
        fields = {
            1: _i32(column.type),
            2: _list(5, [_i32(column.encoding), _i32(_RLE)]),
            3: _list(8, [_binary(column.name)]),
            4: _i32(_ZSTD),
            5: _i64(rows),
            6: _i64(len(header) + page_bytes),
            7: _i64(self._position - at),
            9: _i64(at),
        }
        if bounds is not None:
            fields[12] = _struct({3: _i64(0), 5: _binary(bounds[1]), 6: _binary(bounds[0])})
        return _struct({2: _i64(at), 3: _struct(fields)}), len(header) + page_bytes


def _repeats(text: memoryview) -> bool:
    """Whether a piece from the page's middle repeats itself: matches then save more than a code by letter does."""
    middle = max(0, len(text) - PROBE_BYTES) // 2
    probe = text[middle : middle + PROBE_BYTES]
    return len(_compress(probe, _REPEATS)) < len(two_bit_frame(probe) or _compress(probe, LETTERS))


def _compress(page: bytes | memoryview, parameters: zstandard.ZstdCompressionParameters) -> bytes:
    return zstandard.ZstdCompressor(compression_params=parameters).compress(page)


def _fixed(column: pa.Array) -> memoryview:
    return memoryview(column.to_numpy().tobytes())


def _bounds(column: pa.Array, dtype: type[np.generic]) -> tuple[bytes, bytes]:
    low, high = pc.min_max(column).values()
    return np.array(low.as_py(), dtype).tobytes(), np.array(high.as_py(), dtype).tobytes()


def _delta_lengths(column: pa.Array) -> tuple[bytes, memoryview]:
    """All lengths and all text (DELTA_LENGTH_BYTE_ARRAY): lengths between the letters would cost a code of theirs."""
    offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]
    text = memoryview(column.buffers()[2])[offsets[0] : offsets[-1]]
    return _delta_packed((offsets[1:] - offsets[:-1]).astype(np.int64)), text


def _delta_packed(values: np.ndarray[Any, np.dtype[np.int64]]) -> bytes:
    """DELTA_BINARY_PACKED: blocks of four times 32 differences, all of one width and above one lowest difference."""
    deltas = np.diff(values)
    head = _varint(_BLOCK) + _varint(_MINIBLOCKS) + _varint(len(values)) + _i64(int(values[0]))[1]
    if not len(deltas):
        return head
    low = int(deltas.min())
    width = int(deltas.max() - low).bit_length()
    blocks = -(-len(deltas) // _BLOCK)
    above = np.zeros(blocks * _BLOCK, np.int64)
    above[: len(deltas)] = deltas - low
    bits = (above[:, None] >> np.arange(width)) & 1
    bodies = np.packbits(bits.astype(np.uint8).ravel(), bitorder="little").reshape(blocks, -1)
    block_head = np.frombuffer(_i64(low)[1] + bytes([width]) * _MINIBLOCKS, np.uint8)
    packed = np.hstack([np.tile(block_head, (blocks, 1)), bodies])
    unused = (len(above) - len(deltas)) // (_BLOCK // _MINIBLOCKS)  # miniblocks of the last block have no body
    packed[-1, len(block_head) - unused : len(block_head)] = 0
    return head + packed.tobytes()[: packed.size - unused * width * _BLOCK // _MINIBLOCKS // 8]
