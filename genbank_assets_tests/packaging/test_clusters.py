"""Files for Slurm and Kubernetes: their schemas, what they name exists, and the Slurm scripts run."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from genbank_assets.settings import OTHER_VARIABLES, Settings
from genbank_assets_tests.paths import ROOT, SAMPLE

BIN = Path(sys.executable).parent
KUBERNETES = ROOT / "deploy" / "kubernetes"
SLURM = sorted((ROOT / "deploy" / "slurm").glob("*.sbatch"))
FILES = sorted(path for path in KUBERNETES.glob("*.yaml") if path.name != "kustomization.yaml")
OBJECTS: list[dict[str, Any]] = [one for path in FILES for one in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
PRODUCTION = yaml.safe_load((ROOT / "docs" / "dagster.production.yaml").read_text(encoding="utf-8"))
LAUNCHER = PRODUCTION["run_launcher"]["config"]
KNOWN = {f"GENBANK_ASSETS_{field.name.upper()}" for field in dataclasses.fields(Settings)} | {
    f"GENBANK_ASSETS_{v}" for v in OTHER_VARIABLES
}


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in OBJECTS if one["kind"] == kind}


def pods() -> dict[str, dict[str, Any]]:
    return {name: one["spec"]["template"]["spec"] for name, one in of_kind("Deployment").items()}


def check_options(arguments: list[str]) -> None:
    """The program is installed, and has every option that it is given."""
    verbs = [arguments[0]]
    for word in arguments[1:]:
        if not re.fullmatch(r"[a-z][a-z-]*", word):
            break
        verbs.append(word)
    shown = subprocess.run([BIN / verbs[0], *verbs[1:], "--help"], capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"--[a-z-]+", shown))
    assert {word for word in arguments if word.startswith("--")} <= known, arguments


@pytest.mark.parametrize("one", OBJECTS, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_objects_are_what_kubernetes_takes(one: dict[str, Any]) -> None:
    validator = pytest.importorskip("kubernetes_validate")
    validator.validate(one, "1.31", strict=True)


def test_kustomize_finds_every_file() -> None:
    config = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text(encoding="utf-8"))
    assert sorted(config["resources"]) == [path.name for path in FILES]
    namespaces = {one["metadata"].get("namespace") for one in OBJECTS if one["kind"] != "Namespace"}
    assert namespaces == {config["namespace"], *of_kind("Namespace")} == {LAUNCHER["job_namespace"]}
    images = {container["image"] for pod in pods().values() for container in pod["containers"]}
    assert images == {image["name"] for image in config["images"]}
    assert LAUNCHER["job_image"] == f"{config['images'][0]['newName']}:{config['images'][0]['newTag']}"


def test_pods_name_what_exists_and_what_runs_have_too() -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    made = set(of_kind("ConfigMap")) | set(re.findall(r"create (?:configmap|secret generic) (\S+)", page))
    assert {LAUNCHER["instance_config_map"], *LAUNCHER["env_config_maps"], *LAUNCHER["env_secrets"]} <= made
    assert LAUNCHER["service_account_name"] in of_kind("ServiceAccount")
    claims = {LAUNCHER["volumes"][0]["persistentVolumeClaim"]["claimName"]}
    for name, pod in pods().items():
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        for container in pod["containers"]:
            sources = [next(iter(source.values()))["name"] for source in container["envFrom"]]
            assert sources == [*LAUNCHER["env_config_maps"], *LAUNCHER["env_secrets"]], name
            assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
            assert LAUNCHER["volume_mounts"][0] in container["volumeMounts"]
        claims |= {v["persistentVolumeClaim"]["claimName"] for v in volumes.values() if "persistentVolumeClaim" in v}
        assert {v["configMap"]["name"] for v in volumes.values() if "configMap" in v} <= made
    assert claims == set(of_kind("PersistentVolumeClaim"))
    assert [c["spec"]["accessModes"] for c in of_kind("PersistentVolumeClaim").values()] == [["ReadWriteMany"]]


def test_services_are_where_they_are_looked_for() -> None:
    for name, service in of_kind("Service").items():
        (port,) = service["spec"]["ports"]
        (container,) = pods()[service["spec"]["selector"]["app"]]["containers"]
        assert container["ports"] == [{"containerPort": port["targetPort"]}], name
        assert str(port["targetPort"]) in container["args"]
    workspace = yaml.safe_load((ROOT / "deploy" / "compose" / "workspace.yaml").read_text(encoding="utf-8"))
    code = workspace["load_from"][0]["grpc_server"]
    assert of_kind("Service")[code["host"]]["spec"]["ports"][0]["port"] == code["port"]
    settings = of_kind("ConfigMap")["genbank-assets-settings"]["data"]
    assert settings["GENBANK_ASSETS_EXECUTOR"] == "dask://dask-scheduler:8786"
    assert "tcp://dask-scheduler:8786" in pods()["dask-worker"]["containers"][0]["args"]
    assert {name for name in settings if name.startswith("GENBANK_ASSETS_")} <= KNOWN


@pytest.mark.parametrize("name", sorted(pods()))
def test_commands_of_pods_have_their_options(name: str) -> None:
    pytest.importorskip("distributed")
    (container,) = pods()[name]["containers"]
    check_options(container["args"])
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert pods()[name]["securityContext"]["runAsNonRoot"] is True


@pytest.mark.parametrize("script", SLURM, ids=lambda path: path.name)
def test_slurm_scripts_name_what_exists(script: Path) -> None:
    pytest.importorskip("distributed")
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text(encoding="utf-8").replace("\\\n", " ")
    assert set(re.findall(r"GENBANK_ASSETS_[A-Z_]+[A-Z]", text)) <= KNOWN
    for line in re.findall(r"(?m)^(?:srun (?:--\S+ +)*)?(dask .*?) &$", text):
        check_options(re.sub(r"\"[^\"]*\"", "x", line).replace("=", " ").split())
    # What an unset variable of Dask would be is told by Dask's own configuration.
    import dask
    from distributed import config  # noqa: F401

    for name in re.findall(r"DASK_(DISTRIBUTED__[A-Z_]+)=", text):
        dask.config.get(name.lower().replace("__", "."))


@pytest.mark.slow
def test_a_run_with_dask_on_a_cluster_of_one_node(tmp_path: Path, postgres_url: str) -> None:
    """As Slurm would run it, with an ``srun`` that starts two tasks here."""
    pytest.importorskip("distributed")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "srun").write_text(
        '#!/bin/bash\nwhile [[ $1 == --* ]]; do shift; done\ntrap "kill \\$(jobs -p)" TERM\n"$@" &\n"$@" &\nwait\n'
    )
    (programs / "srun").chmod(0o755)
    done = subprocess.run(
        ["bash", ROOT / "deploy" / "slurm" / "dask.sbatch", "genbank/phg"],
        capture_output=True,
        text=True,
        timeout=180,
        start_new_session=True,
        env=os.environ
        | {
            "PATH": os.pathsep.join([str(programs), str(BIN), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT),
            "GENBANK_ASSETS_STORE": str(tmp_path / "store"),
            "GENBANK_ASSETS_SOURCE": SAMPLE.as_uri(),
            "GENBANK_ASSETS_POSTGRES_URL": postgres_url,
            "GENBANK_ASSETS_REQUESTS_PER_SECOND": "1000",
            "SLURM_MEM_PER_CPU": "2000",
        },
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "file tasks go to dask://" in done.stdout + done.stderr
    assert "tls://" in done.stdout + done.stderr
    assert not list((tmp_path / "store").glob(".dask-*"))


def test_an_array_task_takes_its_partition(tmp_path: Path) -> None:
    program = tmp_path / "genbank-assets"
    program.write_text('#!/bin/bash\necho "$GENBANK_ASSETS_WORKERS $*"\n')
    program.chmod(0o755)
    script = ROOT / "deploy" / "slurm" / "array.sbatch"
    environment = os.environ | {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "GENBANK_ASSETS_STORE": str(tmp_path),
        "GENBANK_ASSETS_POSTGRES_URL": "postgresql://host/db",
        "GENBANK_ASSETS_DAGSTER_POSTGRES_URL": "postgresql://host/dagster",
        "SLURM_CPUS_PER_TASK": "8",
    }
    partitions = ["genbank/phg", "refseq/viral"]
    for number, said in enumerate([*(f"8 materialize {name}\n" for name in partitions), ""]):
        done = subprocess.run(
            ["bash", script, *partitions],
            capture_output=True,
            text=True,
            env=environment | {"SLURM_ARRAY_TASK_ID": str(number)},
        )
        assert done.stdout == said, done.stderr
        assert (done.returncode == 0) == bool(said)
    assert "there is no partition of that number" in done.stderr


def test_an_array_without_a_database_for_dagster_is_refused(tmp_path: Path) -> None:
    """Its tasks are runs on several hosts, of which only one could have the embedded server."""
    done = subprocess.run(
        ["bash", ROOT / "deploy" / "slurm" / "array.sbatch", "genbank/phg"],
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("GENBANK_ASSETS_")}
        | {
            "GENBANK_ASSETS_STORE": str(tmp_path),
            "GENBANK_ASSETS_POSTGRES_URL": "postgresql://host/db",
            "SLURM_ARRAY_TASK_ID": "0",
            "SLURM_CPUS_PER_TASK": "8",
        },
    )
    assert done.returncode != 0
    assert "GENBANK_ASSETS_DAGSTER_POSTGRES_URL" in done.stderr
