"""The fault suite in its short form, and what its long form has found (``make test-faults``)."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from obstore.exceptions import GenericError

from genbank_assets.errors import StoreError
from genbank_assets.locks import exclusive
from genbank_assets.objects import store
from genbank_assets.objects.prune import prune_objects
from genbank_assets.objects.requests import is_transient
from genbank_assets.settings import Settings
from genbank_assets_tests.faults.end_state import differences
from genbank_assets_tests.faults.suite import WAYS, run_suite
from genbank_assets_tests.fix_s3 import S3Server
from genbank_assets_tests.processes import free_port


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="gba-faults-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.mark.slow
def test_a_killed_run_ends_like_an_undisturbed_one(short_folder: Path) -> None:
    lines: list[str] = []
    ways = [way for way in WAYS if " at a " not in way]  # those are for the long form
    result = run_suite(short_folder, points=4, seed=4, ways=ways, is_short=True, tell=lines.append)
    assert result.problems == [], "\n".join(lines)
    assert result.points == 4
    assert result.outcomes["done"] < 4, "nothing was disturbed"


def test_missing_extra_and_different_content_is_reported() -> None:
    ours = {"files": {"a": "1", "b": "1"}, "rows": {"record": ["x", "y"]}}
    theirs = {"files": {"a": "2", "c": "1"}, "rows": {"record": ["x", "z"]}}
    assert differences(ours, theirs) == [
        "files a: 1 instead of 2", "files b: too much", "files c: missing",
        "rows record: 2 instead of 2 rows: ['y'] instead of ['z']",
    ]  # fmt: skip


def test_a_store_that_refuses_its_locks_is_a_sentence(plain_settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = dataclasses.replace(plain_settings, store=tmp_path / "file" / "store", objects=tmp_path.as_uri())
    with pytest.raises(StoreError, match="a part of the path is a file"):
        prune_objects(settings)
    with (
        pytest.raises(StoreError, match="a part of the path is a file"),
        exclusive(settings, "genbank/bct", progress=print),
    ):
        pytest.fail("it has the lock")


def test_a_server_that_goes_away_between_an_answer_and_the_next_request_is_waited_for(
    settings: Settings, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of objects are asked for a second time, in another way, where a server sends them with status 200."""

    def refused(*_: object, **__: object) -> bytes:
        raise GenericError(store._NOT_PARTIAL)

    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    opened = store.open_objects(dataclasses.replace(settings, objects="s3://mirror/set"), retries=0)
    monkeypatch.setattr(store.obstore, "get_range", refused)
    with pytest.raises(GenericError, match="the connection to the store failed") as found:
        store.read_range(opened, "nucleotide/0", start=0, end=1)
    assert is_transient(found.value)
