"""The figures for Prometheus: read back with its own parser, and by a collector that looks while they are written."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from genbank_assets import __version__
from genbank_assets.errors import SettingsError
from genbank_assets.lineage.metrics import metrics, write_metrics
from genbank_assets.settings import Settings
from genbank_assets.store import STAGES, Manifest, PartitionKey
from genbank_assets_tests.fix_postgres import Divisions, Entry
from genbank_assets_tests.integration.test_mirror import mirror
from genbank_assets_tests.paths import SAMPLE

Samples = dict[tuple[str, ...], float]


def samples(text: str) -> dict[str, Samples]:
    """Metric → label values → value; every series once."""
    found: dict[str, Samples] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            series = found.setdefault(sample.name, {})
            assert tuple(sample.labels.values()) not in series
            series[tuple(sample.labels.values())] = sample.value
    return found


@pytest.fixture
def pln(settings: Settings) -> tuple[Settings, list[Manifest]]:
    settings = dataclasses.replace(settings, source=SAMPLE.as_uri())
    return settings, mirror(PartitionKey("genbank", "pln"), settings)


def test_every_figure_of_every_stage_is_there(pln: tuple[Settings, list[Manifest]]) -> None:
    settings, manifests = pln
    found = samples(metrics(settings))
    assert found["genbank_assets_records"]["genbank", "pln", "records"] == 107
    assert found["genbank_assets_quarantined"]["genbank", "pln", "records"] == 0
    assert found["genbank_assets_objects"]["genbank", "pln", "object_set"] == 107
    renamed = {"duration_seconds": "seconds", "input_bytes": "bytes_in", "output_bytes": "bytes_out"}
    renamed["written_bytes"] = "bytes_now"
    told: dict[str, dict[str, float]] = {stage: {} for stage in STAGES}
    for name, series in found.items():
        for labels, value in series.items():
            if len(labels) == 3:
                assert labels[:2] == ("genbank", "pln")
                short = name.removeprefix("genbank_assets_")
                told[labels[2]][renamed.get(short, short)] = value
    for stage, manifest in zip(STAGES, manifests, strict=True):
        extra = {name: told[stage].pop(name, None) for name in ("published_timestamp_seconds",)}
        assert extra["published_timestamp_seconds"] is not None
        rate = told[stage].pop("sql_statements_per_second", None)
        assert (rate is not None) == (stage == "postgres_table")
        assert told[stage] == manifest.report.as_dict(), stage


def test_the_release_is_reported_per_stage(divisions: Divisions) -> None:
    divisions.load(divisions.make("genbank/bct", "1.0", {"gbbct1.seq.gz": [Entry("AB000001")]}))
    divisions.make("genbank/bct", "2.0", {"gbbct1.seq.gz": [Entry("AB000001"), Entry("AB000002")]})
    found = samples(metrics(divisions.settings))
    # labels stand in order of name: code_version, collection, division, release, software_version, stage
    releases = {labels[5]: labels[3] for labels in found["genbank_assets_stage_info"]}
    assert releases == {"raw_files": "2.0", "records": "2.0", "unique_records": "2.0", "postgres_table": "1.0"}
    assert found["genbank_assets_records"]["genbank", "bct", "records"] == 2
    assert found["genbank_assets_records"]["genbank", "bct", "postgres_table"] == 1


def test_an_empty_store_says_which_software_looked(tmp_path: Path) -> None:
    found = samples(metrics(Settings(store=tmp_path)))
    assert found == {"genbank_assets_build_info": {(__version__,): 1.0}}


def test_a_scrape_never_sees_half_a_file(pln: tuple[Settings, list[Manifest]], tmp_path: Path) -> None:
    settings, _ = pln
    path = tmp_path / "collector" / "genbank_assets.prom"
    path.parent.mkdir()
    write_metrics(settings, path)
    whole = path.read_text()
    seen: set[str] = set()
    stop = threading.Event()

    def scrape() -> None:
        while not stop.is_set():
            seen.update(p.read_text() for p in path.parent.glob("*.prom"))

    reader = threading.Thread(target=scrape)
    reader.start()
    for _ in range(20):
        write_metrics(settings, path)
    stop.set()
    reader.join()
    assert seen == {whole}
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o444 == 0o444 & ~_umask()


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_the_command_prints_or_writes_the_same(pln: tuple[Settings, list[Manifest]], tmp_path: Path) -> None:
    settings, _ = pln
    command = [str(Path(sys.executable).parent / "genbank-assets"), "metrics", "--store", str(settings.store)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    subprocess.run([*command, "--out", str(tmp_path / "x.prom")], check=True)
    assert printed == (tmp_path / "x.prom").read_text() == metrics(settings)
    (tmp_path / "file").write_text("")
    refused = subprocess.run(
        [*command, "--out", str(tmp_path / "file" / "x.prom")], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "cannot be written" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be written"):
        write_metrics(Settings(store=tmp_path / "store"), tmp_path / "file" / "x.prom")
