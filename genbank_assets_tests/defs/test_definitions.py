"""The graph as Dagster sees it: it loads, its keys are these, and everything in it is described."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from genbank_assets.definitions import build_defs
from genbank_assets.defs import daily
from genbank_assets.defs.instance import STORAGE_VARIABLE
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.postgres_server.server import EmbeddedServer
from genbank_assets.store import FURTHER_STAGES, STAGES
from genbank_assets_tests.paths import ROOT


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_defs()


def test_the_definitions_load(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


GROUPS = {"ncbi", "reading"} | {
    f"{name}{part}" for name in ("genbank", "refseq") for part in ("", "_daily", "_derived", "_search")
}


def test_the_keys_are_these(definitions: dg.Definitions) -> None:
    keys = {key.to_user_string() for key in definitions.resolve_asset_graph().get_all_asset_keys()}
    stages = {f"{collection}/{stage}" for collection in ("genbank", "refseq") for stage in STAGES}
    daily = {f"{collection}_daily/{stage}" for collection in ("genbank", "refseq") for stage in STAGES}
    beside = (*FURTHER_STAGES, "blast_database", "table_set")
    further = {f"{collection}/{stage}" for collection in ("genbank", "refseq") for stage in beside}
    assert keys == stages | daily | further | {
        "ncbi/genbank_release", "ncbi/refseq_release", "ncbi/taxonomy", "catalog", "table_bundle",
    }  # fmt: skip


def test_every_asset_says_what_it_is(definitions: dg.Definitions) -> None:
    for spec in definitions.resolve_all_asset_specs():
        assert spec.description, spec.key
        assert len(spec.description) > 60, spec.key
        assert spec.group_name in GROUPS
        assert spec.owners == ["team:genbank-assets"]
        assert spec.kinds
        if spec.group_name != "ncbi":
            assert spec.code_version


def test_raw_files_are_expected_every_two_months(definitions: dg.Definitions) -> None:
    policies = {spec.key.to_user_string(): spec.freshness_policy for spec in definitions.resolve_all_asset_specs()}
    expected = dg.FreshnessPolicy.time_window(warn_window=timedelta(days=75), fail_window=timedelta(days=140))
    with_policy = {key: policy for key, policy in policies.items() if policy is not None}
    assert with_policy == {"genbank/raw_files": expected, "refseq/raw_files": expected}


def test_partitions_are_ncbis_divisions(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for collection, count in (("genbank", 20), ("refseq", 13)):
        partitions = graph.get(dg.AssetKey([collection, "records"])).partitions_def
        assert partitions is not None
        assert len(partitions.get_partition_keys()) == count


def test_schedules_are_off_until_turned_on(definitions: dg.Definitions) -> None:
    schedules = {schedule.name: schedule for schedule in definitions.schedules or []}
    daily = {"genbank_daily_schedule", "refseq_daily_schedule"}
    assert set(schedules) == daily | {"taxonomy_schedule", "canary_schedule"}
    assert all(schedule.default_status == dg.DefaultScheduleStatus.STOPPED for schedule in schedules.values())


@pytest.mark.parametrize("collection", ["genbank", "refseq"])
def test_days_are_asked_for_until_they_are_in_place_and_for_a_week(
    definitions: dg.Definitions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, collection: str
) -> None:
    (schedule,) = [s for s in definitions.schedules or [] if s.name == f"{collection}_daily_schedule"]
    here: set[str] = set()
    monkeypatch.setattr(daily, "is_whole", lambda partition: partition.release in here)

    def asked(day: int) -> list[dg.RunRequest] | str | None:
        moment = dt.datetime(2026, 9, day, 13, tzinfo=dt.UTC)  # nine o'clock in Bethesda
        context_of = dg.build_schedule_context(
            scheduled_execution_time=moment,
            repository_def=definitions.get_repository_def(),
            resources={"mirror": MirrorResource(store=str(tmp_path))},
        )
        with context_of as context:
            found = schedule.evaluate_tick(context)
        return list(found.run_requests or []) or found.skip_message

    first = asked(10)
    assert [request.partition_key for request in first] == [f"2026-09-0{day}" for day in range(3, 10)]
    here |= {f"202609{day:02}" for day in range(3, 9)}
    (late,) = asked(10)
    (again,) = [request for request in asked(11) if request.partition_key == "2026-09-09"]
    assert late.partition_key == again.partition_key == "2026-09-09"
    assert late.run_key != again.run_key, "Dagster drops a request whose key it knows"
    here |= {"20260909"}
    assert asked(10) == "All days up to 2026-09-09 are loaded."
    monkeypatch.setenv("GENBANK_ASSETS_WORKERS", "none")
    assert "GENBANK_ASSETS_WORKERS" in str(asked(10))


def test_sensors_that_start_runs_are_off_until_turned_on(definitions: dg.Definitions) -> None:
    status = {sensor.name: sensor.default_status for sensor in definitions.sensors or []}
    off, on = dg.DefaultSensorStatus.STOPPED, dg.DefaultSensorStatus.RUNNING
    assert status == {
        "genbank_release_sensor": off,
        "refseq_release_sensor": off,
        "genbank_automation_sensor": off,
        "refseq_automation_sensor": off,
        "run_failure_alert_sensor": on,  # these two only tell, and nothing unless an alert setting is there
        "failed_check_alert_sensor": on,
    }


def test_integrity_checks_block_and_limits_warn(definitions: dg.Definitions) -> None:
    specs = [spec for check in definitions.asset_checks or [] for spec in check.check_specs]
    blocking = {spec.name for spec in specs if spec.blocking}
    assert blocking == {
        "control_totals", "conservation", "database_totals", "object_totals", "day_totals", "every_source_has_a_row",
        "every_cds_has_a_row", "published_tables",
    }  # fmt: skip
    assert len(specs) == 53


def test_workspace_and_instance_files_are_valid(server: EmbeddedServer) -> None:
    environment = os.environ | {STORAGE_VARIABLE: server.sqlalchemy_url("dagster")}
    command = [sys.executable, "-W", "ignore", "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
