"""Who works on the object set now, agreed in the bucket itself.

Publications may go on beside each other, a deletion needs the set for itself. All who share a set have its bucket in
common and nothing else: other hosts, other stores, other databases. So each of them keeps a small object below
``leases/`` while it works and renews it; the times are the store's own clock. A lease that was not renewed for
:data:`EXPIRY_SECONDS`, or whose process on this host is gone, is taken away, and its holder finds out before it
publishes. Exclusion between processes of one store on one host is a file lock (``store.lock_objects``), which ends with
its process at once.
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
    """A lease that another has: its key, who it is, and how long ago it was renewed.

    Attributes:
        key: the lease's object.
        who: host, process and work, for people.
        renewed_seconds_ago: age of its last renewal by the store's clock.
    """

    key: str
    who: str
    renewed_seconds_ago: float


class Lease:
    """The lease of one run; used from one thread, renewed by another.

    Args:
        store: the object set.
        purpose: ``publish`` or ``prune``.
        work: what the run does, for those who wait for it.
        progress: called with lines for people.
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
        """Wait until the work may begin: a publication for deletions, a deletion for publications as well.

        A deletion that has to wait steps back meanwhile, so that it never keeps publications from beginning.

        Raises:
            ObjectStoreError: the store cannot be asked.
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
        """The work is done, or given up; a store that fails now is left to expiry."""
        self._ended.set()
        if self._renewing is not None:
            self._renewing.join()
        with contextlib.suppress(ObjectStoreError, BaseError):
            self._remove()

    def check(self) -> None:
        """That the lease is still held: called before what must not happen beside a deletion.

        Raises:
            ObjectStoreError: it was taken for dead (``transient``: run it again), or the store cannot be asked.
        """
        if self._lost.is_set() or not self._is_there():
            raise ObjectStoreError(
                "this run's lease on the object set expired and another run took it; run it again",
                transient=True,
            )

    def is_fresh(self) -> bool:
        """Return whether it was renewed lately, so that nobody can have taken it away; asks nobody.

        By two clocks: one stands still while the machine sleeps, the other may be set back.
        """
        passed = max(now - then for now, then in zip(_clocks(), self._written_at, strict=True))
        return not self._lost.is_set() and passed < EXPIRY_SECONDS / 2

    def _write(self) -> None:
        at = _clocks()  # before the request: the store's time of it is later
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
            with contextlib.suppress(ObjectStoreError):  # the next one may succeed; until expiry there are several
                if not self._is_there():  # never rewritten: whoever took it away counts on that
                    self._lost.set()
                    return
                self._write()

    def _remove(self) -> None:
        _take_away(self._store, self.key)

    def _others(self, purpose: Purpose) -> list[Holder]:
        """The holders for a purpose; leases that expired are deleted, so that a holder that only slept notices."""
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
        """Return who has a lease; None when the holder has ended, as far as this host can tell."""
        try:
            content = retried(
                lambda: bytes(obstore.get(self._store, key).bytes()), doing=f"read {key}", may_be_absent=True
            )
            holder = json.loads(content)
            return None if _has_ended(holder) else str(holder["who"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return "an unknown program"


def _take_away(store: ObjectStore, key: str) -> None:
    """Delete a lease, or empty it where the store lets nobody delete."""
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
    """Return what tells this process from all others, as far as processes of this host can see each other."""
    return {"space": process_space(), "pid": os.getpid(), "started": started(os.getpid())}


def _has_ended(holder: dict[str, Any]) -> bool:
    """Return whether a lease's process ran here and has ended."""
    if not process_space() or holder.get("space") != process_space():
        return False
    return started(int(holder["pid"])) != str(holder["started"])


@contextlib.contextmanager
def leased(
    store: ObjectStore, *, purpose: Purpose, work: str, progress: Callable[[str], None] = no_progress
) -> Iterator[Lease]:
    """A lease for the time of a block."""
    lease = Lease(store, purpose=purpose, work=work, progress=progress)
    try:
        lease.acquire()
        yield lease
    finally:
        lease.release()
