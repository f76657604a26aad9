"""Other readers, old and new, read every kind of table as it was written; the document says just which.

``make test-readers`` makes the environments below build/readers; without it only what is installed here
reads. The table of ``docs/reading-without.md`` is compared with what is found, both ways.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets.tables.derived import build_derived
from genbank_assets_tests import foreign_reader
from genbank_assets_tests.paths import ROOT

READERS = ROOT / "build" / "readers"
ENVIRONMENTS = ROOT / "scripts" / "readers.txt"
PAGE = ROOT / "docs" / "reading-without.md"
KINDS = (
    "records", "sequences", "quarantine", "memberships", "unique sequences", "samples", "cds", "objects",
    "manifests of the set",
)  # fmt: skip
HERE = ("pyarrow", "polars", "duckdb")


def environments() -> dict[str, str]:
    """Reader as the document names it → the folder of its environment."""
    lines = [line.split() for line in ENVIRONMENTS.read_text(encoding="utf-8").splitlines()]
    return {
        f"{name} {version}": f"{name}-{version}" for name, version, *_ in (line for line in lines if line[0] != "#")
    }


@pytest.fixture(scope="module")
def tables(two_releases: Settings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A table of every kind, each with rows."""
    folder = tmp_path_factory.mktemp("readers")
    store = folder / "store"
    shutil.copytree(two_releases.store, store, symlinks=True)
    partition = PartitionRelease(store, PartitionKey("genbank", "vrl"), "2.0")
    made: dict[str, Path] = {}
    for stage in ("samples", "cds"):
        settings = Settings(store=store, workers=1)
        build_derived(partition, stage=stage, settings=settings, progress=lambda line: None, run_id="t")
        (made[stage],) = (partition.stage_folder(stage)).rglob("*.parquet")
    current = store / "genbank" / "current" / "vrl"
    for kind in ("records", "sequences"):
        (made[kind],) = (current / kind).glob("*.parquet")
    unique = current / "unique_records"
    made["memberships"] = unique / "memberships" / "memberships.parquet"
    made["unique sequences"] = unique / "sequences" / "sequences.parquet"
    (made["objects"],) = partition.stage_folder("object_set").rglob("objects.parquet")
    made["manifests of the set"] = store / "objects" / "manifests" / "genbank" / "2.0" / "vrl.parquet"
    broken = folder / "broken.seq"
    broken.write_text("LOCUS       BROKEN\nORIGIN\n//\n" + "LOCUS       \nnothing\n//\n", encoding="ascii")
    command = [sys.executable, "-m", "genbank_assets.cli", "parse", str(broken), "--out", str(folder / "parsed")]
    subprocess.run(command, check=False, capture_output=True)
    (made["quarantine"],) = (folder / "parsed").rglob("quarantine/*.parquet")
    assert set(made) == set(KINDS)
    return {kind: str(made[kind].resolve()) for kind in KINDS}


@pytest.fixture(scope="module")
def expected(tables: dict[str, str]) -> dict[str, list[object]]:
    found = foreign_reader.read("pyarrow", tables)
    assert all(isinstance(answer, list) and answer[0] > 0 for answer in found.values()), found
    return found


def shown() -> dict[str, set[str]]:
    """Reader → kinds that the document says it reads."""
    section = PAGE.read_text(encoding="utf-8").split("## Tested versions")[1].split("\n## ")[0]
    heading, _, *rows = re.findall(r"(?m)^\|(.+)\|$", section)
    kinds = [cell.strip() for cell in heading.split("|")][1:]
    answers = {}
    for row in rows:
        name, *cells = (cell.strip() for cell in row.split("|"))
        answers[name] = {kind for kind, cell in zip(kinds, cells, strict=True) if cell == "yes"}
    assert set(kinds) == set(KINDS)
    return answers


@pytest.mark.parametrize("library", HERE)
def test_what_is_installed_here_reads_all_tables_alike(
    library: str, tables: dict[str, str], expected: dict[str, list[object]]
) -> None:
    pytest.importorskip(library)
    assert foreign_reader.read(library, tables) == expected


@pytest.mark.slow
@pytest.mark.parametrize("reader", environments())
def test_a_pinned_reader_reads_what_the_document_says(
    reader: str, tables: dict[str, str], expected: dict[str, list[object]]
) -> None:
    python = READERS / environments()[reader] / "bin" / "python"
    if not python.exists():
        pytest.skip("its environment is not made: make test-readers")
    if "spark" in reader and shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    library = reader.split()[0]
    done = subprocess.run(
        [str(python), "-P", foreign_reader.__file__, library],
        input=json.dumps(tables), capture_output=True, text=True, check=True, cwd=READERS,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    assert {kind for kind in KINDS if found[kind] == expected[kind]} == shown()[reader], found


def test_the_document_has_a_row_for_every_reader() -> None:
    assert set(shown()) == set(environments())
