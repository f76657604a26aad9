"""``file://``: a local folder with the layout of NCBI's server, such as a copy of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from urllib.parse import unquote, urlsplit

from genbank_assets.errors import RemoteFileMissingError, SourceError
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.sources.base import (
    CHUNK_BYTES,
    TIMEOUT_SECONDS,
    RemoteFile,
    Source,
    check_same_file,
    safe_name,
)


class FolderSource(Source):
    """Files on this machine."""

    def __init__(self, root: str, *, limiter: Limiter, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        super().__init__(root, limiter=limiter, timeout_seconds=timeout_seconds)
        parts = urlsplit(root)
        if parts.netloc not in {"", "localhost"}:
            raise SourceError(
                f"{root} names the host {parts.netloc!r}: write a folder on this machine as file:///folder"
            )
        self._folder = Path(unquote(parts.path))
        if not self._folder.is_dir():
            raise SourceError(f"the source {root} cannot be read: no such folder: {self._folder}")

    def _listed(self, folder: str) -> list[RemoteFile]:
        path = self._folder / folder
        if not path.is_dir():
            return []
        with self._readable(folder):
            return [self.stat(f"{folder}/{safe_name(p.name)}") for p in sorted(path.iterdir()) if p.is_file()]

    def stat(self, path: str) -> RemoteFile:
        with self._readable(path):
            stat = (self._folder / path).stat()
        if not S_ISREG(stat.st_mode):
            raise RemoteFileMissingError(f"{self.url(path)} is not a file")
        modified = datetime.fromtimestamp(stat.st_mtime, UTC).isoformat(timespec="seconds")
        return RemoteFile(path.rsplit("/", 1)[-1], stat.st_size, modified=modified, etag=str(stat.st_mtime_ns))

    def stream(self, path: str, *, offset: int, expected: RemoteFile) -> Iterator[bytes]:
        check_same_file(self.stat(path), expected, url=self.url(path))
        with self._readable(path), (self._folder / path).open("rb") as file:
            file.seek(offset)
            while piece := file.read(CHUNK_BYTES):
                yield piece
        check_same_file(self.stat(path), expected, url=self.url(path))

    @contextlib.contextmanager
    def _readable(self, path: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise RemoteFileMissingError(f"there is no {self.url(path)}") from error
        except OSError as error:
            raise SourceError(f"cannot read {self.url(path)}: {error.strerror}") from error
