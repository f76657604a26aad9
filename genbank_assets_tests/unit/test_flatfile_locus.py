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


def header(text: str) -> dict:
    """The row of a record with these lines between VERSION and ORIGIN."""
    _, rows, _ = scan(record(header=text))
    return rows[0]


@pytest.mark.parametrize(
    ("source", "organism", "expected"),
    [
        ("human.", "Homo sapiens", "human"),
        ("Dictyostelium discoideum.", "Dictyostelium discoideum", "Dictyostelium discoideum"),
        ("Bacillus sp.", "Bacillus sp.", "Bacillus sp."),
        ("mitochondrion Bacillus sp.", "Bacillus sp.", "mitochondrion Bacillus sp."),
        ("Bacillus sp. DNA.", "Bacillus sp.", "Bacillus sp. DNA"),
        ("Bacillus sp. (strain X.)", "Bacillus sp.", "Bacillus sp. (strain X.)"),
        (".", ".", None),
        (".", "", None),
    ],
)
def test_the_period_at_the_end_of_source_is_not_part_of_it(source: str, organism: str, expected: str | None) -> None:
    assert header(f"SOURCE      {source}\n  ORGANISM  {organism}\n            a; b.\n")["source"] == expected


def test_a_lineage_below_an_empty_organism_is_not_its_name() -> None:
    row = header("SOURCE      x\n  ORGANISM\n            .\n")
    assert (row["organism"], row["taxonomy"]) == (None, [])
    row = header("SOURCE      x\n  ORGANISM\n            Bacteria; Firmicutes.\n")
    assert (row["organism"], row["taxonomy"]) == (None, ["Bacteria", "Firmicutes"])
    assert header("SOURCE      x\n  ORGANISM\n            Homo sapiens\n")["organism"] == "Homo sapiens"


def test_accessions_after_a_region_are_kept() -> None:
    text = record().replace("ACCESSION   AB000001", "ACCESSION   AB000001 REGION: complement(1..10) GPS_000125225")
    _, rows, _ = scan(text)
    assert rows[0]["secondary_accessions"] == ["GPS_000125225"]
    assert "names a part of a record: REGION: complement(1..10)" in rows[0]["notes"][0]


def test_empty_lines_of_a_comment_are_kept_wherever_they_stand() -> None:
    row = header("COMMENT     \n            \n            one\n            \n            two\n")
    assert row["comment"] == "\n\none\n\ntwo"
    assert header("COMMENT     \n            \n")["comment"] is None


def test_a_word_of_the_header_that_fills_a_line_is_not_cut_in_two() -> None:
    url = "http://www.example.org/" + "abcdefghij" * 8
    title = f"  TITLE     See\n            {url[:67]}\n            {url[67:]} for more\n"
    row = header(f"REFERENCE   1  (bases 1 to 10)\n{title}")
    assert row["references"][0]["title"] == f"See {url} for more"


def test_lines_of_the_header_without_blanks_are_joined_with_a_space_where_one_was() -> None:
    row = header(
        "REFERENCE   1  (bases 1 to 10)\n  JOURNAL   (E-mail:kaneko@kazusa.or.jp,\n"
        "            URL:http://www.kazusa.or.jp/rhizobase/, Tel:81-438)\n"
    )
    expected = "(E-mail:kaneko@kazusa.or.jp, URL:http://www.kazusa.or.jp/rhizobase/, Tel:81-438)"
    assert row["references"][0]["journal"] == expected


def test_an_accession_of_several_words_is_one_where_locus_has_it_too() -> None:
    text = record(name="Contig 5", locus="LOCUS       Contig 5 10 bp    DNA     linear   BCT 01-JAN-2020")
    for line, version in (("VERSION     Contig 5\n", None), ("VERSION     Contig 5.1\n", 1), ("VERSION\n", None)):
        _, (row,), _ = scan(text.replace("VERSION     Contig 5.1\n", line))
        assert (row["accession"], row["version"], row["secondary_accessions"]) == ("Contig 5", version, [])
        assert row["accession_version"] == ("Contig 5.1" if version else "Contig 5")
        assert row["notes"] == row["other_lines"] == []
    _, (row,), _ = scan(text.replace("LOCUS       Contig 5", "LOCUS       Contig5"))
    assert (row["accession"], row["secondary_accessions"]) == ("Contig", ["5"])
