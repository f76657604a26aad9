"""What a worker of another host has to show: that locks on files of the store hold between it and the caller."""

from __future__ import annotations

import fcntl
import time
from pathlib import Path

import pytest

from genbank_assets.compute import fitness
from genbank_assets.errors import WorkerRefusedError
from genbank_assets.settings import Settings


def test_only_the_callers_lock_counts_not_that_of_another_worker_that_looks(tmp_path: Path) -> None:
    with fitness.demands(Settings(store=tmp_path), database=False) as wanted:
        token = tmp_path / fitness.FOLDER / wanted.token / "token"
        assert fitness.prove(wanted) == ""
        lost = token.with_name("lost")
        token.rename(lost)  # the caller's lock goes with it
        token.write_text(wanted.token)
        with token.open("r+") as looking:
            fcntl.flock(looking, fcntl.LOCK_SH)
            assert "does not hold between its host and the caller" in fitness.prove(wanted)
    assert not (tmp_path / fitness.FOLDER).exists()


@pytest.mark.parametrize(("hours", "says"), [(0, ""), (26, "26.0 hours ahead"), (-3, "3.0 hours behind")])
def test_a_worker_with_another_time_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int, says: str
) -> None:
    now = time.time()
    with fitness.demands(Settings(store=tmp_path), database=False) as wanted:
        assert "not seen here" in fitness.refusal(wanted, fitness.worker_name())
        monkeypatch.setattr(time, "time", lambda: now + 3600 * hours)
        assert fitness.prove(wanted) == ""
        monkeypatch.setattr(time, "time", lambda: now)
        why = fitness.refusal(wanted, fitness.worker_name())
        assert says in why
        assert bool(why) == bool(says)


def test_a_store_without_locks_is_refused_before_any_worker_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda file, kind: None)
    with (
        pytest.raises(WorkerRefusedError, match="do not hold on this host"),
        fitness.demands(Settings(store=tmp_path), database=False),
    ):
        pytest.fail("it was taken")
    assert not (tmp_path / fitness.FOLDER).exists()
