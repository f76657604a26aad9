"""Verifies a file as its bytes arrive: SHA-256, the complete gzip stream, and NCBI's checksum if there is one.

Each byte is read once; to resume, a check is first given the bytes already on disk. Downloading belongs to
``download``.
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

# Decompression-bomb limit. Real files expand 4 to 8 times. Deflate's maximum of 1,032 is only reached by runs of one
# letter, and the longest runs in chromosomes fit into the allowance.
MAX_INFLATED_TIMES = 100
ALLOWED_INFLATED_BYTES = 256 * 1024 * 1024
HEADER_BYTES = 2048
PIECE_BYTES = 1024 * 1024
_MIRRORED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class FileCheck:
    """All checks of one file."""

    def __init__(self, name: str, *, checksum: str | None) -> None:
        self._name = name
        self._checksum = checksum
        self._digest = hashlib.sha256()
        self._published = _checksum_like(checksum)
        self._gzip = GzipCheck(name) if name.endswith(".gz") else None
        self.bytes = 0

    @property
    def head(self) -> bytes:
        """The first bytes of the uncompressed text."""
        return self._gzip.head if self._gzip else b""

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of all bytes so far."""
        return self._digest.hexdigest()

    def update(self, data: bytes) -> None:
        """Process the next bytes.

        Raises:
            IntegrityError: the file is damaged.
        """
        self.bytes += len(data)
        self._digest.update(data)
        if self._published is not None:
            self._published.update(data)
        if self._gzip is not None:
            self._gzip.update(data)

    def read(self, path: Path) -> None:
        """Process all bytes of a file.

        Raises:
            IntegrityError: the file is damaged.
        """
        with path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                self.update(piece)

    def finish(self) -> None:
        """Complete the checks at the end of the file.

        Raises:
            IntegrityError: the gzip stream is truncated, or NCBI's checksum does not match.
        """
        if self._gzip is not None:
            self._gzip.finish()
        if self._published is not None and (found := self._published.hexdigest()) != self._checksum:
            raise IntegrityError(f"{self._name}: NCBI's checksum is {self._checksum}, the file's is {found}")


def checksum_algorithm(checksum: str | None) -> str | None:
    """Return ``md5``, or ``cksum`` for the decimal POSIX CRC that RefSeq used before December 2022."""
    if checksum is None:
        return None
    return "md5" if re.fullmatch(r"[0-9a-f]{32}", checksum) else "cksum"


def checksum_of(entry: Mapping[str, Any]) -> str | None:
    """Return NCBI's checksum in a manifest entry; version 0.1.0 always called it ``md5``."""
    found = entry.get("checksum", entry.get("md5"))
    return None if found is None else str(found)


def _checksum_like(checksum: str | None) -> PosixCksum | hashlib._Hash | None:
    if checksum is None:
        return None
    return hashlib.md5(usedforsecurity=False) if checksum_algorithm(checksum) == "md5" else PosixCksum()


class GzipCheck:
    """Decompresses a gzip stream to verify it, keeping only the first bytes of the text."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._inflater = isal_zlib.decompressobj(wbits=31)
        self._complete = False
        self._taken = 0
        self.inflated_bytes = 0
        self.head = b""

    def update(self, compressed: bytes) -> None:
        """Process the next compressed bytes.

        Raises:
            IntegrityError: the gzip stream is invalid, or expands more than any flat file.
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
            raise IntegrityError(f"{self._name} expands more than {MAX_INFLATED_TIMES} times: refused")

    def finish(self) -> None:
        """Complete the check at the end of the stream.

        Raises:
            IntegrityError: the stream is truncated.
        """
        while not self._inflater.eof:
            piece = self._inflated(b"")
            if not piece:
                break
            self._take(piece)
        if not (self._complete or self._inflater.eof):
            raise IntegrityError(
                f"{self._name} ends before its gzip stream does: the source's copy is truncated; nothing was "
                "published, try again when it is complete"
            )


class PosixCksum:
    """The CRC of POSIX ``cksum``, which RefSeq published before December 2022.

    Equivalent to zlib's CRC-32 with the bits of each byte and of the result reversed, starting from 0 and with the
    length appended.
    """

    def __init__(self) -> None:
        self._crc = 0
        self._bytes = 0

    def update(self, data: bytes) -> None:
        """Process the next bytes."""
        self._crc = self._after(data)
        self._bytes += len(data)

    def _after(self, data: bytes) -> int:
        return zlib.crc32(data.translate(_MIRRORED_BITS), self._crc ^ 0xFFFFFFFF) ^ 0xFFFFFFFF

    def value(self) -> int:
        """Return the checksum of all bytes so far."""
        length = self._bytes.to_bytes((self._bytes.bit_length() + 7) // 8, "little")
        return int(f"{self._after(length):032b}"[::-1], 2) ^ 0xFFFFFFFF

    def hexdigest(self) -> str:
        """Return the checksum in NCBI's decimal notation."""
        return str(self.value())
