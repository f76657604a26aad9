"""What took most of a run, and what bound it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from genbank_assets.planning.bottleneck import GRAPH, bottleneck
from genbank_assets.reports import StageReport
from genbank_assets.settings import Settings

SETTINGS = Settings(store=Path("data"), workers=2)
FOLDERS = dataclasses.replace(SETTINGS, source="file:///ncbi", objects="file:///objects")
BUCKET = dataclasses.replace(SETTINGS, objects="s3://bucket/prefix")


def took(seconds: float, cpu_seconds: float, *, files_now: int = 2) -> StageReport:
    return StageReport(seconds=seconds, cpu_seconds=cpu_seconds, files_now=files_now)


def test_the_longest_stage_is_reported_with_its_share() -> None:
    found = bottleneck({"records": took(2, 4), "postgres_table": took(7, 3)}, run_seconds=10, settings=SETTINGS)
    assert str(found) == "postgres_table took 7.0 of 10.0 s, bound by the database"


def test_what_is_between_the_stages_counts_too() -> None:
    found = bottleneck({"records": took(0.1, 0.1)}, run_seconds=2, settings=SETTINGS)
    assert (found.stage, found.seconds) == (GRAPH, pytest.approx(1.9))


@pytest.mark.parametrize(
    ("stage", "report", "settings", "bound_by"),
    [
        ("records", took(10, 18), SETTINGS, "processor"),
        ("records", took(10, 9), SETTINGS, "disk"),  # two processes had twenty seconds
        ("records", took(10, 9, files_now=1), SETTINGS, "processor"),  # one file is for one process
        ("raw_files", took(10, 2), SETTINGS, "network"),
        ("raw_files", took(10, 2), FOLDERS, "disk"),
        ("postgres_table", took(10, 2), SETTINGS, "database"),
        ("postgres_table", took(10, 19), SETTINGS, "processor"),
        ("object_set", took(10, 2), BUCKET, "network"),
        ("object_set", took(10, 2), FOLDERS, "disk"),
        ("unique_records", took(10, 2, files_now=0), SETTINGS, "disk"),
    ],
)
def test_what_bound_a_stage(stage: str, report: StageReport, settings: Settings, bound_by: str) -> None:
    assert bottleneck({stage: report}, run_seconds=report.seconds or 0, settings=settings).bound_by == bound_by
