"""What the documents say exists: commands, options, variables, checks, make targets, links."""

from __future__ import annotations

import argparse
import dataclasses
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from genbank_assets.alerts import AlertSettings
from genbank_assets.cli.app import build_parser
from genbank_assets.defs.blast import BLAST_CHECKS
from genbank_assets.defs.checks import CHECKS, DAY_CHECKS
from genbank_assets.defs.derived import DERIVED_CHECKS
from genbank_assets.settings import OTHER_VARIABLES, Settings
from genbank_assets_tests.fix_s3 import ENDPOINT_VARIABLE
from genbank_assets_tests.paths import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "genbank_assets" / "sample" / "README.md"])
OWN_VARIABLES = (
    {f"GENBANK_ASSETS_{name}" for name in OTHER_VARIABLES}
    | {f"GENBANK_ASSETS_{field.name.upper()}" for field in dataclasses.fields(Settings)}
    | {f"GENBANK_ASSETS_ALERT_{field.name.upper()}" for field in dataclasses.fields(AlertSettings)}
)


def help_of(*command: str) -> str:
    arguments = [str(Path(sys.executable).parent / "genbank-assets"), *command, "--help"]
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout


def commands() -> dict[str, str]:
    """Command → the row of the README's table that shows it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("## Commands")[1].split("## ")[0]
    return {match[1]: match[0] for match in re.finditer(r"^\| `(\w+)[ `][^\n]*$", section, re.MULTILINE)}


def test_the_readme_shows_every_command() -> None:
    told = set(re.findall(r"^    (\w+)(?: |$)", help_of().split("commands:")[1], re.MULTILINE))
    assert set(commands()) == told


def settings_of(page: str) -> dict[str, tuple[str, str]]:
    """Variable → default and meaning, as the table under a page's heading *Settings* has them."""
    section = (ROOT / page).read_text(encoding="utf-8").split("## Settings")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(GENBANK_ASSETS_[A-Z_]+)` \| (.+?) \| (.+) \|$", section, re.MULTILINE)
    return {name: (default, meaning) for name, default, meaning in rows}


def test_the_guide_shows_every_setting_and_the_readme_the_first_five() -> None:
    everything, first = settings_of("docs/operating.md"), settings_of("README.md")
    assert set(everything) == OWN_VARIABLES
    assert len(first) == 5
    assert first.items() <= everything.items()


@pytest.mark.parametrize("kind", [Settings, AlertSettings])
def test_defaults_in_the_guide_are_those_of_the_code(kind: type[Settings] | type[AlertSettings]) -> None:
    prefix = "GENBANK_ASSETS_" if kind is Settings else "GENBANK_ASSETS_ALERT_"
    table = settings_of("docs/operating.md")
    for field in dataclasses.fields(kind):
        shown = table[f"{prefix}{field.name.upper()}"][0].strip("`")
        if field.default in ("", None):  # in words: none, all, the embedded server
            assert not re.search(r"\d", shown), field.name
        else:
            default = f"{field.default:g}" if isinstance(field.default, float) else str(field.default)
            assert shown == default.replace("True", "true").replace("False", "false"), field.name


@pytest.mark.parametrize("command", sorted(commands()))
def test_options_in_the_readme_exist(command: str) -> None:
    verbs = re.findall(r"^    (\w+)", help_of(command).partition("commands:")[2], re.MULTILINE)
    known = help_of(command) + "".join(help_of(command, verb) for verb in verbs)
    assert set(re.findall(r"--[a-z-]+", commands()[command])) <= set(re.findall(r"--[a-z-]+", known))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"GENBANK_ASSETS_[A-Z_]+[A-Z]", text)) <= OWN_VARIABLES | {ENDPOINT_VARIABLE}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {name for line in re.findall(r"(?m)^\$ make ([a-z -]+)", text) for name in line.split()[:1]} <= targets
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets
    for command in re.findall(r"^\$ (?:\S+/)?genbank-assets (\w+)", text, re.MULTILINE):
        assert command in commands(), command
    for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
        assert (page.parent / link).exists(), link
    assert not re.search(r"\b(?:TODO|FIXME|XXX|TBD)\b", text)


def test_the_guide_says_what_to_do_for_every_check() -> None:
    text = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8").split("## When a check fails")[1]
    text = text.split("failures of the stages")[0]
    assert {check.name for check in (*CHECKS, *DAY_CHECKS, *DERIVED_CHECKS, *BLAST_CHECKS)} | {
        "taxa_resolve",
        "counts_of_the_manifests",
        "published_tables",
        "bundle_is_whole",
    } == set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"(?m)^#+ (.+)$", text)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_linked_anchors_exist(page: Path) -> None:
    for file, anchor in re.findall(r"\]\((?!https?://)([^)#]*\.md)?#([^)]+)\)", page.read_text(encoding="utf-8")):
        assert anchor in anchors(page.parent / file if file else page), f"{file}#{anchor}"


def test_issue_forms_and_workflows_are_valid_yaml() -> None:
    paths = [*(ROOT / ".github").rglob("*.yml"), ROOT / "CITATION.cff", ROOT / ".pre-commit-config.yaml"]
    assert len(paths) > 5
    for path in paths:
        assert yaml.safe_load(path.read_text(encoding="utf-8")), path


def commands_of(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Every command that can be given, verbs included."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                verbs = list(commands_of(command))
                yield from verbs or [command]


@pytest.mark.parametrize("command", list(commands_of(build_parser())), ids=lambda command: command.prog)
def test_every_command_explains_itself_with_examples_that_are_right(command: argparse.ArgumentParser) -> None:
    assert len(command.description or "") > 60
    heading, *lines = (command.epilog or "").splitlines()
    assert heading == "examples:"
    assert lines
    for line in lines:
        arguments = shlex.split(re.sub(r" > \S+$", "", line))[1:]
        assert f"genbank-assets {arguments[0]}" in command.prog
        build_parser().parse_args(arguments)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_a_page_can_be_given(page: Path) -> None:
    """What they do is tested with them; here no option of a page is one that the command does not have."""
    text = page.read_text(encoding="utf-8")
    for line in re.findall(r"^\$ (?:\S+/)?genbank-assets ([^#\n]+)", text, re.MULTILINE):
        arguments = shlex.split(re.split(r" [>|] ", line)[0].replace("…", "x"))
        build_parser().parse_args(arguments)
