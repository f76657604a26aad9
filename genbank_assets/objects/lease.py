"""Leases in the bucket: coordinates all runs that work on an object set.

Publications may run concurrently, while a deletion needs exclusive access. Users of a set share only its bucket: they
may have different hosts, stores and databases. Each run therefore keeps a small object below ``leases/`` and renews it;
times are taken from the store's clock. A lease not renewed for :data:`EXPIRY_SECONDS`, or whose process on this host
has ended, is removed, and its holder notices before it publishes. Processes of one store on one host use a file lock
(``store.lock_objects``), which is released immediately when the process ends.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Literal

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from genbank_assets.errors import ObjectStoreError
from genbank_assets.objects.keys import is_lease_key, lease_key
from genbank_assets.objects.retry import no_progress, retried
from genbank_assets.processes import process_space, started

Purpose = Literal["publish", "prune"]
RENEW_SECONDS = 30.0
EXPIRY_SECONDS = 600.0
POLL_SECONDS = 5.0
ANNOUNCE_SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class Holder:
    """Another run's lease.

    Attributes:
        key: key of the lease.
        who: description of host, process and work.
        renewed_seconds_ago: age of its last renewal by the store's clock.
    """

    key: str
    who: str
    renewed_seconds_ago: float


class Lease:
    """The lease of one run; used by one thread and renewed by another.

    Args:
        store: the object set.
        purpose: ``publish`` or ``prune``.
        work: description of the work, shown to waiting runs.
        progress: called with messages for the user.
    """

    def __init__(
        self, store: ObjectStore, *, purpose: Purpose, work: str, progress: Callable[[str], None] = no_progress
    ) -> None:
        self._store = store
        self._purpose = purpose
        self._progress = progress
        self.key = lease_key(purpose, uuid.uuid4().hex)
        who = f"{work} (process {os.getpid()} on {socket.gethostname()})"
        self._content = json.dumps({"who": who, **_process()}).encode()
        self._written_at = (0.0, 0.0)
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._renewing: threading.Thread | None = None

    def acquire(self) -> None:
        """Wait until the work may begin: publications wait for deletions, deletions for both.

        A waiting deletion withdraws its lease meanwhile, so that it never delays publications.

        Raises:
            ObjectStoreError: the store failed.
        """
        begun, announced = time.monotonic(), -ANNOUNCE_SECONDS
        while True:
            self._write()
            others = self._others("prune" if self._purpose == "publish" else "publish")
            if not others:
                break
            if self._purpose == "prune":
                self._remove()
            waited = time.monotonic() - begun
            if waited - announced >= ANNOUNCE_SECONDS:
                announced = waited
                names = "; ".join(f"{o.who}, last seen {o.renewed_seconds_ago:.0f} s ago" for o in others[:3])
                self._progress(f"waiting for {len(others)} other(s) that work on the object set: {names}")
            time.sleep(POLL_SECONDS)
        self._renewing = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._renewing.start()

    def release(self) -> None:
        """Give up the lease; if the store fails, it will expire."""
        self._ended.set()
        if self._renewing is not None:
            self._renewing.join()
        with contextlib.suppress(ObjectStoreError, BaseError):
            self._remove()

    def check(self) -> None:
        """Check that the lease is still held, before steps that must not run concurrently with a deletion.

        Raises:
            ObjectStoreError: the lease expired (``transient``: the run can be repeated), or the store failed.
        """
        if self._lost.is_set() or not self._is_there():
            raise ObjectStoreError(
                "this run's lease on the object set expired and another run took it; run it again",
                transient=True,
            )

    def is_fresh(self) -> bool:
        """Return, without a request, whether the lease was renewed recently enough that it cannot have been removed.

        Uses two clocks: the monotonic clock stops during suspend, and wall-clock time may be set back.
        """
        passed = max(now - then for now, then in zip(_clocks(), self._written_at, strict=True))
        return not self._lost.is_set() and passed < EXPIRY_SECONDS / 2

    def _write(self) -> None:
        at = _clocks()  # before the request, so earlier than the store's timestamp
        retried(
            lambda: obstore.put(self._store, self.key, self._content, use_multipart=False),
            doing=f"store {self.key}",
            progress=self._progress,
        )
        self._written_at = at

    def _is_there(self) -> bool:
        try:
            meta = retried(lambda: obstore.head(self._store, self.key), doing=f"read {self.key}", may_be_absent=True)
        except FileNotFoundError:
            return False
        return bool(meta["size"])

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            with contextlib.suppress(ObjectStoreError):  # there are several attempts before it expires
                if not self._is_there():  # never recreate a removed lease: the run that removed it relies on that
                    self._lost.set()
                    return
                self._write()

    def _remove(self) -> None:
        _take_away(self._store, self.key)

    def _others(self, purpose: Purpose) -> list[Holder]:
        """Return the other holders for a purpose, deleting expired leases so that their holders notice."""
        metas = retried(lambda: _listed(self._store), doing="list leases/", progress=self._progress)
        now: dt.datetime = next(
            (meta["last_modified"] for meta in metas if meta["path"] == self.key), dt.datetime.now(dt.UTC)
        )
        found = []
        for meta in metas:
            key = meta["path"]
            if key == self.key or not (self._purpose == "prune" or key.startswith(f"leases/{purpose}/")):
                continue
            age = (now - meta["last_modified"]).total_seconds()
            who = self._alive(key) if meta["size"] and age < EXPIRY_SECONDS else None
            if who is not None and key.startswith(f"leases/{purpose}/"):
                found.append(Holder(key, who, max(0.0, age)))
            elif who is None:
                _take_away(self._store, key)
        return found

    def _alive(self, key: str) -> str | None:
        """Return the holder of a lease; None if it has ended, as far as this host can tell."""
        try:
            content = retried(
                lambda: bytes(obstore.get(self._store, key).bytes()), doing=f"read {key}", may_be_absent=True
            )
            holder = json.loads(content)
            return None if _has_ended(holder) else str(holder["who"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            return "an unknown program"


def _take_away(store: ObjectStore, key: str) -> None:
    """Delete a lease, or truncate it if the store does not permit deletion."""
    try:
        obstore.delete(store, key)
    except FileNotFoundError:
        return
    except BaseError:
        obstore.put(store, key, b"", use_multipart=False)


def _clocks() -> tuple[float, float]:
    return time.monotonic(), time.time()


def _listed(store: ObjectStore) -> list[dict[str, Any]]:
    return [
        dict(meta) for batch in obstore.list(store, prefix="leases/") for meta in batch if is_lease_key(meta["path"])
    ]


def _process() -> dict[str, Any]:
    """Return an identifier of this process that is unique as far as processes on this host can see each other."""
    return {"space": process_space(), "pid": os.getpid(), "started": started(os.getpid())}


def _has_ended(holder: dict[str, Any]) -> bool:
    """Return whether a lease's process ran on this host and has ended."""
    if not process_space() or holder.get("space") != process_space():
        return False
    return started(int(holder["pid"])) != str(holder["started"])


@contextlib.contextmanager
def leased(
    store: ObjectStore, *, purpose: Purpose, work: str, progress: Callable[[str], None] = no_progress
) -> Iterator[Lease]:
    """Hold a lease while the block runs."""
    lease = Lease(store, purpose=purpose, work=work, progress=progress)
    try:
        lease.acquire()
        yield lease
    finally:
        lease.release()
