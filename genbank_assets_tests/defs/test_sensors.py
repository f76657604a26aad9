"""The release sensors: two looks, one run per changed division, a sentence for every skip."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import pytest

from genbank_assets.defs.resources import MirrorResource
from genbank_assets.defs.sensors import build_sensors
from genbank_assets_tests.paths import MIRROR_273, MIRROR_274


class Ticks:
    """A sensor and the cursor it was left with."""

    def __init__(self, source: Path, store: Path) -> None:
        self.sensor = build_sensors()[0]
        self.mirror = MirrorResource(source=source.as_uri(), store=str(store))
        self.cursor: str | None = None

    def tick(self) -> dg.SensorResult | dg.SkipReason:
        with dg.DagsterInstance.ephemeral() as instance:
            context = dg.build_sensor_context(instance=instance, cursor=self.cursor, resources={"mirror": self.mirror})
            result = self.sensor(context)
        if isinstance(result, dg.SensorResult):
            self.cursor = result.cursor
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
