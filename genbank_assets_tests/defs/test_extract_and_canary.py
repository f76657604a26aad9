"""The jobs ``extract`` and ``canary``, run as the UI runs them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import dagster as dg

from genbank_assets.definitions import build_defs
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.settings import Settings
from genbank_assets_tests.integration.test_extract import feature, record


def run_job(name: str, settings: Settings, run_config: dict[str, object]) -> dg.ExecuteInProcessResult:
    job = build_defs(resources={"mirror": MirrorResource.of(settings)}).resolve_job_def(name)
    return job.execute_in_process(run_config=run_config, raise_on_error=False)


def text() -> str:
    there = record("AB000002", "acgtacgt", day="02-FEB-2021")
    there = there.replace('                     /db_xref', '                     /geo_loc_name="France: Paris"\n'
                          '                     /db_xref')  # fmt: skip
    return record("AB000001", "acgt") + there + record("AB000003", "acgtacgtac").replace("Some phage", "An|other")


def metadata_of(result: dg.ExecuteInProcessResult, step: str) -> dict[str, dg.MetadataValue]:
    (event,) = [e for e in result.events_for_node(step) if e.is_successful_output]
    return dict(event.step_output_data.metadata)


def test_an_extract_shows_what_it_wrote(store_of: Callable[..., Settings], tmp_path: Path) -> None:
    out = tmp_path / "some.fasta"
    config = {"out": str(out), "partitions": ["genbank/phg"], "length": "8-"}
    result = run_job("extract", store_of(phg=text()), {"ops": {"write_extract": {"config": config}}})
    assert result.success
    assert [line.split()[0] for line in out.read_text().splitlines() if line[0] == ">"] == [
        ">AB000002.1",
        ">AB000003.1",
    ]
    shown = metadata_of(result, "write_extract")
    markdown = str(shown["extract"].value)
    assert markdown.startswith("**2 entries** from 2 selected records.")
    digest = json.loads((tmp_path / "some.fasta.manifest.json").read_text())["files"][0]["sha256"]
    for line in (
        "| another length | 1 |",
        f"| some.fasta | {out.stat().st_size:,} | `{digest}` |",
        f"| 2020 | 1 | {'█' * 24} |",
        f"| 2021 | 1 | {'█' * 24} |",
        f"| An&#124;other | 1 | {'█' * 24} |",
        f"| France | 1 | {'█' * 24} |",
    ):
        assert line in markdown.splitlines(), line
    assert shown["path"].value == str(out)


def test_an_extract_fails_when_an_accession_is_not_there(store_of: Callable[..., Settings], tmp_path: Path) -> None:
    config = {"out": str(tmp_path / "some.fasta"), "accessions": ["AB000001", "ZZ000001"]}
    result = run_job("extract", store_of(phg=text()), {"ops": {"write_extract": {"config": config}}})
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert failure.step_failure_data.user_failure_data is not None
    assert failure.step_failure_data.user_failure_data.description == (
        "1 accession(s) not found, all listed in the manifest: ZZ000001"
    )


def canary_of(settings: Settings) -> dg.ExecuteInProcessResult:
    return run_job("canary", settings, {"ops": {"read_a_small_division": {"config": {"partition": "genbank/phg"}}}})


def test_the_canary_is_quiet_while_all_is_known(store_of: Callable[..., Settings]) -> None:
    settings = store_of(phg=text())
    before = sorted(path for path in settings.store.rglob("*") if path.is_file())
    result = canary_of(settings)
    assert result.success
    shown = str(metadata_of(result, "read_a_small_division")["canary"].value)
    assert shown == "**genbank/phg 9.0**: 3 records, all in known forms."
    canary = settings.store / "canary"
    after = sorted(path for path in settings.store.rglob("*") if path.is_file() and canary not in path.parents)
    assert after == before


def test_the_canary_fails_when_the_format_moves(store_of: Callable[..., Settings]) -> None:
    settings = store_of(phg=text())
    new = record("AB000001", "acgtacgt", feature("novelty", "1..3", gene="a", newqualifier="b"))
    path = Path(settings.source.removeprefix("file://")) / "genbank" / "gbphg1.seq.gz"
    path.write_bytes(gzip.compress(new.encode(), mtime=0))
    result = canary_of(settings)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    said = failure.step_failure_data.user_failure_data
    assert said is not None
    assert said.description == (
        "genbank/phg 9.0 contains forms never seen in NCBI's files: 1 feature keys, 1 qualifiers"
    )
    shown = str(said.metadata["canary"].value).splitlines()
    assert "| feature keys | `novelty` | 1 |" in shown
    assert "| qualifiers | `newqualifier` | 1 |" in shown
