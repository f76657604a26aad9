"""Sends tables: present ones are not sent again, what arrives is compared, what its manifest denies is refused.

A table is a file of any size; it appears as one object or not at all. Several are sent beside each other, by threads of
this process or by the workers of the executor, a table a task. Which tables are sent belongs to ``publish``.
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
from genbank_assets.objects.etags import PART_BYTES, Etags, Parts, md5_of
from genbank_assets.objects.requests import Stored, put_parts
from genbank_assets.objects.retry import no_progress, retried
from genbank_assets.objects.spread import MIN_SPREAD_FILES, opened, proof_of
from genbank_assets.settings import Settings

RETRIES = 2  # by the client; the others are announced
_FILES_AT_ONCE = 4


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
    """A table for a worker of another machine, with what is known of it in the place."""

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
    """Make sure that tables are in the bucket, by the executor of the settings; what is known to be there is no task.

    Args:
        outgoing: the tables.
        settings: ``objects`` is the place; how many requests may be in flight, and where from.
        store: the place, for this process.
        there: size and ETag of what is there, by key.
        known: ETags by key of tables that a manifest in the place says are right.
        lease_key: the caller's lease in the place, which workers have to see.
        progress: called with lines for people.

    Returns:
        Each table with its ETag, and whether it was sent now, in order.

    Raises:
        IntegrityError: a file is not what its manifest says.
        ObjectStoreError: the store failed.
        WorkerLostError: workers were killed over some tables; all others are there.
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
    """Whether what lies under a table's key is what a manifest in the place says is right."""
    size, etag = there.get(table.key, (-1, ""))
    return size == table.bytes and bool(etag) and known.get(table.key) == etag


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
