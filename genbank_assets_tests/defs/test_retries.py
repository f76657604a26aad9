"""What may pass is tried again by Dagster, a bounded number of times and announced; everything else fails at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from genbank_assets.definitions import build_defs
from genbank_assets.defs import failures
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.errors import IntegrityError
from genbank_assets.objects import store as objects_store
from genbank_assets.objects import upload
from genbank_assets.postgres import one_file
from genbank_assets.postgres_server.server import EmbeddedServer, ensure_server, stop_server
from genbank_assets.tables import records
from genbank_assets_tests.defs.test_runs import QUIET
from genbank_assets_tests.fix_faults import Reply, Site, genbank_release
from genbank_assets_tests.fix_s3 import Fault, FaultyProxy, S3Server
from genbank_assets_tests.paths import SAMPLE

BUSY_ANSWERS = 4
STAGES = ("raw_files", "records", "unique_records", "postgres_table", "object_set")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "RETRIES", dg.RetryPolicy(max_retries=2, delay=2))


class Mirror:
    """A job over a store of its own, stage by stage."""

    def __init__(self, store: Path, **fields: Any) -> None:
        resource = MirrorResource(store=str(store), workers=1, **{"source": SAMPLE.as_uri(), **fields})
        self.job = build_defs(resources={"mirror": resource}).resolve_job_def("mirror_genbank")

    def run(self, *stages: str, division: str = "phg") -> dg.ExecuteInProcessResult:
        with dg.DagsterInstance.ephemeral() as instance:
            return self.job.execute_in_process(
                partition_key=division, instance=instance, raise_on_error=False, run_config=QUIET,
                asset_selection=[dg.AssetKey(["genbank", stage]) for stage in stages],
            )  # fmt: skip


def retries(result: dg.ExecuteInProcessResult, stage: str) -> int:
    return sum(event.event_type_value == "STEP_UP_FOR_RETRY" for event in result.events_for_node(f"genbank__{stage}"))


def reason(result: dg.ExecuteInProcessResult) -> str:
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "Exceeded max_retries" not in str(failure.step_failure_data.error)
    return failure.step_failure_data.user_failure_data.description


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A PostgreSQL that a test may stop."""
    folder = tmp_path / "server"
    folder.mkdir()
    try:
        yield ensure_server(folder)
    finally:
        stop_server(folder, force=True)


def test_a_database_that_restarts_in_the_middle_of_a_load(
    tmp_path: Path, own_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENBANK_ASSETS_POSTGRES_URL", own_server.url("genbank"))
    mirror = Mirror(tmp_path / "store")
    assert mirror.run(*STAGES[:3]).success
    whole, stopped = one_file._send, []

    def send_and_lose_the_server(session: Any, copy: Any) -> None:
        whole(session, copy)
        if not stopped:
            stopped.append(copy)
            stop_server(tmp_path / "server", force=True)
            threading.Timer(1.0, ensure_server, [tmp_path / "server"]).start()

    monkeypatch.setattr(one_file, "_send", send_and_lose_the_server)
    result = mirror.run("postgres_table")
    assert stopped
    assert result.success, reason(result)
    assert 1 <= retries(result, "postgres_table") <= 2
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["rows_loaded"].value == 1


def test_a_database_that_stays_away_fails_with_its_reason_after_three_tries(
    tmp_path: Path, own_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "RETRIES", dg.RetryPolicy(max_retries=2, delay=0.1))
    monkeypatch.setenv("GENBANK_ASSETS_POSTGRES_URL", own_server.url("genbank"))
    mirror = Mirror(tmp_path / "store")
    assert mirror.run(*STAGES[:3]).success
    stop_server(tmp_path / "server", force=True)
    result = mirror.run("postgres_table")
    assert not result.success
    assert retries(result, "postgres_table") == 2
    assert reason(result).startswith("DatabaseError: cannot reach PostgreSQL at ")
    assert reason(result).endswith(" (after 3 attempts)")


@pytest.mark.parametrize("wrong", ["/nothing_here?", "/genbank?user=nobody_known&"])
def test_a_database_that_refuses_for_good_is_asked_once(
    tmp_path: Path, own_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    url = own_server.url("genbank")
    mirror = Mirror(tmp_path / "store")
    monkeypatch.setenv("GENBANK_ASSETS_POSTGRES_URL", url)
    assert mirror.run(*STAGES[:3]).success
    monkeypatch.setenv("GENBANK_ASSETS_POSTGRES_URL", url.replace("/genbank?", wrong).replace("postgres@", "@"))
    result = mirror.run("postgres_table")
    assert not result.success
    assert retries(result, "postgres_table") == 0, reason(result)


def test_an_object_store_that_is_busy_for_a_while(
    tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For longer than a publication waits for its return: the step is tried again."""
    monkeypatch.setattr(upload, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(upload, "TRIES", 2)
    monkeypatch.setattr(objects_store, "RETRY_SECONDS", 0.2)
    mirror = Mirror(tmp_path / "store", objects=f"s3://{s3.bucket}/set")
    assert mirror.run(*STAGES[:3]).success
    refused: list[str] = []

    def busy(asked: Any) -> Fault | None:
        if asked.method != "PUT" or len(refused) == BUSY_ANSWERS:
            return None
        refused.append(asked.path)
        return Fault(status=503, body=b"<Error><Code>SlowDown</Code></Error>")

    with FaultyProxy(s3, busy) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        result = mirror.run("object_set")
    assert refused
    assert result.success, reason(result)
    assert retries(result, "object_set") in {1, 2}


def test_an_object_store_that_refuses_the_keys_is_asked_once(
    tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = Mirror(tmp_path / "store", objects=f"s3://{s3.bucket}/set")
    assert mirror.run(*STAGES[:3]).success
    denied = Fault(status=403, body=b"<Error><Code>AccessDenied</Code></Error>")
    with FaultyProxy(s3, lambda asked: denied if asked.method == "PUT" else None) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        result = mirror.run("object_set")
    assert not result.success
    assert retries(result, "object_set") == 0
    assert "AccessDenied" in reason(result)


@pytest.mark.usefixtures("impatient")
def test_a_source_that_fails_for_longer_than_one_fetch_waits_is_retried(tmp_path: Path, site: Site) -> None:
    genbank_release(site.folder, "5.0", files=1, kilobytes=1)
    answers = iter([Reply(500)] * 3)  # as often as one fetch asks for the number of the release
    site.rule = lambda ask: next(answers, None)
    result = Mirror(tmp_path / "store", source=site.url).run("raw_files")
    assert result.success, reason(result)
    assert retries(result, "raw_files") == 1


def test_a_missing_folder_is_requested_once(tmp_path: Path) -> None:
    result = Mirror(tmp_path / "store", source=(tmp_path / "nothing").as_uri()).run("raw_files")
    assert (retries(result, "raw_files"), "no such folder" in reason(result)) == (0, True)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (IntegrityError("the totals disagree"), "IntegrityError: the totals disagree"),
        (OSError(28, "No space left on device", "/here"), "OSError: [Errno 28] No space left on device: '/here'"),
        (ZeroDivisionError(), "ZeroDivisionError: no reason was given"),
    ],
)
def test_what_a_later_try_cannot_mend_fails_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    mirror = Mirror(tmp_path / "store")
    assert mirror.run("raw_files").success

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(records, "build_records", fail)
    result = mirror.run("records")
    assert (retries(result, "records"), reason(result)) == (0, said)


def test_a_stop_is_not_retried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = Mirror(tmp_path / "store")
    assert mirror.run("raw_files").success
    begun = []

    def stopped(*_: object, **__: object) -> None:
        begun.append(time.monotonic())
        raise KeyboardInterrupt

    monkeypatch.setattr(records, "build_records", stopped)
    assert not mirror.run("records").success
    assert len(begun) == 1
