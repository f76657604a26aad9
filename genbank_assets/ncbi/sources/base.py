"""The interface of a source, and the validation shared by all sources.

Names, sizes and texts from a server are untrusted: this module decides what is rejected and what is ignored. Protocols
belong to ``http``, ``ftp``, ``bucket`` and ``folder``; choosing and verifying files belongs to ``download``.
"""

from __future__ import annotations

import abc
import dataclasses
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Self, TypeVar
from urllib.parse import urlsplit

from genbank_assets.errors import (
    RemoteFileChangedError,
    RemoteFileMissingError,
    SourceError,
    SourceInterruptedError,
)
from genbank_assets.ncbi.limiter import Limiter

SMALL_FILE_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024
TIMEOUT_SECONDS = 60.0
SMALL_FILE_ATTEMPTS = 3
RETRY_SECONDS = 1.0
MAX_FILE_BYTES = 2**63 - 1
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_HOSTILE = re.compile(r"[\x00-\x1f\x7f/\\]")
_SIZE = re.compile(r"[0-9]{1,19}")
_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True)
class RemoteFile:
    """One file on a source.

    Attributes:
        name: base name.
        bytes: size in bytes, or None if the source does not say.
        modified: modification time, as written by the source.
        etag: another identifier of this version of the file.
        rounded: whether the size is abbreviated (``1.8M``): sufficient for totals, not for verification.
    """

    name: str
    bytes: int | None
    modified: str | None = None
    etag: str | None = None
    rounded: bool = False


class Source(abc.ABC):
    """A location that contains ``genbank/`` and ``refseq/``."""

    def __init__(self, root: str, *, limiter: Limiter, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._address = root.rstrip("/")
        self._root = without_credentials(self._address)
        self._limiter = limiter
        self._timeout_seconds = timeout_seconds
        self.progress: Callable[[str], None] = lambda line: None

    def url(self, path: str) -> str:
        """Return the URL of a path below the source, without credentials."""
        return f"{self._root}/{path}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027 -- a folder has no connections
        """Close all connections."""

    def listing(self, folder: str) -> list[RemoteFile]:
        """List the files of a folder; empty if the folder is missing or cannot be listed.

        Raises:
            SourceError: the folder cannot be listed, or a name in it could leave the folder.
        """
        return self._again(lambda: [remote for remote in self._listed(folder) if not is_ignored(remote.name)])

    @abc.abstractmethod
    def _listed(self, folder: str) -> list[RemoteFile]:
        """Make one attempt at :meth:`listing`; may include hidden files."""

    @abc.abstractmethod
    def stat(self, path: str) -> RemoteFile:
        """Return size and identity of a file.

        Raises:
            RemoteFileMissingError: there is no such file.
            SourceError: the source failed.
        """

    @abc.abstractmethod
    def stream(self, path: str, *, offset: int, expected: RemoteFile) -> Iterator[bytes]:
        """Stream the bytes of a file from ``offset`` on.

        Raises:
            RemoteFileChangedError: the file is not the one ``expected`` describes.
            SourceInterruptedError: the connection failed.
            SourceError: the source refused.
        """

    def download_slot(self, on_wait: Callable[[], None]) -> AbstractContextManager[None]:
        """Return a context manager that holds one of the machine's download slots, for streaming a large file."""
        return self._limiter.download_slot(on_wait)

    def exists(self, path: str) -> bool:
        """Return whether a file exists.

        Raises:
            SourceError: the source failed.
        """
        try:
            self.look_up(path)
        except RemoteFileMissingError:
            return False
        return True

    def look_up(self, path: str) -> RemoteFile:
        """Return :meth:`stat` of a file, with retries on broken connections."""
        return self._again(lambda: self.stat(path))

    def read_text(self, path: str) -> str:
        """Return the content of a small text file.

        Raises:
            SourceError: the file is missing or too large, or the source kept failing.
        """
        return self._again(lambda: self._text(path))

    def _text(self, path: str) -> str:
        remote = self.stat(path)
        if (remote.bytes or 0) > SMALL_FILE_BYTES:
            raise SourceError(f"{self.url(path)} has {remote.bytes:,} bytes: too large for a release document")
        found = bytearray()
        for piece in self.stream(path, offset=0, expected=remote):
            found += piece
            if len(found) > SMALL_FILE_BYTES:
                raise SourceError(f"{self.url(path)} is too large for a release document")
            self._limiter.check_time(self.url(path))
        if remote.bytes is not None and len(found) != remote.bytes:
            raise SourceInterruptedError(
                f"{self.url(path)}: {len(found):,} bytes came, the source announced {remote.bytes:,}"
            )
        return found.decode("latin-1")

    def _again(self, ask: Callable[[], _T]) -> _T:
        """Make a small request, and retry it if the connection breaks or the file was just replaced."""
        for attempt in range(1, SMALL_FILE_ATTEMPTS):
            try:
                return ask()
            except (SourceInterruptedError, RemoteFileChangedError) as error:
                self._limiter.check_time(str(error))
                self.progress(f"{error}; attempt {attempt + 1} of {SMALL_FILE_ATTEMPTS} follows")
                time.sleep(RETRY_SECONDS * attempt)
        return ask()


def without_credentials(url: str) -> str:
    """Return a URL without user name and password; several URLs may be separated by blanks."""
    if len(urls := url.split()) > 1:
        return " ".join(map(without_credentials, urls))
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def safe_name(name: str) -> str:
    """Return a file name from a listing, after checking that it cannot leave its folder.

    Raises:
        SourceError: the name has separators, ``..`` or control characters.
    """
    if not name or ".." in name or _HOSTILE.search(name):
        raise SourceError(f"the listing contains an invalid name: {name[:80]!r}")
    return name


def is_ignored(name: str) -> bool:
    """Return whether a name has characters that NCBI's names never have, such as hidden files of a server."""
    return _SAFE_NAME.fullmatch(name) is None


def size_of(text: str, *, what: str) -> int:
    """Parse a size in bytes.

    Raises:
        SourceError: the text is not a valid file size.
    """
    if not _SIZE.fullmatch(text) or int(text) > MAX_FILE_BYTES:
        raise SourceError(f"{what}: a file cannot have a size of {text[:40]!r} bytes")
    return int(text)


def check_same_file(now: RemoteFile, expected: RemoteFile, *, url: str) -> None:
    """Check that two descriptions of a file refer to the same version, as far as both are known.

    Raises:
        RemoteFileChangedError: they differ.
    """
    for was, is_, what in (
        (expected.bytes, now.bytes, "size"),
        (expected.etag, now.etag, "ETag"),
        (expected.modified, now.modified, "date"),
    ):
        if was is not None and is_ is not None and was != is_:
            raise RemoteFileChangedError(f"{url} changed while it was fetched: its {what} was {was} and is {is_}")
