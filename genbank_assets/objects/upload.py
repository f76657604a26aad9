"""Sends objects: bounded, repeated where that helps, slower when the server asks for it, and counted.

At most so many requests and bytes are in flight; a 503 halves the number of requests, successes raise it again one by
one. A request that failed for a passing reason is repeated with jitter; an upload that used up its tries gets a
second chance later and counts as an upload error. What is sent belongs to ``publish``.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import re
from collections.abc import Callable, Iterator

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError, NotSupportedError
from obstore.store import ObjectStore

from genbank_assets.errors import IntegrityError, ObjectStoreBusyError, ObjectStoreError
from genbank_assets.objects.store import reason_of

TRIES = 6
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 20.0
MOST_BYTES_IN_FLIGHT = 256 * 1024 * 1024
MOST_SECOND_CHANCES = 100
PART_BYTES = 8 * 1024 * 1024
_STATUS = re.compile(r"status code: (\d{3})")
_SLOW_DOWN = {429, 503}
_PASSING = {408, 409, 425, 429, 500, 502, 503, 504}


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
    """

    attempts: int = 0
    errors: int = 0
    retries: int = 0
    slow_downs: int = 0
    put: int = 0
    bytes: int = 0
    found: int = 0


@dataclasses.dataclass(frozen=True)
class Stored:
    """An object that is in the store now."""

    key: str
    bytes: int
    etag: str | None


class Uploader:
    """Uploads of one run; belongs to one event loop.

    Args:
        store: a store that does not repeat requests itself.
        patient: the same store, repeating requests: for multipart uploads, whose parts only it sees.
        concurrency: most requests in flight.
    """

    def __init__(self, store: ObjectStore, *, patient: ObjectStore, concurrency: int) -> None:
        self._store = store
        self._patient = patient
        self._most = concurrency
        self.allowed = float(concurrency)
        self._requests = 0
        self._bytes = 0
        self._changed = asyncio.Condition()
        self._last_slow_down = 0.0
        self._again: list[tuple[str, bytes, Callable[[Stored], None]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self.counts = Counts()

    async def start(self, key: str, content: bytes, *, then: Callable[[Stored], None]) -> None:
        """Wait for a free place and send in the background; ``then`` is called when the object is in the store.

        Raises:
            ObjectStoreError: an earlier upload failed for good.
            IntegrityError: an earlier upload met another object with its key.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._failure is not None or self._free(len(content)))
            self._raise_failure()
            self._requests += 1
            self._bytes += len(content)
        task = asyncio.create_task(self._send(key, content, then))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Wait for what is under way, then send what used up its tries once more, one at a time.

        Raises:
            ObjectStoreError: an upload failed for good.
            IntegrityError: another object has a key.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._requests == 0)
        self._raise_failure()
        waiting, self._again = self._again, []
        for key, content, then in waiting:
            then(await self._tries(key, content))

    def abandon(self) -> None:
        """Stop what is under way."""
        for task in self._tasks:
            task.cancel()

    def send_long(self, key: str, parts: Iterator[bytes], *, length: int) -> Stored:
        """Send a long object in parts as they come; they appear as one object or not at all. Blocks.

        Raises:
            ObjectStoreError: the store failed after retries.
        """
        self.counts.attempts += 1
        try:
            there = self._there(key)
            if there is not None and there.bytes == length:
                self.counts.found += 1
                for _ in parts:  # the reader behind it has to pass the sequence in any case
                    pass
                return there
            result = obstore.put(self._patient, key, parts, use_multipart=True, chunk_size=PART_BYTES)
        except BaseError as error:
            self.counts.errors += 1
            raise ObjectStoreError(f"cannot store {key}: {reason_of(error)}") from error
        self.counts.put += 1
        self.counts.bytes += length
        return Stored(key, length, result["e_tag"])

    def _there(self, key: str) -> Stored | None:
        try:
            meta = obstore.head(self._patient, key)
        except FileNotFoundError:
            return None
        return Stored(key, meta["size"], meta["e_tag"])

    def _free(self, size: int) -> bool:
        if self._requests == 0:
            return True
        return self._requests < int(self.allowed) and self._bytes + size <= MOST_BYTES_IN_FLIGHT

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _send(self, key: str, content: bytes, then: Callable[[Stored], None]) -> None:
        self.counts.attempts += 1
        try:
            then(await self._tries(key, content))
        except ObjectStoreError as error:
            self.counts.errors += 1
            if len(self._again) < MOST_SECOND_CHANCES and isinstance(error, ObjectStoreBusyError):
                self._again.append((key, content, then))
            else:
                self._failure = self._failure or error
        except Exception as error:
            self._failure = self._failure or error
        finally:
            async with self._changed:
                self._requests -= 1
                self._bytes -= len(content)
                self._changed.notify_all()

    async def _tries(self, key: str, content: bytes) -> Stored:
        """Send one object; repeats what may pass.

        Raises:
            ObjectStoreBusyError: it did not pass in :data:`TRIES` tries.
            ObjectStoreError: it will not pass.
            IntegrityError: another object has the key.
        """
        for number in range(1, TRIES + 1):
            try:
                stored = await self._put(key, content)
            except BaseError as error:
                if not self._passing(error):
                    raise ObjectStoreError(f"cannot store {key}: {reason_of(error)}") from error
                if number == TRIES:
                    raise ObjectStoreBusyError(f"cannot store {key}: {reason_of(error)}") from error
                self.counts.retries += 1
                longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**number)
                await asyncio.sleep(random.uniform(longest / 4, longest))  # noqa: S311
            else:
                self.allowed = min(self._most, self.allowed + 1 / self.allowed)
                return stored
        raise AssertionError("unreachable")

    async def _put(self, key: str, content: bytes) -> Stored:
        """One conditional request: whoever comes second finds the object there."""
        try:
            result = await obstore.put_async(self._store, key, content, mode="create", use_multipart=False)
        except NotSupportedError:
            result = await obstore.put_async(self._store, key, content, use_multipart=False)
        except AlreadyExistsError:
            meta = await obstore.head_async(self._store, key)
            if meta["size"] != len(content):
                raise IntegrityError(
                    f"{key} is in the store with {meta['size']:,} bytes, not {len(content):,}"
                ) from None
            self.counts.found += 1
            return Stored(key, meta["size"], meta["e_tag"])
        self.counts.put += 1
        self.counts.bytes += len(content)
        return Stored(key, len(content), result["e_tag"])

    def _passing(self, error: BaseError) -> bool:
        """Whether a later try may succeed; a plea for fewer requests is heeded on the way."""
        if not isinstance(error, GenericError | AlreadyExistsError):
            return False
        said = _STATUS.search(str(error))
        status = int(said[1]) if said else None  # no status: the connection failed or timed out
        if status in _SLOW_DOWN:
            self.counts.slow_downs += 1
            now = asyncio.get_running_loop().time()
            if now - self._last_slow_down > 1.0:  # requests already under way answer for the old pace
                self._last_slow_down = now
                self.allowed = max(1.0, self.allowed / 2)
        return status is None or status in _PASSING
