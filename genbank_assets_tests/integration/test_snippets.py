"""Every Python, SQL and shell snippet of the documents runs on a store that holds two releases.

The Python blocks of a page run one after the other in one namespace, in a folder where ``data`` is the store; a block
under ``<!-- shown only: reason -->`` is not run. Shell blocks (``sh``; ``console`` shows, and is not run) each run in a
folder of their own with ``data`` in it, and a web server's address of the store in ``STORE_URL``. What a line says it
answers, in a comment ``# -> …`` behind it, is compared with what it does answer.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from genbank_assets.settings import Settings
from genbank_assets_tests.paths import ROOT

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
_BLOCK = re.compile(
    r"(?P<note><!-- shown only: [^>]+ -->\n+)?^```(?P<kind>python|sql|sh)\n(?P<code>.*?)^```$", re.M | re.S
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


@pytest.fixture(scope="module")
def store_url(two_releases: Settings) -> Iterator[str]:
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "-d", str(two_releases.store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        port = re.search(r"port (\d+)", process.stdout.readline())
        assert port is not None
        yield f"http://127.0.0.1:{port[1]}"
        process.terminate()


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "sh")], ids=lambda page: page.name)
def test_shell(page: Path, two_releases: Settings, store_url: str, tmp_path: Path) -> None:
    for program in ("bash", "jq", "curl", "sha256sum"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    for number, code in enumerate(blocks(page, "sh")):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "data").symlink_to(two_releases.store)
        environment = {"PATH": os.environ["PATH"], "STORE_URL": store_url}
        command = ["bash", "-euo", "pipefail", "-c", code]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
        assert done.stdout or "grep -q" in code, f"said nothing: {code}"


def test_blocks_are_found() -> None:
    assert blocks(ROOT / "README.md", "python")
    assert blocks(ROOT / "README.md", "sql")
    assert blocks(ROOT / "docs" / "reading-without.md", "sh")
