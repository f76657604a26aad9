"""The limiter's corners. Rate and storms are in ``test_core``; places and pauses between servers in ``integration``."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from genbank_assets.errors import SettingsError, SourceBusyError
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.settings import Settings


def made(tmp_path: Path, **options: float) -> tuple[Limiter, list[float]]:
    slept: list[float] = []
    return Limiter(tmp_path, requests_per_second=10, sleep=slept.append, **options), slept


def test_a_clock_that_was_set_back_makes_nobody_wait_for_days(tmp_path: Path) -> None:
    limiter, slept = made(tmp_path)
    ahead = time.time() + 30 * 24 * 3600
    (tmp_path / "source-limits.json").write_text(json.dumps({"next": ahead, "paused_until": ahead, "paused_at": ahead}))
    sent = limiter.wait_for_turn()
    assert slept == [0.0]
    limiter.slow_down(7, url="x", sent=sent)
    limiter.wait_for_turn()
    assert 6 < slept[1] < 8


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"next": "soon"}'])
def test_a_file_that_a_crash_left_unreadable_is_begun_anew(tmp_path: Path, content: str) -> None:
    limiter, slept = made(tmp_path)
    (tmp_path / "source-limits.json").write_text(content)
    limiter.wait_for_turn()
    assert slept == [0.0]


def test_pauses_double_up_to_the_longest(tmp_path: Path) -> None:
    limiter, _ = made(tmp_path, pauses=7, max_pause_seconds=60)
    pauses = []
    for _ in range(6):
        limiter.slow_down(None, url="x", sent=time.time())
        state = json.loads((tmp_path / "source-limits.json").read_text())
        pauses.append(round(state["paused_until"] - state["paused_at"]))
    assert pauses == [5, 10, 20, 40, 60, 60]
    with pytest.raises(SourceBusyError, match="7 times"):
        limiter.slow_down(None, url="x", sent=time.time())


def test_a_limiter_with_a_time_limit_does_not_begin_a_pause_it_cannot_end(tmp_path: Path) -> None:
    patient, _ = made(tmp_path)
    patient.slow_down(30, url="x", sent=time.time())
    hurried, slept = made(tmp_path, time_limit_seconds=10)
    with pytest.raises(SourceBusyError, match="too slowly, or asked to slow down"):
        hurried.wait_for_turn("x")
    assert slept == []


def test_places_are_as_many_as_asked_for_and_waiting_is_told(tmp_path: Path) -> None:
    limiter, slept = made(tmp_path, files=2)
    told: list[str] = []

    def give_up() -> None:
        told.append("waits")
        if len(told) == 2:
            raise TimeoutError

    with limiter.place(give_up), limiter.place(give_up):
        with pytest.raises(TimeoutError), limiter.place(give_up):
            pass
        assert len(slept) == 50
    with limiter.place(give_up):
        assert len(slept) == 50, "a place that was given back is free at once"


@pytest.mark.parametrize("name", ["requests_per_second", "source_pause_seconds"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_rates_and_pauses_that_are_none_are_refused(name: str, value: float) -> None:
    with pytest.raises(SettingsError, match=f"GENBANK_ASSETS_{name.upper()} must be more than 0"):
        Settings(**{name: value})
