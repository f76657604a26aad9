"""Downloads one file: resumes partial downloads, verifies the bytes as they arrive, and renames the file into place.

A partial file is ``NAME.part``, with a journal ``NAME.part.json`` that identifies the version of the remote file; bytes
of different versions are never combined. A finished file has been decompressed to its end (CRC and length of every
gzip member) and has the size announced by the source and, if NCBI publishes one, the right checksum (``verify``).
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

from genbank_assets.errors import (
    IntegrityError,
    RemoteFileChangedError,
    SourceError,
    SourceInterruptedError,
)
from genbank_assets.ncbi.sources import RemoteFile, Source
from genbank_assets.ncbi.verify import FileCheck, GzipCheck, PosixCksum
from genbank_assets.store import write_atomically

__all__ = ["FetchedFile", "GzipCheck", "PosixCksum", "check_space", "fetch_file"]

ATTEMPTS = 5
RETRY_SECONDS = 1.0
# Restarts from the beginning, for files that change during the download or whose resumed parts are damaged.
MAX_RESTARTS = 1
PROGRESS_SECONDS = 5.0
SPARE_BYTES = 256 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class FetchedFile:
    """A complete, verified file.

    Attributes:
        name: file name.
        size_bytes: size as stored, usually compressed.
        sha256: hex SHA-256 of the stored bytes.
        remote: the version of the remote file that was fetched.
        head: the first bytes of the uncompressed text.
        bytes_transferred: bytes received by this call; less than the size if it resumed.
    """

    name: str
    size_bytes: int
    sha256: str
    remote: RemoteFile
    head: bytes
    bytes_transferred: int


def fetch_file(
    source: Source,
    path: str,
    *,
    folder: Path,
    checksum: str | None,
    progress: Callable[[str], None],
) -> FetchedFile:
    """Fetch ``path`` into ``folder``; on return the file is complete and verified under its final name.

    Dropped connections are resumed, up to five times without progress. A file is restarted once if it changes during
    the download, or if it is damaged and either was resumed or has no announced size.

    Args:
        source: the source of the file.
        path: path below the source's root.
        folder: destination folder; created if needed.
        checksum: NCBI's checksum of the file, or None.
        progress: called with messages for the user.

    Raises:
        IntegrityError: size, gzip stream or checksum is wrong; the bytes are discarded.
        SourceError: the source kept failing, or the disk is full.
        SourceBusyError: the source kept asking to slow down.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return _Fetch(source, path, folder=folder, checksum=checksum, progress=progress).run()


def check_space(folder: Path, need_bytes: int, *, what: str) -> None:
    """Check that a file system has room for ``need_bytes`` plus a reserve.

    Raises:
        SourceError: there is not enough free space.
    """
    free = shutil.disk_usage(folder).free
    if free < need_bytes + SPARE_BYTES:
        raise SourceError(
            f"{what} needs {(need_bytes + SPARE_BYTES) / 1e9:,.1f} GB of disk, "
            f"{free / 1e9:,.1f} GB are free in {folder}"
        )


class _Fetch:
    """One download in progress."""

    def __init__(
        self, source: Source, path: str, *, folder: Path, checksum: str | None, progress: Callable[[str], None]
    ) -> None:
        self._source = source
        self._path = path
        self._name = path.rsplit("/", 1)[-1]
        self._target = folder / self._name
        self._part = folder / f"{self._name}.part"
        self._checksum = checksum
        self._progress = progress
        self._check: FileCheck | None = None  # state after the bytes in ``part``; None if they were not read yet
        self._farthest_bytes = 0
        self._failures = 0
        self._restarts = 0
        self._resumed = False
        self._unsized = False
        self._transferred = 0

    def run(self) -> FetchedFile:
        while True:
            try:
                remote = self._source.stat(self._path)
                check = self._rest(remote)
                break
            except SourceInterruptedError as error:
                self._retry_or_raise(error)
            except (RemoteFileChangedError, IntegrityError) as error:
                self._restart_or_raise(error)
        with self._part.open("rb") as written:
            os.fsync(written.fileno())
        self._part.replace(self._target)
        _journal(self._part).unlink(missing_ok=True)
        return FetchedFile(
            name=self._name,
            size_bytes=check.bytes,
            sha256=check.sha256,
            remote=remote,
            head=check.head,
            bytes_transferred=self._transferred,
        )

    def _rest(self, remote: RemoteFile) -> FileCheck:
        """Fetch the missing bytes and finish verifying the whole file."""
        offset = _resume_point(self._part, remote)
        check_space(self._part.parent, (remote.bytes or 0) - offset, what=self._name)
        self._resumed = self._resumed or offset > 0
        self._unsized = remote.bytes is None
        if self._check is None or self._check.bytes != offset:
            self._check = FileCheck(self._name, checksum=self._checksum)
            if offset:
                self._check.read(self._part)
        if remote.bytes is None or offset < remote.bytes:
            with self._source.download_slot(lambda: self._progress(f"{self._name}: waiting for a download slot")):
                self._append(remote, check=self._check)
        self._check.finish()
        return self._check

    def _append(self, remote: RemoteFile, *, check: FileCheck) -> None:
        """Append the rest of the remote file to the partial file."""
        begun = check.bytes
        started = reported = time.monotonic()
        with FileIO(self._part, "ab") as out:
            for piece in self._source.stream(self._path, offset=begun, expected=remote):
                _write(out, piece, folder=self._part.parent)
                check.update(piece)
                self._transferred += len(piece)
                if remote.bytes is not None and check.bytes > remote.bytes:
                    raise IntegrityError(
                        f"{self._name}: the source sent more than the {remote.bytes:,} bytes it announced"
                    )
                now = time.monotonic()
                if now - reported >= PROGRESS_SECONDS:
                    reported = now
                    self._progress(
                        _progress_line(remote, at=check.bytes, done=check.bytes - begun, seconds=now - started)
                    )
        if remote.bytes is not None and check.bytes < remote.bytes:
            raise SourceInterruptedError(
                f"{self._name}: the connection ended after {check.bytes:,} of {remote.bytes:,} bytes"
            )

    def _retry_or_raise(self, error: SourceInterruptedError) -> None:
        """Wait before the next attempt; raise after too many attempts without progress."""
        here = self._part.stat().st_size if self._part.exists() else 0
        self._failures = 1 if here > self._farthest_bytes else self._failures + 1
        self._farthest_bytes = max(self._farthest_bytes, here)
        if self._failures >= ATTEMPTS:
            raise error
        self._progress(f"{self._name}: {error}; trying again")
        time.sleep(RETRY_SECONDS * 2 ** (self._failures - 1))

    def _restart_or_raise(self, error: RemoteFileChangedError | IntegrityError) -> None:
        """Discard the bytes; raise unless a fresh download could succeed."""
        _discard(self._part)
        self._check = None
        self._farthest_bytes = 0
        promising = isinstance(error, RemoteFileChangedError) or self._resumed or self._unsized
        if not promising or self._restarts >= MAX_RESTARTS:
            raise error
        self._restarts += 1
        self._progress(f"{self._name}: {error}; starting over")


def _write(out: FileIO, piece: bytes, *, folder: Path) -> None:
    rest = memoryview(piece)
    try:
        while rest:
            rest = rest[out.write(rest) :]
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise SourceError(f"the disk of {folder} is full; the part already fetched is kept") from error


def _journal(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _journal(part).unlink(missing_ok=True)


def _resume_point(part: Path, remote: RemoteFile) -> int:
    """Return the size of the partial file if it is of this version of the remote file; otherwise discard it."""
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


def _progress_line(remote: RemoteFile, *, at: int, done: int, seconds: float) -> str:
    rate = done / max(seconds, 1e-9)
    line = f"{remote.name}: {at / 1e6:,.0f} MB at {rate / 1e6:,.1f} MB/s"
    if remote.bytes:
        line += f", {at / remote.bytes:.0%}, {(remote.bytes - at) / max(rate, 1):,.0f} s to go"
    return line
