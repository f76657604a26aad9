"""``genbank-assets plan``: sizes and counts of the release's own notes, times from the measured rates."""

from __future__ import annotations

import dataclasses
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from genbank_assets.errors import SourceError
from genbank_assets.planning.plan import plan_release
from genbank_assets.planning.rates import Rates, measured_rates
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey
from genbank_assets_tests.paths import ROOT, SAMPLE

PLN, CON, TSA = (PartitionKey("genbank", name) for name in ("pln", "con", "tsa"))
VIRAL = PartitionKey("refseq", "viral")
RATES = Rates(
    measured_on="a test",
    download_bytes_per_second=1000,
    verify_bytes_per_second=1000,
    parse_text_bytes_per_second=100,
    deduplicate_records_per_second=10,
    load_text_bytes_per_second=50,
    load_gain_of_a_worker=0.5,
    objects_per_second=5,
    object_bytes_per_second=1000,
    text_bytes_per_raw_byte=4,
    text_bytes_per_record=1000,
    table_bytes_per_text_byte=0.5,
    postgres_bytes_per_text_byte=2,
    pack_bytes_per_object_byte=0.25,
    object_bytes_per_text_byte=0.25,
)


def settings(tmp_path: Path, **changes: object) -> Settings:
    return dataclasses.replace(Settings(store=tmp_path, source=SAMPLE.as_uri()), **changes)  # type: ignore[arg-type]


def test_counts_are_the_release_notes_own(tmp_path: Path) -> None:
    (plan,), unknown = plan_release([PLN], settings=settings(tmp_path), rates=RATES, workers=4)
    raw = SAMPLE / "genbank" / "gbpln1.seq.gz"
    text = gzip.decompress(raw.read_bytes())
    assert (plan.files, plan.raw_bytes) == (1, raw.stat().st_size)
    assert plan.records == text.count(b"\nLOCUS ")
    assert unknown == ()
    assert plan.release == "1.0"
    assert plan.cpu_seconds == pytest.approx(plan.text_bytes / 100)
    assert plan.seconds["records"] == plan.cpu_seconds  # four workers cannot share one file
    assert plan.seconds["postgres_table"] == pytest.approx(plan.text_bytes / 50)
    assert plan.seconds["unique_records"] == pytest.approx(plan.records / 10)
    assert plan.postgres_bytes == plan.text_bytes * 2
    assert plan.bottleneck == "postgres_table"


def test_sizes_follow_from_the_listing_where_the_notes_have_none(tmp_path: Path) -> None:
    (plan,), _ = plan_release([VIRAL], settings=settings(tmp_path), rates=RATES, workers=1)
    assert plan.text_bytes == plan.raw_bytes * 4
    assert plan.records == round(plan.text_bytes / 1000)


def test_constructed_records_have_no_objects_and_packs_are_few(tmp_path: Path) -> None:
    (con,), _ = plan_release([CON], settings=settings(tmp_path), rates=RATES, workers=1)
    assert (con.objects, con.object_bytes, con.requests) == (0, 0, 0)
    (apart,), _ = plan_release([PLN], settings=settings(tmp_path), rates=RATES, workers=1)
    (packed,), _ = plan_release([PLN], settings=settings(tmp_path, object_layout="pack"), rates=RATES, workers=1)
    assert apart.objects == apart.records
    assert packed.objects == 1


def test_the_command_plans_what_is_asked_and_sums_it(tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "genbank_assets.cli", "plan", *arguments, "--source", SAMPLE.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout

    shown = run("genbank/pln", "refseq/viral", "--workers", "2")
    assert [line.split()[0] for line in shown.splitlines()[2:5]] == ["genbank/pln", "refseq/viral", "all"]
    assert measured_rates().measured_on in shown
    found = json.loads(run("genbank/pln", "--json", "--megabytes-per-second", "0.001"))
    assert found[0]["bottleneck"] == "raw_files"
    assert len(json.loads(run("--json"))) == 33
    assert not (tmp_path / "data" / "genbank").exists()


def test_a_missing_source_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        plan_release([TSA], settings=settings(tmp_path, source="file:///nowhere"), rates=RATES, workers=1)


def test_the_guides_tables_are_those_of_the_plan() -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from build_plan_tables import TARGET, page
    finally:
        sys.path.pop(0)
    assert TARGET.read_text(encoding="utf-8") == page(), "run make tables"
