"""Access to Arrow text columns as raw bytes and offsets, without a Python string per row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

Ints = np.ndarray[Any, np.dtype[np.int64]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]


def text_buffer(column: pa.Array) -> tuple[Any, Ints]:
    """Return the values buffer of a text column, and the offsets of its values, (n + 1,).

    Nulls count as empty. Only the offsets are copied.
    """
    wide = pa.types.is_large_string(column.type) or pa.types.is_large_binary(column.type)
    if not len(column):
        return b"", np.zeros(1, np.int64)
    offsets = np.frombuffer(column.buffers()[1], np.int64 if wide else np.int32)
    return column.buffers()[2] or b"", offsets[column.offset : column.offset + len(column) + 1].astype(np.int64)


def text_bytes(column: pa.Array) -> Bytes:
    """Return all values of a text column concatenated, as bytes, without copying."""
    buffer, offsets = text_buffer(column)
    return np.frombuffer(buffer, np.uint8)[offsets[0] : offsets[-1]]
