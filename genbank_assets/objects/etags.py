"""Verifies that a store kept what was sent, by ETag or else by reading the object back.

AWS and most servers use the MD5 of the bytes, or of the MD5s of the parts, as the ETag; encrypted buckets and folders
do not. An unexpected ETag is therefore a reason to read the object, but never proof of damage. In addition, a SHA-256
is sent with the body (``store``), but not every server checks it. Sending belongs to ``upload``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import obstore
from obstore.store import ObjectStore

PART_BYTES = 8 * 1024 * 1024
_FORM = re.compile(r"[0-9a-f]{32}(-[0-9]+)?")


def md5_of(content: Any) -> str:
    """Return the ETag that most servers give an object sent in a single request."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def bare_etag(etag: str | None) -> str:
    """Return an ETag without quotes, "" for none: some servers quote it in a response, but not in a listing."""
    return (etag or "").strip('"')


class Etags:
    """Compares the ETags of one store with the expected ones."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._are_md5 = True

    def verify_stored(
        self, key: str, etag: str | None, *, sha256: bytes, expected: Callable[[], str], just_sent: bool = True
    ) -> bool:
        """Return whether an object has the expected content.

        Args:
            key: the object.
            etag: its ETag in the store.
            sha256: the digest of the expected content.
            expected: computes the ETag expected if it is based on MD5; called only if needed.
            just_sent: whether this process has just sent it; an uninformative ETag is then no reason to read it.

        Raises:
            obstore.exceptions.BaseError: the object cannot be read.
        """
        form = _FORM.fullmatch(bare_etag(etag)) if self._are_md5 else None
        if form is None:
            return just_sent or self.read(key) == sha256
        promised = expected()
        if form[0] == promised:
            return True
        if self.read(key) != sha256:
            return False
        if bool(form[1]) == ("-" in promised):  # right bytes but a different value: this store's ETags are not MD5s
            self._are_md5 = False
        return True

    def read(self, key: str) -> bytes:
        """Return the SHA-256 of an object in the store."""
        hasher = hashlib.sha256()
        for piece in obstore.get(self._store, key).stream(min_chunk_size=PART_BYTES):
            hasher.update(piece)
        return hasher.digest()


class Parts:
    """The pieces of a long object as they are sent, and the ETag of an upload in parts of :data:`PART_BYTES`."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._part = hashlib.md5(usedforsecurity=False)
        self._room = PART_BYTES
        self._digests: list[bytes] = []
        self.ended = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            piece = next(self._pieces)
        except StopIteration:
            self.ended = True
            raise
        rest = memoryview(piece)
        while len(rest) >= self._room:
            self._part.update(rest[: self._room])
            rest = rest[self._room :]
            self._close()
        self._part.update(rest)
        self._room -= len(rest)
        return piece

    def etag(self) -> str:
        """Return the ETag of a multipart upload of the pieces so far."""
        if self._room < PART_BYTES:
            self._close()
        return f"{md5_of(b''.join(self._digests))}-{len(self._digests)}"

    def _close(self) -> None:
        self._digests.append(self._part.digest())
        self._part, self._room = hashlib.md5(usedforsecurity=False), PART_BYTES
