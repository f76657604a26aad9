"""The release sensors: two looks, one run per division that is not in place, a sentence for every skip."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from genbank_assets.definitions import build_defs
from genbank_assets.defs import requests as asked_for
from genbank_assets.defs import sensors
from genbank_assets.defs.requests import MAX_REQUESTS
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.defs.sensors import build_sensors
from genbank_assets.ncbi.catalog import GENBANK
from genbank_assets.ncbi.unknown import read_unknown
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets_tests.defs.test_runs import QUIET
from genbank_assets_tests.fix_faults import Reply, Site, genbank_release
from genbank_assets_tests.paths import MIRROR_273, MIRROR_274, SAMPLE


class Ticks:
    """A sensor, the cursor it was left with, and a clock that goes on by an hour a tick."""

    def __init__(
        self, source: Path | str, store: Path, *, collection: int = 0, instance: dg.DagsterInstance | None = None,
        **fields: Any,
    ) -> None:  # fmt: skip
        self.sensor = build_sensors()[collection]
        url = source if isinstance(source, str) else source.as_uri()
        self.mirror = MirrorResource(source=url, store=str(store), **fields)
        self.cursor: str | None = None
        self.instance = instance
        self.events: list[Any] = []
        self.now = dt.datetime(2026, 9, 1, 6, tzinfo=dt.UTC)

    def tick(self, *, hours: float = 1) -> dg.SensorResult | dg.SkipReason:
        self.now += dt.timedelta(hours=hours)
        if self.instance is not None:
            return self._tick(self.instance)
        with dg.DagsterInstance.ephemeral() as instance:
            return self._tick(instance)

    def _tick(self, instance: dg.DagsterInstance) -> dg.SensorResult | dg.SkipReason:
        context = dg.build_sensor_context(instance=instance, cursor=self.cursor, resources={"mirror": self.mirror})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sensors, "clock", lambda: self.now)
            result = self.sensor(context)
        if isinstance(result, dg.SensorResult):
            self.cursor = result.cursor
            self.events += result.asset_events
        return result

    def asked(self, *, looks: int = 2) -> list[str]:
        """The divisions that are asked for after so many looks."""
        for _ in range(looks - 1):
            self.tick()
        return [request.partition_key or "" for request in requests_of(self.tick())]

    def observed(self) -> dg.AssetObservation:
        (found,) = [event for event in self.events if isinstance(event, dg.AssetObservation)]
        return found


def requests_of(result: dg.SensorResult | dg.SkipReason) -> list[dg.RunRequest]:
    return list(result.run_requests or []) if isinstance(result, dg.SensorResult) else []


def sentence(result: dg.SensorResult | dg.SkipReason) -> str:
    skip = result if isinstance(result, dg.SkipReason) else result.skip_reason
    assert skip is not None
    return skip.skip_message or ""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    if not MIRROR_273.is_dir():
        pytest.skip("the shared mirrors are not here")
    folder = tmp_path / "source"
    shutil.copytree(MIRROR_273, folder, copy_function=shutil.copyfile)
    return folder


def test_a_release_is_requested_at_the_second_look(source: Path, tmp_path: Path) -> None:
    ticks = Ticks(source, tmp_path / "store")
    assert sentence(ticks.tick()) == (
        "Release 273.0 appears complete; waiting for a second poll to confirm, before requesting 16 of its divisions."
    )
    requests = requests_of(ticks.tick())
    assert len(requests) == 16
    assert len({request.run_key for request in requests}) == 16
    assert all("273.0" in (request.run_key or "") for request in requests)
    assert requests[0].tags["ncbi/release"] == "273.0"
    event = ticks.observed()
    assert event.metadata["files"].value == 18
    assert event.metadata["release_date"].value == "2026-08-15"
    assert event.tags == {"dagster/data_version": "273.0"}
    assert len(ticks.cursor or "") < 150, "digests, no lists"


def test_between_two_looks_the_source_is_left_alone(source: Path, tmp_path: Path) -> None:
    ticks = Ticks(source, tmp_path / "store")
    ticks.tick()
    shutil.rmtree(source)
    assert sentence(ticks.tick(hours=0.99)) == (
        "The next poll for GenBank is due at 2026-09-01 08:00:00 UTC (GENBANK_ASSETS_POLL_SECONDS is 3600)."
    )
    assert "cannot be read" in sentence(ticks.tick(hours=0.02))


def test_the_next_release_is_requested_when_it_replaces_the_first(source: Path, tmp_path: Path) -> None:
    ticks = Ticks(source, tmp_path / "store")
    assert ticks.asked()
    shutil.rmtree(source)
    shutil.copytree(MIRROR_274, source, copy_function=shutil.copyfile)
    assert not requests_of(ticks.tick())
    requests = requests_of(ticks.tick())
    assert {request.tags["ncbi/release"] for request in requests} == {"274.0"}


def test_a_half_published_release_is_waited_for(source: Path, tmp_path: Path) -> None:
    ticks = Ticks(source, tmp_path / "store")
    (source / "genbank" / "GB_Release_Number").write_text("274.0\n")
    assert "being replaced" in sentence(ticks.tick())


def test_a_missing_source_is_reported(source: Path, tmp_path: Path) -> None:
    ticks = Ticks(source, tmp_path / "store")
    shutil.rmtree(source)
    assert "cannot be read" in sentence(ticks.tick())


def test_only_the_divisions_of_the_settings_are_requested(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = Ticks(source, tmp_path / "store")
    monkeypatch.setenv("GENBANK_ASSETS_DIVISIONS", "genbank/phg, refseq/viral")
    assert ticks.asked() == ["phg"]
    monkeypatch.setenv("GENBANK_ASSETS_DIVISIONS", "genbank/phg,genbank/vrl")  # one more, of the same release
    assert ticks.asked(looks=1) == ["phg", "vrl"]  # no run of phg has begun meanwhile
    monkeypatch.setenv("GENBANK_ASSETS_DIVISIONS", "refseq/viral")
    assert "contains no division of GenBank" in sentence(ticks.tick())
    monkeypatch.setenv("GENBANK_ASSETS_DIVISIONS", "genbank/xyz")
    assert "no division 'xyz'" in sentence(ticks.tick())


@pytest.mark.parametrize(
    ("name", "value"), [("WORKERS", "many"), ("STORE_", ""), ("POLL_SECONDS", "0"), ("SOURCE", "x")]
)
def test_an_invalid_setting_is_reported_in_the_tick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"GENBANK_ASSETS_{name}", value)
    ticks = Ticks(SAMPLE, tmp_path / "store")
    ticks.mirror = MirrorResource(store=str(tmp_path / "store"))
    assert value in sentence(ticks.tick())


def test_a_release_that_was_not_whole_in_between_needs_two_looks_again(source: Path, tmp_path: Path) -> None:
    ticks = Ticks(source, tmp_path / "store")
    ticks.tick()
    path = source / "genbank" / "gbphg1.seq.gz"
    path.rename(tmp_path / "aside")
    assert "missing: gbphg1.seq.gz" in sentence(ticks.tick())
    (tmp_path / "aside").rename(path)
    assert "second poll" in sentence(ticks.tick())
    assert len(ticks.asked(looks=1)) == 16


def test_a_file_of_equal_size_replaced_between_looks_is_waited_for(source: Path, tmp_path: Path) -> None:
    ticks = Ticks(source, tmp_path / "store")
    ticks.tick()
    os.utime(source / "genbank" / "gbvrl1.seq.gz", (1, 1))
    assert not requests_of(ticks.tick())
    assert len(ticks.asked(looks=1)) == 16


def test_the_source_may_be_down_at_the_first_look_and_between_two(source: Path, tmp_path: Path) -> None:
    ticks = Ticks(source, tmp_path / "store")
    away = tmp_path / "away"
    source.rename(away)
    assert "cannot be read" in sentence(ticks.tick())
    away.rename(source)
    ticks.tick()
    source.rename(away)
    assert "cannot be read" in sentence(ticks.tick())
    away.rename(source)
    assert len(ticks.asked(looks=1)) == 16


@pytest.mark.parametrize("cursor", ["[1]", "not json", '{"looked": "x"}', '{"looked": -5}', '{"seen": 7, "more": []}'])
def test_a_cursor_written_by_hand_counts_as_none(source: Path, tmp_path: Path, cursor: str) -> None:
    ticks = Ticks(source, tmp_path / "store")
    ticks.cursor = cursor
    assert len(ticks.asked()) == 16


@pytest.mark.parametrize("style", ["nginx", "python"])
def test_the_upstream_asset_reports_exact_bytes_over_http(site: Site, tmp_path: Path, style: str) -> None:
    if not MIRROR_273.is_dir():
        pytest.skip("the shared mirrors are not here")
    shutil.copytree(MIRROR_273, site.folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
    site.style = style
    for number, folder, files in ((0, "genbank", 18), (1, "refseq/release", 11)):
        ticks = Ticks(site.url, tmp_path / "store", collection=number)
        ticks.tick()
        event = ticks.observed()
        assert event.metadata["files"].value == files
        whole = sum(path.stat().st_size for path in (site.folder / folder).rglob("*.gz"))
        assert event.metadata["bytes"].value == whole


def test_unknown_bytes_of_a_listing_are_not_reported_as_none(site: Site, tmp_path: Path) -> None:
    genbank_release(site.folder, "5.0", files=70, kilobytes=1)
    site.style = "python"  # and too many files to ask for one by one
    ticks = Ticks(site.url, tmp_path / "store")
    ticks.tick()
    event = ticks.observed()
    assert event.metadata["files"].value == 70
    assert "bytes" not in event.metadata


def test_a_source_that_asked_to_be_left_alone_makes_a_short_skip(site: Site, tmp_path: Path) -> None:
    genbank_release(site.folder, "5.0")
    site.rule = lambda ask: Reply(503, {"Retry-After": "3600"})
    ticks = Ticks(site.url, tmp_path / "store")
    for _ in range(3):
        assert "no requests until" in sentence(ticks.tick())
    assert len(site.asked) == 1


def test_what_is_new_at_ncbi_is_a_warning_in_the_tick(source: Path, tmp_path: Path) -> None:
    (source / "genbank" / "gbxyz1.seq.gz").write_bytes(b"")
    ticks = Ticks(source, tmp_path / "store")
    (source / "genbank" / "gbrel.txt").write_text(
        (source / "genbank" / "gbrel.txt").read_text().replace("1. gbbct1.seq", "0. gbxyz1.seq - New\n1. gbbct1.seq", 1)
    )
    assert sentence(ticks.tick()).endswith(
        "Warning: GenBank contains parts that this version does not know and does not mirror: "
        "division xyz (1 file, such as "
        "gbxyz1.seq.gz). Look for a newer version of genbank-assets."
    )
    assert ticks.observed().metadata["unknown"].value == "division xyz (1 file, such as gbxyz1.seq.gz)"
    assert read_unknown(tmp_path / "store", collection=GENBANK) == ("division xyz (1 file, such as gbxyz1.seq.gz)",)


class Loads(Ticks):
    """A sensor whose requests are run, each in this process, with an instance that remembers them."""

    def __init__(self, source: Path, store: Path, instance: dg.DagsterInstance) -> None:
        super().__init__(source, store, instance=instance, divisions="genbank/phg", workers=1)
        self.store = store
        self.job = build_defs(resources={"mirror": self.mirror}).resolve_job_def("mirror_genbank")
        self.keys: list[str] = []
        self.ended: dict[str, dt.datetime] = {}  # by the clock of the ticks

    def run(self, request: dg.RunRequest) -> bool:
        assert self.instance is not None
        self.keys.append(request.run_key or "")
        done = self.job.execute_in_process(
            partition_key=request.partition_key, instance=self.instance, raise_on_error=False, run_config=QUIET,
            tags={**request.tags, "dagster/run_key": request.run_key or ""},
        )  # fmt: skip
        self.ended[done.run_id] = self.now
        return done.success

    def load(self, *, looks: int = 2) -> list[bool]:
        """Look, and run what is asked for."""
        results = [self.run(request) for _ in range(looks) for request in requests_of(self.tick())]
        assert len(self.keys) == len(set(self.keys)), "Dagster drops a request whose key it knows"
        return results

    def title(self) -> str:
        partition = PartitionRelease(self.store, PartitionKey("genbank", "phg"), "1.0")
        raw = partition.manifest("raw_files")
        assert raw is not None
        return str(raw.files[0]["sha256"])


@pytest.fixture
def loads(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loads]:
    monkeypatch.setenv("GENBANK_ASSETS_POSTGRES_URL", postgres_url)
    shutil.copytree(SAMPLE, tmp_path / "source", copy_function=shutil.copyfile)
    with dg.DagsterInstance.ephemeral() as instance:
        made = Loads(tmp_path / "source", tmp_path / "store", instance)
        monkeypatch.setattr(asked_for, "_ended", lambda record, *, now: made.ended[record.dagster_run.run_id])
        yield made


def phage(loads: Loads, tmp_path: Path, *, seconds: int) -> None:
    """Publish the phage file again, in another compression, at a time."""
    import gzip

    path = tmp_path / "source" / "genbank" / "gbphg1.seq.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), compresslevel=1 + seconds % 9, mtime=0))
    os.utime(path, (seconds, seconds))


def test_a_state_that_comes_back_is_loaded_again(loads: Loads, tmp_path: Path) -> None:
    found = []
    for seconds in (1_700_000_001, 1_700_000_402, 1_700_000_001):  # A, B, A of one release
        phage(loads, tmp_path, seconds=seconds)
        assert loads.load() == [True]
        found.append(loads.title())
        assert sentence(loads.tick()) == "Release 1.0: phg: is up to date."
    assert found[0] == found[2] != found[1]


def test_a_state_that_comes_back_after_another_that_a_person_loaded_is_loaded_again(
    loads: Loads, tmp_path: Path
) -> None:
    phage(loads, tmp_path, seconds=1_700_000_001)
    assert loads.load() == [True]
    first = loads.title()
    phage(loads, tmp_path, seconds=1_700_000_402)
    assert loads.run(dg.RunRequest(partition_key="phg", run_key="by hand"))
    assert loads.title() != first
    phage(loads, tmp_path, seconds=1_700_000_001)
    assert loads.load() == [True]
    assert loads.title() == first
    assert sentence(loads.tick()) == "Release 1.0: phg: is up to date."


def test_what_is_in_place_is_not_asked_for_after_a_reset_or_a_time_off(loads: Loads) -> None:
    assert loads.load() == [True]
    loads.cursor = None
    assert loads.load() == []
    assert sentence(loads.tick()) == "Release 1.0: phg: is up to date."


def test_what_a_person_loaded_is_not_asked_for(loads: Loads) -> None:
    assert loads.run(dg.RunRequest(partition_key="phg"))
    assert loads.load() == []


def test_a_wiped_store_is_filled_again(loads: Loads) -> None:
    assert loads.load() == [True]
    shutil.rmtree(loads.store)
    assert loads.load() == [True], "an hour later, as after a failure"
    (loads.store / "genbank" / "1.0" / "phg" / "object_set" / "manifest.json").unlink()
    assert loads.load() == [True]


def test_a_run_that_failed_is_asked_for_again_ever_later_and_not_for_ever(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = os.environ["GENBANK_ASSETS_POSTGRES_URL"]
    monkeypatch.setenv("GENBANK_ASSETS_POSTGRES_URL", url.replace("/test_", "/nothing_"))
    assert loads.load() == [False]
    waits = []
    for number in range(1, MAX_REQUESTS):
        waited = 0
        while not requests_of(result := loads.tick()):
            assert sentence(result).startswith(
                f"Release 1.0: phg: was requested {number} times without success: next attempt after 2"
            )
            waited += 1
        waits.append(waited)
        assert not loads.run(*requests_of(result))
    assert waits == [0, 1, 3, 7]
    for _ in range(40):
        said = sentence(loads.tick())
        assert (
            said
            == "Release 1.0: phg: was requested 5 times without success: inspect its runs, then start one manually."
        )
    monkeypatch.setenv("GENBANK_ASSETS_POSTGRES_URL", url)
    assert loads.run(dg.RunRequest(partition_key="phg"))
    assert sentence(loads.tick()) == "Release 1.0: phg: is up to date."


@pytest.mark.parametrize("stage", ["raw_files", "records"])
def test_a_damaged_manifest_is_reported_without_failing_the_tick(loads: Loads, stage: str) -> None:
    assert loads.load() == [True]
    (loads.store / "genbank" / "1.0" / "phg" / stage / "manifest.json").write_text("{")
    assert "phg: has a damaged manifest" in sentence(loads.tick())


def test_an_unwritable_store_is_reported(source: Path, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    assert "The source cannot be read" in sentence(Ticks(source, tmp_path / "store").tick())


def test_a_run_that_is_under_way_is_waited_for(loads: Loads) -> None:
    assert loads.instance is not None
    loads.tick()
    (request,) = requests_of(loads.tick())
    tags = {**request.tags, "dagster/partition": "phg"}
    loads.instance.create_run_for_job(loads.job, tags=tags, status=dg.DagsterRunStatus.STARTED)
    assert sentence(loads.tick()) == "Release 1.0: phg: is being loaded."


def test_a_source_that_went_back_to_an_older_release_is_left_alone(loads: Loads, tmp_path: Path) -> None:
    assert loads.load() == [True]
    for name in ("GB_Release_Number", "gbrel.txt"):
        path = tmp_path / "source" / "genbank" / name
        path.write_text(path.read_text().replace("1.0", "0.9"))
    loads.tick()
    assert sentence(loads.tick()) == "Release 0.9: phg: is already at 1.0."


def test_a_tagged_run_loads_its_release_or_none(loads: Loads) -> None:
    assert not loads.run(dg.RunRequest(partition_key="phg", tags={"ncbi/release": "237"}))
    assert not (loads.store / "genbank" / "1.0" / "phg" / "raw_files" / "manifest.json").exists()
    assert loads.run(dg.RunRequest(partition_key="phg", run_key="2", tags={"ncbi/release": "1"}))


def test_a_fetch_reports_the_release_it_found(loads: Loads) -> None:
    assert loads.instance is not None
    assert loads.run(dg.RunRequest(partition_key="phg"))
    key = dg.AssetKey(["ncbi", "genbank_release"])
    (record,) = loads.instance.fetch_observations(key, limit=5).records
    assert record.asset_observation is not None
    assert record.asset_observation.metadata["release"].value == "1.0"
