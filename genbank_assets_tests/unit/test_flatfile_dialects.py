"""Files by other writers than NCBI: each kind gives the right values, a note, or a quarantined block."""

from __future__ import annotations

import datetime as dt

import pytest

from genbank_assets_tests.flatfiles import feature, origin, record, scan

Q = " " * 21


def row_of(**parts: str) -> dict:
    """The one row of a record made of these parts."""
    scanner, rows, _ = scan(record(**parts))
    assert not scanner.quarantine, scanner.quarantine
    return rows[0]


def qualifiers(lines: str, *, at: int = 0) -> list[tuple[str, str | None]]:
    """Keys and values of one feature of the table."""
    return [(q["key"], q["value"]) for q in row_of(features=lines)["features"][at]["qualifiers"]]


def noted(row: dict, text: str) -> bool:
    return any(text in note for note in row["notes"])


AFTER = f'     CDS             4..6\n{Q}/gene="b"\n     gene            7..9\n'


@pytest.mark.parametrize(
    "torn",
    [
        "ATTENTION check the strand.",
        "SOURCE of the plasmid.",
        "REFERENCE 12 of the list.",
        "ACCESSION   unknown.",
        "COMMENT     by hand",
        "ORIGIN of transfer",
        "//www.example.org/page",
        "// and more",
        "(see the list)",
        "/looks like a path",
        "é in column one",
    ],
)
def test_a_line_break_in_an_open_value_tears_nothing_else_apart(torn: str) -> None:
    lines = f'     promoter        1..3\n{Q}/note="seen in the paper\n{torn} More."\n{AFTER}'
    row = row_of(features=lines)
    assert [f["key"] for f in row["features"]] == ["promoter", "CDS", "gene"]
    assert row["features"][0]["qualifiers"] == [{"key": "note", "value": f"seen in the paper {torn} More."}]
    assert (row["source"], row["references"], row["comment"], row["accession"]) == (None, [], None, "AB000001")
    assert noted(row, "a line of a value begins in column 1")


def test_the_table_ends_behind_a_forgotten_quote_where_the_sequence_begins() -> None:
    _, rows, residues = scan(record(features=f'     CDS             1..3\n{Q}/note="never closed\n'))
    assert (rows[0]["features"][0]["qualifiers"][0]["value"], residues[0]) == ("never closed", "ACGTACGTAC")
    assert rows[0]["notes"] == ["closing quote missing: /note"]


def test_a_torn_line_after_a_quote_closes_the_value_or_the_block_is_given_up() -> None:
    closed = f'     gene            1..3\n{Q}/note="the "best"\nSOURCE they have"\n{AFTER}'
    row = row_of(features=closed)
    assert (row["features"][0]["qualifiers"][0]["value"], row["source"]) == ('the "best" SOURCE they have', None)
    for torn in ("SOURCE they have", "ATTENTION check", "and more"):
        lines = f"     gene            1..3\n{Q}/label=primer\n{torn}\n{AFTER}"
        scanner, rows, _ = scan(record(features=lines))
        assert (rows, scanner.quarantine[0][5]) == ([], f"not a line of a flat file: {torn}")


def test_a_locus_line_torn_from_a_value_is_quarantined_alone_and_the_value_says_so() -> None:
    lines = f'     gene            1..3\n{Q}/note="binds the\nLOCUS of 20 bp\n{Q}upstream"\n{AFTER}'
    scanner, (row,), _ = scan(record(features=lines))
    assert [f["key"] for f in row["features"]] == ["gene", "CDS", "gene"]
    assert scanner.quarantine[0][5] == "a LOCUS line without length inside a record"
    assert noted(row, "a line of a value is quarantined: LOCUS of 20 bp")


@pytest.mark.parametrize("line", ["UNKNOWN     of some writer", "UNKNOWN"])
def test_features_behind_an_unknown_keyword_are_read(line: str) -> None:
    row = row_of(features=f"     gene            1..3\n{line}\n            more of it\n{AFTER}")
    assert [f["key"] for f in row["features"]] == ["gene", "CDS", "gene"]
    assert row["other_lines"][0]["keyword"] == "UNKNOWN"
    assert row["other_lines"][0]["text"].endswith("more of it")
    assert noted(row, "keyword not known")
    assert noted(row, "the feature table was interrupted")


def test_a_value_ends_where_the_next_qualifier_opens_another() -> None:
    lines = f'     CDS             1..3\n{Q}/note="no end here\n{Q}/gene="x"\n{Q}/product="y"\n'
    row = row_of(features=lines)
    found = [(q["key"], q["value"]) for q in row["features"][0]["qualifiers"]]
    assert found == [("note", "no end here"), ("gene", "x"), ("product", "y")]
    assert row["notes"] == ["closing quote missing: /note"]


def test_a_line_like_a_qualifier_inside_a_value_is_noted_and_a_doubled_quote_belongs_to_it() -> None:
    row = row_of(features=f'     CDS             1..3\n{Q}/note="no end here\n{Q}/codon_start=1\n{Q}more"\n')
    assert noted(row, "a line like a qualifier stands in a value: /codon_start=1")
    assert qualifiers(f'     CDS             1..3\n{Q}/note="text of\n{Q}/gene=""x"" and so on"\n') == [
        ("note", 'text of /gene="x" and so on')
    ]


@pytest.mark.parametrize(
    "name",
    [
        "5-bisphosphate carboxylase/oxygenase subunit",
        "My Type",
        "a/b",
        "(odd)",
        "% identity",
        "modified.by",
        "3'-end x",
    ],
)
def test_a_qualifier_name_is_everything_before_the_equals_sign(name: str) -> None:
    lines = f'     CDS             1..3\n{Q}/product="a-1"\n{Q}/{name}="true"\n{Q}/{name} = "x"\n{Q}/gene="b"\n'
    assert qualifiers(lines) == [("product", "a-1"), (name, "true"), (name, "x"), ("gene", "b")]


def test_a_name_without_value_behind_a_closed_value_is_noted() -> None:
    row = row_of(features=f'     CDS             1..3\n{Q}/product="a"\n{Q}/odd name\n{Q}/gene="b"\n')
    assert [q["key"] for q in row["features"][0]["qualifiers"]] == ["product", "odd name", "gene"]
    assert noted(row, "taken for a qualifier without value: /odd name")
    # ... but a line that closes the value is more of it
    assert qualifiers(f'     CDS             1..3\n{Q}/note="the "x"\n{Q}/y and z"\n') == [("note", 'the "x" /y and z')]


@pytest.mark.parametrize("indent", ["\t", "\t ", "    \t", " \t"])
@pytest.mark.parametrize("between", ["\t", "            ", "\t\t"])
def test_tabs_indent_features_and_qualifiers(indent: str, between: str) -> None:
    lines = (
        f'     source          1..10\n{Q}/organism="x"\n{indent}gene{between}1..3\n\t\t/locus_tag="a"\n'
        f'{indent}CDS{between}complement(4..6)\n\t\t/locus_tag="b"\n\t\t/product="of two\n\t\twords"\n'
        f"{indent}tRNA{between}7..9\n\t\t/pseudo\n"
    )
    found = row_of(features=lines)["features"]
    assert [(f["key"], f["location"]) for f in found] == [
        ("source", "1..10"), ("gene", "1..3"), ("CDS", "complement(4..6)"), ("tRNA", "7..9"),
    ]  # fmt: skip
    assert [q["value"] for q in found[2]["qualifiers"]] == ["b", "of two words"]


def test_tabs_indent_the_rest_of_a_location_and_of_an_open_value() -> None:
    found = feature('     CDS             join(1..3,\n\t\t5..7)\n\t\t/note="a\n\tb 5..7"\n')
    assert found["location"] == "join(1..3,5..7)"
    assert [q["value"] for q in found["qualifiers"]] == ["a b 5..7"]


@pytest.mark.parametrize(
    ("written", "location", "strand"),
    [
        ("complement (10..20)", "complement(10..20)", -1),
        ("COMPLEMENT(10..20)", "COMPLEMENT(10..20)", -1),
        ("join (1..3, 5..9)", "join(1..3,5..9)", 1),
        ("Join(1..3,5..9)", "Join(1..3,5..9)", 1),
        ("order (1..3,5..9)", "order(1..3,5..9)", 1),
    ],
)
def test_operators_stand_with_blanks_and_in_capitals(written: str, location: str, strand: int) -> None:
    found = feature(f"     gene            {written}\n")
    assert (found["key"], found["location"], found["strand"]) == ("gene", location, strand)
    assert {span["kind"] for span in found["spans"]} == {"range"}


def test_topology_and_division_are_case_insensitive() -> None:
    row = row_of(locus="LOCUS       AB000001                  10 bp    DNA   CIRCULAR syn        09-OCT-2013")
    assert (row["topology"], row["division"], row["update_date"]) == ("circular", "SYN", dt.date(2013, 10, 9))


@pytest.mark.parametrize(
    ("topology", "location", "note"),
    [
        ("linear", "10..5", "runs backwards"),
        ("linear", "complement(9..5)", "runs backwards"),
        ("", "join(1..2,9..5)", "runs backwards"),
        ("linear", "0..5", "before the record's first residue"),
        ("linear", "5..11", "beyond the record's end"),
        ("circular", "5..11", "beyond the record's end"),
        ("linear", "11", "beyond the record's end"),
        ("linear", "5^9", "no neighbours"),
        ("linear", "6^5", "no neighbours"),
        ("linear", "10^1", "no neighbours"),
        ("linear", "-3..5", "not understood"),
        ("linear", "1..2,4..5", "not understood"),
        ("circular", "9..2", None),
        ("circular", "10^1", None),
        ("linear", "<1..>10", None),
        ("linear", "J00194.1:90..5", None),
        ("linear", "5^6", None),
    ],
)
def test_a_location_that_no_record_can_have_is_noted(topology: str, location: str, note: str | None) -> None:
    locus = f"LOCUS       AB000001                  10 bp    DNA     {topology:8} BCT 01-JAN-2020"
    row = row_of(locus=locus, features=f"     gene            {location}\n")
    assert row["features"][0]["location"] == location
    assert row["notes"] == [] if note is None else noted(row, note), row["notes"]


@pytest.mark.parametrize(
    ("accession", "version", "expected"),
    [
        ("urn.local.1-2.5", "urn.local.1-2.5", ("urn.local.1-2.5", None, "urn.local.1-2.5")),
        ("X1", "X1", ("X1", None, "X1")),
        ("X1", "Y1.2", ("X1", None, "X1")),
        ("X1", "X1.a", ("X1", None, "X1")),
        ("X1", "X1.2  GI:77", ("X1", 2, "X1.2")),
        ("a.b", "a.b.3", ("a.b", 3, "a.b.3")),
        (".", ".", ("AB000001", None, "AB000001")),
        (".", "X1.2", ("X1", 2, "X1.2")),
        ("", "", ("AB000001", None, "AB000001")),
    ],
)
def test_a_version_is_the_accession_with_a_number_or_none(accession: str, version: str, expected: tuple) -> None:
    text = record().replace("ACCESSION   AB000001", f"ACCESSION   {accession}").replace("AB000001.1", version)
    _, (row,), _ = scan(text)
    assert (row["accession"], row["version"], row["accession_version"]) == expected
    kept = {line["keyword"]: line["text"] for line in row["other_lines"]}
    assert kept == {"Y1.2": {"VERSION": "Y1.2"}, "X1.a": {"VERSION": "X1.a"}, "X1.2  GI:77": {"GI": "77"}}.get(
        version, {}
    )


def test_a_lone_period_is_nothing_where_accession_is_one() -> None:
    header = (
        "SOURCE      .\n  ORGANISM  .\n            .\nREFERENCE   1\n  AUTHORS   .\n  TITLE     Direct Submission\n"
    )
    exported = record(header=header).replace("ACCESSION   AB000001", "ACCESSION   .").replace("AB000001.1", ".")
    _, (row,), _ = scan(exported.replace("A record.", "."))
    assert [row[name] for name in ("definition", "source", "organism", "taxonomy")] == [None, None, None, []]
    assert (row["references"][0]["authors"], row["references"][0]["title"]) == (None, "Direct Submission")
    assert row_of(header=header)["references"][0]["authors"] == "."  # as NCBI writes it


@pytest.mark.parametrize(
    ("line", "links"),
    [
        ("DBLINK      BioProject: PRJNA1 BioSample: SAMN1", [("BioProject", "PRJNA1"), ("BioSample", "SAMN1")]),
        ("PROJECT     GenomeProject:1  GenomeProject:2", [("GenomeProject", "1"), ("GenomeProject", "2")]),
        (
            "DBLINK      BioProject: A, B Sequence Read Archive: SRR1, SRR2",
            [
                ("BioProject", "A"),
                ("BioProject", "B"),
                ("Sequence Read Archive", "SRR1"),
                ("Sequence Read Archive", "SRR2"),
            ],
        ),
        (
            "DBLINK      Sequence Read Archive: SRR1,\n            SRR2",
            [("Sequence Read Archive", "SRR1"), ("Sequence Read Archive", "SRR2")],
        ),
        ("DBLINK      Project:100, 200, 300", [("Project", "100"), ("Project", "200"), ("Project", "300")]),
    ],
)
def test_several_links_on_a_line_are_several_links(line: str, links: list[tuple[str, str]]) -> None:
    row = row_of(header=f"{line}\n")
    assert [(link["key"], link["value"]) for link in row["dblinks"]] == links


def test_many_links_on_a_line_take_no_stack() -> None:
    row = row_of(header="DBLINK      " + " ".join(f"A: {n}" for n in range(100_000)) + "\n")
    assert len(row["dblinks"]) == 100_000


@pytest.mark.parametrize(
    ("source", "organism", "name", "lineage"),
    [
        (
            "Genus species",
            "Genus species Bacteria; Phylum;\n            Class.",
            "Genus species",
            ["Bacteria", "Phylum", "Class"],
        ),
        (
            "a plasmid",
            "Cloning vector pX other sequences; artificial sequences.",
            "Cloning vector pX",
            ["other sequences", "artificial sequences"],
        ),
        ("Bacillus sp.", "Bacillus sp. Bacteria; Firmicutes.", "Bacillus sp.", ["Bacteria", "Firmicutes"]),
    ],
)
def test_a_lineage_may_begin_on_the_line_of_the_name(source: str, organism: str, name: str, lineage: list[str]) -> None:
    row = row_of(header=f"SOURCE      {source}\n  ORGANISM  {organism}\n")
    assert (row["organism"], row["taxonomy"]) == (name, lineage)
    assert noted(row, "the lineage begins on the line of ORGANISM")


def test_what_continues_a_structured_comment_is_indented() -> None:
    row = row_of(
        header="COMMENT     ##X-Data-START##\n            Method   :: made with\n"
        "                        Bio::Tools and A :: B\n"
        "            NOTE: no item\n            Version  :: v1::r2\n            Empty    ::\n"
        "            ##X-Data-END##\n"
    )
    ((name, items),) = [(block["name"], block["items"]) for block in row["structured_comments"]]
    assert (name, [(item["key"], item["value"]) for item in items]) == (
        "X-Data",
        [("Method", "made with Bio::Tools and A :: B"), ("Version", "v1::r2"), ("Empty", "")],
    )
    assert noted(row, "is in the comment only: NOTE: no item")
    assert "NOTE: no item" in row["comment"]


@pytest.mark.parametrize("key", ["anticodon", "transl_except"])
def test_a_quoted_position_has_no_space_where_its_line_was_cut(key: str) -> None:
    lines = f'     tRNA            1..3\n{Q}/{key}="(pos:complement(1..3),aa:Leu,seq:c\n{Q}aa)"\n{Q}/gene="x"\n'
    assert qualifiers(lines) == [(key, "(pos:complement(1..3),aa:Leu,seq:caa)"), ("gene", "x")]


def test_only_two_slashes_alone_end_a_record() -> None:
    row = row_of(header="COMMENT     see\n//www.example.org/x\n            more\n")
    assert row["comment"] == "see\n//www.example.org/x\nmore"
    assert noted(row, "a line of the comment begins in column 1")
    for end in ("//", "//  ", "//\t", "//\x1a"):
        scanner, rows, _ = scan(record().replace("//\n", f"{end}\n"))
        assert (len(rows), scanner.quarantine) == (1, []), end


def test_a_keyword_that_stands_loosely_in_a_comment_is_text_of_it() -> None:
    row = row_of(header="SOURCE      x\nCOMMENT     see the\nSOURCE of it\nREFERENCE 5 of it\nFEATURES of it\n")
    assert row["comment"] == "see the\nSOURCE of it\nREFERENCE 5 of it\nFEATURES of it"
    assert (row["source"], row["references"]) == ("x", [])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("LOCUS       name  10 bp    transcribed RNA linear   INV 01-JAN-2020", ("transcribed RNA", "linear", "INV")),
        ("LOCUS       name  10 bp    other DNA SYN 01-JAN-2020", ("other DNA", None, "SYN")),
        ("LOCUS       name  10 bp    viral cRNA linear VRL", ("viral cRNA", "linear", "VRL")),
        ("LOCUS       name  10 bp    DNA\n            circular SYN 01-JAN-2020", ("DNA", "circular", "SYN")),
        ("LOCUS       name  10 bp\n            ds-DNA linear\n            PHG", ("DNA", "linear", "PHG")),
        ("LOCUS       name  10bp DNA linear BCT", ("DNA", "linear", "BCT")),
        ("LOCUS       cut 5 bp long  10 bp DNA linear BCT", ("DNA", "linear", "BCT")),
    ],
)
def test_odd_locus_lines_mean_what_they_say(line: str, expected: tuple[str | None, ...]) -> None:
    row = row_of(locus=line)
    assert (row["molecule_type"], row["topology"], row["division"]) == expected
    assert (row["length"], row["notes"]) == (10, [])
    assert row["locus_name"] == ("cut 5 bp long" if "cut" in line else "name")


def test_a_topology_on_the_second_line_of_locus_applies_to_locations() -> None:
    row = row_of(locus="LOCUS       name  10 bp DNA\n            circular SYN", features="     gene            9..2\n")
    assert (row["features"][0]["spans_origin"], row["notes"]) == (True, [])


def test_the_taxon_is_the_first_source_features_or_none() -> None:
    other = f'     source          6..10\n{Q}/db_xref="taxon:9606"\n'
    row = row_of(features=f'     source          1..5\n{Q}/organism="x"\n{other}')
    assert (row["taxon_id"], row["taxon_ids"]) == (None, [9606])
    row = row_of(features=f'     source          1..5\n{Q}/db_xref="taxon:1"\n{other}')
    assert (row["taxon_id"], row["taxon_ids"]) == (1, [1, 9606])


def test_no_break_spaces_do_not_indent_and_the_reason_is_readable() -> None:
    scanner, rows, _ = scan(record(features="     gene            1..3\n\u00a0\u00a0é gene 1..3\n").encode())
    assert (rows, scanner.quarantine[0][5]) == ([], "not a line of a flat file: \u00a0\u00a0é gene 1..3")
    row = scan(record(features="     g\u00e9ne            1..3\n").encode())[1][0]
    assert noted(row, "a feature key is not plain text: géne")


def test_a_carriage_return_inside_a_line_is_a_blank() -> None:
    lines = f'     gene            1..3\n{Q}/note="one\rtwo"\n{Q}/label="a"\r\r\n     CDS             4..6\n'
    row = row_of(header="COMMENT     x\ry\n", features=lines)
    assert (row["features"][0]["qualifiers"][0]["value"], row["comment"]) == ("one two", "x y")
    assert [f["key"] for f in row["features"]] == ["gene", "CDS"]
    assert sum("carriage return" in note for note in row["notes"]) == 1
    assert row_of(header="COMMENT     x\r\n")["notes"] == []


def test_sub_keywords_in_column_one_belong_to_their_keyword() -> None:
    row = row_of(
        header="SOURCE      x\nORGANISM  Homo sapiens\nREFERENCE   1  (bases 1 to 10)\n"
        "AUTHORS   A.B.\nTITLE     Of it\n            all\nJOURNAL   Unpublished\n"
    )
    assert row["organism"] == "Homo sapiens"
    (reference,) = row["references"]
    assert [reference[name] for name in ("authors", "title", "journal")] == ["A.B.", "Of it all", "Unpublished"]
    assert noted(row, "a sub-keyword begins in column 1: ORGANISM")


def test_text_without_a_column_is_kept_by_its_keyword() -> None:
    row = row_of(
        header="NID         g123\nSITES       1 to 5\n            a site\nMGA         A1-A9\nUNIMARK     x\n"
        "WEIRD       1\n            2\nREFERENCE   1  (sites)\n  AUTHORS   A.B.\n"
        "  STANDARD  full automatic\n  TITLE     T\n",
        features="     gene            1..3\nBASE COUNT        3 a\n",
        tail=origin("acgtacgtac").replace("ORIGIN", "ORIGIN      Chromosome 4."),
    )
    assert [(line["keyword"], line["text"]) for line in row["other_lines"]] == [
        ("NID", "g123"),
        ("SITES", "1 to 5\na site"),
        ("MGA", "A1-A9"),
        ("UNIMARK", "x"),
        ("WEIRD", "1\n2"),
        ("STANDARD", "full automatic"),
        ("BASE COUNT", "3 a"),
        ("ORIGIN", "Chromosome 4."),
    ]
    assert [row["references"][0][name] for name in ("authors", "title")] == ["A.B.", "T"]
    assert noted(row, "keyword not known: WEIRD")
    assert noted(row, "sub-keyword not known: STANDARD")
    assert len(row["notes"]) == 2


def test_residues_without_origin_are_not_features() -> None:
    text = record(features="     gene            1..3\n").replace("ORIGIN\n", "")
    scanner, rows, _ = scan(text)
    assert (rows, scanner.quarantine[0][5][:44]) == ([], "a line of the sequence stands before ORIGIN:")
