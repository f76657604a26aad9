"""Locations and qualifiers: the grammar of the feature table, and values un-wrapped as they were wrapped."""

from __future__ import annotations

import time

import pytest

from genbank_assets_tests.flatfiles import feature

Span = tuple[int | None, int | None, int, bool, bool, str | None, str]


def spans(found: dict) -> list[Span]:
    return [
        (s["start"], s["end"], s["strand"], s["partial_start"], s["partial_end"], s["accession"], s["kind"])
        for s in found["spans"]
    ]


@pytest.mark.parametrize(
    ("location", "operator", "expected"),
    [
        ("5", None, [(5, 5, 1, False, False, None, "base")]),
        ("5..60", None, [(5, 60, 1, False, False, None, "range")]),
        ("<5..>60", None, [(5, 60, 1, True, True, None, "range")]),
        ("5^6", None, [(5, 6, 1, False, False, None, "between")]),
        ("102.110", None, [(102, 110, 1, False, False, None, "within")]),
        ("(102.110)..200", None, [(102, 200, 1, False, False, None, "within")]),
        ("one-of(1,5)..10", None, [(1, 10, 1, False, False, None, "within")]),
        ("J00194.1:100..202", None, [(100, 202, 1, False, False, "J00194.1", "range")]),
        ("complement(34..126)", None, [(34, 126, -1, False, False, None, "range")]),
        (
            "complement(join(1..3,7..9))",
            "join",
            [(7, 9, -1, False, False, None, "range"), (1, 3, -1, False, False, None, "range")],
        ),
        (
            "join(complement(7..9),1..3)",
            "join",
            [(7, 9, -1, False, False, None, "range"), (1, 3, 1, False, False, None, "range")],
        ),
        (
            "order(1..2,5..6,)",
            "order",
            [(1, 2, 1, False, False, None, "range"), (5, 6, 1, False, False, None, "range")],
        ),
        ("bond(10,20)", "bond", [(10, 10, 1, False, False, None, "base"), (20, 20, 1, False, False, None, "base")]),
        (
            "one-of(1..3,5..9)",
            "one-of",
            [(1, 3, 1, False, False, None, "range"), (5, 9, 1, False, False, None, "range")],
        ),
        (
            "join(NC_1.1:1..5,gap(unk100),7..9)",
            "join",
            [
                (1, 5, 1, False, False, "NC_1.1", "range"),
                (None, None, 1, False, False, None, "gap"),
                (7, 9, 1, False, False, None, "range"),
            ],
        ),
        ("order(join(1..2,4..5),9)", "order", [
            (1, 2, 1, False, False, None, "range"), (4, 5, 1, False, False, None, "range"),
            (9, 9, 1, False, False, None, "base"),
        ]),
    ],
)  # fmt: skip
def test_locations(location: str, operator: str | None, expected: list[Span]) -> None:
    found = feature(f"     CDS             {location}\n")
    assert found["location"] == location
    assert found["operator"] == operator
    assert spans(found) == expected


@pytest.mark.parametrize("location", ["5>..12", "join(1..2", "complement()", "abc", "1..2)", "(" * 100 + "1", "join()"])
def test_a_location_beyond_the_grammar_is_kept_as_text(location: str) -> None:
    found = feature(f"     CDS             {location}\n")
    assert (found["location"], found["spans"], found["start"]) == (location, [], None)


@pytest.mark.parametrize("location", ["join(6801..7000,1..100)", "6801..100", "complement(join(6801..7000,1..100))"])
def test_a_location_across_the_origin_of_a_circle_is_marked(location: str) -> None:
    line = f"     CDS             {location}\n"
    assert feature(line, topology="circular")["spans_origin"] is True
    assert feature(line)["spans_origin"] is False


def test_a_span_over_the_origin_beside_others_gives_the_feature_both_ends() -> None:
    found = feature("     CDS             join(<5400..5600,5700..6100,6801..100)\n", topology="circular")
    assert (found["start"], found["end"], found["partial_start"], found["spans_origin"]) == (1, 7000, False, True)
    alone = feature("     CDS             6801..100\n", topology="circular")
    assert (alone["start"], alone["end"]) == (6801, 100)


def test_a_location_may_run_over_lines() -> None:
    found = feature('     CDS             join(1..2,\n                     4..5)\n                     /gene="x"\n')
    assert found["location"] == "join(1..2,4..5)"


def value(*lines: str) -> str | None:
    """The value of the one qualifier these lines (from column 22 on) hold."""
    body = "".join(f"                     {line}\n" for line in lines)
    return feature(f"     CDS             1..2\n{body}")["qualifiers"][0]["value"]


WIDE = "x" * 52


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (('/note="two words', 'and more"'), "two words and more"),
        (('/note="short', 'averyveryveryveryveryveryveryveryveryveryverylongword0123"'),
         "short averyveryveryveryveryveryveryveryveryveryverylongword0123"),
        ((f'/note="{WIDE}', 'yyy"'), f"{WIDE}yyy"),
        ((f'/note="{"a,"* 25}', f'{"b" * 20},c"'), "a," * 25 + "b" * 20 + ",c"),
        (('/translation="MKV', 'LLA"'), "MKVLLA"),
        (("/transl_except=(pos:1..3,", "aa:Met)"), "(pos:1..3,aa:Met)"),
        (('/note="he said ""yes"""',), 'he said "yes"'),
        (('/note="a line', '/begins=so"'), "a line /begins=so"),
        (('/note="see <a href="x">y</a> there', 'it is"'), 'see <a href="x">y</a> there it is'),
        (('/note=""',), ""),
        (("/pseudo",), None),
        (("/codon_start=1",), "1"),
        (('/note="no end',), "no end"),
    ],
)  # fmt: skip
def test_values_are_unwrapped_as_the_writer_wrapped_them(lines: tuple[str, ...], expected: str | None) -> None:
    assert value(*lines) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        # A full line with a hyphen or comma was broken at a space: else it would have been broken after that.
        (('/product="UDP-N-acetylmuramoyl-tripeptide--D-alanyl-D-alan', 'ligase"'),
         "UDP-N-acetylmuramoyl-tripeptide--D-alanyl-D-alan ligase"),
        (("/note=\"identical to 6-phospho-beta-glucosidases-of-the-", 'and more"'),
         "identical to 6-phospho-beta-glucosidases-of-the- and more"),
        # One without was broken inside a word.
        (('/experiment="EXISTENCE:PMID:9359887|PMID:9802895|PMID:1557', '4330|PMID:11739778"'),
         "EXISTENCE:PMID:9359887|PMID:9802895|PMID:15574330|PMID:11739778"),
        # After a comma: locants of a chemical name, a list without spaces, a sentence, a list with spaces.
        (('/product="UDP-N-acetylmuramoylalanyl-D-glutamate--2,', '6-diaminopimelate ligase (EC 6.3.2.13) murE"'),
         "UDP-N-acetylmuramoylalanyl-D-glutamate--2,6-diaminopimelate ligase (EC 6.3.2.13) murE"),
        (('/note="first:entry:of:a:list,second:entry:of:a:list,', 'third:entry:of:a:list"'),
         "first:entry:of:a:list,second:entry:of:a:list,third:entry:of:a:list"),
        (('/product="aminomethyltransferase,', 'tetrahydrofolate-dependent, subunit (T protein) of glycine"'),
         "aminomethyltransferase, tetrahydrofolate-dependent, subunit (T protein) of glycine"),
        (('/note="ranges:(query:129190..129324,', 'target:SPTREMBL::O97755:55..11, score:130)"'),
         "ranges:(query:129190..129324, target:SPTREMBL::O97755:55..11, score:130)"),
        # Locations never have spaces.
        (('/coded_by="join(complement(NC_000932.1:69611..69724),', 'NC_000932.1:139856..140087)"'),
         "join(complement(NC_000932.1:69611..69724),NC_000932.1:139856..140087)"),
        (("/note=", "text"), " text"),
    ],
)  # fmt: skip
def test_lines_without_blanks_are_joined_with_a_space_only_where_one_was(lines: tuple[str, ...], expected: str) -> None:
    assert value(*lines) == expected


def test_a_key_of_several_words_ends_before_its_location() -> None:
    found = feature("     DNA binding domain      2344..2532\n")
    assert (found["key"], found["location"]) == ("DNA binding domain", "2344..2532")


def test_qualifiers_keep_their_order_and_repeats() -> None:
    found = feature(
        "     CDS             1..2\n"
        '                     /db_xref="A:1"\n                     /gene="x"\n                     /db_xref="B:2"\n'
    )
    assert [(q["key"], q["value"]) for q in found["qualifiers"]] == [
        ("db_xref", "A:1"),
        ("gene", "x"),
        ("db_xref", "B:2"),
    ]


def test_all_taxa_of_a_chimera_are_kept() -> None:
    from genbank_assets_tests.flatfiles import record, scan

    lines = "".join(
        f'     source          {place}\n                     /db_xref="taxon:{taxon}"\n'
        for place, taxon in (("1..4", 9606), ("5..8", 10090), ("9..10", 9606))
    )
    _, rows, _ = scan(record(features=lines))
    assert (rows[0]["taxon_id"], rows[0]["taxon_ids"]) == (9606, [9606, 10090])


def test_a_record_of_thousands_of_taxa_takes_no_minutes() -> None:
    from genbank_assets_tests.flatfiles import record, scan

    taxa = [*range(1, 100_001), *range(1, 100_001)]
    lines = "".join(f'     source          1..4\n                     /db_xref="taxon:{taxon}"\n' for taxon in taxa)
    started = time.process_time()
    _, rows, _ = scan(record(features=lines))
    assert rows[0]["taxon_ids"] == taxa[:100_000]
    assert time.process_time() - started < 10
