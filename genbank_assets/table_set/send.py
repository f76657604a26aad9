"""Sends tables: skips existing ones, verifies uploads, and rejects files that differ from their manifest.

A table is a file of any size, which appears as one object or not at all. Several are sent in parallel, by threads of
this process or by remote workers, one task per table. Which tables are sent belongs to ``publish``.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import obstore
from obstore.exceptions import GenericError
from obstore.store import ObjectStore

from genbank_assets.catalog.table_layout import TableObject
from genbank_assets.compute.tasks import run_tasks
from genbank_assets.errors import IntegrityError
from genbank_assets.objects.etags import PART_BYTES, Etags, Parts, bare_etag, md5_of
from genbank_assets.objects.requests import Stored, put_parts
from genbank_assets.objects.retry import no_progress, retried
from genbank_assets.objects.spread import MIN_SPREAD_FILES, opened, proof_of
from genbank_assets.settings import Settings

RETRIES = 2  # by the client; further retries are announced
_FILES_AT_ONCE = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class OutgoingTable:
    """A table to send.

    Attributes:
        path: the local file.
        table: its key, size and digest in the bucket.
    """

    path: Path
    table: TableObject


class TableSender:
    """Sends tables to one object store; thread-safe.

    Args:
        store: the object store.
        there: size and ETag of existing objects, by key.
        known: ETags by key of tables that a published manifest has confirmed.
        at_once: number of parts of a table in flight.
        progress: called with messages for the user.
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
        """Ensure that a table is in the bucket.

        Returns:
            The table with its ETag, and whether it was sent now.

        Raises:
            IntegrityError: the file does not match its manifest; nothing is stored.
            ObjectStoreError: the store failed.
        """
        table = outgoing.table
        etag = self._present(outgoing)
        if etag is not None:
            return dataclasses.replace(table, etag=etag), False
        put = functools.partial(self._put, outgoing)
        stored = retried(put, doing=f"store {table.key}", progress=self._progress)
        return dataclasses.replace(table, etag=bare_etag(stored.etag)), True

    def _present(self, outgoing: OutgoingTable) -> str | None:
        """Return the ETag of the table if it is already in the bucket and intact."""
        table = outgoing.table
        size, etag = self._there.get(table.key, (-1, ""))
        if size != table.bytes:
            return None
        if _is_known(table, there=self._there, known=self._known):
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class _TableTask:
    """A table to be sent by a remote worker, with what is known about it in the object store."""

    settings: Settings
    outgoing: OutgoingTable
    there: tuple[int, str] | None
    known: str | None

    def __str__(self) -> str:
        return self.outgoing.table.key


def send_tables(
    outgoing: Sequence[OutgoingTable],
    *,
    settings: Settings,
    store: ObjectStore,
    there: dict[str, tuple[int, str]],
    known: dict[str, str],
    lease_key: str,
    progress: Callable[[str], None],
) -> list[tuple[TableObject, bool]]:
    """Ensure that tables are in the bucket, using the configured executor; known tables need no task.

    Args:
        outgoing: the tables.
        settings: name the object store (``objects``), the number of requests in flight and the executor.
        store: the object store, for this process.
        there: size and ETag of existing objects, by key.
        known: ETags by key of tables that a published manifest has confirmed.
        lease_key: the caller's lease in the object store, which workers must see.
        progress: called with messages for the user.

    Returns:
        Each table with its ETag, and whether it was sent now, in order.

    Raises:
        IntegrityError: a file does not match its manifest.
        ObjectStoreError: the store failed.
        WorkerLostError: workers were killed while sending some tables; all others are in place.
    """
    missing = [one for one in outgoing if not _is_known(one.table, there=there, known=known)]
    count = 0

    def told(table: TableObject, is_new: bool, where: str = "") -> None:  # noqa: FBT001 -- what a sender returns
        nonlocal count
        count += 1
        if is_new:
            progress(f"sent {table.key} ({count} of {len(missing)}): {table.bytes:,} bytes{where}")

    if settings.executor != "local" and len(missing) >= MIN_SPREAD_FILES:
        tasks = [
            _TableTask(
                settings=settings,
                outgoing=dataclasses.replace(one, path=one.path.absolute()),
                there=there.get(one.table.key),
                known=known.get(one.table.key),
            )
            for one in missing
        ]
        results = run_tasks(
            _send_table, tasks, settings=settings, resource="objects", proof=proof_of(settings, lease_key),
            progress=progress, on_done=lambda _, result: told(*result.value, result.where),
        )  # fmt: skip
        done = {task.outgoing.table.key: result.value for task, result in zip(tasks, results, strict=True)}
    else:
        files = min(_FILES_AT_ONCE, settings.upload_concurrency)
        at_once = max(1, settings.upload_concurrency // files)
        sender = TableSender(store, there=there, known=known, at_once=at_once, progress=progress)
        done = {}
        with ThreadPoolExecutor(files, thread_name_prefix="tables") as pool:
            waiting = [pool.submit(sender.send, one) for one in missing]
            try:
                for one, future in zip(missing, waiting, strict=True):
                    done[one.table.key] = future.result()
                    told(*done[one.table.key])
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return [
        done.get(one.table.key) or (dataclasses.replace(one.table, etag=known[one.table.key]), False)
        for one in outgoing
    ]


def _is_known(table: TableObject, *, there: dict[str, tuple[int, str]], known: dict[str, str]) -> bool:
    """Return whether the object with a table's key is the one confirmed by a published manifest."""
    size, etag = there.get(table.key, (-1, ""))
    return size == table.bytes and bool(etag) and bare_etag(known.get(table.key)) == etag


def _send_table(task: _TableTask) -> tuple[TableObject, bool]:
    """Send one table; runs in a worker process."""
    key = task.outgoing.table.key
    sender = TableSender(
        opened(task.settings, RETRIES),
        there={key: task.there} if task.there else {},
        known={key: task.known} if task.known else {},
        at_once=task.settings.upload_concurrency,
    )
    return sender.send(task.outgoing)


def _checked_pieces(outgoing: OutgoingTable) -> Iterator[bytes]:
    """Yield the file's bytes, the last ones only after verifying the digest, so that a wrong file is never stored.

    Raises:
        IntegrityError: the file does not match its manifest.
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
    """Return the MD5-based ETag of a file sent by this module."""
    if path.stat().st_size <= PART_BYTES:
        return md5_of(path.read_bytes())
    with path.open("rb") as file:
        parts = Parts(iter(functools.partial(file.read, PART_BYTES), b""))
        for _ in parts:
            pass
    return parts.etag()
