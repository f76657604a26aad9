"""The automation conditions as Dagster evaluates them: what a new version of the code asks for, the daily question."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from genbank_assets.definitions import build_defs
from genbank_assets.defs import stages

CHAIN = ("records", "unique_records", "postgres_table", "object_set")
pytestmark = pytest.mark.filterwarnings("ignore:Parameter `include_sources`")  # evaluate_automation_conditions' own
DAWN = dt.datetime(2026, 9, 1, 5, tzinfo=dt.UTC)


class Evaluations:
    """Evaluates the graph's conditions again and again."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.cursor = None
        self.now = DAWN

    def requested(self, *, minutes: int = 5) -> set[tuple[str, str]]:
        self.now += dt.timedelta(minutes=minutes)
        result = dg.evaluate_automation_conditions(
            build_defs(), self.instance, cursor=self.cursor, evaluation_time=self.now.replace(tzinfo=None)
        )
        self.cursor = result.cursor
        return {
            (found.key.to_user_string(), key)
            for found in result.results
            for key in found.true_subset.expensively_compute_partition_keys()
        }


@pytest.fixture
def evaluations():
    with dg.DagsterInstance.ephemeral() as instance:
        for stage in ("raw_files", *CHAIN):
            for division in ("phg", "vrl"):
                instance.report_runless_asset_event(
                    dg.AssetMaterialization(dg.AssetKey(["genbank", stage]), partition=division)
                )
        yield Evaluations(instance)


def test_nothing_is_asked_for_while_the_code_is_the_same(evaluations: Evaluations) -> None:
    assert [evaluations.requested() for _ in range(3)] == [set(), set(), set()]


def test_a_new_version_refreshes_its_stage_and_those_after_it(
    evaluations: Evaluations, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluations.requested()
    monkeypatch.setattr(stages.dedup, "CODE_VERSION", "another")
    wanted = {(f"genbank/{stage}", division) for stage in CHAIN[1:] for division in ("phg", "vrl")}
    assert evaluations.requested() == wanted, "only what was loaded, and all of it together"
    assert evaluations.requested() == set(), "once"


def test_a_release_that_was_just_fetched_is_left_to_its_own_run(evaluations: Evaluations) -> None:
    evaluations.requested()
    evaluations.instance.report_runless_asset_event(
        dg.AssetMaterialization(dg.AssetKey(["genbank", "raw_files"]), partition="phg")
    )
    assert evaluations.requested() == set()


def test_once_a_day_each_loaded_division_is_asked_whether_it_is_current(evaluations: Evaluations) -> None:
    evaluations.requested()
    key = "genbank/raw_files:is_current_release"
    assert evaluations.requested(minutes=120) == {(key, "phg"), (key, "vrl")}
    assert evaluations.requested(minutes=120) == set()
    assert evaluations.requested(minutes=24 * 60) == {(key, "phg"), (key, "vrl")}
