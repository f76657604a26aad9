"""An object store that does not answer is said in one sentence, in seconds, by every command that touches one."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from obstore.exceptions import GenericError, PermissionDeniedError

from genbank_assets import readiness, waits
from genbank_assets.cli import main, progress
from genbank_assets.errors import ObjectStoreError
from genbank_assets.objects import contact
from genbank_assets.objects.retry import retried

COMMANDS = [
    "objects verify",
    "objects repair",
    "objects prune --dry-run",
    "verify",
    "repair",
    "tables publish genbank/phg",
    "tables verify",
    "tables bundle",
    "tables bundle --list",
    "tables prune --dry-run",
    "sql --store s3://bucket/tables SELECT",
    "catalog --store s3://bucket/tables",
    "trace J02482 --store s3://bucket/tables",
    "fetch J02482 --store s3://bucket/tables",
    "extract genbank/phg --store s3://bucket/tables",
]


@pytest.fixture
def _bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENBANK_ASSETS_STORE", str(tmp_path))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("GENBANK_ASSETS_OBJECTS", "s3://bucket/objects")
    monkeypatch.setenv("GENBANK_ASSETS_TABLES", "s3://bucket/tables")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """The port of a server that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.usefixtures("_bucket")
@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_listens_there(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    begun = time.monotonic()
    assert main(command.split()) == 1
    assert time.monotonic() - begun < 30
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1, said
    said_of = (
        r"the object store s3://bucket/(objects|tables) cannot be reached: "
        r"http://127\.0\.0\.1:1 failed: the connection was refused"
    )
    assert re.search(said_of, said[0])


@pytest.mark.usefixtures("_bucket")
@pytest.mark.parametrize("command", ["tables verify", "sql --store s3://bucket/tables SELECT"])
def test_a_server_that_never_answers_is_announced_and_given_up(
    command: str, silent_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent_port}")
    for module in ("genbank_assets.objects.contact", "genbank_assets.catalog.address"):
        monkeypatch.setattr(f"{module}.TIMEOUT", timedelta(seconds=0.5))
    monkeypatch.setattr(waits, "ANNOUNCE_SECONDS", 0.1)
    assert main(command.split()) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("genbank-assets: still waiting for the object store s3://bucket/tables (")
    assert said[-1].endswith(f"http://127.0.0.1:{silent_port} failed: no answer in time")


@pytest.mark.parametrize("source", ["http://127.0.0.1:{}", "s3://b/p?endpoint=http://127.0.0.1:{}&unsigned=true"])
@pytest.mark.parametrize("command", ["plan genbank/phg", "materialize genbank/phg", "taxonomy --update"])
def test_a_source_that_never_answers_is_announced_and_given_up(
    command: str,
    source: str,
    silent_port: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GENBANK_ASSETS_STORE", str(tmp_path))
    monkeypatch.setenv("GENBANK_ASSETS_SOURCE", source.format(silent_port))
    monkeypatch.setattr("genbank_assets.readiness.TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(waits, "ANNOUNCE_SECONDS", 0.1)
    monkeypatch.setattr(progress.LOGGER, "handlers", [])  # those of earlier tests write to what was captured then
    begun = time.monotonic()
    assert main(command.split()) == 1
    assert time.monotonic() - begun < 30
    said = capsys.readouterr().err.splitlines()
    assert "still waiting for the source" in said[0]
    assert said[-1].startswith("genbank-assets: nothing was started because the source cannot be used: ")
    assert said[-1].endswith("no answer in time") or "the source responds too slowly" in said[-1]


def test_the_limits_are_such_as_people_wait() -> None:
    assert waits.ANNOUNCE_SECONDS < 5
    assert contact.TIMEOUT.total_seconds() <= 10
    assert readiness.TIMEOUT_SECONDS <= 10


def test_a_wait_without_a_progress_is_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    answers = iter([GenericError("Error performing GET http://127.0.0.1:1/a: Connection refused"), "there"])

    def request() -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("genbank_assets.objects.retry.FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(waits.LOGGER, "propagate", True)
    monkeypatch.setattr(waits.LOGGER, "disabled", False)
    waits.LOGGER.setLevel("WARNING")
    assert retried(request, doing="read a") == "there"
    assert "cannot read a: http://127.0.0.1:1 failed: the connection was refused" in caplog.text


@pytest.mark.parametrize(
    ("error", "at_least", "may_pass"),
    [(GenericError("Error performing GET http://127.0.0.1:1/a: Connection refused"), 3, True),
     (PermissionDeniedError("status code: 403"), 1, False), (FileNotFoundError("a"), 1, False)],
)  # fmt: skip
def test_a_store_is_asked_again_for_as_long_as_is_said_and_only_where_that_may_help(
    monkeypatch: pytest.MonkeyPatch, error: Exception, at_least: int, may_pass: bool
) -> None:
    monkeypatch.setattr("genbank_assets.objects.retry.FIRST_WAIT_SECONDS", 0.01)
    asked, lines = [], []

    def request() -> None:
        asked.append(True)
        raise error

    with pytest.raises(ObjectStoreError, match="cannot read a") as raised:
        retried(request, doing="read a", progress=lines.append, seconds=0.1)
    assert raised.value.transient == may_pass
    assert len(asked) == len(lines) + 1
    assert len(asked) >= at_least
    assert may_pass or len(asked) == 1
