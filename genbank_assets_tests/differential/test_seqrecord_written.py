"""Any row as a SeqRecord, written by Biopython and read again: never an error, and the same row but for a list."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from genbank_assets.flatfile import to_seqrecord
from genbank_assets_tests.differential.test_biopython import FILES, LARGE_BYTES, MIRROR, ODD, read
from genbank_assets_tests.flatfiles import record, scan
from genbank_assets_tests.paths import SHARED

DIALECTS = sorted(path for path in (SHARED / "dialects").glob("*.g*"))


def words(text: str | None) -> list[str]:
    """Biopython's header has one space between words, and no period that ends a text."""
    return (text or "").rstrip(". ").split()


def written(row: dict, residues: str | None) -> dict:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = to_seqrecord(row, residues).format("genbank")
    scanner, rows, _ = scan(text.encode("utf-8"))
    assert not scanner.quarantine, scanner.quarantine
    return rows[0]


@pytest.mark.parametrize("path", [*FILES, *ODD, *DIALECTS, *MIRROR], ids=lambda path: path.name)
def test_any_row_is_written_and_read_again(path: Path) -> None:
    if path.stat().st_size > LARGE_BYTES // 10:
        pytest.skip("takes Biopython long")
    rows, residues, _ = read(path)
    for row in rows:
        again = written(row, residues.get(row["record_ordinal"]))
        left_out = to_seqrecord(row).annotations.get("features_left_out", [])
        kept = [f for f in row["features"] if f"{f['key']} {f['location']}" not in left_out]
        assert [f["key"].replace(" ", "_")[:15] for f in kept] == [f["key"][:15] for f in again["features"]]
        assert again["sequence_sha256"] == row["sequence_sha256"]
        assert (again["version"], again["length"]) == (row["version"], row["length"])
        assert words(again["definition"]) == words(row["definition"])
        if not again["notes"]:
            assert [len(f["qualifiers"]) for f in again["features"]] == [len(f["qualifiers"]) for f in kept]


@pytest.mark.parametrize(("molecule", "again"), [("( DNA", "DNA"), ("transcribed RNA", "RNA"), ("a b", "DNA")])
def test_a_molecule_of_several_words_is_written_as_one(molecule: str, again: str) -> None:
    name = "a_name_that_leaves_no_room_on_the_line"
    _, (row,), residues = scan(record(name=name, locus=f"LOCUS       {name} 10 bp {molecule} linear BCT 01-JAN-2020"))
    assert written(row, residues[0])["molecule_type"] == again
