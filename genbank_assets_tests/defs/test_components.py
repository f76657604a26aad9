"""The component in a temporary project: six lines of YAML create a mirror that runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest
import yaml
from dagster.components.component_scaffolding import scaffold_object

from genbank_assets.defs.components import GenbankCollection
from genbank_assets_tests.defs.test_runs import QUIET
from genbank_assets_tests.paths import SAMPLE

COMPONENT = "genbank_assets.defs.components.GenbankCollection"
PROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "lab"
version = "0"
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "lab"
"""
DEFINITIONS = """\
from pathlib import Path
from dagster import definitions, load_from_defs_folder
@definitions
def defs():
    return load_from_defs_folder(path_within_project=Path(__file__).parent)
"""


def make_project(folder: Path, **collections: str) -> Path:
    """A project of a lab, as ``create-dagster project`` and ``dg scaffold defs`` make it; collection → source."""
    (folder / "lab" / "defs").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "lab" / "__init__.py").write_text("")
    (folder / "lab" / "definitions.py").write_text(DEFINITIONS)
    for name, source in collections.items():
        target = folder / "lab" / "defs" / name
        given = json.dumps({"collection": name, "store": str(folder / "store")})
        scaffold_object(target, COMPONENT, given, "yaml", folder)
        with (target / "defs.yaml").open("a") as file:
            file.write(f"    source: {source}\n")
    return folder


def build_alone(component: GenbankCollection) -> dg.Definitions:
    """Build a component as the only one of its project."""
    tree = SimpleNamespace(get_all_components=lambda _: [component])
    return component.build_defs(SimpleNamespace(component_tree=tree))  # type: ignore[arg-type]


RUN = """
import dagster as dg
from lab.definitions import defs
found = defs()
dg.Definitions.validate_loadable(found)
print(sorted({key.path[0] for key in found.resolve_asset_graph().get_all_asset_keys()}))
print(sorted(sensor.name for sensor in found.sensors if "alert" in sensor.name))
print(found.resolve_job_def("update_taxonomy").name, found.resolve_schedule_def("taxonomy_schedule").name)
done = found.resolve_job_def("mirror_genbank").execute_in_process(
    partition_key="phg", instance=dg.DagsterInstance.ephemeral(), raise_on_error=False
)
print(done.success)
"""


def test_a_lab_mirrors_two_collections_from_yaml(tmp_path: Path, postgres_url: str) -> None:
    project = make_project(tmp_path / "project", genbank=SAMPLE.as_uri(), refseq=SAMPLE.as_uri())
    environment = os.environ | {"GENBANK_ASSETS_POSTGRES_URL": postgres_url, "PYTHONPATH": str(project)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == [
        "['genbank', 'genbank_daily', 'ncbi', 'refseq', 'refseq_daily']",
        "['failed_check_alert_sensor', 'run_failure_alert_sensor']", "update_taxonomy taxonomy_schedule", "True",
    ], done.stderr[-2000:]  # fmt: skip
    assert (project / "store" / "genbank" / "1.0" / "phg" / "object_set" / "manifest.json").is_file()


def test_what_is_scaffolded_says_all_that_is_needed(tmp_path: Path) -> None:
    scaffold_object(tmp_path / "mirror", COMPONENT, None, "yaml", tmp_path)
    text = (tmp_path / "mirror" / "defs.yaml").read_text()
    assert yaml.safe_load(text) == {
        "type": COMPONENT,
        "attributes": {"collection": "genbank", "settings": {"store": "data"}},
    }


def test_a_job_of_a_component_runs_in_one_process() -> None:
    """The project that it is part of has Dagster's default, a process per step."""
    defs = build_alone(GenbankCollection(collection="genbank"))
    jobs = [job for job in defs.resolve_all_job_defs() if job.name != "__ASSET_JOB"]
    assert {job.executor_def.name for job in jobs} == {"in_process"}
    assert "mirror_genbank" in {job.name for job in jobs}


def test_an_unknown_setting_is_reported() -> None:
    component = GenbankCollection(collection="genbank", settings={"stoer": "/data"})
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="has no setting stoer; its settings are ") as told:
        build_alone(component)
    assert "store" in str(told.value)


def test_a_component_takes_its_settings_and_not_the_environments(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENBANK_ASSETS_STORE", str(tmp_path / "other"))
    settings = {"store": str(tmp_path / "mine"), "source": SAMPLE.as_uri(), "postgres_url": postgres_url}
    defs = build_alone(GenbankCollection(collection="genbank", settings=settings))
    with dg.DagsterInstance.ephemeral() as instance:
        done = defs.resolve_job_def("mirror_genbank").execute_in_process(
            partition_key="phg", instance=instance, raise_on_error=False, run_config=QUIET
        )
    assert done.success
    assert (tmp_path / "mine" / "genbank").is_dir()
    assert not (tmp_path / "other").exists()
