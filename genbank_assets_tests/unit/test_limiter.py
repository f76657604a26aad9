"""The limiter's corners. Rate and storms are in ``test_core``; places and pauses between servers in ``integration``."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import Any

import pytest

from genbank_assets.errors import SettingsError, SourceBusyError
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.settings import Settings


def made(tmp_path: Path, **options: Any) -> tuple[Limiter, list[float]]:
    slept: list[float] = []
    return Limiter(tmp_path, requests_per_second=10, sleep=slept.append, **options), slept


def test_a_clock_that_was_set_back_does_not_block_for_days(tmp_path: Path) -> None:
    limiter, slept = made(tmp_path)
    ahead = time.time() + 30 * 24 * 3600
    (tmp_path / "source-limits.json").write_text(json.dumps({"next": ahead, "paused_until": ahead, "paused_at": ahead}))
    sent = limiter.wait_for_turn()
    assert slept == [0.0]
    limiter.slow_down(7, url="x", sent=sent)
    limiter.wait_for_turn()
    assert 6 < slept[1] < 8


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"next": "soon"}'])
def test_a_file_left_unreadable_by_a_crash_is_restarted(tmp_path: Path, content: str) -> None:
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


def test_download_slots_are_limited_and_waiting_is_announced(tmp_path: Path) -> None:
    limiter, slept = made(tmp_path, files=2)
    told: list[str] = []

    def give_up() -> None:
        told.append("waits")
        if len(told) == 2:
            raise TimeoutError

    with limiter.download_slot(give_up), limiter.download_slot(give_up):
        with pytest.raises(TimeoutError), limiter.download_slot(give_up):
            pass
        assert len(slept) == 50
    with limiter.download_slot(give_up):
        assert len(slept) == 50, "a place that was given back is free at once"


def test_a_wait_is_announced_before_it_begins(tmp_path: Path) -> None:
    said: list[str] = []
    limiter, slept = made(tmp_path)
    limiter.progress = said.append
    limiter.wait_for_turn("https://x/1")
    limiter.wait_for_turn("https://x/2")
    assert said == [], "a tenth of a second is nothing to talk about"
    limiter.slow_down(60, url="https://x/2", sent=time.time())
    limiter.wait_for_turn("https://x/3")
    limiter.wait_for_turn("https://x/4")
    assert [round(seconds) for seconds in slept[-2:]] == [60, 60]
    assert said == [
        "https://x/3: waiting 60 s because the source asked for a pause",
        "https://x/4: waiting 60 s because other processes asked first",
    ]


def test_turns_are_a_gap_apart_and_pauses_hold_everybody(tmp_path: Path) -> None:
    limiter, slept = made(tmp_path)
    other, _ = made(tmp_path)
    turns = [limiter.wait_for_turn(), other.wait_for_turn(), limiter.wait_for_turn()]
    assert [round(b - a, 3) for a, b in itertools.pairwise(turns)] == [0.1, 0.1]
    other.slow_down(20, url="x", sent=time.time())
    assert 19 < limiter.wait_for_turn() - time.time() <= 20.1
    assert 19 < slept[-1] <= 20.1


def test_answers_of_one_storm_count_once_and_success_ends_a_row(tmp_path: Path) -> None:
    limiter, _ = made(tmp_path, pauses=3)
    sent = time.time()
    for _ in range(5):  # under way when the first pause was called
        limiter.slow_down(None, url="x", sent=sent)
    assert state(tmp_path)["pauses"] == 1
    limiter.slow_down(None, url="x", sent=time.time())
    assert state(tmp_path)["pauses"] == 2
    between = (state(tmp_path)["paused_before"] + state(tmp_path)["paused_at"]) / 2
    limiter.record_success(sent=between)  # sent after the first pause, answered after the second
    assert state(tmp_path)["pauses"] == 1
    limiter.record_success(sent=0.0)
    assert state(tmp_path)["pauses"] == 1
    limiter.record_success(sent=time.time())
    assert state(tmp_path)["pauses"] == 0
    for _ in range(2):
        limiter.slow_down(None, url="x", sent=time.time())
    with pytest.raises(SourceBusyError, match="3 times in a row"):
        limiter.slow_down(None, url="x", sent=time.time())
    assert state(tmp_path)["pauses"] == 0, "whoever comes later begins a row of its own"


def test_a_longer_pause_than_is_waited_for_is_refused_to_everybody(tmp_path: Path) -> None:
    limiter, slept = made(tmp_path, max_pause_seconds=60)
    limiter.slow_down(60, url="x", sent=time.time())
    with pytest.raises(SourceBusyError, match="asked for no requests until"):
        limiter.slow_down(61, url="x", sent=time.time())
    other, _ = made(tmp_path, max_pause_seconds=60)
    with pytest.raises(SourceBusyError, match="asked for no requests until"):
        other.wait_for_turn("y")
    patient, _ = made(tmp_path, max_pause_seconds=100)
    patient.wait_for_turn("y")
    assert slept == []
    forever, _ = made(tmp_path)
    with pytest.raises(SourceBusyError):
        forever.slow_down(10**9, url="x", sent=time.time())
    assert state(tmp_path)["paused_until"] - time.time() < 24 * 3600 + 1, "no server may ask for more than a day"


def test_the_settings_reach_the_limiter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genbank_assets.ncbi.limiter.SLOT_POLL_SECONDS", 0.01)
    settings = Settings(
        store=tmp_path, requests_per_second=4, download_files=1, source_pauses=2, source_pause_seconds=7
    )
    limiter = Limiter.of(settings)
    turns = [limiter.wait_for_turn(), limiter.wait_for_turn()]
    assert 0.2 < turns[1] - turns[0] < 0.3
    with (
        limiter.download_slot(pytest.fail),
        pytest.raises(TimeoutError),
        Limiter.of(settings).download_slot(raise_timeout),
    ):
        pass
    limiter.slow_down(7, url="x", sent=time.time())
    with pytest.raises(SourceBusyError, match="2 times"):
        limiter.slow_down(7, url="x", sent=time.time())
    late = Limiter.of(settings, time_limit_seconds=-1)
    with pytest.raises(SourceBusyError, match="too slowly"):
        late.check_time("x")
    limiter.check_time("x")


def raise_timeout() -> None:
    raise TimeoutError


def state(store: Path) -> dict[str, float]:
    return json.loads((store / "source-limits.json").read_text())


@pytest.mark.parametrize("name", ["requests_per_second", "source_pause_seconds"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_rates_and_pauses_that_are_none_are_refused(name: str, value: float) -> None:
    with pytest.raises(SettingsError, match=f"GENBANK_ASSETS_{name.upper()} must be more than 0"):
        Settings(**{name: value})
