"""Every command of "Extracting data" and docs/extract.md runs on a store with two releases, and does what it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from genbank_assets.settings import Settings
from genbank_assets_tests.paths import ROOT


def lines_of(page: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    if page == "README.md":
        text = text.split("## Extracting data")[1].split("\n## ")[0]
    blocks = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.parametrize("page", ["README.md", "docs/extract.md"])
def test_the_commands_do_what_they_say(
    page: str, extract_settings: Settings, postgres_url: str, tmp_path: Path
) -> None:
    environment = os.environ | {
        "GENBANK_ASSETS_STORE": str(extract_settings.store),
        "GENBANK_ASSETS_SOURCE": extract_settings.source,
        "GENBANK_ASSETS_POSTGRES_URL": postgres_url,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    lines = lines_of(page)
    assert len(lines) > 10
    for line in lines:
        done = subprocess.run(
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stderr[-2000:]}"
        out = re.search(r"--out (\S+)", line)
        if out is not None:
            manifest = json.loads((tmp_path / f"{out[1]}.manifest.json").read_text())
            assert manifest["entries"] > 0, line
            for file in manifest["files"]:
                assert (tmp_path / out[1]).with_name(file["name"]).stat().st_size == file["bytes"]
