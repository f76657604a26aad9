"""Uploads objects with bounded concurrency, retries with backoff, verification and statistics.

Several threads take the next object when they are free, so objects are only created when they can be sent. Transient
failures are retried with jitter; an upload that exhausts its retries gets a second chance later and counts as an upload
error. What is sent belongs to ``publish``, concurrency to ``throttle``, verification to ``etags``.
"""

from __future__ import annotations

import dataclasses
import functools
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError, NotSupportedError
from obstore.store import ObjectStore

from genbank_assets.errors import ObjectStoreBusyError, ObjectStoreError
from genbank_assets.objects.etags import Etags, Parts, md5_of
from genbank_assets.objects.requests import Counts, Outgoing, Stored, is_transient, put_parts, status_of, stored_as
from genbank_assets.objects.retry import no_progress
from genbank_assets.objects.store import reason_of
from genbank_assets.objects.throttle import Outage, Throttle

TRIES = 6
FIRST_PAUSE_SECONDS = 0.1
MAX_PAUSE_SECONDS = 20.0
# Objects waiting for a second chance are kept in memory.
MAX_SECOND_CHANCES = 100
MAX_SECOND_CHANCE_BYTES = 256 * 1024 * 1024
_SLOW_DOWN_STATUSES = {429, 503}


class Uploader:
    """The uploads of one run.

    Args:
        store: a store without client retries.
        retrying_store: the same store with client retries, for multipart uploads, whose parts are only visible to the
            client.
        concurrency: maximum number of requests in flight.
        overwrite: keys of damaged objects, which are overwritten whatever the store reports.
        progress: called with messages for the user.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        retrying_store: ObjectStore,
        concurrency: int,
        overwrite: frozenset[str] = frozenset(),
        progress: Callable[[str], None] = no_progress,
    ) -> None:
        self._overwrite = overwrite
        self._outage = Outage(progress)
        self._store = store
        self._retrying_store = retrying_store
        self._concurrency = concurrency
        self._throttle = Throttle(concurrency=concurrency)
        self._etags = Etags(retrying_store)
        self._conditional = True
        self._again: list[Outgoing] = []
        self._failure: BaseException | None = None
        self._turn = threading.Lock()  # held while taking the next object
        self._counting = threading.Lock()
        self.counts = Counts()

    def send_all(self, objects: Iterator[Outgoing]) -> None:
        """Send all objects; returns once they are in the store.

        Raises:
            ObjectStoreError: an upload failed permanently.
            Exception: any exception raised by ``objects``.
        """
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="upload") as pool:
            try:
                for worker in [pool.submit(self._work, objects) for _ in range(self._concurrency)]:
                    worker.result()
            except BaseException:
                self._throttle.stop()
                raise
        if self._failure is not None:
            raise self._failure
        waiting, self._again = self._again, []
        for outgoing in waiting:
            outgoing.on_stored(self._send_with_retries(outgoing))

    def send_long(self, key: str, pieces: Iterator[bytes], *, length: int, sha256: bytes) -> Stored:
        """Send a long object in parts; it appears as one object or not at all.

        Called by the thread that produces the objects; waits until nothing else is in flight.

        Raises:
            ObjectStoreError: the store kept failing.
        """
        self._throttle.wait_alone()
        self._count(attempts=1)
        parts = Parts(pieces)
        try:
            there = stored_as(self._retrying_store, key)
            is_right = there is not None and there.bytes == length and key not in self._overwrite
            if there is not None and is_right and self._etags.read(key) == sha256:
                for _ in pieces:  # the reader must advance past the sequence in any case
                    pass
                self._count(found=1)
                return there
            stored = put_parts(self._retrying_store, key, parts, length=length, at_once=int(self._throttle.allowed))
            if not self._etags.verify_stored(key, stored.etag, sha256=sha256, expected=parts.etag):
                raise ObjectStoreError(f"the store returned different bytes for {key} than were sent")
        except (BaseError, FileNotFoundError) as error:
            self._count(errors=1)
            reason = f"cannot store {key}: {reason_of(error)}"
            raise ObjectStoreError(reason, transient=is_transient(error)) from error
        self._count(put=1, bytes=length)
        return stored

    def _work(self, objects: Iterator[Outgoing]) -> None:
        while (outgoing := self._next(objects)) is not None:
            try:
                self._send(outgoing)
            except BaseException as error:
                self._fail(error)
            finally:
                self._throttle.leave(len(outgoing.content))

    def _next(self, objects: Iterator[Outgoing]) -> Outgoing | None:
        """Return the next object once there is a free slot; None at the end."""
        with self._turn:
            if not self._throttle.wait():
                return None
            try:
                outgoing = next(objects, None)
            except BaseException as error:
                self._fail(error)
                return None
            if outgoing is None or not self._throttle.wait(len(outgoing.content)):
                return None
            self._throttle.enter(len(outgoing.content))
            return outgoing

    def _fail(self, error: BaseException) -> None:
        with self._counting:
            self._failure = self._failure or error
        self._throttle.stop()

    def _count(self, **more: int) -> None:
        with self._counting:
            for name, number in more.items():
                setattr(self.counts, name, getattr(self.counts, name) + number)

    def _send(self, outgoing: Outgoing) -> None:
        """Send one object, or put it aside for a second chance.

        Raises:
            ObjectStoreError: the failure is permanent, or too many objects were put aside.
        """
        self._count(attempts=1)
        try:
            stored = self._send_with_retries(outgoing)
        except ObjectStoreError as error:
            self._count(errors=1)
            if not isinstance(error, ObjectStoreBusyError) or not self._put_aside(outgoing):
                raise
        else:
            outgoing.on_stored(stored)

    def _put_aside(self, outgoing: Outgoing) -> bool:
        """Copy an object for a second chance, as a view would keep its whole buffer; False if there are too many."""
        with self._counting:
            size = sum(len(kept.content) for kept in self._again) + len(outgoing.content)
            if len(self._again) >= MAX_SECOND_CHANCES or size > MAX_SECOND_CHANCE_BYTES:
                return False
            self._again.append(dataclasses.replace(outgoing, content=bytes(outgoing.content)))
        return True

    def _send_with_retries(self, outgoing: Outgoing) -> Stored:
        """Send one object, retrying transient failures.

        Raises:
            ObjectStoreBusyError: all :data:`TRIES` failed, or all attempts for ``store.RETRY_SECONDS`` if no upload
                succeeded.
            ObjectStoreError: the failure is permanent.
        """
        number, first_failure = 0, 0.0
        while True:
            number += 1
            try:
                stored = self._put(outgoing)
            except (BaseError, FileNotFoundError) as error:
                reason = f"cannot store {outgoing.key}: {reason_of(error)}"
                if not self._slowed_down(error):
                    raise ObjectStoreError(reason) from error
                # If no upload succeeds, the store is considered unavailable: wait for it.
                first_failure = first_failure or time.monotonic()
                is_away = self._outage.should_wait(reason, since=first_failure)
                if self._throttle.stopped or (number >= TRIES and not is_away):
                    raise ObjectStoreBusyError(reason) from error
                self._count(retries=1)
                longest = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(number, 16))
                self._throttle.pause(random.uniform(longest / 4, longest))  # noqa: S311
            else:
                self._outage.ended()
                self._throttle.faster()
                return stored

    def _put(self, outgoing: Outgoing) -> Stored:
        """Make one conditional request; if another process was faster, the object already exists."""
        key, content = outgoing.key, outgoing.content
        if key in self._overwrite:
            stored = self._replace(outgoing)
            self._count(replaced=1, put=1, bytes=len(content))
            return stored
        try:
            etag = self._create(key, content)
        except AlreadyExistsError:
            there = stored_as(self._retrying_store, key)
            if there is None:  # another process is sending it right now (409)
                raise
            return self._found(outgoing, there)
        stored = Stored(key, len(content), etag) if self._verify_stored(outgoing, etag) else self._replace(outgoing)
        self._count(put=1, bytes=len(content))
        return stored

    def _found(self, outgoing: Outgoing, there: Stored) -> Stored:
        """Accept an existing object if it has the right content; otherwise overwrite it."""
        size = len(outgoing.content)
        if there.bytes == size and self._verify_stored(outgoing, there.etag, just_sent=False):
            self._count(found=1)
            return there
        stored = self._replace(outgoing)
        self._count(replaced=1, put=1, bytes=size)
        return stored

    def _replace(self, outgoing: Outgoing) -> Stored:
        """Overwrite an object that does not match its key."""
        key = outgoing.key
        etag = obstore.put(self._store, key, outgoing.content, use_multipart=False)["e_tag"]
        if not self._verify_stored(outgoing, etag):
            raise GenericError(f"the store returned different bytes for {key} than were sent")
        return Stored(key, len(outgoing.content), etag)

    def _verify_stored(self, outgoing: Outgoing, etag: str | None, *, just_sent: bool = True) -> bool:
        expected = functools.partial(md5_of, outgoing.content)
        return self._etags.verify_stored(
            outgoing.key, etag, sha256=outgoing.sha256, expected=expected, just_sent=just_sent
        )

    def _create(self, key: str, content: Any) -> str | None:
        if self._conditional:
            try:
                return obstore.put(self._store, key, content, mode="create", use_multipart=False)["e_tag"]
            except NotSupportedError:
                self._conditional = False
            except GenericError as error:
                if status_of(error) != 501:  # response of a server that does not support If-None-Match
                    raise
                self._conditional = False
        return obstore.put(self._store, key, content, use_multipart=False)["e_tag"]

    def _slowed_down(self, error: Exception) -> bool:
        """Return whether a retry may succeed; slow down if the server asks for it."""
        if is_transient(error) and status_of(error) in _SLOW_DOWN_STATUSES:
            self._count(slow_downs=1)
            self._throttle.slower()
        return is_transient(error)
