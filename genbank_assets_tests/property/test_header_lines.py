"""First lines of FASTA, made natively, against the same in Python's words."""

from __future__ import annotations

import itertools
import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genbank_assets.extract.headers import Header
from genbank_assets.tables.header_text import header_lines

# What Unicode calls white space; Python's \s also has the four separators U+001C to U+001F.
SPACE = "[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
CONTROL = "[\x00-\x1f\x7f]+"
TEXT = st.text(
    st.sampled_from("aB1 _\t\n\r\x00\x01\x1c\x7f\x85\xa0é\u1680\u2003\u2028\u202f\u205f\u3000\u3001漢😀"), max_size=8
)


def expected(word: str, definition: str | None, also: str | None) -> bytes:
    line = f"{re.sub(f'{SPACE}+', '_', word)} x {definition or ''}."
    if also is not None:
        line += f" {also}"
    return f">{re.sub(f'{SPACE}+$', '', re.sub(CONTROL, ' ', line))}\n".encode()


@given(st.lists(st.tuples(TEXT, st.none() | TEXT, st.none() | TEXT), max_size=5), st.booleans())
def test_lines_match_their_template(rows: list[tuple[str, str | None, str | None]], wide: bool) -> None:
    kind = pa.large_string() if wide else pa.string()
    word, definition, also = (pa.array([row[n] for row in [("?", "?", "?"), *rows]], kind).slice(1) for n in range(3))
    header = Header("x {text}.", fields=["text"])
    text, at = header.join(lambda name: definition, word=[word], last=also)
    lines = [bytes(text[first:last]) for first, last in itertools.pairwise(at)]
    assert lines == [expected(*row) for row in rows]


def test_numbers_are_text_and_an_empty_template_leaves_the_first_word() -> None:
    names, taxa = pa.array(["A B.1", ""]), pa.array([9606, None])
    text, at = Header("", fields=[]).join(lambda name: taxa, word=[names, b"|t|", taxa])
    assert (bytes(text[: at[-1]]), at.tolist()) == (b">A_B.1|t|9606\n>|t|\n", [0, 14, 19])
    text, at = Header("{n}", fields=["n"]).join(lambda name: taxa, word=[names])
    assert bytes(text[: at[-1]]) == b">A_B.1 9606\n>\n"


def test_places_outside_of_a_buffer_are_refused() -> None:
    import numpy as np

    with pytest.raises(IndexError):
        header_lines([(b"abc", np.array([0, 4]))], rows=1, words=1)
    with pytest.raises(IndexError):
        header_lines([(b"abc", np.array([2, 1]))], rows=1, words=1)
