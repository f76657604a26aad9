"""``https://`` and ``http://``: pooled connections and range requests guarded by If-Range and validated responses.

If a server ignores ranges and sends the file from its start, the bytes already present are skipped, provided that ETag
or date prove that the file has not changed. Pauses after 503 and 429 belong to ``limiter``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, urlsplit

import httpx

from genbank_assets.connection_reasons import connection_reason, is_lasting
from genbank_assets.errors import (
    RemoteFileChangedError,
    RemoteFileMissingError,
    SourceError,
    SourceInterruptedError,
)
from genbank_assets.http_client import http_client, way_to
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.sources.base import (
    SMALL_FILE_BYTES,
    TIMEOUT_SECONDS,
    RemoteFile,
    Source,
    check_same_file,
    size_of,
)
from genbank_assets.ncbi.sources.index import html_index

MAX_REDIRECTS = 5
_SLOW_DOWN = {429, 503}
_GONE = {404, 410}
_NOT_SHOWN = {401, 403, 404, 410}
_NO_HEAD = {405, 501}
_ADVICE = {
    401: ": it requires a user and a password; add them to the source's URL",
    403: ": it denies access; check the address",
    407: ": the proxy requires a user and a password; add them to the proxy's URL",
}
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")


class HttpSource(Source):
    """A web server with NCBI's layout."""

    def __init__(self, root: str, *, limiter: Limiter, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        super().__init__(root, limiter=limiter, timeout_seconds=timeout_seconds)
        try:
            parts = urlsplit(root)
            httpx.URL(self._root)
        except (ValueError, httpx.InvalidURL) as error:
            raise SourceError(f"the source is not a valid URL: {error}") from error
        self._proxied = way_to(self._root)
        self._client = http_client(
            self._root,
            auth=(unquote(parts.username), unquote(parts.password or "")) if parts.username else None,
            timeout=httpx.Timeout(timeout_seconds, connect=min(30.0, timeout_seconds)),
            follow_redirects=True,
            max_redirects=MAX_REDIRECTS,
            headers={"User-Agent": "genbank-assets", "Accept-Encoding": "identity"},
            event_hooks={"response": [refuse_downgrade]},
        )

    def close(self) -> None:
        self._client.close()

    def _listed(self, folder: str) -> list[RemoteFile]:
        with self._sent("GET", f"{folder}/", headers={}) as response:
            if response.status_code in _NOT_SHOWN:
                return []
            self._check_status(f"{folder}/", response)
            return html_index(self._page(f"{folder}/", response), url=str(response.url))

    def _page(self, path: str, response: httpx.Response) -> str:
        found = bytearray()
        with self._reading(path):
            for piece in response.iter_bytes():
                found += piece
                if len(found) > SMALL_FILE_BYTES:
                    raise SourceError(f"{self.url(path)} is too large for a listing")
                self._limiter.check_time(self.url(path))
        return found.decode("utf-8", errors="replace")

    def stat(self, path: str) -> RemoteFile:
        with self._sent("HEAD", path, headers={}) as response:
            if response.status_code not in _NO_HEAD:
                self._check_status(path, response)
                found = _described(path, response)
                if found.bytes is not None or _is_encoded(path, response):
                    return found
        with self._sent("GET", path, headers={}) as response:  # only the headers are read
            self._check_status(path, response)
            return _described(path, response)

    def stream(self, path: str, *, offset: int, expected: RemoteFile) -> Iterator[bytes]:
        with self._sent("GET", path, headers=_range(offset, expected)) as response:
            passed_over = self._check_answer(path, response, offset=offset, expected=expected)
            pieces = response.iter_bytes() if _is_encoded(path, response) else response.iter_raw()
            with self._reading(path):
                for piece in pieces:  # not rechunked: a partly filled chunk would be lost if the connection breaks
                    if passed_over < len(piece):
                        yield piece[passed_over:]
                    passed_over = max(0, passed_over - len(piece))

    def _check_answer(self, path: str, response: httpx.Response, *, offset: int, expected: RemoteFile) -> int:
        """Check that a response continues the file whose first bytes are already present.

        Returns:
            Number of bytes to skip at the start of the response.
        """
        url = self.url(path)
        if response.status_code == 416:
            raise RemoteFileChangedError(f"{url} changed while it was fetched: it ends before byte {offset:,}")
        self._check_status(path, response)
        now = _described(path, response)
        if response.status_code == 206:
            part = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
            if part is None or int(part[1]) != offset or not offset:
                raise RemoteFileChangedError(f"{url}: the server sent a different range than requested")
            whole = None if part[3] == "*" else size_of(part[3], what=url)
            check_same_file(RemoteFile(now.name, whole, now.modified, now.etag), expected, url=url)
            return 0
        check_same_file(now, expected, url=url)
        proved = (now.etag and expected.etag) or (now.modified and expected.modified)
        if offset and not proved:
            raise RemoteFileChangedError(
                f"{url}: the server does not say whether it changed since {offset:,} bytes came"
            )
        return offset

    @contextlib.contextmanager
    def _sent(self, method: str, path: str, *, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """Send a request and give its streamed response, after any pauses the server asks for."""
        while True:
            sent = self._limiter.wait_for_turn(self.url(path))
            with self._reading(path):
                request = self._client.build_request(method, f"{self._root}/{path}", headers=headers)
                response = self._client.send(request, stream=True)
            if response.status_code not in _SLOW_DOWN:
                break
            response.close()
            self._limiter.slow_down(_seconds(response.headers.get("Retry-After")), url=self.url(path), sent=sent)
        try:
            self._limiter.record_success(sent=sent)
            yield response
        finally:
            response.close()

    def _check_status(self, path: str, response: httpx.Response) -> None:
        status = response.status_code
        if status in {200, 206}:
            return
        if status in _GONE:
            raise RemoteFileMissingError(f"there is no {self.url(path)}: the server answered {status}")
        kind = SourceInterruptedError if status >= 500 or status == 408 else SourceError
        raise kind(f"{self.url(path)}: the server answered {status}{_ADVICE.get(status, '')}")

    @contextlib.contextmanager
    def _reading(self, path: str) -> Iterator[None]:
        try:
            yield
        except httpx.TooManyRedirects as error:
            raise SourceError(f"{self.url(path)} redirects more than {MAX_REDIRECTS} times: check the URL") from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise SourceError(f"{self.url(path)} redirects to an address that is not https://: {error}") from error
        except httpx.DecodingError as error:
            raise SourceError(f"{self.url(path)} is not encoded as the server says: {error}") from error
        except httpx.HTTPError as error:
            kind = SourceError if is_lasting(error) else SourceInterruptedError
            unmade = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
            what = f"{self._proxied}cannot be reached" if unmade else "the connection broke"
            raise kind(f"{self.url(path)}: {what}: {connection_reason(error)}") from error


def refuse_downgrade(response: httpx.Response) -> None:
    """Refuse redirects from ``https`` to ``http``; an httpx event hook.

    Raises:
        SourceError: the response is such a redirect.
    """
    target = response.headers.get("Location", "")
    if response.is_redirect and response.request.url.scheme == "https" and target.lower().startswith("http:"):
        raise SourceError(f"{response.request.url} redirects to {target[:200]}, which is not encrypted: refused")


def _range(offset: int, expected: RemoteFile) -> dict[str, str]:
    if not offset:
        return {}
    strong = expected.etag if expected.etag and not expected.etag.startswith("W/") else None
    guard = strong or expected.modified
    return {"Range": f"bytes={offset}-"} | ({"If-Range": guard} if guard else {})


def _is_encoded(path: str, response: httpx.Response) -> bool:
    """Return whether the body is compressed in transit; for a ``.gz``, Content-Encoding describes the file itself."""
    return bool(response.headers.get("Content-Encoding")) and not path.endswith(".gz")


def _described(path: str, response: httpx.Response) -> RemoteFile:
    length = response.headers.get("Content-Length")
    return RemoteFile(
        path.rsplit("/", 1)[-1],
        size_of(length.strip(), what=path) if length and not _is_encoded(path, response) else None,
        modified=response.headers.get("Last-Modified"),
        etag=response.headers.get("ETag"),
    )


def _seconds(retry_after: str | None) -> float | None:
    """Return ``Retry-After``, a number or a date, as seconds from now."""
    if not retry_after:
        return None
    if re.fullmatch(r"\s*[0-9]{1,9}\s*", retry_after):
        return float(retry_after)
    with contextlib.suppress(ValueError, TypeError):
        when = parsedate_to_datetime(retry_after)
        return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    return None
