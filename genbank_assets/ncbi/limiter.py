"""Politeness towards the source, shared by all processes and hosts of a store through small files in it.

Three rules: so many files on their way at a time, so many requests a second, and after an answer of 503 or 429 nobody
asks again until the pause is over. NCBI throttles by sustained request rate and keeps a host penalised for over an
hour, so pauses double from what Retry-After says, and the fourth in a row gives up. A source that asks for a longer
pause than is waited for is left alone for that time: requests meanwhile fail at once with the reason.

Hosts that share the store share the files and their locks (docs/machines.md says what these need of the file system).
Moments in the files are of the host that wrote them: with clocks s seconds apart the rate still holds in the long run,
while the host that is behind waits s seconds longer and a pause ends s seconds early on the one that is ahead.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from genbank_assets.errors import SourceBusyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genbank_assets.settings import Settings

MAX_PAUSE_SECONDS = 300.0
FIRST_PAUSE_SECONDS = 5.0
MAX_PAUSES_IN_A_ROW = 4
# What a server may ask for at most, and how far ahead turns may be given out: beyond, a clock was set back.
MAX_RETRY_AFTER_SECONDS = 24 * 3600.0
MAX_QUEUE_SECONDS = 3600.0
SLOT_POLL_SECONDS = 0.2
SLOT_POLLS_ANNOUNCED = 25


# A longer wait is announced.
ANNOUNCED_SECONDS = 2.0


class Limiter:
    """Files, requests per second and pauses, agreed on through ``STORE/source-limits.json`` and ``STORE/source-slots``.

    Args:
        store: the store.
        requests_per_second: ceiling on requests.
        files: files on their way at a time.
        pauses: answers of "slow down" in a row that make it give up.
        max_pause_seconds: longest pause that is waited for.
        time_limit_seconds: how long this limiter may wait in all; None for as long as it takes.
        sleep: how to wait.
    """

    def __init__(
        self,
        store: Path,
        *,
        requests_per_second: float,
        files: int = 4,
        pauses: int | None = None,
        max_pause_seconds: float | None = None,
        time_limit_seconds: float | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = store / "source-limits.json"
        self._slots = store / "source-slots"
        self._gap_seconds = 1.0 / requests_per_second
        self._files = files
        self._pauses = pauses or MAX_PAUSES_IN_A_ROW
        self._max_pause_seconds = max_pause_seconds or MAX_PAUSE_SECONDS
        self._until = None if time_limit_seconds is None else time.time() + time_limit_seconds
        self._sleep = sleep
        self.progress: Callable[[str], None] = lambda line: None
        store.mkdir(parents=True, exist_ok=True)

    @classmethod
    def of(cls, settings: Settings, *, time_limit_seconds: float | None = None) -> Self:
        """Return the limiter that the settings ask for."""
        return cls(
            settings.store,
            requests_per_second=settings.requests_per_second,
            files=settings.download_files,
            pauses=settings.source_pauses,
            max_pause_seconds=settings.source_pause_seconds,
            time_limit_seconds=time_limit_seconds,
        )

    def wait_for_turn(self, url: str = "the source") -> float:
        """Return when a request may be sent; the answer is that moment, for :meth:`slow_down` and :meth:`went_well`.

        Raises:
            SourceBusyError: the source asked to be left alone for longer than is waited for.
        """
        with self._state() as state:
            now = time.time()
            paused_until = _plausible(state.get("paused_until", 0.0), now + MAX_RETRY_AFTER_SECONDS)
            if paused_until - now > self._max_pause_seconds:
                raise SourceBusyError(_pause_sentence(url, paused_until))
            turn = max(now, _plausible(state.get("next", 0.0), now + MAX_QUEUE_SECONDS), paused_until)
            self.check_time(url, at=turn)
            state["next"] = turn + self._gap_seconds
        if turn - now > ANNOUNCED_SECONDS:
            why = "the source asked for a pause" if turn == paused_until else "other processes asked first"
            self.progress(f"{url}: waits {turn - now:.0f} s, because {why}")
        self._sleep(max(0.0, turn - now))
        return turn

    def check_time(self, url: str, *, at: float | None = None) -> None:
        """Whether there is time left, now or at a moment to come.

        Raises:
            SourceBusyError: there is not.
        """
        if self._until is not None and (time.time() if at is None else at) > self._until:
            raise SourceBusyError(f"{url}: the source answers too slowly, or asked to slow down; try again later")

    @contextmanager
    def download_slot(self, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold one of the machine's download slots; waits until one is free. A killed process frees its own.

        Args:
            on_wait: called every few seconds while all are taken; may raise to give up.
        """
        self._slots.mkdir(exist_ok=True)
        for waited in itertools.count():
            if waited and waited % SLOT_POLLS_ANNOUNCED == 0:
                on_wait()
            for number in range(self._files):
                with (self._slots / f"{number}").open("a") as file:
                    try:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        continue
                    yield
                    return
            self._sleep(SLOT_POLL_SECONDS)

    def slow_down(self, retry_after_seconds: float | None, *, url: str, sent: float) -> None:
        """The source said 503 or 429 to a request that was sent at a moment: everybody pauses.

        Requests that were under way when the pause was called belong to the same storm and do not count again.

        Raises:
            SourceBusyError: it said so too often in a row, or asked for a longer pause than is waited for.
        """
        with self._state() as state:
            if sent <= _plausible(state.get("paused_at", 0.0), time.time()):
                return
            pauses = int(state.get("pauses", 0)) + 1
            state["pauses"] = pauses
            asked = min(retry_after_seconds or 0.0, MAX_RETRY_AFTER_SECONDS)
            pause = max(asked, min(FIRST_PAUSE_SECONDS * 2 ** (pauses - 1), self._max_pause_seconds))
            state["paused_before"] = state.get("paused_at", 0.0)
            state["paused_at"] = time.time()
            state["paused_until"] = state["paused_at"] + pause
            if pauses >= self._pauses:
                state["pauses"] = 0
                raise SourceBusyError(f"{url}: the server asked to slow down {pauses} times in a row; try again later")
            if pause > self._max_pause_seconds:
                raise SourceBusyError(_pause_sentence(url, state["paused_until"]))

    def went_well(self, *, sent: float) -> None:
        """An answer came: pauses before its request was sent are in no row with later ones."""
        with self._state() as state:
            if sent > state.get("paused_at", 0.0):
                state["pauses"] = 0
            elif sent > state.get("paused_before", 0.0):
                state["pauses"] = min(state.get("pauses", 0), 1)

    @contextmanager
    def _state(self) -> Iterator[dict[str, float]]:
        with self._path.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            state = _read(file)
            try:
                yield state
            finally:
                file.seek(0)
                file.truncate()
                json.dump(state, file)
                file.flush()


def _pause_sentence(url: str, until: float) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(until))
    return f"{url}: the server asked for no requests until {when}; try again then"


def _plausible(moment: float, latest: float) -> float:
    return moment if moment <= latest else 0.0


def _read(file: IO[str]) -> dict[str, float]:
    file.seek(0)
    with suppress(ValueError):
        state = json.load(file)
        if isinstance(state, dict):
            return {name: value for name, value in state.items() if isinstance(value, int | float)}
    return {}
