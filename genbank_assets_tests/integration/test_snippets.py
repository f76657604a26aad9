"""Every Python and SQL snippet of the documents runs on a store that holds two releases.

The Python blocks of a page run one after the other in one namespace, in a folder where ``data`` is the store; a block
under ``<!-- shown only: reason -->`` is not run. What a line says it answers, in a comment ``# -> …`` behind it, is
compared with what it does answer.
"""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from genbank_assets.settings import Settings
from genbank_assets_tests.paths import ROOT

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
_BLOCK = re.compile(
    r"(?P<note><!-- shown only: [^>]+ -->\n+)?^```(?P<kind>python|sql)\n(?P<code>.*?)^```$", re.M | re.S
)
_ANSWER = re.compile(r"^(?P<code>.+?)\s+# -> (?P<answer>.+)$", re.MULTILINE)


def blocks(page: Path, kind: str) -> list[str]:
    found = _BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [match["code"] for match in found if match["kind"] == kind and not match["note"]]


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=lambda page: page.name)
def test_python(page: Path, two_releases: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").symlink_to(two_releases.store)
    monkeypatch.chdir(tmp_path)
    assert two_releases.postgres_url is not None
    monkeypatch.setenv("GENBANK_ASSETS_POSTGRES_URL", two_releases.postgres_url)
    namespace: dict[str, object] = {}
    for code in blocks(page, "python"):
        exec(compile(code, str(page.relative_to(ROOT)), "exec"), namespace)  # our own documents
        for match in _ANSWER.finditer(code):
            answer = eval(match["code"], namespace)
            assert str(answer) == match["answer"], match["code"]


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "sql")], ids=lambda page: page.name)
def test_sql(page: Path, two_releases: Settings) -> None:
    assert two_releases.postgres_url is not None
    with psycopg.connect(two_releases.postgres_url) as connection:
        for code in blocks(page, "sql"):
            for statement in filter(str.strip, re.split(r";[ \t]*(?:--[^\n]*)?\n", code)):
                cursor = connection.execute(statement)  # type: ignore[call-overload]
                assert cursor.description is None or cursor.fetchall(), f"nothing found: {statement}"
        connection.rollback()


def test_blocks_are_found() -> None:
    assert blocks(ROOT / "README.md", "python")
    assert blocks(ROOT / "README.md", "sql")
