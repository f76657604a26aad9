"""The drift canary: what a table holds that NCBI's files were never seen to hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genbank_assets.cli import main
from genbank_assets.flatfile import known
from genbank_assets.tables.drift import unseen_forms
from genbank_assets.tables.writer import parse_file
from genbank_assets_tests.flatfiles import record
from genbank_assets_tests.paths import SAMPLE

FILES = sorted([*SAMPLE.rglob("*.seq.gz"), *SAMPLE.rglob("*.g?ff.gz")])
ODD = record(
    name="my.plasmid",
    locus="LOCUS       my.plasmid  10 bp    xDNA     linear   QQQ 01-JAN-2020 extra",
    header="NEWLINE     text\nREFERENCE   first\n",
    features='     newkey          1..2\n                     /newqual="x"\n     gene            within(1..2)\n',
)


def test_what_was_never_seen_is_counted_by_kind(tmp_path: Path) -> None:
    path = tmp_path / "odd.gb"
    path.write_text(ODD + ODD + record())
    parsed = parse_file(path, out=tmp_path / "out")
    assert parsed.noted == 2
    assert unseen_forms(tmp_path / "out" / parsed.records_file) == {
        "accessions": {"my.plasmid": 2},
        "divisions": {"QQQ": 2},
        "feature keys": {"newkey": 2},
        "header forms": {"LOCUS line: not understood: extra": 2, "REFERENCE has no number: first": 2},
        "keywords": {"NEWLINE": 2},
        "locations": {"within(1..2)": 2},
        "molecules": {"xDNA": 2},
        "qualifiers": {"newqual": 2},
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_genuine_records_hold_nothing_unknown(path: Path, tmp_path: Path) -> None:
    parsed = parse_file(path, out=tmp_path)
    assert unseen_forms(tmp_path / parsed.records_file) == {}


@pytest.mark.parametrize(
    "accession",
    ["U49845", "AB000001", "CP01234567", "AAA12345", "ODT61334", "ABCD01000001", "ABCDEF020000001", "NM_000518",
     "NZ_CP012345", "NZ_ABCD01000001", "XP_012345678", "P01942", "A0A023GPI8"],
)  # fmt: skip
def test_shapes_of_accessions(accession: str) -> None:
    assert known.ACCESSION.fullmatch(accession)
    assert not known.ACCESSION.fullmatch(accession + ".1")


def test_strict_lists_them_and_ends_with_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "odd.gb"
    path.write_text(ODD)
    out = ["--out", str(tmp_path / "out")]
    assert main(["parse", str(path), *out]) == 0
    assert "1 with notes" in capsys.readouterr().out
    assert main(["parse", str(path), *out, "--strict"]) == 1
    assert "odd.gb: qualifiers not known: newqual (1)" in capsys.readouterr().out
    assert main(["parse", str(path), *out, "--strict", "--json"]) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["unseen"]["feature keys"] == {"newkey": 1}
    path.write_text(record())
    assert main(["parse", str(path), *out, "--strict"]) == 0
