"""Order-independent digests, by XOR, for comparing files, divisions and rows in PostgreSQL."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


class Digest:
    """XOR of SHA-256 digests: independent of order, and the XOR of parts is that of the whole."""

    def __init__(self) -> None:
        self._words = np.zeros(4, np.uint64)

    def add(self, digests: pa.Array) -> None:
        """Add an array of 32-byte digests without nulls."""
        if len(digests):
            content = np.frombuffer(digests.buffers()[1], np.uint64, 4 * len(digests), digests.offset * 32)
            self._words ^= np.bitwise_xor.reduce(content.reshape(-1, 4), axis=0)

    @property
    def value(self) -> bytes:
        """The XOR as 32 bytes; zeros if nothing was added."""
        return self._words.tobytes()
