"""Every check fails by a real fault: tables cut on disk, rows deleted in PostgreSQL, a source that moved on.

Limits of speed and memory are lowered where the fault itself would need minutes or gigabytes; what is measured against
them is real. ``conservation`` fails in ``test_runs``.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from genbank_assets.definitions import build_defs
from genbank_assets.defs import findings
from genbank_assets.defs.checks import CHECKS
from genbank_assets.defs.findings import Finding
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.objects import upload
from genbank_assets.reports import LoadReport
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease, publish_manifest
from genbank_assets_tests.fix_postgres import Divisions
from genbank_assets_tests.fix_s3 import Asked, Fault, FaultyProxy, S3Server
from genbank_assets_tests.integration.test_mirror import mirror
from genbank_assets_tests.integration.test_postgres_changes import many
from genbank_assets_tests.paths import SAMPLE

FILE = "gbbct1.seq.gz"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def finding(name: str, partition: PartitionRelease, settings: Settings) -> Finding:
    """What a check says about what is published."""
    (check,) = [check for check in CHECKS if check.name == name]
    manifest = partition.manifest(check.stage)
    assert manifest is not None
    return check.look(partition, manifest, settings)


@pytest.fixture
def pln(settings: Settings) -> tuple[Settings, PartitionRelease]:
    """The sample's pln, mirrored; all checks pass."""
    settings = dataclasses.replace(settings, source=SAMPLE.as_uri())
    key = PartitionKey("genbank", "pln")
    mirror(key, settings)
    return settings, PartitionRelease(settings.store, key, "1.0")


def drop_last_row(path: Path) -> None:
    frame = pl.read_parquet(path)
    frame.head(len(frame) - 1).write_parquet(path)


def test_all_pass_before_any_fault(pln: tuple[Settings, PartitionRelease]) -> None:
    settings, partition = pln
    found = {check.name: finding(check.name, partition, settings) for check in CHECKS}
    assert {name for name, said in found.items() if not said.passed} == set()
    for name, said in found.items():
        assert not set("{}") & set(said.sentence), f"{name}: {said.sentence}"
    assert found["is_current_release"].sentence == "the store has 1.0, NCBI offers 1.0"
    assert found["control_totals"].sentence == "1 of 1 files reconcile"
    assert found["quarantine_share"].sentence == "0 of 107 blocks are quarantined"
    assert found["database_totals"].sentence == (
        "107 accessions in the tables, 107 in PostgreSQL, their digests agree; 1 files, 1 in the ledger"
    )
    assert found["upload_errors"].sentence.endswith(" uploads failed")


def test_a_source_that_moved_on(pln: tuple[Settings, PartitionRelease], tmp_path: Path) -> None:
    settings, partition = pln
    shutil.copytree(SAMPLE / "genbank", tmp_path / "moved" / "genbank", copy_function=shutil.copyfile)
    (tmp_path / "moved" / "genbank" / "GB_Release_Number").write_text("2.0\n")
    moved = dataclasses.replace(settings, source=(tmp_path / "moved").as_uri())
    found = finding("is_current_release", partition, moved)
    assert (found.passed, found.figures) == (False, {"offered": "2.0"})
    gone = dataclasses.replace(settings, source=(tmp_path / "nothing").as_uri())
    found = finding("is_current_release", partition, gone)
    assert not found.passed
    assert "cannot be reached" in found.sentence


def test_a_record_table_that_lost_a_row(pln: tuple[Settings, PartitionRelease]) -> None:
    settings, partition = pln
    records = partition.manifest("records")
    assert records is not None
    drop_last_row(partition.files_folder("records") / records.files[0]["records_file"])
    found = finding("control_totals", partition, settings)
    assert not found.passed
    assert found.figures["wrong"] == records.files[0]["name"]


def test_unreadable_blocks(divisions: Divisions) -> None:
    partition = divisions.make("genbank/bct", "1.0", {FILE: [*many(9), "LOCUS       broken\n//\n"]})
    found = finding("quarantine_share", partition, divisions.settings)
    assert (found.passed, found.figures["share"]) == (False, 0.1)
    generous = dataclasses.replace(divisions.settings, max_quarantined_fraction=0.2)
    assert finding("quarantine_share", partition, generous).passed


def test_a_worker_that_takes_more_than_the_limit(
    pln: tuple[Settings, PartitionRelease], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, partition = pln
    monkeypatch.setattr(findings, "MAX_MEMORY_BYTES", 20_000_000)
    found = finding("memory", partition, settings)
    assert not found.passed
    assert found.figures["peak_bytes"] > 20_000_000


def test_parsing_below_the_limit(pln: tuple[Settings, PartitionRelease], monkeypatch: pytest.MonkeyPatch) -> None:
    settings, partition = pln
    monkeypatch.setattr(findings, "MIN_RECORDS_PER_SECOND", 1_000_000)
    assert finding("records_per_second", partition, settings).passed, "107 records are too few to tell"
    monkeypatch.setattr(findings, "MIN_RECORDS_FOR_SPEED", 100)
    found = finding("records_per_second", partition, settings)
    assert not found.passed
    assert 0 < found.figures["records_per_second"] < 1_000_000


def test_rows_and_ledger_entries_that_somebody_deleted(divisions: Divisions) -> None:
    partition = divisions.make("genbank/bct", "1.0", {FILE: many(5)})
    divisions.load(partition)
    assert finding("database_totals", partition, divisions.settings).passed
    divisions.query("DELETE FROM genbank.feature WHERE record_id = (SELECT min(record_id) FROM genbank.record)")
    divisions.query("UPDATE genbank.record SET is_current = false WHERE accession = 'AB000003'")
    found = finding("database_totals", partition, divisions.settings)
    assert (found.passed, found.figures) == (
        False,
        {"accessions": 5, "rows": 4, "files": 1, "digests_agree": False, "differing": FILE},
    )
    assert found.sentence.endswith(f"1 files, 1 in the ledger; {FILE}: 1 of 5 records are not in PostgreSQL")
    divisions.query("UPDATE genbank.record SET is_current = true")
    assert finding("database_totals", partition, divisions.settings).passed
    divisions.query("UPDATE genbank.record SET record_sha256 = sha256('other') WHERE accession = 'AB000003'")
    found = finding("database_totals", partition, divisions.settings)
    assert (found.passed, found.figures["rows"], found.figures["digests_agree"]) == (False, 5, False)
    divisions.query("UPDATE genbank.record SET record_sha256 = e.record_sha256 FROM genbank.record_event e "
                    "WHERE e.accession = record.accession")  # fmt: skip
    assert finding("database_totals", partition, divisions.settings).passed
    divisions.query("UPDATE genbank.source_file SET record_digest = sha256('')")
    found = finding("database_totals", partition, divisions.settings)
    assert (found.passed, found.figures["digests_agree"], found.figures["differing"]) == (False, True, FILE)
    divisions.query("UPDATE genbank.source_file SET section = 'phg'")
    found = finding("database_totals", partition, divisions.settings)
    assert (found.passed, found.figures["files"]) == (False, 0)


@pytest.mark.parametrize(("statements", "passed"), [(2_999, True), (3_001, False)])
def test_many_statements_a_second(divisions: Divisions, statements: int, passed: bool) -> None:
    """By the figures of a load, so that no machine is too slow for the test."""
    partition = divisions.make("genbank/phg", "1.0", {"gbphg1.seq.gz": many(3, prefix="CD")})
    manifest = divisions.load(partition)
    made = manifest.report_as(LoadReport).schema_statements or 0
    assert made > 10, "the first load makes the schema"
    report = dataclasses.replace(manifest.report, sql_statements=statements + made, seconds=30.0)
    publish_manifest(dataclasses.replace(manifest, report=report), partition=partition)
    found = finding("statements_per_second", partition, divisions.settings)
    assert found.passed is passed
    assert found.figures["statements_per_second"] == pytest.approx(statements / 30)


def test_an_object_list_that_lost_a_row(pln: tuple[Settings, PartitionRelease]) -> None:
    settings, partition = pln
    drop_last_row(partition.files_folder("object_set") / "objects.parquet")
    found = finding("object_totals", partition, settings)
    assert (found.passed, found.figures["objects"]) == (False, 106)


class OneIsRefused:
    """Refuses the first object until it has used up its tries while others passed; its second chance then helps.

    The others are refused until it was: while nothing passes, the store's return is waited for and tries do not count.
    """

    def __init__(self, *, objects: int) -> None:
        self._objects = objects
        self._paths: list[str] = []
        self._refusals = self._refusals_at_end = 0

    def __call__(self, asked: Asked) -> Fault | None:
        """Called for one request at a time."""
        if asked.method != "PUT" or "/nucleotide/" not in asked.path:
            return None
        if asked.path not in self._paths:
            self._paths.append(asked.path)
        if asked.path == self._paths[0]:
            is_refused = self._refusals < upload.TRIES or self._refusals_at_end < 3
            self._refusals += is_refused
            self._refusals_at_end += len(self._paths) == self._objects
        else:
            is_refused = self._refusals < 2  # the second time the client knows of the first
        return Fault(status=503, body=b"<Error><Code>SlowDown</Code></Error>") if is_refused else None


def test_uploads_that_use_up_their_tries(settings: Settings, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "FIRST_PAUSE_SECONDS", 0.001)
    settings = dataclasses.replace(settings, source=SAMPLE.as_uri(), objects=f"s3://{s3.bucket}/set")
    key = PartitionKey("genbank", "vrl")
    with FaultyProxy(s3, OneIsRefused(objects=7)) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        report = mirror(key, settings)[4].report
    assert (report.objects_put, report.upload_attempts) == (7, 7)  # second chances helped
    assert report.upload_errors
    found = finding("upload_errors", PartitionRelease(settings.store, key, "1.0"), settings)
    assert not found.passed
    assert found.sentence == f"{report.upload_errors} of 7 uploads failed"


@pytest.mark.parametrize(
    ("before", "after", "passed", "fraction"), [(40, 15, False, 0.625), (40, 21, True, 0.475), (40, 20, False, 0.5)]
)
def test_a_release_that_lacks_loaded_records(
    divisions: Divisions, before: int, after: int, passed: bool, fraction: float
) -> None:
    divisions.load(divisions.make("genbank/bct", "1.0", {FILE: many(before)}))
    second = divisions.make("genbank/bct", "2.0", {FILE: [*many(after), *many(7, prefix="CD")]})
    divisions.load(second, max_absent_fraction=1.0)
    for _ in range(2):  # a re-run loads nothing and finds the same
        found = finding("shrink", second, divisions.settings)
        assert found.passed is passed
        assert found.figures == {
            "absent": before - after, "loaded_before": before, "absent_fraction": fraction, "allowed": 0.02,
            "fewest_absent": 20,
        }  # fmt: skip
        assert found.sentence == (
            f"{before - after} of {before} loaded records are missing from the release ({fraction:.1%}; up to 2.0% is "
            "allowed, and fewer than 20 always are)"
        )
        divisions.load(second)


def test_records_that_return_or_move_were_not_loaded_before(divisions: Divisions) -> None:
    phages = [dataclasses.replace(entry, division="PHG") for entry in many(2, prefix="CD")]
    divisions.load(divisions.make("genbank/phg", "1.0", {"gbphg1.seq.gz": phages}))
    divisions.load(divisions.make("genbank/bct", "1.0", {FILE: many(30)}))
    divisions.load(divisions.make("genbank/bct", "2.0", {FILE: many(5)}), max_absent_fraction=1.0)
    third = divisions.make("genbank/bct", "3.0", {FILE: [*many(8)[1:], *many(2, prefix="CD")]})
    divisions.load(third)
    found = finding("shrink", third, divisions.settings)
    assert (found.figures["absent"], found.figures["loaded_before"]) == (1, 5)


def test_an_allowed_load_goes_through_with_a_warning(divisions: Divisions, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = divisions.settings
    monkeypatch.setenv("GENBANK_ASSETS_POSTGRES_URL", settings.postgres_url or "")
    divisions.load(divisions.make("genbank/bct", "1.0", {FILE: many(40)}))
    divisions.make("genbank/bct", "2.0", {FILE: many(10)})
    mirrored = MirrorResource(store=str(settings.store), workers=1)
    job = build_defs(resources={"mirror": mirrored}).resolve_job_def("mirror_genbank")
    allowed = {"ops": {"genbank__postgres_table": {"config": {"max_absent_fraction": 1.0}}}}

    def run(config: dict) -> dg.ExecuteInProcessResult:
        return job.execute_in_process(
            partition_key="bct", instance=instance, raise_on_error=False, run_config={**QUIET, **config},
            asset_selection=[dg.AssetKey(["genbank", "postgres_table"])],
        )  # fmt: skip

    with dg.DagsterInstance.ephemeral() as instance:
        assert not run({}).success
        result = run(allowed)
        assert result.success
        (found,) = [e for e in result.get_asset_check_evaluations() if e.check_name == "shrink"]
        assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert found.metadata["absent_fraction"].value == 0.75
        assert "30 of 40 loaded records are missing from the release (75.0%" in (found.description or "")
