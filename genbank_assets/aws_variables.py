"""Validates AWS's own environment variables before a library that would panic or only name its exception.

Covers credentials, region, endpoint and certificates. Opening object stores belongs to ``objects`` and
``ncbi.sources.bucket``.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from genbank_assets.errors import SettingsError

_KEY, _SECRET = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
_SENT_IN_HEADERS = (_KEY, _SECRET, "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION")


def check_aws_variables(environment: Mapping[str, str] | None = None) -> None:
    """Reject values that no server accepts, such as a secret read from a file together with its line end.

    Args:
        environment: the variables; None for those of this process.

    Raises:
        SettingsError: a value contains whitespace or non-ASCII characters, or only one half of the credentials is set.
    """
    environment = os.environ if environment is None else environment
    for name in _SENT_IN_HEADERS:
        if re.search(r"[^!-~]", environment.get(name, "")):
            raise SettingsError(
                f"{name} holds a blank, a line end or a character that is not ASCII: set it again without"
            )
    for there, lacking in ((_KEY, _SECRET), (_SECRET, _KEY)):
        if environment.get(there) and not environment.get(lacking):
            raise SettingsError(f"{there} is set, but {lacking} is not: set both or none")


def endpoint_variable() -> str | None:
    """Return the S3 endpoint of the environment; None for AWS itself."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")


def check_endpoint(endpoint: str) -> None:
    """Reject anything but the URL of a server.

    Raises:
        SettingsError: the scheme or host is missing, or the port is invalid.
    """
    try:
        parts = urlsplit(endpoint)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or re.search(r"\s", endpoint):
        raise SettingsError(
            f"the endpoint of S3 (AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL) is {endpoint!r}: write https://HOST or "
            "http://HOST:PORT"
        )


def own_authorities() -> bytes | None:
    """Return the certificates of AWS_CA_BUNDLE, which obstore does not read; trusted in addition to the system's.

    Raises:
        SettingsError: the file does not exist or contains no certificate.
    """
    bundle = os.environ.get("AWS_CA_BUNDLE")
    if not bundle:
        return None
    try:
        ssl.create_default_context(cafile=bundle)
        return Path(bundle).read_bytes()
    except ssl.SSLError:
        raise SettingsError(f"AWS_CA_BUNDLE names {bundle}, in which there is no certificate") from None
    except OSError as error:
        raise SettingsError(f"AWS_CA_BUNDLE cannot be read: {error.strerror}: {bundle}") from None
