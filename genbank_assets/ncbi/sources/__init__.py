"""Sources of releases: one interface over ``https://``, ``http://``, ``ftp://``, ``s3://`` and ``file://``.

A source lists folders, reads small files and streams large ones from an offset. The interface is defined in ``base``.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from genbank_assets.errors import SourceError
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.sources.base import (
    TIMEOUT_SECONDS,
    RemoteFile,
    Source,
    safe_name,
    without_credentials,
)
from genbank_assets.ncbi.sources.bucket import BucketSource
from genbank_assets.ncbi.sources.folder import FolderSource
from genbank_assets.ncbi.sources.ftp import FtpSource
from genbank_assets.ncbi.sources.http import HttpSource
from genbank_assets.ncbi.sources.mirrors import MirrorsSource

__all__ = ["RemoteFile", "Source", "open_source", "safe_name", "without_credentials"]

_KINDS: dict[str, type[Source]] = {
    "file": FolderSource,
    "http": HttpSource,
    "https": HttpSource,
    "ftp": FtpSource,
    "s3": BucketSource,
}


def open_source(
    url: str,
    *,
    limiter: Limiter,
    timeout_seconds: float = TIMEOUT_SECONDS,
    progress: Callable[[str], None] | None = None,
) -> Source:
    """Open the source at a URL.

    Args:
        url: the parent of ``genbank/`` and ``refseq/``; several URLs, separated by blanks, in order of preference.
        limiter: limits requests to the source.
        timeout_seconds: how long to wait for a response.
        progress: called with a message before a retry and before longer waits.

    Raises:
        SourceError: the scheme is not https, http, ftp, s3 or file.
    """
    if len(urls := url.split()) > 1:

        def opened(one: str) -> Source:
            return open_source(one, limiter=limiter, timeout_seconds=timeout_seconds)

        mirrors = MirrorsSource(urls, opened=opened, limiter=limiter, timeout_seconds=timeout_seconds)
        if progress is not None:
            mirrors.progress = limiter.progress = progress
        return mirrors
    try:
        kind = _KINDS.get(urlsplit(url).scheme)
    except ValueError as error:
        raise SourceError(f"the source is not a valid URL: {error}") from error
    if kind is None:
        raise SourceError(f"cannot read from {without_credentials(url)!r}: use https://, ftp://, s3:// or file://")
    source = kind(url, limiter=limiter, timeout_seconds=timeout_seconds)
    if progress is not None:
        source.progress = limiter.progress = progress
    return source
