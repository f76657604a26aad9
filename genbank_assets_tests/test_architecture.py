"""The architecture holds: layers, purposes, sizes, and a repository that speaks of the project alone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from genbank_assets_tests.paths import ROOT

PACKAGE = ROOT / "genbank_assets"
ORDER = [
    "ncbi",
    "flatfile",
    "tables",
    "postgres",
    "objects",
    "lookup",
    "lineage",
    "catalog",
    "table_set",
    "extract",
    "search_databases",
    "planning",
]
# The schema of the tables is the one column list; the reader fills it and has to know it.
SHARED_MODULES = {"genbank_assets.tables.schema"}
LONG_MODULES = {
    "flatfile/features.pxi": "one function per part of the feature table",
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_stage_imports_only_earlier_ones(path: Path) -> None:
    stage = path.relative_to(PACKAGE).parts[0]
    if stage not in ORDER:
        return
    later = ORDER[ORDER.index(stage) + 1 :]
    for name in imports_of(path):
        parts = name.split(".")
        if parts[0] == "genbank_assets" and len(parts) > 1 and not any(name.startswith(m) for m in SHARED_MODULES):
            assert parts[1] not in {*later, "defs", "definitions", "cli"}, f"{path.name} imports {name}"


def test_only_the_database_url_and_its_commands_know_the_embedded_server() -> None:
    knowing = {
        str(path.relative_to(PACKAGE))
        for path in MODULES
        if "postgres_server" not in path.parts
        and any(name.startswith("genbank_assets.postgres_server") for name in imports_of(path))
    }
    assert knowing == {"database_url.py", "cli/server.py"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_defs_imports_dagster(path: Path) -> None:
    if path.name == "definitions.py" or "defs" in path.parts:
        assert not any("._core" in name or "._utils" in name for name in imports_of(path))
        return
    assert not any(name.split(".")[0].startswith("dagster") for name in imports_of(path))


def test_the_core_runs_without_dagster() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in MODULES
        if "defs" not in path.parts
        and path.name != "definitions.py"
        and path.name not in {"__init__.py", "__main__.py"}
    ]
    script = (
        f"import sys, importlib\nfor m in {modules!r}: importlib.import_module(m)\nassert 'dagster' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    purpose = ast.get_docstring(ast.parse(path.read_text()))
    assert purpose is not None
    assert len(purpose) > 40


def test_long_modules_have_a_reason() -> None:
    sources = [p for suffix in ("*.py", "*.pyx", "*.pxi") for p in PACKAGE.rglob(suffix)]
    long = {str(p.relative_to(PACKAGE)) for p in sources if len(p.read_text().splitlines()) > 300}
    assert long <= set(LONG_MODULES)


def test_native_sources_keep_to_the_line_length() -> None:
    """Ruff looks at Python alone."""
    sources = [path for suffix in ("*.pyx", "*.pxi", "*.pyi", "*.h") for path in PACKAGE.rglob(suffix)]
    long = [f"{p.name}:{n}" for p in sources for n, line in enumerate(p.read_text().splitlines(), 1) if len(line) > 120]
    assert sources
    assert not long


def test_the_repository_speaks_of_the_project_alone() -> None:
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    if not files:
        pytest.skip("not a git checkout")
    pattern = re.compile(rb"/root/|/work/|/home/[a-z]+/")
    for name in files:
        path = ROOT / name
        if (
            path.is_file()
            and path.suffix not in {".gz", ".png"}
            and name != "genbank_assets_tests/test_architecture.py"
        ):
            assert not pattern.search(path.read_bytes()), name


def test_the_data_dictionary_is_up_to_date() -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from build_data_dictionary import TARGET, dictionary
    finally:
        sys.path.pop(0)
    assert TARGET.read_text(encoding="utf-8") == dictionary(), "run make dictionary"
