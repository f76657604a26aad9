"""Text that could be read in two ways: the better one is taken, and a note says so."""

from __future__ import annotations

import pytest

from genbank_assets_tests.flatfiles import record, scan
from genbank_assets_tests.unit.test_flatfile_dialects import Q, noted, qualifiers, row_of

NEXT = f'{Q}/gene="b"\n'


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('/note="the one" /allele="z"', 'the one" /allele="z'),
        ('/note="the "big" one"', 'the "big" one'),
        ('/translation="MK" /allele="z"', 'MK"/allele="z'),
        ("/codon_start=1 /transl_table=11", "1 /transl_table=11"),
    ],
)
def test_a_line_that_may_hold_two_qualifiers_is_noted(line: str, value: str) -> None:
    lines = f"     CDS             1..3\n{Q}{line}\n{NEXT}"
    key = line[1:].split("=")[0]
    assert qualifiers(lines) == [(key, value), ("gene", "b")]
    assert noted(row_of(features=lines), f"stands in the value: /{key}") or noted(
        row_of(features=lines), f"may stand in the value: /{key}"
    )


@pytest.mark.parametrize(
    "line",
    ['/note="he ""is"" here"', '/note=""""', '/note=""', '/note="a /b c"', "/citation=[1]", "/x=a/b", "/x=a / b"],
)
def test_a_value_as_the_rules_have_it_is_not_noted(line: str) -> None:
    assert row_of(features=f"     CDS             1..3\n{Q}{line}\n{NEXT}")["notes"] == []


@pytest.mark.parametrize("indent", [5, 2, 10, 15])
def test_an_open_location_continues_at_any_column(indent: int) -> None:
    lines = f"     CDS             join(1..2,\n{'':{indent}}complement(4..5))\n{NEXT}     gene            7..9\n"
    row = row_of(features=lines)
    assert [f["location"] for f in row["features"]] == ["join(1..2,complement(4..5))", "7..9"]
    assert row["notes"] == []


def test_the_first_of_a_keyword_counts_and_the_second_is_kept() -> None:
    row = row_of(
        header="DEFINITION  Other.\n            More.\nKEYWORDS    a.\nKEYWORDS    b.\nVERSION     X1.2\n"
        "SOURCE      s\n  ORGANISM  s\n            A; B.\nSOURCE      t\n  ORGANISM  t\n            C.\n"
    )
    assert [row[name] for name in ("definition", "keywords", "source", "organism", "taxonomy", "version")] == [
        "A record", ["a"], "s", "s", ["A", "B"], 1,
    ]  # fmt: skip
    assert [(line["keyword"], line["text"]) for line in row["other_lines"]] == [
        ("DEFINITION", "Other.\nMore."),
        ("KEYWORDS", "b."),
        ("VERSION", "X1.2"),
        ("SOURCE", "t\nORGANISM  t\nC."),
    ]
    assert len(row["notes"]) == 4
    assert noted(row, "a keyword stands twice: SOURCE      t")
    row = row_of(header="SOURCE      s\n  ORGANISM  s\n            A; B.\n  ORGANISM  t\n            C; D.\n")
    assert (row["organism"], row["taxonomy"]) == ("s", ["A", "B"])
    assert noted(row, "a keyword stands twice: ORGANISM  t")


def test_keywords_that_may_stand_several_times_are_not_noted() -> None:
    row = row_of(
        header="DBLINK      A: b\nDBLINK      C: d\nREFERENCE   1\nREFERENCE   2\n"
        "COMMENT     VNTDATE|1|\nCOMMENT     X|\nWGS         A1-A2\nWGS_SCAFLD  B1-B2\nWGS_SCAFLD  C1-C2\n"
    )
    assert (row["comment"], len(row["dblinks"]), len(row["references"]), len(row["wgs_ranges"])) == (
        "VNTDATE|1|\nX|", 2, 2, 3,
    )  # fmt: skip
    assert row["notes"] == []


def test_an_indented_header_is_a_header() -> None:
    text = record(header="SOURCE      s\n  ORGANISM  s\n            A; B.\n", features="     gene            1..3\n")
    locus, header = text.split("\n", 1)
    header, table = header.split("FEATURES")
    indented = "".join(f"  {line}\n" for line in header.splitlines())
    _, (row,), _ = scan(f"{locus}\n{indented}FEATURES{table}")
    assert [row[name] for name in ("definition", "accession", "version", "source", "organism")] == [
        "A record", "AB000001", 1, "s", "s",
    ]  # fmt: skip
    assert row["notes"] == ["a keyword is indented: DEFINITION  A record."]


@pytest.mark.parametrize(
    ("source", "below", "organism", "taxonomy", "note"),
    [
        ("E. coli (x)", ["E. coli", "Bacteria"], "E. coli", ["Bacteria"], "neither semicolons nor a period: Bacteria"),
        ("Long name one", ["Long name", "one"], "Long name one", [], None),
        ("y", ["x", "Bacteria"], "x Bacteria", [], "lines below ORGANISM were taken for more of its name"),
        ("", ["", "Homo sapiens"], "Homo sapiens", [], "lines below ORGANISM were taken for more of its name"),
        ("", [""], None, [], None),
        ("x", ["x", "unclassified."], "x", ["unclassified"], None),
    ],
)
def test_source_determines_where_the_name_ends(
    source: str, below: list[str], organism: str | None, taxonomy: list[str], note: str | None
) -> None:
    lines = "\n            ".join(below)
    row = row_of(header=f"SOURCE      {source}\n  ORGANISM  {lines}\n")
    assert (row["organism"], row["taxonomy"]) == (organism, taxonomy)
    assert noted(row, note) if note else row["notes"] == []


@pytest.mark.parametrize(
    ("line", "number", "location", "odd"),
    [
        ("1  (bases 1 to 10; 12 to 14)", 1, "bases 1 to 10; 12 to 14", False),
        ("3  (sites) (bases 1 to 3)", 3, "(sites) (bases 1 to 3)", False),
        ("99999999999 (bases 1 to 3)", None, "99999999999 (bases 1 to 3)", True),
        ("-1 (bases 1 to 3)", None, "-1 (bases 1 to 3)", True),
    ],
)
def test_a_reference_without_a_number_is_noted(line: str, number: int | None, location: str, odd: bool) -> None:
    row = row_of(header=f"REFERENCE   {line}\n  AUTHORS   A.\n")
    assert [row["references"][0][name] for name in ("number", "location")] == [number, location]
    assert noted(row, f"REFERENCE has no number: {line}") == odd


@pytest.mark.parametrize("step", [None, 1, 100])
@pytest.mark.parametrize("lines", [1, 4])
def test_lines_of_the_sequence_out_of_their_place_are_noted(step: int | None, lines: int) -> None:
    residues = "acgtacgtac" * 6 * lines
    text = record(residues=residues)
    assert scan(text, step=step)[1][0]["notes"] == []
    last = 60 * (lines - 1) + 1
    moved = text.replace(f"{last:>9} acgt", f"{last + 60:>9} acgt")
    assert scan(moved, step=step)[1][0]["notes"] == [
        f"the number before a line of the sequence is not its place: {last + 60}"
    ]


def test_a_missing_sequence_is_noted() -> None:
    assert row_of(tail="ORIGIN\n")["notes"] == ["no residues stand behind ORIGIN"]
    assert row_of(tail="ORIGIN acgt\n".replace(" ", "      "))["notes"] == ["no residues stand behind ORIGIN"]
    for tail in ("", "CONTIG      join(AB1.1:1..10)\nORIGIN\n", "WGS         AAAA01000001\nORIGIN\n"):
        assert row_of(tail=tail)["notes"] == []


@pytest.mark.parametrize("step", [None, 1])
def test_bytes_of_another_code_page_are_noted_once(step: int | None) -> None:
    lines = f'     CDS             1..3\n{Q}/note="caf\u00e9"\n{Q}/label="\u00e9"\n'
    text = record(features=lines)
    assert scan(text.encode(), step=step)[1][0]["notes"] == []
    assert scan(text.encode("latin-1"), step=step)[1][0]["notes"] == [
        "a guess: bytes that are not UTF-8 were read as Latin-1, first in /note"
    ]
    text = record(name="caf\u00e9")
    assert scan(text.encode("cp1252"), step=step)[1][0]["notes"] == [
        "a guess: bytes that are not UTF-8 were read as Latin-1, first in LOCUS"
    ]


@pytest.mark.parametrize(
    ("rest", "molecule", "division"),
    [("PRT linear BCT", "PRT", "BCT"), ("linear BCT", None, "BCT"), ("PRT", None, "PRT")],
)
def test_three_letters_before_the_topology_are_the_molecule(rest: str, molecule: str | None, division: str) -> None:
    row = row_of(locus=f"LOCUS       AB000001 10 aa {rest} 01-JAN-2020")
    assert (row["molecule_type"], row["division"]) == (molecule, division)
    assert row["notes"] == []


def test_a_length_is_not_a_name() -> None:
    for line, accession in (("10 bp DNA", None), ("A10 bp DNA", "A10")):
        scanner, rows, _ = scan(record(locus=f"LOCUS       {line}"))
        assert (rows, scanner.quarantine[0][4]) == ([], accession)
