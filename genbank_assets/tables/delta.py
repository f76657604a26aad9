"""Parquet's delta encodings for numbers and text, as used by the sequence table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from genbank_assets.tables.thrift import i64, varint

_BLOCK, _MINIBLOCKS = 128, 4  # values per block, and miniblocks per block


def delta_lengths(column: pa.Array) -> tuple[bytes, memoryview]:
    """Encode as DELTA_LENGTH_BYTE_ARRAY: all lengths first, then all text, which compresses better."""
    offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]
    text = memoryview(column.buffers()[2] or b"")[offsets[0] : offsets[-1]]
    return delta_packed((offsets[1:] - offsets[:-1]).astype(np.int64)), text


def delta_packed(values: np.ndarray[Any, np.dtype[np.int64]]) -> bytes:
    """Encode as DELTA_BINARY_PACKED, with blocks of 4 x 32 differences of one bit width."""
    deltas = np.diff(values)
    head = varint(_BLOCK) + varint(_MINIBLOCKS) + varint(len(values)) + i64(int(values[0]))[1]
    if not len(deltas):
        return head
    low = int(deltas.min())
    width = int(deltas.max() - low).bit_length()
    blocks = -(-len(deltas) // _BLOCK)
    above = np.zeros(blocks * _BLOCK, np.int64)
    above[: len(deltas)] = deltas - low
    bits = (above[:, None] >> np.arange(width)) & 1
    bodies = np.packbits(bits.astype(np.uint8).ravel(), bitorder="little").reshape(blocks, -1)
    block_head = np.frombuffer(i64(low)[1] + bytes([width]) * _MINIBLOCKS, np.uint8)
    packed = np.hstack([np.tile(block_head, (blocks, 1)), bodies])
    unused = (len(above) - len(deltas)) // (_BLOCK // _MINIBLOCKS)  # unused miniblocks of the last block have no data
    packed[-1, len(block_head) - unused : len(block_head)] = 0
    return head + packed.tobytes()[: packed.size - unused * width * _BLOCK // _MINIBLOCKS // 8]
