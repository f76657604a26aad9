"""XOR of digests: what a file, a division, and PostgreSQL's rows of them have to agree in, whatever their order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


class Digest:
    """The XOR of SHA-256s: the same whatever their order, so that sums of parts are the whole's."""

    def __init__(self) -> None:
        self._words = np.zeros(4, np.uint64)

    def add(self, digests: pa.Array) -> None:
        """Add an array of 32-byte digests without nulls."""
        if len(digests):
            content = np.frombuffer(digests.buffers()[1], np.uint64, 4 * len(digests), digests.offset * 32)
            self._words ^= np.bitwise_xor.reduce(content.reshape(-1, 4), axis=0)

    @property
    def value(self) -> bytes:
        """32 bytes; zeros where nothing was added."""
        return self._words.tobytes()
