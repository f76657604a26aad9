"""``s3://bucket/prefix``: a public or private bucket with the layout of NCBI's server.

The query parameters ``endpoint``, ``region`` and ``unsigned=true`` override AWS's environment variables; without
credentials in these, requests are not signed. The bucket of the object set belongs to ``objects``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import obstore
from obstore.exceptions import BaseError, GenericError, PermissionDeniedError, PreconditionError, UnauthenticatedError
from obstore.store import S3Store

from genbank_assets.aws_variables import check_aws_variables, check_endpoint, endpoint_variable, own_authorities
from genbank_assets.connection_reasons import connection_reason, is_lasting
from genbank_assets.errors import (
    RemoteFileChangedError,
    RemoteFileMissingError,
    SourceError,
    SourceInterruptedError,
)
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.sources.base import (
    CHUNK_BYTES,
    TIMEOUT_SECONDS,
    RemoteFile,
    Source,
    check_same_file,
    safe_name,
)

_OPTIONS = {"endpoint", "region", "unsigned"}
_RETRIES = 3
_NOT_PARTIAL = "non-partial response"  # obstore's message when a range request was answered with status 200


class BucketSource(Source):
    """A bucket whose keys are NCBI's paths."""

    def __init__(self, root: str, *, limiter: Limiter, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        parts = urlsplit(root)
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if not parts.netloc or parts.fragment or set(options) - _OPTIONS:
            unknown = f"; {', '.join(sorted(set(options) - _OPTIONS))} is unknown" if set(options) - _OPTIONS else ""
            raise SourceError(
                "a bucket is s3://bucket/prefix, optionally followed by ?endpoint=, &region= and &unsigned=true, not "
                f"{root.partition('?')[0]}{unknown}"
            )
        super().__init__(root.partition("?")[0], limiter=limiter, timeout_seconds=timeout_seconds)
        self._address = root
        self._store = _opened(parts.netloc, parts.path.strip("/"), options, timeout_seconds)

    def _listed(self, folder: str) -> list[RemoteFile]:
        prefix = f"{folder.strip('/')}/"
        self._limiter.wait_for_turn(self.url(prefix))
        with self._answering(prefix):
            found = obstore.list_with_delimiter(self._store, prefix)
        return [_described(one) for one in found["objects"] if one["path"] != prefix]

    def stat(self, path: str) -> RemoteFile:
        self._limiter.wait_for_turn(self.url(path))
        with self._answering(path):
            return _described(obstore.head(self._store, path))

    def stream(self, path: str, *, offset: int, expected: RemoteFile) -> Iterator[bytes]:
        self._limiter.wait_for_turn(self.url(path))
        with self._answering(path):
            answer, passed_over = self._get(path, offset=offset, etag=expected.etag)
            check_same_file(_described(answer.meta), expected, url=self.url(path))
            for piece in answer.stream(min_chunk_size=CHUNK_BYTES):
                if passed_over < len(piece):
                    yield bytes(piece)[passed_over:]
                passed_over = max(0, passed_over - len(piece))

    def _get(self, path: str, *, offset: int, etag: str | None) -> tuple[Any, int]:
        """Return the response, and how many of its first bytes to skip if the server does not support ranges."""
        options: dict[str, Any] = {"if_match": etag} if etag else {}
        if not offset:
            return obstore.get(self._store, path, options=options), 0  # type: ignore[arg-type]
        try:
            ranged: Any = options | {"range": {"offset": offset}}
            return obstore.get(self._store, path, options=ranged), 0
        except GenericError as error:
            if _NOT_PARTIAL not in str(error):
                raise
        self._limiter.wait_for_turn(self.url(path))
        return obstore.get(self._store, path, options=options), offset  # type: ignore[arg-type]

    @contextlib.contextmanager
    def _answering(self, path: str) -> Iterator[None]:
        """Translate the store's errors to those of a source; broken connections may be retried."""
        url = self.url(path)
        try:
            yield
        except FileNotFoundError as error:
            raise RemoteFileMissingError(f"there is no {url}") from error
        except PreconditionError as error:
            raise RemoteFileChangedError(f"{url} changed while it was fetched") from error
        except (PermissionDeniedError, UnauthenticatedError, PermissionError) as error:
            raise SourceError(f"{url}: access denied; does it need credentials, or unsigned=true?") from error
        except GenericError as error:
            kind = SourceError if is_lasting(error) else SourceInterruptedError
            raise kind(f"{url}: the store failed: {connection_reason(error, authorities='AWS_CA_BUNDLE')}") from error
        except BaseError as error:
            raise SourceError(f"{url}: the store refused ({type(error).__name__})") from error


def _opened(bucket: str, prefix: str, options: dict[str, str], timeout_seconds: float) -> S3Store:
    check_aws_variables()
    endpoint = options.get("endpoint") or endpoint_variable()
    chosen: dict[str, Any] = {"region": options.get("region") or os.environ.get("AWS_REGION") or "us-east-1"}
    if endpoint:
        check_endpoint(endpoint)
        chosen["endpoint"] = endpoint
    if options.get("unsigned", "").lower() in {"1", "true", "yes"} or not os.environ.get("AWS_ACCESS_KEY_ID"):
        chosen["skip_signature"] = True
    client: dict[str, Any] = {"timeout": timedelta(seconds=timeout_seconds * 10)}
    client |= {"connect_timeout": timedelta(seconds=min(30.0, timeout_seconds))}
    client |= {"read_timeout": timedelta(seconds=timeout_seconds)}  # of silence; the timeout is that of a whole request
    if endpoint and endpoint.startswith("http://"):
        client["allow_http"] = True
    if (authorities := own_authorities()) is not None:
        client["root_certificate"] = authorities
    retry: dict[str, Any] = {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=timeout_seconds)}
    try:
        return S3Store(
            bucket,
            prefix=prefix or None,
            config=chosen,  # type: ignore[arg-type]
            client_options=client,  # type: ignore[arg-type]
            retry_config=retry,  # type: ignore[arg-type]
        )
    except Exception as error:
        raise SourceError(f"cannot use s3://{bucket}/{prefix}: {type(error).__name__}") from error


def _described(meta: Any) -> RemoteFile:
    modified = meta["last_modified"].astimezone(UTC).isoformat(timespec="seconds")
    return RemoteFile(safe_name(meta["path"].rsplit("/", 1)[-1]), meta["size"], modified=modified, etag=meta["e_tag"])
