"""What an installation is not set up for: left out of "materialize all", refused where it is asked for by itself."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from genbank_assets.definitions import build_defs
from genbank_assets.defs.resources import MirrorResource
from genbank_assets_tests.defs.test_runs import QUIET, mirror

__all__ = ["mirror"]  # a fixture
OPTIONAL = ("table_set", "blast_database")


def keys(names: tuple[str, ...]) -> list[dg.AssetKey]:
    return [dg.AssetKey(["genbank", name]) for name in names]


@pytest.fixture
def without_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")


@pytest.mark.usefixtures("without_programs")
def test_a_run_of_everything_leaves_out_what_is_not_set_up(mirror: MirrorResource, tmp_path: Path) -> None:
    names = ("raw_files", "records", "unique_records", *OPTIONAL)
    job = build_defs(resources={"mirror": mirror}).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            partition_key="phg", instance=instance, asset_selection=keys(names), raise_on_error=False, run_config=QUIET
        )
        assert result.success
        made = {event.asset_key.path[-1] for event in result.get_asset_materialization_events()}
        assert made == set(names) - set(OPTIONAL)
        said = [entry.message for entry in instance.all_logs(result.run_id)]
    for name in OPTIONAL:
        assert any(f"genbank/{name} is skipped in this run: " in line for line in said)


@pytest.mark.usefixtures("without_programs")
@pytest.mark.parametrize(
    ("name", "job", "reason"),
    [
        ("table_set", "publish_genbank_tables", "GENBANK_ASSETS_TABLES is not set"),
        ("blast_database", "blast_genbank", "install NCBI BLAST"),
    ],
)
@pytest.mark.parametrize("by_job", [True, False], ids=["job", "asset"])
def test_asked_for_alone_it_fails_with_the_reason(
    mirror: MirrorResource, name: str, job: str, reason: str, *, by_job: bool
) -> None:
    definitions = build_defs(resources={"mirror": mirror})
    found = definitions.resolve_job_def(job) if by_job else definitions.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        result = found.execute_in_process(
            partition_key="phg",
            instance=instance,
            asset_selection=None if by_job else keys((name,)),
            raise_on_error=False,
            run_config=QUIET,
        )
        assert not result.success
        (failed,) = [event for event in result.all_events if event.is_step_failure]
        assert reason in str(failed.step_failure_data.user_failure_data)
