"""No password reaches Dagster's event log, whatever it is made of and wherever it is wrong."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote

import dagster as dg
import pytest

from genbank_assets.alerts import Alert
from genbank_assets.defs import failures
from genbank_assets_tests.defs.test_retries import STAGES, Mirror
from genbank_assets_tests.defs.test_runs import QUIET


@pytest.mark.parametrize("password", ["p@ss/w?rd#1", "50%off-now", "a b'c\"d", "very-secret"])
@pytest.mark.parametrize("where", ["127.0.0.1:1/d", "127.0.0.1:1/d?sslmode=nonsense", "127.0.0.1:port/d"])
def test_no_password_is_in_the_event_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str, where: str
) -> None:
    monkeypatch.setattr(failures, "RETRIES", dg.RetryPolicy(max_retries=1, delay=0.1))
    mirror = Mirror(tmp_path / "store")
    assert mirror.run(*STAGES[:3]).success
    monkeypatch.setenv("GENBANK_ASSETS_POSTGRES_URL", f"postgresql://u:{password}@{where}")
    with dg.DagsterInstance.ephemeral() as instance:
        result = mirror.job.execute_in_process(
            partition_key="phg", instance=instance, raise_on_error=False, run_config=QUIET,
            asset_selection=[dg.AssetKey(["genbank", "postgres_table"])],
        )  # fmt: skip
        assert not result.success
        events = "\n".join(f"{event!r}" for event in result.all_events)
        log = "\n".join(f"{entry!r}" for entry in instance.all_logs(result.run_id))
    for text in (events, log):
        assert "POSTGRES" in text.upper()
        for spelling in (password, quote(password, safe=""), repr(password)[1:-1]):
            assert spelling not in text


def test_an_error_of_a_library_is_redacted_with_its_causes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENBANK_ASSETS_POSTGRES_URL", "postgresql://u:very-secret@h/d")
    context: Any = cast(Any, SimpleNamespace(retry_number=0))
    cause = KeyError("host=h password=very-secret")
    with pytest.raises(dg.Failure) as raised, failures.failures(context):
        raise RuntimeError("it said: very-secret") from cause
    assert raised.value.description == "RuntimeError: it said: ***"
    assert raised.value.__cause__ is None
    with pytest.raises(dg.Failure) as harmless, failures.failures(context):
        raise RuntimeError("nothing of that kind")
    assert isinstance(harmless.value.__cause__, RuntimeError)


def test_alerts_hold_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENBANK_ASSETS_POSTGRES_URL", "postgresql://u:very-secret@h/d")
    assert Alert("failed", ("psycopg: very-secret", "fine")).text == "psycopg: ***\nfine"
