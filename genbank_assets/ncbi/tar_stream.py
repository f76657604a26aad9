"""Streams the members of a gzipped tar archive in constant memory, without extracting any file.

Python's ``tarfile`` reads extended headers into memory, whatever size the archive claims. Here a member is a name, a
time and a stream of bytes; other kinds of headers are skipped. The meaning of the members belongs to the callers.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from isal import igzip
from isal.igzip_lib import IsalError

from genbank_assets.errors import IntegrityError

PIECE_BYTES = 4 * 1024 * 1024
MAX_MEMBERS = 10_000
_BLOCK = 512


@dataclasses.dataclass(frozen=True)
class Member:
    """A regular file in the archive, readable until the next member is requested.

    Attributes:
        name: as stored, without a leading ``./``; must not be used as a path.
        size_bytes: size in bytes.
        modified_seconds: modification time in seconds since the epoch.
        pieces: the content, in chunks of up to 4 MiB.
    """

    name: str
    size_bytes: int
    modified_seconds: int
    pieces: Iterator[bytes]


def members(path: Path) -> Iterator[Member]:
    """Yield the regular files of a ``.tar.gz``.

    Raises:
        IntegrityError: the archive is damaged or truncated, or has too many members.
    """
    try:
        with igzip.open(path, "rb") as archive:
            for count, (header, size) in enumerate(_headers(archive, path)):
                if count > MAX_MEMBERS:
                    raise IntegrityError(f"{path.name} holds more than {MAX_MEMBERS:,} members: refused")
                name = header[:100].split(b"\0")[0].decode("latin-1").removeprefix("./")
                data = _data(archive, size, path)
                if header[156:157] in {b"0", b"\0"}:
                    yield Member(name, size, _number(header[136:148], path), data)
                for _ in data:
                    pass  # skip what the caller did not read
    except (OSError, EOFError, zlib.error, IsalError) as error:  # type: ignore[misc]
        raise IntegrityError(f"{path.name} cannot be read: {error}") from error


def _headers(archive: BinaryIO, path: Path) -> Iterator[tuple[bytes, int]]:
    while header := archive.read(_BLOCK):
        if len(header) < _BLOCK:
            raise IntegrityError(f"{path.name} ends in the middle of a header")
        if not header.strip(b"\0"):
            return
        if _number(header[148:156], path) != sum(header[:148]) + 8 * 32 + sum(header[156:]):
            raise IntegrityError(f"{path.name}: the checksum of a member's header is wrong")
        yield header, _number(header[124:136], path)


def _data(archive: BinaryIO, size: int, path: Path) -> Iterator[bytes]:
    left = size
    while left:
        piece = archive.read(min(PIECE_BYTES, left))
        if not piece:
            raise IntegrityError(f"{path.name} ends {left:,} bytes before the end of a member")
        left -= len(piece)
        yield piece
    archive.read(-size % _BLOCK)


def _number(field: bytes, path: Path) -> int:
    """Parse an octal number, or GNU's binary form for larger values."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    text = field.split(b"\0")[0].strip()
    try:
        return int(text, 8) if text else 0
    except ValueError:
        raise IntegrityError(f"{path.name}: a member's header holds {field!r} for a number") from None
