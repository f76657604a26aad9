"""Fetches one file: resumed where it was left, verified to its last byte, renamed into place.

While a file is on its way it is ``NAME.part`` with a journal ``NAME.part.json`` that says which state of the remote
file the bytes are of; bytes of two states are never joined. A finished file has been inflated to its end (CRC and
length of every gzip member), has the size the source said, and the checksum where NCBI publishes one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from isal import isal_zlib
from isal.igzip_lib import IsalError

from genbank_assets.errors import IntegrityError, RemoteFileChangedError, SourceBusyError, SourceError
from genbank_assets.ncbi.sources import RemoteFile, Source
from genbank_assets.store import write_atomically

ATTEMPTS = 5
RETRY_SECONDS = 1.0
# Real files inflate four to eight times. Deflate cannot do more than 1,032 times, which only runs of one letter reach;
# those of a chromosome fit into the allowance.
MOST_INFLATED = 100
ALLOWED_INFLATED_BYTES = 256 * 1024 * 1024
HEADER_BYTES = 2048
PROGRESS_SECONDS = 5.0
SPARE_BYTES = 256 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class FetchedFile:
    """A file that is in place: name, size and digest in bytes and hex, and the first bytes of its text."""

    name: str
    size_bytes: int
    sha256: str
    remote: RemoteFile
    head: bytes
    bytes_transferred: int


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
        while compressed:
            if self._inflater.eof:
                self._inflater = isal_zlib.decompressobj(wbits=31)
            self._complete = False
            try:
                piece = self._inflater.decompress(compressed, 4 * 1024 * 1024)
            except (zlib.error, IsalError) as error:  # type: ignore[misc]
                raise IntegrityError(f"{self._name} is damaged: {error}") from error
            self.inflated_bytes += len(piece)
            if len(self.head) < HEADER_BYTES:
                self.head += piece[: HEADER_BYTES - len(self.head)]
            if self.inflated_bytes > MOST_INFLATED * self._taken + ALLOWED_INFLATED_BYTES:
                raise IntegrityError(f"{self._name} inflates more than {MOST_INFLATED} times: refused")
            if self._inflater.eof:
                self._complete = True
                compressed = self._inflater.unused_data.lstrip(b"\0")
            else:
                compressed = self._inflater.unconsumed_tail

    def finish(self) -> None:
        """The stream is over.

        Raises:
            IntegrityError: it ended inside a gzip member.
        """
        while not self._inflater.eof:
            piece = self._inflater.decompress(b"", 4 * 1024 * 1024)
            if not piece:
                break
            self.inflated_bytes += len(piece)
        if not (self._complete or self._inflater.eof):
            raise IntegrityError(f"{self._name} ends before its gzip stream does")


def fetch_file(
    source: Source,
    path: str,
    *,
    folder: Path,
    checksum: str | None,
    progress: Callable[[str], None],
) -> FetchedFile:
    """Fetch ``path`` into ``folder``; on return the file is complete and verified under its own name.

    A dropped connection is taken up again from the bytes already there, up to five times without progress. A file
    that changes meanwhile is begun anew once.

    Raises:
        IntegrityError: size, gzip stream or checksum is wrong; the bytes are thrown away.
        SourceError: the source kept failing.
        SourceBusyError: the source kept asking to slow down.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = path.rsplit("/", 1)[-1]
    part = folder / f"{name}.part"
    failures = 0
    changed = 0
    transferred = 0
    while True:
        remote = source.stat(path)
        _check_space(folder, remote, part=part)
        begun = _resume_point(part, remote)
        try:
            transferred += _append(source, path, part=part, remote=remote, offset=begun, progress=progress)
            break
        except RemoteFileChangedError:
            changed += 1
            _discard(part)
            if changed > 1:
                raise
        except SourceBusyError:
            raise
        except SourceError as error:
            grown = part.stat().st_size - begun if part.exists() else 0
            transferred += grown
            failures = 1 if grown > 0 else failures + 1
            if failures >= ATTEMPTS:
                raise
            progress(f"{name}: {error}; trying again")
            time.sleep(RETRY_SECONDS * 2 ** (failures - 1))
    fetched = _verified(part, name=name, remote=remote, checksum=checksum, transferred=transferred)
    part.replace(folder / name)
    _journal(part).unlink(missing_ok=True)
    return fetched


def _journal(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _journal(part).unlink(missing_ok=True)


def _resume_point(part: Path, remote: RemoteFile) -> int:
    """Bytes already here of this very state of the remote file; anything else is thrown away."""
    try:
        was: dict[str, Any] = json.loads(_journal(part).read_text(encoding="utf-8"))
        size = part.stat().st_size
    except (OSError, ValueError):
        was, size = {}, 0
    known = remote.etag or remote.modified
    if size and known and was == dataclasses.asdict(remote) and size <= (remote.bytes or 0):
        return size
    _discard(part)
    write_atomically(_journal(part), json.dumps(dataclasses.asdict(remote)).encode())
    return 0


def _append(
    source: Source, path: str, *, part: Path, remote: RemoteFile, offset: int, progress: Callable[[str], None]
) -> int:
    """Write the rest of the file behind ``offset``; returns the bytes that came."""
    if remote.bytes is not None and offset == remote.bytes:
        return 0
    started = said = time.monotonic()
    at = offset
    with part.open("ab") as out:
        for piece in source.stream(path, offset=offset, expected=remote):
            out.write(piece)
            at += len(piece)
            if remote.bytes is not None and at > remote.bytes:
                out.close()
                _discard(part)
                raise IntegrityError(
                    f"{remote.name}: the source sent more than the {remote.bytes:,} bytes it announced"
                )
            now = time.monotonic()
            if now - said >= PROGRESS_SECONDS:
                said = now
                progress(_progress_line(remote, at=at, done=at - offset, seconds=now - started))
    if remote.bytes is not None and at < remote.bytes:
        raise SourceError(f"{remote.name}: the connection ended after {at:,} of {remote.bytes:,} bytes")
    return at - offset


def _progress_line(remote: RemoteFile, *, at: int, done: int, seconds: float) -> str:
    rate = done / max(seconds, 1e-9)
    line = f"{remote.name}: {at / 1e6:,.0f} MB at {rate / 1e6:,.1f} MB/s"
    if remote.bytes:
        line += f", {at / remote.bytes:.0%}, {(remote.bytes - at) / max(rate, 1):,.0f} s to go"
    return line


def _check_space(folder: Path, remote: RemoteFile, *, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    need = (remote.bytes or 0) - have + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < need:
        raise SourceError(
            f"{remote.name} needs {need / 1e9:,.1f} GB of disk, {free / 1e9:,.1f} GB are free in {folder}"
        )


def _verified(part: Path, *, name: str, remote: RemoteFile, checksum: str | None, transferred: int) -> FetchedFile:
    """Read the whole file back: digest, gzip to the end, NCBI's checksum where there is one."""
    digest = hashlib.sha256()
    md5 = hashlib.md5(usedforsecurity=False)
    cksum = PosixCksum() if checksum is not None and checksum.isdigit() and len(checksum) != 32 else None
    check = GzipCheck(name)
    try:
        with part.open("rb") as file:
            while piece := file.read(1024 * 1024):
                digest.update(piece)
                if checksum is not None:
                    md5.update(piece)
                if cksum is not None:
                    cksum.update(piece)
                check.update(piece)
        check.finish()
        found = str(cksum.value()) if cksum is not None else md5.hexdigest()
    except IntegrityError:
        _discard(part)
        raise
    if checksum is not None and found != checksum:
        _discard(part)
        raise IntegrityError(f"{name}: NCBI's checksum is {checksum}, the file's is {found}")
    return FetchedFile(
        name=name,
        size_bytes=part.stat().st_size,
        sha256=digest.hexdigest(),
        remote=remote,
        head=check.head,
        bytes_transferred=transferred,
    )


class PosixCksum:
    """The CRC of POSIX ``cksum``, which RefSeq published before December 2022."""

    _TABLE: tuple[int, ...] = ()

    def __init__(self) -> None:
        if not PosixCksum._TABLE:
            PosixCksum._TABLE = tuple(self._entry(byte) for byte in range(256))
        self._crc = 0
        self._bytes = 0

    @staticmethod
    def _entry(byte: int) -> int:
        crc = byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1
        return crc & 0xFFFFFFFF

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        crc, table = self._crc, self._TABLE
        for byte in data:
            crc = ((crc << 8) & 0xFFFFFFFF) ^ table[(crc >> 24) ^ byte]
        self._crc = crc
        self._bytes += len(data)

    def value(self) -> int:
        """The checksum of everything taken."""
        crc, length = self._crc, self._bytes
        while length:
            crc = ((crc << 8) & 0xFFFFFFFF) ^ self._TABLE[(crc >> 24) ^ (length & 0xFF)]
            length >>= 8
        return crc ^ 0xFFFFFFFF
