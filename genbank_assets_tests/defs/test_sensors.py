"""The release sensors: two looks, one run per changed division, a sentence for every skip."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import dagster as dg
import pytest

from genbank_assets.defs.resources import MirrorResource
from genbank_assets.defs.sensors import build_sensors
from genbank_assets_tests.fix_faults import Reply, Site, genbank_release
from genbank_assets_tests.paths import MIRROR_273, MIRROR_274


class Ticks:
    """A sensor and the cursor it was left with."""

    def __init__(self, source: Path | str, store: Path, *, collection: int = 0) -> None:
        self.sensor = build_sensors()[collection]
        url = source if isinstance(source, str) else source.as_uri()
        self.mirror = MirrorResource(source=url, store=str(store))
        self.cursor: str | None = None

    def tick(self) -> dg.SensorResult | dg.SkipReason:
        with dg.DagsterInstance.ephemeral() as instance:
            context = dg.build_sensor_context(instance=instance, cursor=self.cursor, resources={"mirror": self.mirror})
            result = self.sensor(context)
            self.cursor = result.cursor if isinstance(result, dg.SensorResult) else context.cursor
        return result


@pytest.fixture
def source(tmp_path: Path) -> Path:
    if not MIRROR_273.is_dir():
        pytest.skip("the shared mirrors are not here")
    folder = tmp_path / "source"
    shutil.copytree(MIRROR_273, folder, copy_function=shutil.copyfile)
    return folder


def test_a_release_is_requested_at_the_second_look_and_only_once(source: Path, tmp_path: Path) -> None:
    ticks = Ticks(source, tmp_path / "store")
    first = ticks.tick()
    assert first.skip_reason is not None
    assert "second look" in first.skip_reason.skip_message
    second = ticks.tick()
    requests = second.run_requests or []
    assert len(requests) == 16
    assert all("273.0" in (request.run_key or "") for request in requests)
    assert requests[0].tags["ncbi/release"] == "273.0"
    (event,) = second.asset_events
    assert event.metadata["files"].value == 18
    assert event.metadata["release_date"].value == "2026-08-15"
    third = ticks.tick()
    assert isinstance(third, dg.SkipReason)
    assert "requested already" in third.skip_message


def test_the_next_release_is_requested_when_it_replaces_the_first(source: Path, tmp_path: Path) -> None:
    ticks = Ticks(source, tmp_path / "store")
    ticks.tick()
    ticks.tick()
    shutil.rmtree(source)
    shutil.copytree(MIRROR_274, source, copy_function=shutil.copyfile)
    assert ticks.tick().skip_reason is not None
    requests = ticks.tick().run_requests or []
    divisions = {request.partition_key for request in requests}
    assert "est" in divisions, "a division that lost all its files has to be looked at"
    assert {request.tags["ncbi/release"] for request in requests} == {"274.0"}


def test_a_half_published_release_is_waited_for(source: Path, tmp_path: Path) -> None:
    ticks = Ticks(source, tmp_path / "store")
    (source / "genbank" / "GB_Release_Number").write_text("274.0\n")
    result = ticks.tick()
    assert isinstance(result, dg.SkipReason)
    assert "being replaced" in result.skip_message


def test_a_source_that_is_gone_is_said(source: Path, tmp_path: Path) -> None:
    ticks = Ticks(source, tmp_path / "store")
    shutil.rmtree(source)
    result = ticks.tick()
    assert isinstance(result, dg.SkipReason)
    assert "cannot be read" in result.skip_message


def test_only_the_divisions_of_the_settings_are_requested(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = Ticks(source, tmp_path / "store")
    monkeypatch.setenv("GENBANK_ASSETS_DIVISIONS", "genbank/phg, refseq/viral")
    ticks.tick()
    assert [request.partition_key for request in ticks.tick().run_requests or []] == ["phg"]
    monkeypatch.setenv("GENBANK_ASSETS_DIVISIONS", "genbank/phg,genbank/vrl")  # one more, of the same release
    assert [request.partition_key for request in ticks.tick().run_requests or []] == ["vrl"]
    monkeypatch.setenv("GENBANK_ASSETS_DIVISIONS", "refseq/viral")
    assert "names no division of GenBank" in str(ticks.tick().skip_message)
    monkeypatch.setenv("GENBANK_ASSETS_DIVISIONS", "genbank/xyz")
    assert "no division 'xyz'" in str(ticks.tick().skip_message)


def test_a_release_that_was_not_whole_in_between_needs_two_looks_again(source: Path, tmp_path: Path) -> None:
    ticks = Ticks(source, tmp_path / "store")
    ticks.tick()
    path = source / "genbank" / "gbphg1.seq.gz"
    path.rename(tmp_path / "aside")
    half = ticks.tick()
    assert isinstance(half, dg.SkipReason)
    assert "missing: gbphg1.seq.gz" in half.skip_message
    (tmp_path / "aside").rename(path)
    again = ticks.tick()
    assert not again.run_requests
    assert "second look" in again.skip_reason.skip_message
    assert len(ticks.tick().run_requests or []) == 16


def test_a_file_of_equal_size_replaced_between_looks_is_waited_for_and_asked_for_alone(
    source: Path, tmp_path: Path
) -> None:
    ticks = Ticks(source, tmp_path / "store")
    ticks.tick()
    path = source / "genbank" / "gbvrl1.seq.gz"
    os.utime(path, (1, 1))
    assert not ticks.tick().run_requests
    assert len(ticks.tick().run_requests or []) == 16
    os.utime(path, (2, 2))
    assert not ticks.tick().run_requests
    (request,) = ticks.tick().run_requests or []
    assert request.partition_key == "vrl"


def test_the_source_may_be_down_at_the_first_look_and_between_two(source: Path, tmp_path: Path) -> None:
    ticks = Ticks(source, tmp_path / "store")
    away = tmp_path / "away"
    source.rename(away)
    assert "cannot be read" in str(ticks.tick().skip_message)
    away.rename(source)
    ticks.tick()
    source.rename(away)
    assert "cannot be read" in str(ticks.tick().skip_message)
    away.rename(source)
    assert len(ticks.tick().run_requests or []) == 16


def test_a_cursor_written_by_hand_counts_as_none(source: Path, tmp_path: Path) -> None:
    ticks = Ticks(source, tmp_path / "store")
    for cursor in ("[1]", "not json"):
        ticks.cursor = cursor
        assert not ticks.tick().run_requests
        assert len(ticks.tick().run_requests or []) == 16


@pytest.mark.parametrize("style", ["nginx", "python"])
def test_the_upstream_asset_tells_true_bytes_over_http(site: Site, tmp_path: Path, style: str) -> None:
    if not MIRROR_273.is_dir():
        pytest.skip("the shared mirrors are not here")
    shutil.copytree(MIRROR_273, site.folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
    site.style = style
    for number, folder, files in ((0, "genbank", 18), (1, "refseq/release", 11)):
        ticks = Ticks(site.url, tmp_path / "store", collection=number)
        ticks.tick()
        (event,) = ticks.tick().asset_events
        assert event.metadata["files"].value == files
        whole = sum(path.stat().st_size for path in (site.folder / folder).rglob("*.gz"))
        assert event.metadata["bytes"].value == whole


def test_bytes_that_a_listing_does_not_say_are_not_told_as_none(site: Site, tmp_path: Path) -> None:
    genbank_release(site.folder, "5.0", files=70, kilobytes=1)
    site.style = "python"  # and too many files to ask for one by one
    ticks = Ticks(site.url, tmp_path / "store")
    ticks.tick()
    (event,) = ticks.tick().asset_events
    assert event.metadata["files"].value == 70
    assert "bytes" not in event.metadata


def test_a_source_that_asked_to_be_left_alone_makes_a_short_skip(site: Site, tmp_path: Path) -> None:
    genbank_release(site.folder, "5.0")
    site.rule = lambda ask: Reply(503, {"Retry-After": "3600"})
    ticks = Ticks(site.url, tmp_path / "store")
    for _ in range(3):
        skipped = ticks.tick()
        assert isinstance(skipped, dg.SkipReason)
        assert "left alone until" in skipped.skip_message
    assert len(site.asked) == 1
