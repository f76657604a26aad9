"""The architecture holds: layers, purposes, sizes, and a repository that speaks of the project alone."""

from __future__ import annotations

import ast
import functools
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from genbank_assets_tests.paths import ROOT

PACKAGE = ROOT / "genbank_assets"
ORDER = [
    "schema",
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
        if parts[0] == "genbank_assets" and len(parts) > 1:
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


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_is_public_is_documented(path: Path) -> None:
    """Modules, classes, functions and methods by a docstring, fields of dataclasses by a line or a ``meaning``."""
    missing = []
    tree = ast.parse(path.read_text())
    for node in [tree, *(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and not n.name.startswith("_"))]:
        if node not in (tree, *tree.body):
            continue  # made inside of a function
        inherits = isinstance(node, ast.ClassDef) and bool(node.bases)
        for member in node.body:
            if (
                isinstance(member, ast.FunctionDef | ast.ClassDef)
                and not member.name.startswith("_")
                and not ast.get_docstring(member)
                and not (inherits and member.name in documented_methods())
            ):
                missing.append(member.name)
        if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(d) for d in node.decorator_list):
            missing += [f"{node.name}.{field}" for field in undocumented_fields(node)]
    assert not missing


@functools.cache
def documented_methods() -> set[str]:
    """Methods that a class of the package or of ``io`` documents: those that override one need not say it again."""
    classes = (n for path in MODULES for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ClassDef))
    members = (member for node in classes for member in node.body if isinstance(member, ast.FunctionDef))
    return {member.name for member in members if ast.get_docstring(member)} | set(dir(io.RawIOBase))


def undocumented_fields(node: ast.ClassDef) -> list[str]:
    text = ast.get_docstring(node) or ""
    fields = [n for n in node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]
    return [
        name
        for field in fields
        if not (name := ast.unparse(field.target)).startswith("_")
        and "_figure(" not in ast.unparse(field)  # its meaning is text for users
        and "ClassVar" not in ast.unparse(field.annotation)
        and not re.search(rf"^ *(\w+, )*{name}(, \w+)*:|``{name}``", text, re.M)
    ]


def test_the_map_of_the_documents_names_every_module() -> None:
    shown = re.search(r"## The map\n+```\n(.*?)```", (ROOT / "docs" / "architecture.md").read_text(), re.S)
    assert shown is not None
    words = set(re.findall(r"[\w.]+", shown[1]))
    absent = [
        str(path.relative_to(PACKAGE))
        for path in MODULES
        if not path.name.startswith("__") and not {path.stem, path.name} & words
    ]
    assert not absent


def test_the_files_that_the_documents_name_exist() -> None:
    text = "".join((ROOT / name).read_text() for name in ("docs/architecture.md", "CONTRIBUTING.md"))
    named = set(re.findall(r"`((?:\w+/)*\w+\.(?:py|pyx|pxi|sql))`", text))
    assert "postgres/sql/merge.sql" in named
    places = (PACKAGE, PACKAGE / "flatfile", ROOT, ROOT / "genbank_assets_tests")
    assert not [name for name in named if not any((place / name).is_file() for place in places)]


def test_tasks_are_named_by_their_file() -> None:
    """Messages about lost workers name tasks; a task's own representation is all of its fields."""
    tasks = [
        node
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and node.name.endswith("Task")
    ]
    assert len(tasks) > 4
    named = {node.name for node in tasks for part in node.body if getattr(part, "name", "") == "__str__"}
    assert named == {node.name for node in tasks}


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
