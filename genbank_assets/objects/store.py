"""Opens the object store behind a URL: ``s3://bucket/prefix`` or ``file:///folder``.

One client (obstore) serves both. S3 options come from the caller (Dagster's S3Resource) and from AWS's own variables;
credentials never appear in a message. What is stored belongs to ``publish``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from obstore.store import LocalStore, ObjectStore, S3Store

from genbank_assets.errors import ObjectStoreError
from genbank_assets.settings import Settings

_RETRIES = {
    "max_retries": 8,
    "retry_timeout": timedelta(minutes=5),
    "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=20), "base": 2.0},
}


def open_objects(settings: Settings, *, options: Mapping[str, str] | None = None) -> ObjectStore:
    """The store of the settings.

    Args:
        settings: ``objects_url`` says where.
        options: S3 options that go before the environment: ``endpoint``, ``region``, ``access_key_id``,
            ``secret_access_key``, ``session_token``, ``virtual_hosted_style_request``.

    Raises:
        ObjectStoreError: the URL cannot be used.
    """
    url = settings.objects_url
    parts = urlsplit(url)
    if parts.scheme == "file":
        folder = Path(unquote(parts.path))
        folder.mkdir(parents=True, exist_ok=True)
        return LocalStore(folder)
    if parts.scheme != "s3" or not parts.netloc:
        raise ObjectStoreError(f"objects must be s3://bucket/prefix or file:///folder, not {url!r}")
    chosen: dict[str, Any] = dict(options or {})
    endpoint = chosen.get("endpoint") or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        chosen["endpoint"] = endpoint
    client: dict[str, Any] = {"timeout": timedelta(minutes=10)}
    if endpoint and endpoint.startswith("http://"):
        client["allow_http"] = True
    try:
        return S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            config=chosen,  # type: ignore[arg-type]
            client_options=client,  # type: ignore[arg-type]
            retry_config=_RETRIES,  # type: ignore[arg-type]
        )
    except Exception as error:
        raise ObjectStoreError(f"cannot use {url}: {type(error).__name__}") from error
