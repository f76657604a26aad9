"""Verifies a file while its bytes pass: SHA-256, gzip to its end, and NCBI's checksum where there is one.

A file is read once. Where a check must go on behind bytes that are here already, they are given to it first. Getting
the bytes belongs to ``download``.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isal import isal_zlib
from isal.igzip_lib import IsalError

from genbank_assets.errors import IntegrityError

# Real files inflate four to eight times. Deflate cannot do more than 1,032 times, which only runs of one letter reach;
# those of a chromosome fit into the allowance.
MAX_INFLATED_TIMES = 100
ALLOWED_INFLATED_BYTES = 256 * 1024 * 1024
HEADER_BYTES = 2048
PIECE_BYTES = 1024 * 1024
_MIRRORED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class FileCheck:
    """Everything that is checked of one file."""

    def __init__(self, name: str, *, checksum: str | None) -> None:
        self._name = name
        self._checksum = checksum
        self._digest = hashlib.sha256()
        self._published = _checksum_like(checksum)
        self._gzip = GzipCheck(name) if name.endswith(".gz") else None
        self.bytes = 0

    @property
    def head(self) -> bytes:
        """The first bytes of the text."""
        return self._gzip.head if self._gzip else b""

    @property
    def sha256(self) -> str:
        """The digest of everything taken, in hex."""
        return self._digest.hexdigest()

    def update(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            IntegrityError: they cannot be of such a file.
        """
        self.bytes += len(data)
        self._digest.update(data)
        if self._published is not None:
            self._published.update(data)
        if self._gzip is not None:
            self._gzip.update(data)

    def read(self, path: Path) -> None:
        """Take all bytes of a file.

        Raises:
            IntegrityError: they cannot be of such a file.
        """
        with path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                self.update(piece)

    def finish(self) -> None:
        """The file is over.

        Raises:
            IntegrityError: it ended inside a gzip member, or is not the one of NCBI's checksum.
        """
        if self._gzip is not None:
            self._gzip.finish()
        if self._published is not None and (found := self._published.hexdigest()) != self._checksum:
            raise IntegrityError(f"{self._name}: NCBI's checksum is {self._checksum}, the file's is {found}")


def checksum_algorithm(checksum: str | None) -> str | None:
    """``md5``, or ``cksum`` for the decimal CRC of POSIX that RefSeq had before December 2022."""
    if checksum is None:
        return None
    return "md5" if re.fullmatch(r"[0-9a-f]{32}", checksum) else "cksum"


def checksum_of(entry: Mapping[str, Any]) -> str | None:
    """NCBI's checksum in a raw file's manifest entry; version 0.1.0 called it ``md5`` whatever it was."""
    found = entry.get("checksum", entry.get("md5"))
    return None if found is None else str(found)


def _checksum_like(checksum: str | None) -> PosixCksum | hashlib._Hash | None:
    if checksum is None:
        return None
    return hashlib.md5(usedforsecurity=False) if checksum_algorithm(checksum) == "md5" else PosixCksum()


class GzipCheck:
    """Inflates a stream as it passes, to its end, keeping only its first bytes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._inflater = isal_zlib.decompressobj(wbits=31)
        self._complete = False
        self._taken = 0
        self.inflated_bytes = 0
        self.head = b""

    def update(self, compressed: bytes) -> None:
        """Take the next bytes.

        Raises:
            IntegrityError: they are no gzip stream, or inflate beyond any flat file.
        """
        self._taken += len(compressed)
        if self._inflater.eof:
            compressed = compressed.lstrip(b"\0")  # padding between and after members
        while compressed:
            if self._inflater.eof:
                self._inflater = isal_zlib.decompressobj(wbits=31)
            self._complete = False
            self._take(self._inflated(compressed))
            if self._inflater.eof:
                self._complete = True
                compressed = self._inflater.unused_data.lstrip(b"\0")
            else:
                compressed = self._inflater.unconsumed_tail

    def _inflated(self, compressed: bytes) -> bytes:
        try:
            piece: bytes = self._inflater.decompress(compressed, 4 * PIECE_BYTES)
        except (zlib.error, IsalError) as error:  # type: ignore[misc]
            raise IntegrityError(f"{self._name} is damaged: {error}") from error
        return piece

    def _take(self, piece: bytes) -> None:
        self.inflated_bytes += len(piece)
        if len(self.head) < HEADER_BYTES:
            self.head += piece[: HEADER_BYTES - len(self.head)]
            if self.head.startswith(b"\x1f\x8b"):
                raise IntegrityError(f"{self._name} is compressed twice: the server compressed it again in transit")
        if self.inflated_bytes > MAX_INFLATED_TIMES * self._taken + ALLOWED_INFLATED_BYTES:
            raise IntegrityError(f"{self._name} inflates more than {MAX_INFLATED_TIMES} times: refused")

    def finish(self) -> None:
        """The stream is over.

        Raises:
            IntegrityError: it ended inside a gzip member.
        """
        while not self._inflater.eof:
            piece = self._inflated(b"")
            if not piece:
                break
            self._take(piece)
        if not (self._complete or self._inflater.eof):
            raise IntegrityError(
                f"{self._name} ends before its gzip stream does: the source's copy is cut off; nothing was published, "
                "try again when it is whole"
            )


class PosixCksum:
    """The CRC of POSIX ``cksum``, which RefSeq published before December 2022.

    It is zlib's CRC-32 with the bits of each byte, and of the result, in the other order, begun with 0 and with the
    length taken last.
    """

    def __init__(self) -> None:
        self._crc = 0
        self._bytes = 0

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        self._crc = self._after(data)
        self._bytes += len(data)

    def _after(self, data: bytes) -> int:
        return zlib.crc32(data.translate(_MIRRORED_BITS), self._crc ^ 0xFFFFFFFF) ^ 0xFFFFFFFF

    def value(self) -> int:
        """Return the checksum of everything taken."""
        length = self._bytes.to_bytes((self._bytes.bit_length() + 7) // 8, "little")
        return int(f"{self._after(length):032b}"[::-1], 2) ^ 0xFFFFFFFF

    def hexdigest(self) -> str:
        """Return the checksum as NCBI writes it: decimal."""
        return str(self.value())
