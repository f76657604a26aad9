"""LOCUS lines by their tokens, in all layouts NCBI and others have written."""

from __future__ import annotations

import datetime as dt

import pytest

from genbank_assets_tests.flatfiles import record, scan

FIELDS = ("locus_name", "length", "length_unit", "strandedness", "molecule_type", "topology", "division")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "LOCUS       SCU49845     10 bp    DNA             PLN       21-JUN-1999",
            ("SCU49845", 10, "bp", None, "DNA", None, "PLN"),
        ),
        (
            "LOCUS       AB000001                  10 bp ss-RNA     linear   VRL 01-JAN-2020",
            ("AB000001", 10, "bp", "ss", "RNA", "linear", "VRL"),
        ),
        (
            "LOCUS       NP_034640                 10 aa            linear   ROD 01-NOV-2000",
            ("NP_034640", 10, "aa", None, None, "linear", "ROD"),
        ),
        (
            "LOCUS       ABCD01000000              10 rc    DNA     linear   BCT 01-JAN-2020",
            ("ABCD01000000", 10, "rc", None, "DNA", "linear", "BCT"),
        ),
        (
            "LOCUS       A_NAME_OF_MORE_THAN_SIXTEEN_LETTERS 10 bp ds-DNA     circular     01-JAN-2020",
            ("A_NAME_OF_MORE_THAN_SIXTEEN_LETTERS", 10, "bp", "ds", "DNA", "circular", None),
        ),
        (
            "LOCUS       AB000001                  10 bp                     SYN 01-JAN-2020",
            ("AB000001", 10, "bp", None, None, None, "SYN"),
        ),
        (
            "LOCUS       AB000001                  10 bp    RNA     linear   RNA 01-JAN-2020",
            ("AB000001", 10, "bp", None, "RNA", "linear", "RNA"),
        ),
        (
            "LOCUS       HUMAN      10 bp    mRNA            PRI       15-SEP-1990",
            ("HUMAN", 10, "bp", None, "mRNA", None, "PRI"),
        ),
    ],
)
def test_tokens_mean_what_they_should(line: str, expected: tuple[object, ...]) -> None:
    tail = "CONTIG      join(X1.1:1..10)\n" if " rc " in line else None
    scanner, rows, _ = scan(record(locus=line, tail=tail))
    assert not scanner.quarantine
    assert tuple(rows[0][name] for name in FIELDS) == expected


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("01-JAN-1970", dt.date(1970, 1, 1)),
        ("29-FEB-2000", dt.date(2000, 2, 29)),
        ("31-DEC-1982", dt.date(1982, 12, 31)),
        ("29-FEB-2001", None),
        ("07-juin-2022", None),
    ],
)
def test_dates_are_dates_or_noted(date: str, expected: dt.date | None) -> None:
    line = f"LOCUS       AB000001                  10 bp    DNA     linear   BCT {date}"
    _, rows, _ = scan(record(locus=line))
    assert rows[0]["update_date"] == expected
    assert any(date in note for note in rows[0]["notes"]) is (expected is None)


@pytest.mark.parametrize(
    "line", ["LOCUS", "LOCUS       AB000001", "LOCUS       AB0000011234 bp    DNA", "LOCUS  x y bp"]
)
def test_a_locus_line_without_length_is_quarantined(line: str) -> None:
    scanner, rows, _ = scan(record(locus=line) + record(name="AB000002"))
    assert [row["accession"] for row in rows] == ["AB000002"]
    assert "no length" in scanner.quarantine[0][5]
