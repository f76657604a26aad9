"""Compound requests to a store: looking up objects, multipart uploads, and interpreting errors.

Retrying uploads belongs to ``upload``.
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
TRANSIENT_STATUSES = {408, 409, 425, 429, 500, 502, 503, 504}
# Error codes with status 400 for a body that arrived damaged or too slowly.
_TRANSIENT_CODES = re.compile(
    "<Code>(BadDigest|InvalidDigest|XAmzContentSHA256Mismatch|XAmzContentChecksumMismatch|RequestTimeout)</Code>"
)
_LASTING = re.compile("LocalFileSystem|certificate|dns error.*not known", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Stored:
    """An object in the store.

    Attributes:
        key: the object's key.
        bytes: its size.
        etag: its ETag, if the store has one.
    """

    key: str
    bytes: int
    etag: str | None


@dataclasses.dataclass
class Counts:
    """Upload statistics.

    Attributes:
        attempts: uploads started, one per object.
        errors: uploads that exhausted their retries, even if a second pass succeeded.
        retries: repeated requests.
        slow_downs: responses asking for fewer requests.
        put: objects sent.
        bytes: bytes sent.
        found: objects that already existed.
        replaced: existing objects that did not match their key and were overwritten.
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
        """Add another uploader's statistics."""
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def minus(self, before: Counts) -> Counts:
        """Return the difference from earlier statistics."""
        names = [field.name for field in dataclasses.fields(self)]
        return Counts(**{name: getattr(self, name) - getattr(before, name) for name in names})


@dataclasses.dataclass(frozen=True, slots=True)
class Outgoing:
    """An object to send; ``on_stored`` is called, in the sending thread, once it is in the store.

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
    """Return the object with a key, or None."""
    try:
        meta = obstore.head(store, key)
    except FileNotFoundError:
        return None
    return Stored(key, meta["size"], meta["e_tag"])


def copy_object(store: ObjectStore, key: str, path: Path) -> None:
    """Download an object to a file.

    Raises:
        obstore.exceptions.BaseError: the store failed.
        FileNotFoundError: there is no such object.
    """
    with path.open("wb") as out:
        for piece in obstore.get(store, key).stream():
            out.write(piece)


def put_parts(store: ObjectStore, key: str, parts: Parts, *, length: int, at_once: int) -> Stored:
    """Send an object in parts, a few at a time; it appears completely or not at all.

    Raises:
        obstore.exceptions.BaseError: the store failed.
        FileNotFoundError: the bucket does not exist, or the upload was aborted by another process.
    """
    try:
        result = obstore.put(store, key, parts, use_multipart=True, chunk_size=PART_BYTES, max_concurrency=at_once)
    except (BaseError, FileNotFoundError):
        # If the response to the final request was lost, its retry finds no upload, but the object exists.
        there = stored_as(store, key) if parts.ended else None
        if there is None or there.bytes != length:
            raise
        return there
    return Stored(key, length, result["e_tag"])


def status_of(error: Exception) -> int | None:
    """Return the HTTP status in a store's error; None if the connection failed or timed out."""
    said = _STATUS.search(str(error))
    return int(said[1]) if said else None


def is_transient(error: Exception) -> bool:
    """Return whether retrying may help: the connection broke, or the store failed or was busy.

    A full disk or an untrusted certificate also have no status, but are not transient.
    """
    if not isinstance(error, GenericError | AlreadyExistsError) or _LASTING.search(str(error)) or is_lasting(error):
        return False
    status = status_of(error)
    return status is None or status in TRANSIENT_STATUSES or bool(_TRANSIENT_CODES.search(str(error)))
