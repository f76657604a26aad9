"""Containers and units: what they name exists, what they run is installed, and the commands work together here."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
import yaml

from genbank_assets.postgres_server.server import EmbeddedServer
from genbank_assets.settings import OTHER_VARIABLES, Settings
from genbank_assets_tests.paths import ROOT
from genbank_assets_tests.processes import free_port, wait_until

BIN = Path(sys.executable).parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ["code", "webserver", "daemon"]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
KNOWN = {f"GENBANK_ASSETS_{field.name.upper()}" for field in dataclasses.fields(Settings)} | {
    f"GENBANK_ASSETS_{v}" for v in OTHER_VARIABLES
}


def test_services_name_what_exists() -> None:
    for name, service in SERVICES.items():
        assert {"image", "restart"} <= set(service), name
        for other, condition in service.get("depends_on", {}).items():
            assert condition["condition"] != "service_healthy" or "healthcheck" in SERVICES[other]
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert (ROOT / source).is_file() if source.startswith("./") else source in COMPOSE["volumes"], volume
    used = {v.split(":")[0] for s in SERVICES.values() for v in s["volumes"] if not v.startswith("./")}
    assert used == set(COMPOSE["volumes"])


def test_nothing_is_reachable_from_other_machines() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports == ["127.0.0.1:3000:3000"]


@pytest.mark.parametrize("name", OURS)
def test_settings_of_a_service_are_settings(name: str) -> None:
    ours = {variable for variable in SERVICES[name]["environment"] if variable.startswith("GENBANK_ASSETS_")}
    assert ours <= KNOWN
    told = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
    asked_for = re.findall(r"\$\{([A-Z0-9_]+)[:}]", (ROOT / "compose.yaml").read_text(encoding="utf-8"))
    assert all(f"`{variable}`" in told for variable in asked_for)


@pytest.mark.parametrize("name", OURS)
def test_the_command_of_a_service_is_installed_with_the_package(name: str) -> None:
    command = SERVICES[name]["command"]
    assert (BIN / command[0]).is_file()
    words = [command[0], *[word for word in command[1:4] if not word.startswith("-") and not word[0].isdigit()]]
    words = words[: 3 if command[0] == "dagster" else 2 if command[0] == "dagster-daemon" else 1]
    shown = subprocess.run([BIN / words[0], *words[1:], "--help"], capture_output=True, text=True, check=True).stdout
    assert {word for word in command if word.startswith("--")} <= set(re.findall(r"--[a-z-]+", shown))


def test_the_image_is_built_from_files_that_exist_and_reach_the_builder() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    sent = {
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")
    }
    copied = [
        source
        for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE)
        for source in [word for word in shlex.split(line) if not word.startswith("--")][:-1]
    ]
    assert {"setup.py", "genbank_assets", "dagster.yaml", "constraints.txt"} <= set(copied)
    for source in copied:
        assert (ROOT / source).exists(), source
        assert source.split("/")[0] in sent, source
    assert re.search(r"^USER genbank$", text, re.MULTILINE)
    for folder in re.findall(r"(?:DAGSTER_HOME|GENBANK_ASSETS_STORE)=(\S+)", text):
        assert f" {folder}" in text.split("install --directory")[1].split("\n")[0]


def test_compose_takes_the_file() -> None:
    for command in (["docker", "compose"], ["docker-compose"]):
        if (
            shutil.which(command[0])
            and subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0
        ):
            done = subprocess.run(
                [*command, "-f", "compose.yaml", "config", "-q"], cwd=ROOT, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            return
    pytest.skip("docker compose is not here (Debian: apt-get install docker-compose)")


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_systemd_takes_a_unit(unit: Path, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not here")
    for other in UNITS:  # with the programs where they are on this machine
        text = other.read_text(encoding="utf-8").replace("/opt/genbank-assets/venv/bin", str(BIN))
        (tmp_path / other.name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / unit.name], capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if "genbank-assets" in line]
    assert (done.returncode, said) == (0, [])


def test_the_environment_of_the_units_is_settings() -> None:
    text = (ROOT / "deploy" / "systemd" / "environment").read_text(encoding="utf-8")
    names = set(re.findall(r"^(?:# )?([A-Z_0-9]+)=", text, re.MULTILINE))
    assert {name for name in names if name.startswith("GENBANK_ASSETS_")} <= KNOWN
    assert "DAGSTER_HOME" in names
    guide = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
    for unit in UNITS:
        assert unit.stem.rsplit("-", 1)[1] in guide
        assert "EnvironmentFile=/etc/genbank-assets/environment" in unit.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_services_work_together_with_the_commands_of_compose(
    server: EmbeddedServer, postgres_url: str, tmp_path: Path
) -> None:
    """Code server, webserver and daemon as compose.yaml runs them; only hosts, ports and folders are this machine's."""
    ports = {"3000": str(free_port()), "4000": str(free_port())}
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(ROOT / "dagster.yaml", home)
    workspace = yaml.safe_load((ROOT / "deploy/compose/workspace.yaml").read_text(encoding="utf-8"))
    workspace["load_from"][0]["grpc_server"] |= {"host": "127.0.0.1", "port": int(ports["4000"])}
    (home / "workspace.yaml").write_text(yaml.safe_dump(workspace), encoding="utf-8")
    replaced = {**ports, "0.0.0.0": "127.0.0.1", "/opt/dagster/workspace.yaml": str(home / "workspace.yaml")}
    database = postgres_url.split("postgres@/")[1].split("?")[0]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GENBANK_ASSETS_", "DAGSTER_"))} | {
        "DAGSTER_HOME": str(home),
        "GENBANK_ASSETS_STORE": str(tmp_path / "store"),
        "GENBANK_ASSETS_POSTGRES_URL": postgres_url,
        "GENBANK_ASSETS_DAGSTER_POSTGRES_URL": server.sqlalchemy_url(database),
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }
    logs = {name: (tmp_path / f"{name}.log").open("w+") for name in OURS}
    running: list[subprocess.Popen[bytes]] = []
    try:
        for name in OURS:  # in the order of depends_on; each waits for the health of the one before
            command = [replaced.get(word, word) for word in SERVICES[name]["command"]]
            running.append(
                subprocess.Popen(command, env=environment, cwd=home, stdout=logs[name], stderr=subprocess.STDOUT)
            )
            if name == "code":
                check = [replaced.get(word, word) for word in SERVICES[name]["healthcheck"]["test"][1:]]
                wait_until(lambda check=check: succeeds(check, environment), seconds=120)
        query = """{
            workspaceOrError { ... on Workspace { locationEntries { loadStatus locationOrLoadError { __typename } } } }
            instance { daemonHealth { allDaemonStatuses { daemonType healthy required } } }
        }"""

        def is_up() -> bool:
            try:
                body = json.dumps({"query": query}).encode()
                address = f"http://127.0.0.1:{ports['3000']}/graphql"
                with urlopen(Request(address, body, {"Content-Type": "application/json"}), timeout=10) as answer:
                    data = json.load(answer)["data"]
            except (URLError, OSError):
                return False
            (location,) = data["workspaceOrError"]["locationEntries"]
            daemons = [d for d in data["instance"]["daemonHealth"]["allDaemonStatuses"] if d["required"]]
            return (
                location["loadStatus"] == "LOADED"
                and location["locationOrLoadError"]["__typename"] == "RepositoryLocation"
                and all(daemon["healthy"] for daemon in daemons)
            )

        wait_until(is_up, seconds=120)
        assert is_up(), {name: Path(log.name).read_text()[-1500:] for name, log in logs.items()}
    finally:
        for process in reversed(running):
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(60) for process in reversed(running)]
        for log in logs.values():
            log.close()
    assert all(code in (0, -signal.SIGTERM, 143) for code in codes)


def succeeds(command: list[str], environment: dict[str, str]) -> bool:
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0
