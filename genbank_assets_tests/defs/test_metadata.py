"""docs/metadata.md names every key there is, and none that is not: beside a real run and the code."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import dagster as dg
import pytest

from genbank_assets.definitions import build_defs
from genbank_assets.defs.checks import CHECKS, DAY_CHECKS
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.defs.upstream import observed_release
from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.ncbi.poll import poll_release
from genbank_assets.postgres_server.server import EmbeddedServer
from genbank_assets.reports import FIGURES
from genbank_assets.settings import Settings
from genbank_assets.store import STAGES
from genbank_assets_tests.defs.test_runs import QUIET, run
from genbank_assets_tests.paths import ROOT, SAMPLE


def table(heading: str) -> list[list[str]]:
    """The cells of the table under a heading of the page, without their back quotes."""
    section = (ROOT / "docs" / "metadata.md").read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def documented(heading: str) -> dict[str, set[str]]:
    """Asset → keys of a table whose third column names assets."""
    found: dict[str, set[str]] = {stage: set() for stage in STAGES}
    for key, _, assets, _ in table(heading):
        for stage in STAGES if assets == "all" else re.findall(r"`(\w+)`", assets):
            found[stage].add(key.strip("`"))
    return found


@dataclasses.dataclass(frozen=True)
class Runs:
    """A division mirrored, one of its records traced."""

    mirrored: dg.ExecuteInProcessResult
    traced: dg.ExecuteInProcessResult


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, server: EmbeddedServer) -> Runs:
    store = tmp_path_factory.mktemp("metadata") / "store"
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        patch.setenv("GENBANK_ASSETS_POSTGRES_URL", server.url("postgres"))
        mirror = MirrorResource(source=SAMPLE.as_uri(), store=str(store), workers=1)
        mirrored = run(mirror, instance)
        job = build_defs(resources={"mirror": mirror}).resolve_job_def("trace_record")
        config = {"ops": {"trace_one_record": {"config": {"accession": "J02482"}}}, **QUIET}
        return Runs(mirrored, job.execute_in_process(run_config=config, instance=instance))


def test_figures_have_unit_and_meaning() -> None:
    assert len({figure.name for figure in FIGURES}) == len(FIGURES), "two stages mean different things by one name"
    rows = {row[0].strip("`"): (row[1], row[3]) for row in table("Figures of a stage")}
    assert rows == {figure.name: (figure.unit, figure.meaning) for figure in FIGURES}


def test_each_asset_has_the_documented_keys(runs: Runs) -> None:
    figures, others = documented("Figures of a stage"), documented("Other metadata")
    for event in runs.mirrored.get_asset_materialization_events():
        assert event.asset_key is not None
        stage = event.asset_key.path[-1]
        assert set(event.materialization.metadata) == figures[stage] | others[stage], stage


def test_each_check_has_the_documented_keys(runs: Runs) -> None:
    told: dict[str, set[str]] = {check.name: {"release"} for check in (*CHECKS, *DAY_CHECKS)}
    for check, key, *_ in table("Checks"):
        told[check.strip("`")].add(key.strip("`"))
    found = {e.check_name: set(e.metadata) for e in runs.mirrored.get_asset_check_evaluations()}
    assert found == {name: keys for name, keys in told.items() if name != "day_totals"}
    assert told["day_totals"] == {"release", "applied", "ledger"}


def test_a_seen_release_has_the_documented_keys(tmp_path: Path) -> None:
    collection = COLLECTIONS["genbank"]
    state = poll_release(collection, settings=Settings(source=SAMPLE.as_uri(), store=tmp_path))
    told = {row[0].strip("`") for row in table("Releases as NCBI publishes them")}
    assert set(observed_release(state, collection=collection).metadata) == told - {"unknown"}


def test_a_trace_has_the_documented_keys(runs: Runs) -> None:
    (output,) = [e.step_output_data for e in runs.traced.all_events if e.is_successful_output]
    assert set(output.metadata) == {row[0].strip("`") for row in table("The trace job")}
