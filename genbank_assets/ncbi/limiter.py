"""Politeness towards the source, shared by all processes of this machine through a small file in the store.

Two rules: so many requests a second at most, and after an answer of 503 or 429 nobody asks again until the pause is
over. NCBI throttles by sustained request rate and keeps a host penalised for over an hour, so pauses double from
what Retry-After says up to five minutes, and the fourth in a row gives up.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from genbank_assets.errors import SourceBusyError

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_PAUSE_SECONDS = 300.0
FIRST_PAUSE_SECONDS = 5.0
PAUSES_BEFORE_GIVING_UP = 4


class Limiter:
    """Requests per second and pauses, agreed on through ``STORE/source-limits.json``."""

    def __init__(self, store: Path, *, requests_per_second: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self._path = store / "source-limits.json"
        self._gap_seconds = 1.0 / requests_per_second
        self._sleep = sleep
        store.mkdir(parents=True, exist_ok=True)

    def wait_for_turn(self) -> float:
        """Return when a request may be sent; the answer is that moment, for :meth:`slow_down` and :meth:`went_well`."""
        with self._state() as state:
            now = time.time()
            turn = max(now, state.get("next", 0.0), state.get("paused_until", 0.0))
            state["next"] = turn + self._gap_seconds
        self._sleep(max(0.0, turn - now))
        return turn

    def slow_down(self, retry_after_seconds: float | None, *, url: str, sent: float) -> None:
        """The source said 503 or 429 to a request that was sent at a moment: everybody pauses.

        Requests that were under way when the pause was called belong to the same storm and do not count again.

        Raises:
            SourceBusyError: it said so too often in a row.
        """
        with self._state() as state:
            if sent <= state.get("paused_at", 0.0):
                return
            pauses = int(state.get("pauses", 0)) + 1
            state["pauses"] = pauses
            pause = max(retry_after_seconds or 0.0, FIRST_PAUSE_SECONDS * 2 ** (pauses - 1))
            pause = min(pause, LONGEST_PAUSE_SECONDS)
            state["paused_before"] = state.get("paused_at", 0.0)
            state["paused_at"] = time.time()
            state["paused_until"] = state["paused_at"] + pause
            if pauses >= PAUSES_BEFORE_GIVING_UP:
                state["pauses"] = 0
                raise SourceBusyError(f"{url}: the server asked to slow down {pauses} times in a row; try again later")

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


def _read(file: IO[str]) -> dict[str, float]:
    file.seek(0)
    with suppress(ValueError):
        state = json.load(file)
        if isinstance(state, dict):
            return state
    return {}
