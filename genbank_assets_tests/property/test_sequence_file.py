"""The Parquet file of residues: whatever the chunks, pyarrow and polars read back what was written."""

from __future__ import annotations

import io
import random

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genbank_assets.tables.schema import SEQUENCE_SCHEMA
from genbank_assets.tables.sequence_file import SequenceFileWriter

CHUNKS = st.tuples(
    st.integers(0, 2**40),
    st.integers(0, 2**31 - 1),
    st.builds(str.__mul__, st.text("ACGTN*-", max_size=20), st.integers(0, 3)),
)
BATCHES = st.lists(st.lists(CHUNKS, max_size=300), max_size=4)


def batch_of(rows: list[tuple[int, int, str]]) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    return pa.RecordBatch.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, SEQUENCE_SCHEMA, strict=True)],
        schema=SEQUENCE_SCHEMA,
    )


def file_of(batches: list[pa.RecordBatch]) -> io.BytesIO:
    sink = io.BytesIO()
    writer = SequenceFileWriter(sink)
    for batch in batches:
        writer.write_batch(batch)
    writer.close()
    sink.seek(0)
    return sink


@settings(deadline=None)
@given(batches=BATCHES, cut=st.integers(0, 5))
def test_chunks_read_back(batches: list[list[tuple[int, int, str]]], cut: int) -> None:
    written = [batch_of(rows)[cut:] for rows in batches]  # a slice has offsets that do not begin at nought
    expected = pa.Table.from_batches(written, SEQUENCE_SCHEMA)
    sink = file_of(written)
    read = pq.read_table(sink)
    read.validate(full=True)
    assert read.equals(expected)
    assert read.schema.equals(SEQUENCE_SCHEMA)
    sink.seek(0)
    assert pl.read_parquet(sink).equals(pl.from_arrow(expected))


@settings(deadline=None)
@given(count=st.sampled_from([1, 2, 32, 33, 128, 129, 130, 160, 161, 256, 257, 258, 4097]), longest=st.integers(0, 600))
def test_lengths_read_back_at_the_edges_of_blocks(count: int, longest: int) -> None:
    rows = [(i, 0, "A" * (i * 7919 % (longest + 1))) for i in range(count)]
    sink = file_of([batch_of(rows)])
    assert pq.read_table(sink)["residues"].to_pylist() == [residues for *_, residues in rows]
    sink.seek(0)
    assert pl.read_parquet(sink)["residues"].to_list() == [residues for *_, residues in rows]


def test_a_row_group_says_which_records_it_holds() -> None:
    sink = file_of([batch_of([(5, 0, "AC"), (5, 1, "GT"), (9, 0, "A")]), batch_of([(11, 0, "T")])])
    metadata = pq.read_metadata(sink)
    bounds = [metadata.row_group(group).column(0).statistics for group in range(metadata.num_row_groups)]
    assert [(found.min, found.max, found.null_count) for found in bounds] == [(5, 9, 0), (11, 11, 0)]
    assert metadata.num_rows == 4
    assert {metadata.row_group(0).column(i).compression for i in range(3)} == {"ZSTD"}


def test_near_identical_genomes_shrink_to_a_fraction_and_others_to_two_bits() -> None:
    draw = random.Random(1)
    strangers = [(i, 0, "".join(draw.choices("ACGT", k=20_000))) for i in range(60)]
    alike = [
        (i, 0, letters[: i * 50] + "N" + letters[i * 50 + 1 :]) for i in range(60) for letters in [strangers[0][2]]
    ]
    assert len(file_of([batch_of(strangers)]).getvalue()) < 0.26 * 60 * 20_000
    assert len(file_of([batch_of(alike)]).getvalue()) < 0.02 * 60 * 20_000


def test_a_batch_of_another_table_is_refused() -> None:
    other = pa.RecordBatch.from_pydict({"record_ordinal": [1]})
    with pytest.raises(ValueError, match="not a batch of sequence chunks"):
        SequenceFileWriter(io.BytesIO()).write_batch(other)
