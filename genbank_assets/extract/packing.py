"""Encodes files: uncompressed, BGZF (gzip in 64 KiB blocks) or zstd, and computes their digest.

Paths and renaming belong to ``output``.
"""

from __future__ import annotations

import abc
import functools
import hashlib
import struct
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, BinaryIO

import deflate
import zstandard

BGZF_BLOCK_BYTES = 65_280
BGZF_LEVEL = 1
BGZF_THREADS = 2
MIN_THREAD_BYTES = 1024 * 1024
MAX_WAITING_PIECES = 3
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


class Digest:
    """SHA-256 of the output; large pieces are hashed in a background thread."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[None]] = deque()

    def update(self, data: Any) -> None:
        """Add a piece, which must not be modified afterwards."""
        if len(data) < MIN_THREAD_BYTES:
            self._wait(0)
            self._digest.update(data)
            return
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="digest")
        self._wait(MAX_WAITING_PIECES - 1)
        self._waiting.append(self._thread.submit(self._digest.update, data))

    def _wait(self, left: int) -> None:
        while len(self._waiting) > left:
            self._waiting.popleft().result()

    def hexdigest(self) -> str:
        """Return the digest of all pieces."""
        self._wait(0)
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
        return self._digest.hexdigest()


class Encoder(abc.ABC):
    """Encodes bytes to a file and computes its digest."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._digest = Digest()
        self.bytes = 0

    def _put(self, data: Any) -> None:
        self._digest.update(data)
        self._sink.write(data)
        self.bytes += len(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    @abc.abstractmethod
    def write(self, data: Any) -> None:
        """Write data."""

    @abc.abstractmethod
    def finish(self) -> None:
        """Write remaining data."""


class Plain(Encoder):
    """No compression."""

    def write(self, data: Any) -> None:
        self._put(data)

    def finish(self) -> None:
        pass


class _Bgzf(Encoder):
    """gzip members of at most 64 KiB, readable by any gunzip and indexable by samtools and tabix."""

    def __init__(self, sink: BinaryIO) -> None:
        super().__init__(sink)
        self._rest = bytearray()

    def write(self, data: Any) -> None:
        self._rest += data
        whole = len(self._rest) - len(self._rest) % BGZF_BLOCK_BYTES
        if not whole:
            return
        with memoryview(self._rest) as view:
            blocks = [view[at : at + BGZF_BLOCK_BYTES] for at in range(0, whole, BGZF_BLOCK_BYTES)]
            for member in _threads().map(_member, blocks):
                self._put(member)
            for block in blocks:
                block.release()
        del self._rest[:whole]

    def finish(self) -> None:
        if self._rest:
            self._put(_member(bytes(self._rest)))
        self._put(_BGZF_END)


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(BGZF_THREADS, thread_name_prefix="bgzf")


def _member(text: Any) -> bytes:
    packed = bytes(deflate.deflate_compress(text, BGZF_LEVEL))  # not ISA-L: docs/decisions/0091
    if len(packed) + 26 > 0x10000:  # store incompressible data
        packed = b"\x01" + struct.pack("<HH", len(text), len(text) ^ 0xFFFF) + bytes(text)
    head = struct.pack("<4BI2BH2BHH", 31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, len(packed) + 25)
    return head + packed + struct.pack("<II", zlib.crc32(text), len(text))


class _Zstd(Encoder):
    def __init__(self, sink: BinaryIO) -> None:
        super().__init__(sink)
        self._packer = zstandard.ZstdCompressor(level=3, write_checksum=True).compressobj()

    def write(self, data: Any) -> None:
        self._put(self._packer.compress(data))

    def finish(self) -> None:
        self._put(self._packer.flush())


ENCODERS: dict[str, type[Encoder]] = {".gz": _Bgzf, ".bgz": _Bgzf, ".zst": _Zstd}
