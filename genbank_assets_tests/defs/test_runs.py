"""Partitions materialized through Dagster: metadata, checks that fail by real faults, the trace job."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pytest

from genbank_assets.definitions import build_defs
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets.tables.unique_tables import memberships_table
from genbank_assets_tests.paths import SAMPLE

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture
def mirror(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> MirrorResource:
    monkeypatch.setenv("GENBANK_ASSETS_POSTGRES_URL", postgres_url)
    return MirrorResource(source=SAMPLE.as_uri(), store=str(tmp_path / "store"), workers=1)


def run(mirror: MirrorResource, instance: dg.DagsterInstance, division: str = "phg") -> dg.ExecuteInProcessResult:
    job = build_defs(resources={"mirror": mirror}).resolve_job_def("mirror_genbank")
    return job.execute_in_process(partition_key=division, instance=instance, raise_on_error=False, run_config=QUIET)


def test_five_assets_with_numbers_as_numbers(mirror: MirrorResource) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(mirror, instance)
        assert result.success
        found = {e.asset_key.path[-1]: e for e in result.get_asset_materialization_events()}
        assert len(found) == 5
        metadata = found["records"].materialization.metadata
        for name in ("files", "records", "residues", "quarantined", "bytes_in", "peak_memory_bytes"):
            assert isinstance(metadata[name].value, int), name
        for name in ("seconds", "records_per_second"):
            assert isinstance(metadata[name].value, float), name
        assert metadata["dagster/partition_row_count"].value == 1
        assert "LOCUS lines" in metadata["summary"].value
        assert found["postgres_table"].materialization.metadata["sql_statements"].value > 0
        checks = result.get_asset_check_evaluations()
        assert len(checks) == 11
        assert all(check.passed for check in checks), [(c.check_name, c.description) for c in checks if not c.passed]
        assert all(check.partition == "phg" for check in checks)


def test_a_re_run_says_that_nothing_was_to_do(mirror: MirrorResource) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run(mirror, instance)
        again = run(mirror, instance)
        for event in again.get_asset_materialization_events():
            assert event.materialization.metadata["files_now"].value == 0, event.asset_key


def test_a_lost_row_group_fails_a_blocking_check(mirror: MirrorResource) -> None:
    import polars as pl

    with dg.DagsterInstance.ephemeral() as instance:
        run(mirror, instance, "pln")
        partition = PartitionRelease(Path(mirror.store or ""), PartitionKey("genbank", "pln"), "1.0")
        path = memberships_table(partition)
        size = path.stat().st_size
        frame = pl.read_parquet(path)
        frame.head(5).write_parquet(path)
        manifest = partition.manifest_path("unique_records")
        content = json.loads(manifest.read_text())
        for entry in content["files"]:
            entry["bytes"] = path.stat().st_size if entry["bytes"] == size else entry["bytes"]
        manifest.write_text(json.dumps(content))
        result = run(mirror, instance, "pln")
        failed = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}
        assert not result.success
        assert "conservation" in failed


def test_a_stage_without_input_fails_with_a_sentence(mirror: MirrorResource) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_defs(resources={"mirror": mirror}).resolve_job_def("mirror_genbank")
        result = job.execute_in_process(
            partition_key="phg",
            instance=instance,
            raise_on_error=False,
            run_config=QUIET,
            asset_selection=[dg.AssetKey(["genbank", "records"])],
        )
        (failure,) = [e for e in result.all_events if e.is_step_failure]
        assert "materialize it first" in failure.step_failure_data.user_failure_data.description


def test_the_trace_job_shows_markdown(mirror: MirrorResource) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run(mirror, instance)
        job = build_defs(resources={"mirror": mirror}).resolve_job_def("trace_record")
        config = {"ops": {"trace_one_record": {"config": {"accession": "J02482", "verify": True}}}, **QUIET}
        result = job.execute_in_process(run_config=config, instance=instance)
        assert result.success
        (trace,) = result.output_for_node("trace_one_record")
        assert trace["ok"]
        assert trace["accession_version"] == "J02482.1"
