"""The report of a stage, and the measuring of time and memory."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import subprocess
import sys
import time

import pytest

from genbank_assets.measure import Pace, Stopwatch, peak_memory_bytes
from genbank_assets.reports import REPORTS, StageReport
from genbank_assets.store import Manifest


def test_a_report_shows_what_applies_and_reads_back() -> None:
    report = StageReport(files=2, files_now=0, records=10, seconds=2.5)
    assert report.as_dict() == {"files": 2, "files_now": 0, "records": 10, "seconds": 2.5}
    assert StageReport.from_dict(report.as_dict()) == report


@pytest.mark.parametrize(("stage", "kind"), REPORTS.items())
def test_a_manifest_has_the_report_of_its_stage(stage: str, kind: type[StageReport]) -> None:
    figures = {field.name: 1 for field in dataclasses.fields(kind)}
    empty = {"code_version": "1", "collection": "genbank", "release": "1.0", "division": "phg", "input_digest": ""}
    manifest = Manifest.from_json(json.dumps({"stage": stage, **empty, "files": [], "report": figures}))
    assert type(manifest.report) is kind
    assert manifest.report_as(kind).as_dict() == figures
    with pytest.raises(TypeError, match=stage):
        manifest.report_as(dataclasses.make_dataclass("Other", [], bases=(StageReport,), frozen=True))


def test_figures_of_a_later_version_are_ignored() -> None:
    assert StageReport.from_dict({"files": 1, "entropy": 0.5}) == StageReport(files=1)


@pytest.mark.parametrize(
    ("report", "rate"),
    [
        (StageReport(records=10, seconds=2.0), 5.0),
        (StageReport(records=0, seconds=2.0), 0.0),
        (StageReport(records=10, seconds=0.0), None),
        (StageReport(records=10), None),
        (StageReport(seconds=2.0), None),
    ],
)
def test_records_per_second(report: StageReport, rate: float | None) -> None:
    assert report.records_per_second == rate


def test_a_stopwatch_runs_until_its_block_is_left() -> None:
    with Stopwatch() as watch:
        first = watch.seconds
        assert watch.seconds >= first
    end = watch.seconds
    time.sleep(0.002)
    assert watch.seconds == end


def test_a_stopwatch_counts_the_processor_time_of_children_that_have_ended() -> None:
    work = "import time\nwhile time.process_time() < 0.2: pass"
    with Stopwatch() as watch:
        subprocess.run([sys.executable, "-S", "-c", work], check=True)
    assert watch.cpu_seconds >= 0.15  # less than the child counted: the system counts in ticks of 0.01 s
    with Stopwatch() as idle:
        time.sleep(0.1)
    assert idle.cpu_seconds < 0.05


def test_a_spawned_worker_reports_its_own_peak_memory() -> None:
    """getrusage would report the parent's: it survives exec."""
    ballast = bytearray(300_000_000)
    ballast[::4096] = b"x" * len(ballast[::4096])
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        worker = pool.apply(peak_memory_bytes)
    assert peak_memory_bytes() > len(ballast)
    assert 1_000_000 < worker < len(ballast)


def test_a_pace_estimates_the_remaining_time() -> None:
    moments = iter([0.0, 10.0, 1200.0, 90_000.0])
    pace = Pace(100, clock=lambda: next(moments))
    assert pace.after(25) == "; 25% done, about 30 s to go"
    assert pace.after(25) == "; 50% done, about 20 min to go"
    assert pace.after(40) == "; 90% done, about 2 h 47 min to go"
    assert pace.after(10) == ""
    assert Pace(0).after(0) == ""
