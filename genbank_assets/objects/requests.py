"""Requests to the store that need more than one line: what is there, an object in parts, what an error says.

When a request is repeated belongs to ``upload``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError
from obstore.store import ObjectStore

from genbank_assets.connection_reasons import is_lasting
from genbank_assets.objects.etags import PART_BYTES, Parts

_STATUS = re.compile(r"status code: (\d{3})")
_TRANSIENT_STATUSES = {408, 409, 425, 429, 500, 502, 503, 504}
# Said with status 400: the body came damaged, or too slowly.
_TRANSIENT_CODES = re.compile(
    "<Code>(BadDigest|InvalidDigest|XAmzContentSHA256Mismatch|XAmzContentChecksumMismatch|RequestTimeout)</Code>"
)
_LASTING = re.compile("LocalFileSystem|certificate|dns error.*not known", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Stored:
    """An object that is in the store now.

    Attributes:
        key: the object's key.
        bytes: its size.
        etag: its ETag, where the store gives one.
    """

    key: str
    bytes: int
    etag: str | None


@dataclasses.dataclass
class Counts:
    """What was sent.

    Attributes:
        attempts: uploads begun; one per object.
        errors: uploads that used up their tries, whether the second chance then helped or not.
        retries: requests repeated.
        slow_downs: answers that asked for fewer requests.
        put: objects sent.
        bytes: bytes of those.
        found: objects that were there already.
        replaced: objects of those that were not what their key says, and were sent again.
    """

    attempts: int = 0
    errors: int = 0
    retries: int = 0
    slow_downs: int = 0
    put: int = 0
    bytes: int = 0
    found: int = 0
    replaced: int = 0

    def add(self, other: Counts) -> None:
        """Count what another has sent as well."""
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def minus(self, before: Counts) -> Counts:
        """Return what was sent since."""
        names = [field.name for field in dataclasses.fields(self)]
        return Counts(**{name: getattr(self, name) - getattr(before, name) for name in names})


@dataclasses.dataclass(frozen=True, slots=True)
class Outgoing:
    """An object to send; ``on_stored`` is called when it is in the store, by the thread that sent it.

    Attributes:
        key: the object's key.
        content: ``bytes``, ``bytearray`` or a ``memoryview`` of bytes.
        sha256: SHA-256 of the content, 32 bytes.
    """

    key: str
    content: Any
    sha256: bytes
    on_stored: Callable[[Stored], None]


def stored_as(store: ObjectStore, key: str) -> Stored | None:
    """Return what is in the store under a key."""
    try:
        meta = obstore.head(store, key)
    except FileNotFoundError:
        return None
    return Stored(key, meta["size"], meta["e_tag"])


def copy_object(store: ObjectStore, key: str, path: Path) -> None:
    """An object's bytes into a file.

    Raises:
        obstore.exceptions.BaseError: the store failed.
        FileNotFoundError: there is no such object.
    """
    with path.open("wb") as out:
        for piece in obstore.get(store, key).stream():
            out.write(piece)


def put_parts(store: ObjectStore, key: str, parts: Parts, *, length: int, at_once: int) -> Stored:
    """Send an object in parts as they come, a few at a time; it appears whole or not at all.

    Raises:
        obstore.exceptions.BaseError: the store failed.
        FileNotFoundError: there is no such bucket, or the upload was aborted by another.
    """
    try:
        result = obstore.put(store, key, parts, use_multipart=True, chunk_size=PART_BYTES, max_concurrency=at_once)
    except (BaseError, FileNotFoundError):
        # The answer to the last request may have been lost: its repetition finds no upload, but an object.
        there = stored_as(store, key) if parts.ended else None
        if there is None or there.bytes != length:
            raise
        return there
    return Stored(key, length, result["e_tag"])


def status_of(error: Exception) -> int | None:
    """Return the HTTP status in a store's error; None where the connection failed or timed out."""
    said = _STATUS.search(str(error))
    return int(said[1]) if said else None


def is_transient(error: Exception) -> bool:
    """Return whether the same request may succeed later: the connection broke, or the store stumbled or was busy.

    A full disk or a certificate that nobody vouches for are no such thing, though they have no status either.
    """
    if not isinstance(error, GenericError | AlreadyExistsError) or _LASTING.search(str(error)) or is_lasting(error):
        return False
    status = status_of(error)
    return status is None or status in _TRANSIENT_STATUSES or bool(_TRANSIENT_CODES.search(str(error)))
