"""Sends tables: present ones are not sent again, what arrives is compared, what its manifest denies is refused.

A table is a file of any size; it appears as one object or not at all. Which tables are sent belongs to ``publish``.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import obstore
from obstore.exceptions import GenericError
from obstore.store import ObjectStore

from genbank_assets.catalog.table_layout import TableObject
from genbank_assets.errors import IntegrityError
from genbank_assets.objects.etags import PART_BYTES, Etags, Parts, md5_of
from genbank_assets.objects.requests import Stored, put_parts
from genbank_assets.objects.retry import no_progress, retried


@dataclasses.dataclass(frozen=True, kw_only=True)
class OutgoingTable:
    """A table to send: where it is on this machine, and what it will be in the bucket.

    Attributes:
        path: the file on this machine.
        table: key, size and digest it will have in the bucket.
    """

    path: Path
    table: TableObject


class TableSender:
    """Sends tables into one place; may be called from several threads.

    Args:
        store: the place.
        there: size and ETag of what is there, by key.
        known: ETags by key of tables that a manifest in the place says are right.
        at_once: parts of one table on their way at a time.
        progress: called with lines for people.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        there: dict[str, tuple[int, str]],
        known: dict[str, str],
        at_once: int,
        progress: Callable[[str], None] = no_progress,
    ) -> None:
        self._store = store
        self._there = there
        self._known = known
        self._at_once = at_once
        self._progress = progress
        self._etags = Etags(store)

    def send(self, outgoing: OutgoingTable) -> tuple[TableObject, bool]:
        """Make sure that a table is in the bucket.

        Returns:
            The table with its ETag, and whether it was sent now.

        Raises:
            IntegrityError: the file is not what its manifest says; nothing is stored.
            ObjectStoreError: the store failed.
        """
        table = outgoing.table
        etag = self._present(outgoing)
        if etag is not None:
            return dataclasses.replace(table, etag=etag), False
        put = functools.partial(self._put, outgoing)
        stored = retried(put, doing=f"store {table.key}", progress=self._progress)
        return dataclasses.replace(table, etag=stored.etag or ""), True

    def _present(self, outgoing: OutgoingTable) -> str | None:
        """The ETag of the table if it is in the bucket as it should be."""
        table = outgoing.table
        size, etag = self._there.get(table.key, (-1, ""))
        if size != table.bytes:
            return None
        if etag and self._known.get(table.key) == etag:
            return etag
        verify = functools.partial(
            self._etags.verify_stored,
            table.key,
            etag,
            sha256=bytes.fromhex(table.sha256),
            expected=lambda: expected_etag(outgoing.path),
            just_sent=False,
        )
        return etag if retried(verify, doing=f"read {table.key}", progress=self._progress) else None

    def _put(self, outgoing: OutgoingTable) -> Stored:
        table = outgoing.table
        pieces = _checked_pieces(outgoing)
        if table.bytes <= PART_BYTES:
            content = b"".join(pieces)
            etag = obstore.put(self._store, table.key, content, use_multipart=False)["e_tag"]
            stored = Stored(table.key, len(content), etag)
            expected: Callable[[], str] = functools.partial(md5_of, content)
        else:
            parts = Parts(pieces)
            stored = put_parts(self._store, table.key, parts, length=table.bytes, at_once=self._at_once)
            expected = parts.etag
        digest = bytes.fromhex(table.sha256)
        if not self._etags.verify_stored(table.key, stored.etag, sha256=digest, expected=expected):
            raise GenericError(f"the store returned different bytes for {table.key} than were sent")
        return stored


def _checked_pieces(outgoing: OutgoingTable) -> Iterator[bytes]:
    """The file's bytes; the last of them only when all are what the manifest says, so that nothing else is stored.

    Raises:
        IntegrityError: they are not.
    """
    hasher, size, last = hashlib.sha256(), 0, b""
    with outgoing.path.open("rb") as file:
        while piece := file.read(PART_BYTES):
            hasher.update(piece)
            size += len(piece)
            if last:
                yield last
            last = piece
    if hasher.hexdigest() != outgoing.table.sha256 or size != outgoing.table.bytes:
        raise IntegrityError(f"{outgoing.path} is not what its manifest says; run genbank-assets verify")
    yield last


def expected_etag(path: Path) -> str:
    """The ETag that a store gives a file that this module sent, if it is made of MD5s."""
    if path.stat().st_size <= PART_BYTES:
        return md5_of(path.read_bytes())
    with path.open("rb") as file:
        parts = Parts(iter(functools.partial(file.read, PART_BYTES), b""))
        for _ in parts:
            pass
    return parts.etag()
