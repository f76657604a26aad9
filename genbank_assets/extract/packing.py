"""How files are packed: plain, gzip in blocks of 64 KiB as bgzip writes it, or zstd; each with the digest of its bytes.

Where files lie and when they get their names belongs to ``output``.
"""

from __future__ import annotations

import abc
import hashlib
import struct
import zlib
from typing import Any, BinaryIO

import zstandard
from isal import isal_zlib

BGZF_BLOCK_BYTES = 65_280
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


class Encoder(abc.ABC):
    """Bytes in, bytes on disk out, with their digest."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._digest = hashlib.sha256()
        self.bytes = 0

    def _put(self, data: Any) -> None:
        self._sink.write(data)
        self._digest.update(data)
        self.bytes += len(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    @abc.abstractmethod
    def write(self, data: Any) -> None:
        """Take text."""

    @abc.abstractmethod
    def finish(self) -> None:
        """Write what is left."""


class Plain(Encoder):
    """Bytes as they are."""

    def write(self, data: Any) -> None:
        self._put(data)

    def finish(self) -> None:
        pass


class _Bgzf(Encoder):
    """gzip members of at most 64 KiB: any gunzip reads them, and samtools and tabix find their way in them."""

    def __init__(self, sink: BinaryIO) -> None:
        super().__init__(sink)
        self._rest = bytearray()

    def write(self, data: Any) -> None:
        self._rest += data
        whole = len(self._rest) - len(self._rest) % BGZF_BLOCK_BYTES
        view = memoryview(self._rest)
        for at in range(0, whole, BGZF_BLOCK_BYTES):
            self._put(_member(view[at : at + BGZF_BLOCK_BYTES]))
        view.release()
        del self._rest[:whole]

    def finish(self) -> None:
        if self._rest:
            self._put(_member(bytes(self._rest)))
        self._put(_BGZF_END)


def _member(text: Any) -> bytes:
    packer = isal_zlib.compressobj(level=2, wbits=-15)
    packed = packer.compress(text) + packer.flush()
    if len(packed) + 26 > 0x10000:  # what does not pack is stored
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
