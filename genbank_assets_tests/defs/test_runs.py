"""Partitions materialized through Dagster: metadata, checks that fail by real faults, the trace job."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from psycopg.conninfo import conninfo_to_dict

from genbank_assets.cli import main
from genbank_assets.definitions import build_defs
from genbank_assets.defs import checks
from genbank_assets.defs.findings import Finding
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.defs.run import PartitionRun, Runs, materialize_partitions
from genbank_assets.file_lock import file_lock
from genbank_assets.locks import exclusive
from genbank_assets.settings import Settings
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


LATER = {
    "control_totals": {"unique_records", "postgres_table", "object_set"},
    "conservation": {"postgres_table", "object_set"},
    "database_totals": set(),
    "object_totals": set(),
}


def run_with_a_failing_check(
    name: str, mirror: MirrorResource, monkeypatch: pytest.MonkeyPatch
) -> dg.ExecuteInProcessResult:
    """A run in which nothing is wrong but what one check says."""
    broken = [
        dataclasses.replace(check, look=lambda *_: Finding(passed=False, sentence="by the test", figures={}))
        if check.name == name else check
        for check in checks.CHECKS
    ]  # fmt: skip
    monkeypatch.setattr(checks, "CHECKS", tuple(broken))
    with dg.DagsterInstance.ephemeral() as instance:
        return run(mirror, instance)


@pytest.mark.parametrize("name", sorted(LATER))
def test_a_blocking_check_that_fails_stops_what_comes_after(
    mirror: MirrorResource, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    result = run_with_a_failing_check(name, mirror, monkeypatch)
    begun = {e.step_key.removeprefix("genbank__") for e in result.all_events if e.event_type_value == "STEP_START"}
    assert not result.success, "nothing else is wrong: only the check can have failed the run"
    assert not begun & LATER[name]
    (failed,) = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert (failed.check_name, failed.severity) == (name, dg.AssetCheckSeverity.ERROR)


@pytest.mark.parametrize("name", ["memory", "quarantine_share", "upload_errors", "statements_per_second", "shrink"])
def test_a_limit_that_is_passed_stops_nothing(
    mirror: MirrorResource, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    result = run_with_a_failing_check(name, mirror, monkeypatch)
    assert result.success
    (failed,) = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert (failed.check_name, failed.severity) == (name, dg.AssetCheckSeverity.WARN)


def test_database_and_object_set_have_their_name_and_uri(mirror: MirrorResource, postgres_url: str) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(mirror, instance)
    found = {e.asset_key.path[-1]: e.materialization.metadata for e in result.get_asset_materialization_events()}
    database = conninfo_to_dict(postgres_url)["dbname"]
    assert found["postgres_table"]["dagster/table_name"].value == f"{database}.genbank.record"
    assert "dagster/uri" not in found["postgres_table"]
    assert found["object_set"]["dagster/uri"].value == found["object_set"]["objects_url"].value
    assert found["records"]["dagster/uri"].value.startswith("file:///")
    for metadata in found.values():
        for name, value in metadata.items():
            if isinstance(value, dg.FloatMetadataValue) and value.value is not None:
                assert len(f"{value.value}".replace(".", "").strip("0")) <= 8, (name, value.value)


def test_a_division_at_work_is_waited_for(mirror: MirrorResource) -> None:
    """Two runs of one division at the same time: the second begins its stage when the first has ended it."""
    store = Path(mirror.store or "")
    key = PartitionKey("genbank", "phg")
    spans: list[tuple[str, float]] = []
    with dg.DagsterInstance.ephemeral() as instance:
        with file_lock(store, str(key), progress=pytest.fail):
            thread = threading.Thread(target=lambda: spans.append((str(run(mirror, instance).success), time.time())))
            thread.start()
            time.sleep(3)
            assert not list(store.glob("genbank/1.0/phg/*/manifest.json")), "it works without the division's lock"
            released = time.time()
        thread.join(120)
    assert [success for success, _ in spans] == ["True"]
    assert spans[0][1] > released


def test_the_settings_that_are_given_are_those_that_run(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GENBANK_ASSETS_SOURCE", (tmp_path / "nothing").as_uri())
    monkeypatch.setenv("GENBANK_ASSETS_STORE", str(tmp_path / "other"))
    monkeypatch.setenv("GENBANK_ASSETS_WORKERS", "0")  # cannot be used, and need not be
    settings = Settings(store=tmp_path / "mine", source=SAMPLE.as_uri(), postgres_url=postgres_url)
    (done,) = materialize_partitions([PartitionKey("genbank", "phg")], settings=settings)
    assert done.ok, done.reason
    assert (tmp_path / "mine" / "genbank").is_dir()
    assert not (tmp_path / "other").exists()
    with dg.DagsterInstance.get() as instance:
        # The tag by which the UI's pages of a code location find their runs.
        (made,) = instance.get_runs(dg.RunsFilter(tags={".dagster/repository": "__repository__@genbank"}))
    assert [name for name in made.tags if name.startswith("ncbi/")] == ["ncbi/collection"], "nothing twice"


def test_a_bad_setting_fails_the_run_and_not_the_loading(
    mirror: MirrorResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENBANK_ASSETS_WORKERS", "many")
    monkeypatch.setenv("GENBANK_ASSETS_POLL_SECONDS", "soon")
    job = build_defs().resolve_job_def("mirror_genbank")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(partition_key="phg", instance=instance, raise_on_error=False, run_config=QUIET)
    (failure,) = [e for e in result.all_events if e.is_step_failure]
    said = failure.step_failure_data.user_failure_data.description
    assert said.startswith("SettingsError: GENBANK_ASSETS_")


def test_who_waits_for_a_division_says_for_whom(mirror: MirrorResource, postgres_url: str) -> None:
    settings = Settings(store=Path(mirror.store or ""), postgres_url=postgres_url)
    ended: list[bool] = []
    with dg.DagsterInstance.ephemeral() as instance:
        with exclusive(settings, "genbank/phg", progress=print, run_id="the-other-run"):
            thread = threading.Thread(target=lambda: ended.append(run(mirror, instance).success))
            thread.start()
            time.sleep(4)
            (waiting,) = instance.get_runs()
            records = instance.get_records_for_run(waiting.run_id).records
            said = [record.event_log_entry.user_message for record in records]
            assert any("another run works on genbank/phg" in line and "the-other-run" in line for line in said), said
        thread.join(120)
    assert ended == [True]


def test_what_a_person_allows_on_the_command_line_is_asked_of_the_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def noted(self: Runs, job: str, key: PartitionKey, **options: Any) -> PartitionRun:
        asked.append(options["run_config"])
        return PartitionRun(key, run_id="", ok=True, reason="", warnings=())

    monkeypatch.setattr(Runs, "__enter__", lambda self: self)
    monkeypatch.setattr(Runs, "__exit__", lambda self, *_: None)
    monkeypatch.setattr(Runs, "_run", noted)
    monkeypatch.setattr("genbank_assets.readiness.check_readiness", lambda *_, **__: None)
    monkeypatch.setenv("GENBANK_ASSETS_STORE", str(tmp_path))
    monkeypatch.setenv("GENBANK_ASSETS_MAX_ABSENT_FRACTION", "")
    for given in ([], ["--max-absent-fraction", "0.5"]):
        assert main(["materialize", "genbank/phg", "-q", *given]) == 0
    assert asked == [
        {"ops": {"genbank__postgres_table": {"config": config}}} for config in ({}, {"max_absent_fraction": 0.5})
    ]
