"""Values come back as they were, or with a note: rendered by NCBI's rules, by Biopython's writer, or cut anywhere.

What is left silent is what docs/reader.md lists: NCBI's own writer breaks `a- b` and `a-b` alike.
"""

from __future__ import annotations

import io
import warnings
from itertools import pairwise

from Bio import SeqIO
from Bio.Seq import Seq
from Bio.SeqFeature import Reference, SeqFeature, SimpleLocation
from Bio.SeqRecord import SeqRecord
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from genbank_assets_tests.flatfiles import origin, record, scan
from genbank_assets_tests.property.test_flatfile_properties import wrapped

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
SHORT = st.text(LETTERS + ",-().'/=:\"é", min_size=1, max_size=12)
LONG = st.text(LETTERS + ',-:|()/"', min_size=40, max_size=130)
VALUE = st.lists(st.one_of(SHORT, SHORT, SHORT, LONG), min_size=1, max_size=14).map(" ".join)
QUALIFIERS = st.lists(
    st.tuples(st.sampled_from(["note", "product", "label", "function"]), VALUE), min_size=1, max_size=4
)
# Tabs, several blanks, slashes where a line may be cut.
GAP = st.sampled_from([" "] * 8 + ["  ", "   ", "\t", " \t", " /", "=", "; ", ". "])
MESSY = st.lists(st.tuples(st.one_of(SHORT, SHORT, SHORT, LONG), GAP), min_size=1, max_size=14).map(
    lambda pieces: "".join(word + gap for word, gap in pieces).strip()
)
MESSY_QUALIFIERS = st.lists(
    st.tuples(st.sampled_from(["note", "product", "label", "function"]), MESSY), min_size=1, max_size=3
)
NCBI_ORIGIN = origin("acgtacgtac").replace("ORIGIN\n", "ORIGIN      \n")
GUESS = "a guess: "


def features(values: list[tuple[str, list[str]]]) -> str:
    lines = ["     CDS             1..2"]
    for _, physical in values:
        lines += [f"{'':21}{line}" for line in physical]
    return "\n".join(lines) + "\n     gene            3..4\n"


def check(text: str, expected: list[tuple[str, str]]) -> None:
    """Every value as it was, or a note; the next feature is never lost."""
    scanner, rows, _ = scan(text.encode())
    assert not scanner.quarantine, scanner.quarantine
    (row,) = rows
    assert [f["key"] for f in row["features"]][-1] == "gene"
    found = [(q["key"], q["value"]) for q in row["features"][0]["qualifiers"]]
    assert found == expected or row["notes"], (found, expected)


def doubled(value: str) -> str:
    return value.replace('"', '""')


@given(qualifiers=QUALIFIERS, padded=st.booleans())
@settings(max_examples=80, deadline=None)
def test_values_by_ncbis_rules(qualifiers: list[tuple[str, str]], padded: bool) -> None:
    values = [(key, wrapped(f'/{key}="{doubled(value)}"')) for key, value in qualifiers]
    for _, lines in values:
        for line in lines[:-1]:
            # the one thing NCBI's own lines do not tell: whether a space followed a comma or hyphen
            assume(" " in line or line[-1] not in ",-")
    tail = NCBI_ORIGIN if padded else None
    check(record(features=features(values), tail=tail), qualifiers)


@given(qualifiers=QUALIFIERS, title=VALUE, definition=VALUE, topology=st.sampled_from(["linear", "circular"]))
@settings(max_examples=80, deadline=None)
def test_values_by_biopythons_writer(
    qualifiers: list[tuple[str, str]], title: str, definition: str, topology: str
) -> None:
    reference = Reference()
    reference.title = title
    first = SeqFeature(SimpleLocation(0, 2, 1), type="CDS")
    for key, value in qualifiers:
        first.qualifiers.setdefault(key, []).append(value)
    again = [(key, value) for key, values in first.qualifiers.items() for value in values]
    theirs = SeqRecord(
        Seq("acgtacgtac"),
        id="AB000001.1",
        name="AB000001",
        description=definition,
        features=[first, SeqFeature(SimpleLocation(2, 4, 1), type="gene")],
        annotations={"molecule_type": "DNA", "topology": topology, "references": [reference]},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = theirs.format("genbank")
    check(text, again)
    row = scan(text.encode())[1][0]
    header = (row["definition"], row["references"][0]["title"])
    assert header == (definition, title) or row["notes"]


@given(qualifiers=MESSY_QUALIFIERS, width=st.integers(25, 120), padded=st.booleans(), blanks=st.booleans())
@settings(max_examples=200, deadline=None)
def test_values_by_a_writer_that_cuts_at_one_column(
    qualifiers: list[tuple[str, str]], width: int, padded: bool, blanks: bool
) -> None:
    values = []
    for key, value in qualifiers:
        text = f'/{key}="{doubled(value)}"'
        lines = [text[at : at + width] for at in range(0, len(text), width)]
        assume(not any(line.startswith('"') for line in lines[1:] if len(line) == 1))
        # several blanks lost at once make lines of as many lengths as words do
        assume(blanks or all(lost_blanks(a, b) < 2 for a, b in pairwise(lines)))
        # of NCBI's own writer, whose mark the padded ORIGIN is, lines end early behind sentences
        assume(not (padded or len(qualifiers) > 1) or not ends_sentences(lines))
        values.append((key, lines if blanks else [line.strip() for line in lines]))
    check(record(features=features(values), tail=NCBI_ORIGIN if padded else None), qualifiers)


@given(value=MESSY, cuts=st.lists(st.integers(1, 200), min_size=1, max_size=5, unique=True))
@settings(max_examples=200, deadline=None)
def test_values_by_a_writer_that_cuts_anywhere(value: str, cuts: list[int]) -> None:
    text = f'/note="{doubled(value)}"'
    places = [0, *sorted(cut for cut in cuts if 10 < cut < len(text)), len(text)]
    lines = [text[a:b].strip() for a, b in pairwise(places)]
    assume(all(lines) and lines[-1] != '"')
    # cuts behind which the next words did not fit either are what a writer of whole words makes
    assume(len(lines) < 3 or not all(looks_wrapped(a, b) for a, b in pairwise(lines)))
    check(record(features=features([("note", lines)])), [("note", value)])


def lost_blanks(line: str, following: str) -> int:
    return len(line) - len(line.rstrip()) + len(following) - len(following.lstrip())


def ends_sentences(lines: list[str]) -> bool:
    """Whether all cuts are behind periods or semicolons."""
    return len(lines) > 1 and all(line.rstrip()[-1:] in {".", ";"} for line in lines[:-1])


def looks_wrapped(line: str, following: str) -> bool:
    following_word = following.split(" ")[0]
    return len(line) <= 59 < len(line) + 1 + len(following_word) + 2 or line[-1] in ".;"


def test_a_guess_is_reported_once_with_the_first_value() -> None:
    cut = "x" * 60
    lines = [("note", wrapped(f'/note="{cut}y"')), ("product", wrapped(f'/product="{cut}z"'))]
    _, (row,), _ = scan(record(features=features(lines)))
    assert row["notes"] == ["a guess: full lines were cut inside a word, no space was put there, first in /note"]


def test_a_wrapped_header_confirms_breaks_in_values() -> None:
    header = (
        "REFERENCE   1\n  AUTHORS   Squillace,R.M., Chenault,D.M., Wang,E.H., Another,A.B. and\n            Last,C.D.\n"
        "  TITLE     Inhibition of myogenesis by the novel Muscleblind-related protein\n            CHCR\n"
    )
    by_hand = (
        '     CDS             1..3\n                     /note="CCG1 required\n                     on BAC clone"\n'
    )
    assert scan(record(header=header, features=by_hand))[1][0]["notes"] == []
    assert GUESS in scan(record(features=by_hand))[1][0]["notes"][0]


def test_a_cut_behind_a_period_is_noted_but_of_ncbis_writer() -> None:
    cut = '     CDS             1..2\n                     /note="version 1.\n                     2 of it"\n'
    _, (row,), _ = scan(record(features=cut))
    assert row["features"][0]["qualifiers"][0]["value"] == "version 1. 2 of it"
    assert row["notes"] == [
        "a guess: a space was put behind a period or semicolon that ends a line early, first in /note"
    ]
    assert scan(record(features=cut, tail=NCBI_ORIGIN))[1][0]["notes"] == []


def test_blanks_and_tabs_that_a_cut_swallows_are_noted() -> None:
    said = "a guess: a tab or several blanks at a line's end were read as one space, first in /note"
    for end, begin in ((" ", " "), ("\t", ""), ("", "\t"), ("", "  ")):
        lines = f'     CDS             1..2\n{"":21}/note="some more words{end}\n{"":21}{begin}and others"\n'
        _, (row,), _ = scan(record(features=lines, tail=NCBI_ORIGIN))
        assert row["features"][0]["qualifiers"][0]["value"] == "some more words and others"
        assert said in row["notes"], (end, begin)


def test_a_line_that_no_wrapping_writer_leaves_makes_breaks_that_fit_a_guess() -> None:
    long_line = f'     CDS             1..2\n{"":21}/note="{"ab " * 11}cd\n{"":21}{"w" * 30} {"x" * 40}"\n'
    assert "cut inside a word" in scan(record(features=long_line, tail=NCBI_ORIGIN))[1][0]["notes"][0]


def test_biopythons_full_column_is_read_as_it_was_written() -> None:
    values = ["a-b_" * 40, "https://example.org/" + "path-of/" * 20, "short then " + "w" * 150]
    first = SeqFeature(SimpleLocation(0, 2, 1), type="CDS", qualifiers={"note": values})
    theirs = SeqRecord(Seq("acgt"), id="A.1", name="A", features=[first], annotations={"molecule_type": "DNA"})
    handle = io.StringIO()
    SeqIO.write(theirs, handle, "genbank")
    _, (row,), _ = scan(handle.getvalue())
    assert [q["value"] for q in row["features"][0]["qualifiers"]] == values
