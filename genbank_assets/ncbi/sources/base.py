"""What every source has in common: its interface, what is believed of a listing, and when a file is still the same.

Names, sizes and texts that come from a server are untrusted; here is what is refused and what is passed over. How a
server is spoken to belongs to ``http``, ``ftp`` and ``folder``; which files are wanted and how they are verified
belongs to ``download``.
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
    """One file of a source.

    Attributes:
        name: without its folder.
        bytes: its size, or None where the source does not say.
        modified: when it was changed, as the source writes it.
        etag: what else identifies this state of it.
        rounded: the size is one for people (``1.8M``): good for sums, not for checks.
    """

    name: str
    bytes: int | None
    modified: str | None = None
    etag: str | None = None
    rounded: bool = False


class Source(abc.ABC):
    """A place that holds ``genbank/`` and ``refseq/``."""

    def __init__(self, root: str, *, limiter: Limiter, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._address = root.rstrip("/")
        self._root = without_credentials(self._address)
        self._limiter = limiter
        self._timeout_seconds = timeout_seconds
        self.progress: Callable[[str], None] = lambda line: None

    def url(self, path: str) -> str:
        """Return the address of a path below the source, fit to be shown and kept."""
        return f"{self._root}/{path}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027 -- a folder has nothing to give back
        """Give connections back."""

    def listing(self, folder: str) -> list[RemoteFile]:
        """Entries of a folder, by names as NCBI gives them; a folder that is absent, or not shown, has none.

        Raises:
            SourceError: the folder cannot be listed, or a name in it could leave the folder.
        """
        return self._again(lambda: [remote for remote in self._listed(folder) if not is_ignored(remote.name)])

    @abc.abstractmethod
    def _listed(self, folder: str) -> list[RemoteFile]:
        """One try of :meth:`listing`; hidden files may be among the entries."""

    @abc.abstractmethod
    def stat(self, path: str) -> RemoteFile:
        """Size and identity of one file.

        Raises:
            RemoteFileMissingError: there is no such file.
            SourceError: the source failed.
        """

    @abc.abstractmethod
    def stream(self, path: str, *, offset: int, expected: RemoteFile) -> Iterator[bytes]:
        """Bytes of a file from ``offset`` on.

        Raises:
            RemoteFileChangedError: the file is not the one ``expected`` describes.
            SourceInterruptedError: the connection failed.
            SourceError: the source refused.
        """

    def download_slot(self, on_wait: Callable[[], None]) -> AbstractContextManager[None]:
        """One of the machine's download slots; to be held while a large file is streamed."""
        return self._limiter.download_slot(on_wait)

    def exists(self, path: str) -> bool:
        """Return whether there is such a file.

        Raises:
            SourceError: the source cannot be asked.
        """
        try:
            self.look_up(path)
        except RemoteFileMissingError:
            return False
        return True

    def look_up(self, path: str) -> RemoteFile:
        """Like :meth:`stat`, asked again when the connection breaks."""
        return self._again(lambda: self.stat(path))

    def read_text(self, path: str) -> str:
        """Return a small text file, whole.

        Raises:
            SourceError: it is missing, or larger than a release document can be, or the source keeps failing.
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
        """The answer to a small request, asked once more when the connection broke or the file was just replaced."""
        for attempt in range(1, SMALL_FILE_ATTEMPTS):
            try:
                return ask()
            except (SourceInterruptedError, RemoteFileChangedError) as error:
                self._limiter.check_time(str(error))
                self.progress(f"{error}; try {attempt + 1} of {SMALL_FILE_ATTEMPTS} follows")
                time.sleep(RETRY_SECONDS * attempt)
        return ask()


def without_credentials(url: str) -> str:
    """Return a URL without user name and password; of several with blanks between them, each."""
    if len(urls := url.split()) > 1:
        return " ".join(map(without_credentials, urls))
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def safe_name(name: str) -> str:
    """Return a file name from a listing, refused when it could lead out of its folder.

    Raises:
        SourceError: separators, ``..`` or control characters.
    """
    if not name or ".." in name or _HOSTILE.search(name):
        raise SourceError(f"the listing holds a name that is refused: {name[:80]!r}")
    return name


def is_ignored(name: str) -> bool:
    """Whether a name is none that NCBI gives: with odd characters, or of a file that servers keep for themselves."""
    return _SAFE_NAME.fullmatch(name) is None


def size_of(text: str, *, what: str) -> int:
    """Return a size as a server writes it, in bytes.

    Raises:
        SourceError: it is no size that a file can have.
    """
    if not _SIZE.fullmatch(text) or int(text) > MAX_FILE_BYTES:
        raise SourceError(f"{what}: a file cannot have a size of {text[:40]!r} bytes")
    return int(text)


def check_same_file(now: RemoteFile, expected: RemoteFile, *, url: str) -> None:
    """Whether two descriptions, as far as both say something, are of one state of a file.

    Raises:
        RemoteFileChangedError: they are not.
    """
    for was, is_, what in (
        (expected.bytes, now.bytes, "size"),
        (expected.etag, now.etag, "ETag"),
        (expected.modified, now.modified, "date"),
    ):
        if was is not None and is_ is not None and was != is_:
            raise RemoteFileChangedError(f"{url} changed while it was fetched: its {what} was {was} and is {is_}")
