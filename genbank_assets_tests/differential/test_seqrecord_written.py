"""Any row as a SeqRecord, written by Biopython and read again: never an error, and the same row but for a list."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
        check_again(row, residues.get(row["record_ordinal"]))


def check_again(row: dict, residues: str | None) -> None:
    """The row that is written and read again is the same, but for what docs/reader.md lists."""
    again = written(row, residues)
    left_out = to_seqrecord(row).annotations.get("features_left_out", [])
    kept = [f for f in row["features"] if f"{f['key']} {f['location']}" not in left_out]
    assert [f["key"].replace(" ", "_")[:15] for f in kept] == [f["key"][:15] for f in again["features"]]
    assert again["sequence_sha256"] == row["sequence_sha256"]
    assert (again["version"], again["length"]) == (row["version"], row["length"])
    assert words(again["definition"]) == words(row["definition"])
    assert words(again["source"]) == words(row["source"])
    for name in ("taxonomy", "keywords"):
        assert list(filter(None, map(words, again[name]))) == list(filter(None, map(words, row[name])))
    for reference, other in zip(row["references"], again["references"], strict=True):
        for name in ("authors", "title", "journal", "pubmed"):
            assert words(reference[name]) == words(other[name])
    if not again["notes"]:
        for feature, other in zip(kept, again["features"], strict=True):
            assert values_of(other) == values_of(feature)


def values_of(feature: dict) -> dict[str, list[list[str]]]:
    """Words of the values by qualifier: those of one name come to stand together, and blanks may become one."""
    found: dict[str, list[list[str]]] = {}
    for qualifier in feature["qualifiers"]:
        found.setdefault(qualifier["key"], []).append((qualifier["value"] or "").split())
    return found


ODD_TEXT = st.text("abcXYZ019 \t\"/=;,.-()<>^:_'\\#~|@é", max_size=90)
LOCATION = st.sampled_from([
    "1..4", "complement(2..5)", "join(1..2,4..6)", "9..2", "3^4", "5^9", "10^1", "0..3", "<1..>9", "(2.4)..7", "2.6",
    "one-of(1,3)..5", "bond(2,4)", "8..30", "order(1..2,A1.1:3..4)", "-5..4", "gap(5)", "nowhere", "join(7..10,1..2)",
])  # fmt: skip
KEY = st.sampled_from(["CDS", "misc_feature", "5'UTR", "a_key_of_over_15_letters", "Two Words"])
QUALIFIER = st.one_of(
    st.tuples(st.sampled_from(["note", "product", "NCBI Join Type"]), ODD_TEXT),
    st.tuples(st.sampled_from(["pseudo", "codon_start"]), st.none()),
)
FEATURE = st.tuples(KEY, LOCATION, st.lists(QUALIFIER, max_size=3))


@given(
    fields=st.lists(ODD_TEXT, min_size=6, max_size=6), features=st.lists(FEATURE, max_size=3), circular=st.booleans()
)
@settings(max_examples=60, deadline=None)
def test_any_text_is_written_and_read_again(
    fields: list[str], features: list[tuple[str, str, list[tuple[str, str | None]]]], circular: bool
) -> None:
    names = ("KEYWORDS    ", "SOURCE      ", "  ORGANISM  ", "REFERENCE   ", "  AUTHORS   ", "  TITLE     ")
    lines = [f"     {key:<15} {location}" for key, location, _ in features]
    for at, (_, _, qualifiers) in enumerate(features):
        for key, value in qualifiers:
            quoted = "" if value is None else '="' + value.replace('"', '""') + '"'
            lines[at] += f"\n{'':21}/{key}{quoted}"
    text = record(
        locus=f"LOCUS       AB000001 10 bp DNA {'circular' if circular else 'linear'} BCT 01-JAN-2020",
        header="".join(f"{name}{text}\n" for name, text in zip(names, fields, strict=True)),
        features="".join(f"{line}\n" for line in lines),
    )
    _, rows, residues = scan(text.encode())
    for row in rows:
        check_again(row, residues[0])


@pytest.mark.parametrize(("molecule", "again"), [("( DNA", "DNA"), ("transcribed RNA", "RNA"), ("a b", "DNA")])
def test_a_molecule_of_several_words_is_written_as_one(molecule: str, again: str) -> None:
    name = "a_name_that_leaves_no_room_on_the_line"
    _, (row,), residues = scan(record(name=name, locus=f"LOCUS       {name} 10 bp {molecule} linear BCT 01-JAN-2020"))
    assert written(row, residues[0])["molecule_type"] == again
