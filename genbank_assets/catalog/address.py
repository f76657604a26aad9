"""Addresses of published tables: ``s3://bucket/prefix?endpoint=…&region=…&unsigned=true`` or ``file:///folder``.

Missing parameters are taken from AWS's variables, profiles and roles; without credentials, requests are not signed.
Reading belongs to ``bucket``.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from obstore.store import ObjectStore

from genbank_assets.errors import NotFoundError, ObjectStoreError
from genbank_assets.objects.contact import TIMEOUT, require_response
from genbank_assets.objects.store import open_objects
from genbank_assets.settings import Settings

SCHEMES = ("s3", "file")
_OPTIONS = {"endpoint", "region", "unsigned", "bundle"}


def is_bucket_url(text: str) -> bool:
    """Return whether a text is the address of published tables rather than the path of a folder."""
    return text.partition("://")[0].lower() in SCHEMES and "://" in text


def open_address(url: str) -> ObjectStore:
    """Open an address, after checking that it responds.

    Raises:
        ObjectStoreError: it cannot be used or does not respond.
        NotFoundError: the folder does not exist.
    """
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    is_wrong = bool(set(options) - {"bundle"}) if parts.scheme == "file" else not parts.netloc
    if set(options) - _OPTIONS or parts.fragment or is_wrong:
        raise ObjectStoreError(
            f"tables are at s3://bucket/prefix, optionally followed by ?endpoint=, &region= and &unsigned=true, or at "
            f"file:///folder, not at {url}"
        )
    address = url.partition("?")[0]
    if parts.scheme == "file":
        if not Path(unquote(parts.path)).is_dir():
            raise NotFoundError(f"there is no folder {unquote(parts.path)}")
        return open_objects(Settings(objects=address))
    chosen: dict[str, str] = {name: options[name] for name in sorted(options.keys() & {"endpoint", "region"})}
    credentials = None
    if options.get("unsigned", "").lower() in {"1", "true", "yes"}:
        chosen["skip_signature"] = "true"
    elif not os.environ.get("AWS_ACCESS_KEY_ID"):
        import boto3  # slow to import, and only needed without keys in the environment

        credentials = boto3.Session().get_credentials()
        if credentials is None:
            chosen["skip_signature"] = "true"
    opened = functools.partial(open_objects, Settings(objects=address), options=chosen, credentials=credentials)
    require_response(lambda: opened(retries=1, timeout=TIMEOUT), shown=address)
    return opened(retries=2)
