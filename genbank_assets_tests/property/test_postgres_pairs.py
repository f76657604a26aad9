"""Lists of key/value pairs as JSON text: whatever the characters, slices and nulls, json reads back what went in."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genbank_assets.postgres.arrays import as_json
from genbank_assets.postgres.jsonpairs import pairs_json
from genbank_assets.schema.tables import OTHER_LINE, QUALIFIER, STRUCTURED_COMMENT

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
ROWS = st.lists(st.lists(st.tuples(TEXT, st.none() | TEXT), max_size=5), max_size=8)


@given(rows=ROWS, start=st.integers(0, 8), length=st.integers(0, 8))
def test_pairs_read_back(rows: list[list[tuple[str, str | None]]], start: int, length: int) -> None:
    values = [[{"key": key, "value": value} for key, value in row] for row in rows]
    array = pa.array(values, pa.list_(QUALIFIER))[min(start, len(rows)) :][:length]
    text = pairs_json(array)
    text.validate(full=True)
    assert [json.loads(row) for row in text.to_pylist()] == [
        [[key, value] for key, value in row] for row in rows[start:][:length]
    ]


@pytest.mark.parametrize(
    "type_", [pa.large_list(QUALIFIER), pa.list_(pa.struct([("key", pa.large_string()), ("value", pa.string())]))]
)
def test_offsets_of_another_width_are_refused_not_misread(type_: pa.DataType) -> None:
    with pytest.raises(TypeError, match="pairs are list<struct"):
        pairs_json(pa.array([[{"key": "gene", "value": "dnaA"}]], type_))


def test_lists_of_other_structs_are_lists_of_their_values() -> None:
    kept = pa.array([[{"keyword": "", "text": 'a "b"'}], None, []], pa.list_(OTHER_LINE))
    assert as_json(kept).to_pylist() == ['[["", "a \\"b\\""]]', None, "[]"]
    comment = [{"name": "N", "items": [{"key": "k", "value": "v"}, {"key": "e", "value": None}]}]
    assert as_json(pa.array([comment], pa.list_(STRUCTURED_COMMENT))).to_pylist() == [
        '[["N", [["k", "v"], ["e", null]]]]'
    ]
