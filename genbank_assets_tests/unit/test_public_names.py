"""The public interface: every name is there, typed, told in the documents, and costs nothing until it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import genbank_assets
from genbank_assets_tests.paths import ROOT


@pytest.mark.parametrize("name", genbank_assets.__all__)
def test_a_public_name_exists_and_is_documented(name: str) -> None:
    found = getattr(genbank_assets, name)
    assert name in dir(genbank_assets)
    assert (found.__doc__ or "").strip()
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert f"genbank_assets.{genbank_assets._MODULES[name]}.{name}" in page or f"`{name}`" in page


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(genbank_assets.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {
        alias.name: str(node.module).partition(".")[2]
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == genbank_assets._MODULES
    assert sorted(imported) == sorted(genbank_assets.__all__)


def test_unknown_names_raise_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'genbank_assets' has no attribute 'no_such_name'"):
        genbank_assets.no_such_name  # noqa: B018 -- the access is what is tested


def test_importing_the_package_imports_nothing_heavy() -> None:
    script = "import sys, genbank_assets; print(*{m.partition('.')[0] for m in sys.modules})"
    loaded = set(subprocess.check_output([sys.executable, "-c", script], text=True).split())
    assert not {"dagster", "polars", "pyarrow", "numpy", "psycopg", "httpx", "obstore", "boto3"} & loaded


def test_the_reader_needs_neither_polars_nor_dagster() -> None:
    script = (
        "import sys, genbank_assets as g; g.FlatFileReader, g.parse_file;"
        "print(*{m.partition('.')[0] for m in sys.modules})"
    )
    loaded = set(subprocess.check_output([sys.executable, "-c", script], text=True).split())
    assert "pyarrow" in loaded
    assert not {"dagster", "polars", "psycopg", "httpx", "obstore", "boto3", "Bio"} & loaded


def test_the_citation_has_the_version() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {genbank_assets.__version__}\n" in text
