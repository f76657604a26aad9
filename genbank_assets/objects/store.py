"""Opens the object store at a URL: ``s3://bucket/prefix`` or ``file:///folder``.

obstore serves both. S3 options come from the caller (Dagster's S3Resource) and from AWS's environment variables,
profiles and roles, resolved as by boto3; credentials never appear in messages. What is stored belongs to ``publish``.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx
import obstore
from obstore.exceptions import GenericError
from obstore.store import LocalStore, ObjectStore, S3Store

from genbank_assets.aws_variables import check_aws_variables, check_endpoint, endpoint_variable, own_authorities
from genbank_assets.connection_reasons import connection_reason
from genbank_assets.durable import store_errors
from genbank_assets.errors import ObjectStoreError
from genbank_assets.http_client import http_client, way_to
from genbank_assets.redaction import remember
from genbank_assets.settings import Settings

# How long to retry while a store is unavailable, for example during a restart.
RETRY_SECONDS = 300.0
REQUEST_TIMEOUT = timedelta(minutes=10)
_BACKOFF = {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=20), "base": 2.0}
_STATUS = re.compile(r"status code: (\d{3}[A-Za-z ]*)")
_CODE = re.compile(r"<Code>([^<]{1,80})</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,200})</Message>")
_SERVER = re.compile(r"Error performing [A-Z]+ (https?://[^/\s?]+)")
_NOT_PARTIAL = "non-partial response"
# Resolved credentials are refreshed after this time, because those of a role may expire during a run.
_KEYS_LAST = timedelta(minutes=5)


def open_objects(
    settings: Settings,
    *,
    options: Mapping[str, str] | None = None,
    credentials: Any = None,
    retries: int = 8,
    timeout: timedelta = REQUEST_TIMEOUT,
) -> ObjectStore:
    """Open the store of the settings.

    Args:
        settings: name the store (``objects_url``).
        options: S3 options with precedence over the environment: ``endpoint``, ``region``, ``skip_signature``,
            ``virtual_hosted_style_request``.
        credentials: botocore credentials; None to use AWS's variables or what boto3 finds (profile, role).
        retries: number of retries by the client; 0 for callers that count and retry themselves.
        timeout: timeout of one request, including its body.

    Raises:
        ObjectStoreError: the URL is invalid, or there are no credentials.
        SettingsError: AWS's variables are invalid.
    """
    url = settings.objects_url
    parts = urlsplit(url)
    if parts.scheme == "file":
        folder = Path(unquote(parts.path))
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ObjectStoreError(f"the folder of the object set cannot be made: {error.strerror}: {folder}") from None
        return LocalStore(folder)
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
        raise ObjectStoreError(f"an object store is s3://bucket/prefix (without ? or #) or file:///folder, not {url!r}")
    check_aws_variables()
    # Send the body's SHA-256 twice: in the signature, which AWS and Ceph verify, and as a checksum, which AWS stores
    # with the object. Ceph 16 ignores the latter, rclone 1.75 both; some stores reject it.
    checksum = {"checksum_algorithm": "SHA256"} if settings.object_checksum == "sha256" else {}
    chosen: dict[str, Any] = {**checksum, **(options or {})}
    if credentials is None and "skip_signature" not in chosen and not os.environ.get("AWS_ACCESS_KEY_ID"):
        with translate_aws_errors():
            credentials = _from_boto3(chosen)
    endpoint = chosen.get("endpoint") or endpoint_variable()
    if endpoint:
        check_endpoint(endpoint)
        virtual = _is_virtual(chosen.get("virtual_hosted_style_request"))
        chosen["endpoint"] = _with_bucket(endpoint, parts.netloc) if virtual else endpoint
    client: dict[str, Any] = {"timeout": timeout}
    if endpoint and endpoint.startswith("http://"):
        client["allow_http"] = True
    if (authorities := own_authorities()) is not None:
        client["root_certificate"] = authorities
    retry: dict[str, Any] = {
        "max_retries": retries,
        "retry_timeout": timedelta(seconds=RETRY_SECONDS),
        "backoff": _BACKOFF,
    }
    try:
        return S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            config=chosen,  # type: ignore[arg-type]
            client_options=client,  # type: ignore[arg-type]
            retry_config=retry,  # type: ignore[arg-type]
            credential_provider=None if credentials is None else _provider(credentials),  # type: ignore[arg-type]
        )
    except ValueError:
        raise ObjectStoreError(f"cannot use {url}: a part of its prefix is empty, . or ..") from None
    except Exception as error:
        raise ObjectStoreError(f"cannot use {url}: {type(error).__name__}") from error


@contextlib.contextmanager
def translate_aws_errors() -> Iterator[None]:
    """Translate boto3's errors about AWS_* variables and files.

    Raises:
        ObjectStoreError: unknown profile, invalid endpoint, missing region and the like.
    """
    from botocore.exceptions import BotoCoreError  # slow to import

    try:
        yield
    except (BotoCoreError, ValueError) as error:
        raise ObjectStoreError(f"the AWS_* variables or files cannot be used: {error}") from None


def _is_virtual(chosen: str | None = None) -> bool:
    """Return whether the bucket is part of the host name; by default it is part of the path."""
    text = chosen if chosen is not None else os.environ.get("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "")
    return text.lower() in {"1", "true", "yes", "on"}


def _with_bucket(endpoint: str, bucket: str) -> str:
    """Convert ``https://host`` to ``https://bucket.host``, which obstore leaves to its caller."""
    scheme, _, host = endpoint.partition("://")
    return endpoint if host.startswith(f"{bucket}.") else f"{scheme}://{bucket}.{host}"


def _provider(credentials: Any) -> Callable[[], dict[str, Any]]:
    """Return botocore credentials for obstore, refreshed before they expire."""

    def current() -> dict[str, Any]:
        with translate_aws_errors():
            frozen = credentials.get_frozen_credentials()
        for secret in (frozen.access_key, frozen.secret_key, frozen.token):
            remember(secret)
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + _KEYS_LAST,
        }

    return current


def _from_boto3(chosen: dict[str, Any]) -> Any:
    """Return credentials of AWS_PROFILE, SSO, a role or the machine; add the profile's region and endpoint."""
    import boto3  # slow to import, and only needed without keys in the environment

    session = boto3.Session()
    credentials = session.get_credentials()
    if credentials is None:
        raise ObjectStoreError(
            "no credentials for S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or use a role"
        )
    client = session.client("s3", region_name=chosen.get("region") or session.region_name or "us-east-1")
    chosen.setdefault("region", client.meta.region_name)
    if not client.meta.endpoint_url.endswith(".amazonaws.com"):
        chosen.setdefault("endpoint", client.meta.endpoint_url)
    return credentials


def open_boto3(settings: Settings) -> tuple[Any, str, str]:
    """Return a boto3 client for operations that obstore lacks, the bucket, and the key prefix.

    Uses the same variables for endpoint, region and addressing style as :func:`open_objects`.
    """
    import boto3
    from botocore.config import Config

    parts = urlsplit(settings.objects_url)
    prefix = parts.path.strip("/")
    endpoint = endpoint_variable()
    with translate_aws_errors():
        client = boto3.Session().client(
            "s3",
            endpoint_url=endpoint.replace(f"://{parts.netloc}.", "://") if endpoint else None,
            region_name=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
            config=Config(s3={"addressing_style": "virtual" if _is_virtual() else "path"}),
        )
    return client, parts.netloc, f"{prefix}/" if prefix else ""


def read_range(store: ObjectStore, key: str, *, start: int, end: int) -> bytes:
    """Return bytes ``start`` to ``end`` (0-based, exclusive) of an object, with one request.

    Raises:
        FileNotFoundError: there is no such object. obstore.exceptions.BaseError: the store failed.
    """
    try:
        return bytes(obstore.get_range(store, key, start=start, end=end))
    except GenericError as error:
        if _NOT_PARTIAL not in str(error) or not isinstance(store, S3Store):
            raise
    # Some servers (rclone 1.75) send the right range with status 200, which obstore rejects; check Content-Range.
    url = _plain_url(store, key) or obstore.sign(store, "GET", key, timedelta(minutes=5))
    bundle = os.environ.get("AWS_CA_BUNDLE")
    trusted = ssl.create_default_context(cafile=bundle) if bundle else True
    headers = {"Range": f"bytes={start}-{end - 1}"}
    with http_client(url, timeout=REQUEST_TIMEOUT.total_seconds(), verify=trusted) as client:
        try:
            answer = client.get(url, headers=headers)
        except httpx.HTTPError as error:  # as an obstore error, so that transient ones are retried
            raise GenericError(f"the connection to the store failed: {error}") from error
    part = answer.content if answer.headers.get("Content-Range", "").startswith(f"bytes {start}-{end - 1}/") else b""
    if len(part) != end - start:
        raise GenericError(f"the server does not send parts of objects (status {answer.status_code} to a range)")
    return part


def _plain_url(store: S3Store, key: str) -> str | None:
    """Return the URL of an object in a bucket read without credentials; None for a store with signed requests."""
    config: dict[str, Any] = dict(store.config)
    endpoint = str(config.get("endpoint") or endpoint_variable() or "").rstrip("/")
    if str(config.get("skip_signature", "")).lower() != "true" or not endpoint:
        return None
    bucket = "" if _is_virtual(config.get("virtual_hosted_style_request")) else f"/{config.get('bucket')}"
    path = "/".join(part for part in (str(store.prefix or "").strip("/"), key) if part)
    return f"{endpoint}{bucket}/{quote(path)}"


@contextlib.contextmanager
def lock_objects(
    settings: Settings, *, exclusive: bool, work: str, progress: Callable[[str], None] = lambda line: None
) -> Iterator[None]:
    """Hold a lock on the set among processes of this store: shared for publishing, exclusive for deleting.

    It is released when the process ends. Other stores are coordinated in the set itself (``lease``).

    Raises:
        StoreError: the lock file cannot be created, or the file system refuses a write inside the block.
    """
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    with contextlib.ExitStack() as stack:
        stack.enter_context(store_errors(settings.store))
        settings.store.mkdir(parents=True, exist_ok=True)
        file = stack.enter_context((settings.store / "objects.lock").open("a+"))  # NFS requires read access
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"{work}: waiting for {'publications' if exclusive else 'a deletion'} of this store to end")
            fcntl.flock(file, kind)
        yield


def reason_of(error: BaseException) -> str:
    """Return a store's error in one line, with the server's status and message but without requests or keys."""
    text = str(error)
    status, code, message = (pattern.search(text) for pattern in (_STATUS, _CODE, _MESSAGE))
    if status is not None:
        return ": ".join(found[1] for found in (status, code, message) if found)[:300]
    server = _SERVER.search(text)
    reason = connection_reason(error, authorities="AWS_CA_BUNDLE")
    if server is None or "Generic S3" in reason:
        return reason
    return f"{server[1]} {way_to(server[1])}failed: {reason}"
