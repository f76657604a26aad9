"""Rate limiting of requests to the source, shared by all processes and hosts of a store through files in it.

Three limits: concurrent downloads, requests per second, and a pause for everyone after a 503 or 429. NCBI throttles by
sustained request rate and penalises a host for over an hour, so pauses double, starting from Retry-After, and the
fourth in a row is an error. If the source asks for a pause longer than the maximum, requests fail immediately with
that reason until the pause is over.

Hosts that share the store share these files and their locks (docs/machines.md lists the file-system requirements).
Timestamps are from the writing host's clock: with clocks s seconds apart, the average rate still holds, but the host
that is behind waits s seconds longer, and on the one that is ahead a pause ends s seconds early.
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
# Upper limits for Retry-After and for scheduled requests; later timestamps mean that a clock was set back.
MAX_RETRY_AFTER_SECONDS = 24 * 3600.0
MAX_QUEUE_SECONDS = 3600.0
SLOT_POLL_SECONDS = 0.2
SLOT_POLLS_ANNOUNCED = 25
# Longer waits are announced.
ANNOUNCED_SECONDS = 2.0


class Limiter:
    """Limits on downloads, request rate and pauses, shared via ``STORE/source-limits.json`` and ``STORE/source-slots``.

    Args:
        store: the store's root folder.
        requests_per_second: maximum request rate.
        files: maximum number of concurrent downloads.
        pauses: consecutive "slow down" responses that raise an error.
        max_pause_seconds: longest pause to wait for; longer ones raise an error.
        time_limit_seconds: total time this limiter may wait; None for no limit.
        sleep: replaced in tests.
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
        """Create a limiter with the limits of the settings."""
        return cls(
            settings.store,
            requests_per_second=settings.requests_per_second,
            files=settings.download_files,
            pauses=settings.source_pauses,
            max_pause_seconds=settings.source_pause_seconds,
            time_limit_seconds=time_limit_seconds,
        )

    def wait_for_turn(self, url: str = "the source") -> float:
        """Wait until a request may be sent; return that time, to pass to :meth:`slow_down` or :meth:`record_success`.

        Raises:
            SourceBusyError: the source asked for a pause longer than the maximum.
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
            self.progress(f"{url}: waiting {turn - now:.0f} s because {why}")
        self._sleep(max(0.0, turn - now))
        return turn

    def check_time(self, url: str, *, at: float | None = None) -> None:
        """Check that the time limit is not exceeded, now or at a future time ``at``.

        Raises:
            SourceBusyError: it is exceeded.
        """
        if self._until is not None and (time.time() if at is None else at) > self._until:
            raise SourceBusyError(f"{url}: the source responds too slowly, or asked to slow down; try again later")

    @contextmanager
    def download_slot(self, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold one of the machine's download slots, waiting until one is free; released if the process is killed.

        Args:
            on_wait: called every few seconds while all slots are taken; may raise to stop waiting.
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
        """Record a 503 or 429 response, after which all processes pause.

        Responses to requests sent before the current pause began are not counted again.

        Args:
            retry_after_seconds: the pause the server asked for, if any.
            url: named in errors.
            sent: the time the request was sent, as returned by :meth:`wait_for_turn`.

        Raises:
            SourceBusyError: there were too many in a row, or the requested pause exceeds the maximum.
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

    def record_success(self, *, sent: float) -> None:
        """Record a successful response: pauses before its request no longer count as consecutive with later ones."""
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
