"""What a command says of its runs: a run that a signal ended is a stop, also where the command hears of it later."""

from __future__ import annotations

import argparse
from types import SimpleNamespace
from typing import Any

import pytest

from genbank_assets.cli import main
from genbank_assets.cli.progress import exit_code, report_outcomes


class Stop:
    """Hears of a signal only when it is waited for."""

    def __init__(self, *, signalled: bool) -> None:
        self.requested = False
        self._signalled = signalled

    def settle(self, *, seconds: float) -> None:
        assert 0 < seconds < 1, "every failed run waits so long"
        self.requested = self._signalled


def outcome(*, ok: bool) -> Any:
    return SimpleNamespace(key="genbank/phg", run_id="1", ok=ok, reason="interrupted", warnings=(), bottleneck=None)


@pytest.mark.parametrize("signalled", [True, False])
def test_a_failure_that_is_a_stop_is_not_called_one(signalled: bool, capsys: pytest.CaptureFixture[str]) -> None:
    options = argparse.Namespace(stop=Stop(signalled=signalled))
    begun = []

    def runs() -> Any:
        for ok in (True, False, True):
            begun.append(ok)
            yield outcome(ok=ok)

    done = report_outcomes(runs(), options=options)
    assert exit_code(done, options=options) == 1
    said = capsys.readouterr().err
    if signalled:
        assert (len(begun), len(done), said) == (2, 1, "")
    else:
        assert (len(begun), len(done)) == (3, 3)
        assert said == "genbank-assets: genbank/phg failed: interrupted (Dagster run 1)\n"


def test_ctrl_c_before_signals_are_handled_is_a_stop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("genbank_assets.cli.app.main", interrupted)
    assert main(["status"]) == 130
    assert capsys.readouterr().err == "genbank-assets: stopped; run it again to resume\n"
