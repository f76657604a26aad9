"""Parses and formats single values of settings; the settings themselves belong to ``settings``."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from genbank_assets.errors import SettingsError

MAX_SHOWN = 200
KINDS = {bool: "true or false", int: "a whole number", float: "a number"}


def converted(text: str, *, default: object) -> object:
    """Convert the text of a variable to the type of its field's default.

    Raises:
        ValueError: the text is not of that type.
    """
    if isinstance(default, bool):
        if text.lower() not in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
            raise ValueError(text)
        return text.lower() in {"1", "true", "yes", "on"}
    if isinstance(default, int):
        return int(text)
    if isinstance(default, float):
        return float(text)
    return text


def is_place(url: str) -> bool:
    """Return whether a URL names a bucket or a local folder."""
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        return False
    if parts.scheme == "file":
        return parts.netloc in {"", "localhost"} and parts.path.startswith("/")
    return parts.scheme == "s3" and bool(parts.netloc)


def expanded(folder: str | Path, *, variable: str) -> Path:
    """Return a path with ``~`` and ``~user`` expanded.

    Raises:
        SettingsError: the user does not exist or has no home directory.
    """
    try:
        return Path(folder).expanduser()
    except RuntimeError:
        raise SettingsError(f"{variable} is {str(folder)!r}, and nobody's home is known by that name") from None


def shortened(text: str) -> str:
    """Return a value for a message, truncated to ``MAX_SHOWN`` characters."""
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
