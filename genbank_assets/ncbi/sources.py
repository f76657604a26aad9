"""Where releases come from: one interface over ``https://``, ``ftp://`` and ``file://``.

A source lists a folder, reads small files and streams large ones from an offset. What to fetch and how to verify it
belongs to ``download``; names from a listing are untrusted and checked there and in ``catalog``.
"""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import ftplib
import html
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

import httpx

from genbank_assets.errors import RemoteFileChangedError, SourceBusyError, SourceError
from genbank_assets.ncbi.limiter import Limiter

SMALL_FILE_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclasses.dataclass(frozen=True)
class RemoteFile:
    """One entry of a listing: its name, size in bytes, and what identifies this state of it."""

    name: str
    bytes: int | None
    modified: str | None = None
    etag: str | None = None


class Source(abc.ABC):
    """A place that holds ``genbank/`` and ``refseq/``."""

    def __init__(self, root: str, *, limiter: Limiter) -> None:
        self._address = root.rstrip("/")
        self._root = without_credentials(self._address)
        self._limiter = limiter

    def url(self, path: str) -> str:
        """The address of a path below the source, fit to be shown and kept."""
        return f"{self._root}/{path}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027 -- a folder has nothing to give back
        """Give connections back."""

    @abc.abstractmethod
    def listing(self, folder: str) -> list[RemoteFile]:
        """Entries of a folder with safe names; an absent folder has none.

        Raises:
            SourceError: the folder cannot be listed, or a name in it could leave the folder.
        """

    @abc.abstractmethod
    def stat(self, path: str) -> RemoteFile:
        """Size and identity of one file.

        Raises:
            SourceError: there is no such file.
        """

    @abc.abstractmethod
    def stream(self, path: str, *, offset: int, expected: RemoteFile) -> Iterator[bytes]:
        """Bytes of a file from ``offset`` on.

        Raises:
            RemoteFileChangedError: the file is not the one ``expected`` describes.
            SourceError: the connection failed.
        """

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        try:
            self.stat(path)
        except SourceError:
            return False
        return True

    def read_text(self, path: str) -> str:
        """A small text file.

        Raises:
            SourceError: it is missing, or larger than a release document can be.
        """
        remote = self.stat(path)
        if (remote.bytes or 0) > SMALL_FILE_BYTES:
            raise SourceError(f"{self.url(path)} has {remote.bytes:,} bytes: too large for a release document")
        found = bytearray()
        for piece in self.stream(path, offset=0, expected=remote):
            found += piece
            if len(found) > SMALL_FILE_BYTES:
                raise SourceError(f"{self.url(path)} is too large for a release document")
        return found.decode("latin-1")


def without_credentials(url: str) -> str:
    """A URL without user name and password."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def safe_name(name: str) -> str:
    """A file name from a listing, refused when it could be anything but a plain name.

    Raises:
        SourceError: separators, ``..``, control or odd characters.
    """
    if not _SAFE_NAME.fullmatch(name) or ".." in name:
        raise SourceError(f"the listing holds a name that is refused: {name[:80]!r}")
    return name


def open_source(url: str, *, limiter: Limiter) -> Source:
    """The source behind a URL.

    Raises:
        SourceError: the scheme is none of https, http, ftp, file.
    """
    scheme = urlsplit(url).scheme
    if scheme == "file":
        return FolderSource(url, limiter=limiter)
    if scheme in {"http", "https"}:
        return HttpSource(url, limiter=limiter)
    if scheme == "ftp":
        return FtpSource(url, limiter=limiter)
    raise SourceError(f"cannot read from {url!r}: use https://, ftp:// or file://")


class FolderSource(Source):
    """``file://``: a folder laid out as NCBI's server is."""

    def __init__(self, root: str, *, limiter: Limiter) -> None:
        super().__init__(root, limiter=limiter)
        self._folder = Path(unquote(urlsplit(root).path))
        if not self._folder.is_dir():
            raise SourceError(f"no such folder: {self._folder}")

    def listing(self, folder: str) -> list[RemoteFile]:
        path = self._folder / folder
        if not path.is_dir():
            return []
        return [self.stat(f"{folder}/{safe_name(p.name)}") for p in sorted(path.iterdir()) if p.is_file()]

    def stat(self, path: str) -> RemoteFile:
        try:
            stat = (self._folder / path).stat()
        except OSError as error:
            raise SourceError(f"cannot read {self.url(path)}: {error.strerror}") from error
        modified = datetime.fromtimestamp(stat.st_mtime, UTC).isoformat(timespec="seconds")
        return RemoteFile(path.rsplit("/", 1)[-1], stat.st_size, modified=modified, etag=str(stat.st_mtime_ns))

    def stream(self, path: str, *, offset: int, expected: RemoteFile) -> Iterator[bytes]:
        _same_file(self.stat(path), expected, url=self.url(path))
        with (self._folder / path).open("rb") as file:
            file.seek(offset)
            while piece := file.read(CHUNK_BYTES):
                yield piece
        _same_file(self.stat(path), expected, url=self.url(path))


def _same_file(now: RemoteFile, expected: RemoteFile, *, url: str) -> None:
    for was, is_, what in (
        (expected.bytes, now.bytes, "size"),
        (expected.etag, now.etag, "ETag"),
        (expected.modified, now.modified, "date"),
    ):
        if was is not None and is_ is not None and was != is_:
            raise RemoteFileChangedError(f"{url} changed while it was fetched: its {what} was {was} and is {is_}")


class HttpSource(Source):
    """``https://``: pooled connections; ranges guarded by If-Range."""

    _ROW = re.compile(r'<a href="([^"?]+)"[^>]*>[^<]*</a>([^<\n]*)', re.IGNORECASE)

    def __init__(self, root: str, *, limiter: Limiter) -> None:
        super().__init__(root, limiter=limiter)
        self._client = httpx.Client(
            timeout=httpx.Timeout(60.0, connect=30.0),
            follow_redirects=True,
            headers={"User-Agent": "genbank-assets", "Accept-Encoding": "identity"},
        )

    def close(self) -> None:
        self._client.close()

    def listing(self, folder: str) -> list[RemoteFile]:
        response = self._request("GET", f"{folder}/")
        if response.status_code == 404:
            return []
        rows = {html.unescape(unquote(m[1])): m[2].strip() for m in self._ROW.finditer(response.text)}
        found = []
        for name, date_and_size in sorted(rows.items()):
            if name.endswith("/") or name.startswith(("/", "http:", "https:")):
                continue  # sub-folders, the parent link, and the server's own decorations
            found.append(RemoteFile(safe_name(name), None, modified=date_and_size or None))
        return found

    def stat(self, path: str) -> RemoteFile:
        response = self._request("HEAD", path)
        if response.status_code != 200:
            raise SourceError(f"{self.url(path)}: the server answered {response.status_code}")
        return _described(path, response)

    def stream(self, path: str, *, offset: int, expected: RemoteFile) -> Iterator[bytes]:
        headers = {}
        if offset:
            headers["Range"] = f"bytes={offset}-"
            guard = expected.etag or expected.modified
            if guard and not guard.startswith("W/"):
                headers["If-Range"] = guard
        with self._sent("GET", path, headers=headers) as response:
            if offset and response.status_code != 206:
                raise RemoteFileChangedError(f"{self.url(path)} changed since its first {offset:,} bytes were fetched")
            if response.status_code not in {200, 206}:
                raise SourceError(f"{self.url(path)}: the server answered {response.status_code}")
            if offset and not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
                raise SourceError(f"{self.url(path)}: the server sent another range than was asked for")
            if not offset:
                _same_file(_described(path, response), expected, url=self.url(path))
            try:
                yield from response.iter_raw()  # as it comes: a larger piece would be lost when the connection breaks
            except httpx.HTTPError as error:
                raise SourceError(f"{self.url(path)}: the connection broke: {error}") from error

    @contextlib.contextmanager
    def _sent(self, method: str, path: str, *, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """A streamed response that is not a request to slow down."""
        while True:
            sent = self._limiter.wait_for_turn()
            try:
                request = self._client.build_request(method, f"{self._address}/{path}", headers=headers)
                response = self._client.send(request, stream=True)
            except httpx.HTTPError as error:
                raise SourceError(f"{self.url(path)}: {error}") from error
            if response.status_code in {429, 503}:
                retry_after = _seconds(response.headers.get("Retry-After"))
                response.close()
                self._limiter.slow_down(retry_after, url=self.url(path), sent=sent)
                continue
            self._limiter.went_well(sent=sent)
            break
        try:
            yield response
        finally:
            response.close()

    def _request(self, method: str, path: str) -> httpx.Response:
        with self._sent(method, path, headers={}) as response:
            if int(response.headers.get("Content-Length") or 0) <= SMALL_FILE_BYTES or method == "HEAD":
                response.read()
            return response


def _described(path: str, response: httpx.Response) -> RemoteFile:
    length = response.headers.get("Content-Length")
    return RemoteFile(
        path.rsplit("/", 1)[-1],
        int(length) if length and length.isdigit() else None,
        modified=response.headers.get("Last-Modified"),
        etag=response.headers.get("ETag"),
    )


def _seconds(retry_after: str | None) -> float | None:
    """``Retry-After`` as seconds from now, whether it is a number or a date."""
    if not retry_after:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    return None


class FtpSource(Source):
    """``ftp://``: passive, binary, one control connection kept open over all files; REST resumes."""

    def __init__(self, root: str, *, limiter: Limiter) -> None:
        super().__init__(root, limiter=limiter)
        self._parts = urlsplit(root)
        self._connection: ftplib.FTP | None = None

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(*ftplib.all_errors):
                self._connection.quit()
            self._connection = None

    def _connected(self) -> ftplib.FTP:
        if self._connection is not None:
            try:
                self._connection.voidcmd("NOOP")
            except ftplib.all_errors:
                self._connection.close()
                self._connection = None
        if self._connection is None:
            self._limiter.wait_for_turn()
            try:
                connection = ftplib.FTP(timeout=60)  # noqa: S321 -- NCBI offers it, and some networks allow nothing else
                connection.connect(self._parts.hostname or "", self._parts.port or 21)
                connection.login(self._parts.username or "anonymous", self._parts.password or "genbank-assets@")
                connection.voidcmd("TYPE I")
            except ftplib.all_errors as error:
                if str(error).startswith("421"):
                    raise SourceBusyError(f"{self._root}: the server is full: {error}") from error
                raise SourceError(f"cannot reach {self._parts.scheme}://{self._parts.hostname}: {error}") from error
            self._connection = connection
        return self._connection

    def _path(self, path: str) -> str:
        return f"{self._parts.path}/{path}"

    def listing(self, folder: str) -> list[RemoteFile]:
        connection = self._connected()
        try:
            entries = list(connection.mlsd(self._path(folder), facts=["type", "size", "modify"]))
        except ftplib.error_perm as error:
            if str(error).startswith(("550", "501")):
                return []
            raise SourceError(f"{self.url(folder)}: {error}") from error
        except ftplib.all_errors as error:
            raise SourceError(f"{self.url(folder)}: {error}") from error
        return [
            RemoteFile(safe_name(name), int(facts["size"]), modified=facts.get("modify"))
            for name, facts in entries
            if facts.get("type") == "file"
        ]

    def stat(self, path: str) -> RemoteFile:
        connection = self._connected()
        try:
            connection.voidcmd("TYPE I")
            size = connection.size(self._path(path))
            modified = connection.voidcmd(f"MDTM {self._path(path)}").split()[-1]
        except ftplib.all_errors as error:
            raise SourceError(f"{self.url(path)}: {error}") from error
        return RemoteFile(path.rsplit("/", 1)[-1], size, modified=modified)

    def stream(self, path: str, *, offset: int, expected: RemoteFile) -> Iterator[bytes]:
        _same_file(self.stat(path), expected, url=self.url(path))
        connection = self._connected()
        begun = time.monotonic()
        try:
            with connection.transfercmd(f"RETR {self._path(path)}", rest=offset or None) as data:
                while piece := data.recv(CHUNK_BYTES):
                    yield piece
            connection.voidresp()
        except ftplib.all_errors as error:
            connection.close()
            self._connection = None
            seconds = time.monotonic() - begun
            raise SourceError(f"{self.url(path)}: the connection broke after {seconds:.0f} s: {error}") from error
