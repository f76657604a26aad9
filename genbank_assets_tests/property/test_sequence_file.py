"""The Parquet file of residues: whatever the chunks, pyarrow and polars read back what was written."""

from __future__ import annotations

import hashlib
import io
import random
import threading
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genbank_assets.errors import IntegrityError
from genbank_assets.schema.tables import CHUNK_SCHEMA, RECORD_SCHEMA, SEQUENCE_SCHEMA
from genbank_assets.tables.residues import MAX_CACHED_GROUPS, ResidueReader
from genbank_assets.tables.sequence_file import SequenceFileWriter
from genbank_assets.tables.table_file import TableFile

CHUNKS = st.tuples(
    st.integers(0, 2**40),
    st.integers(0, 2**31 - 1),
    st.builds(str.__mul__, st.text("ACGTN*-", max_size=20), st.integers(0, 3)),
)
WHOSE = {"collection": "genbank", "section": "pln", "release": "274.0"}
KEYS = pa.schema(
    [RECORD_SCHEMA.field(name) for name in ("record_ordinal", "accession_version", "sequence_sha256", *WHOSE)]
)
BATCHES = st.lists(st.lists(CHUNKS, max_size=300), max_size=4)


def batch_of(rows: list[tuple[int, int, str]], schema: pa.Schema = SEQUENCE_SCHEMA) -> pa.RecordBatch:
    full = [key_of(row[0]) | dict(zip(CHUNK_SCHEMA.names, row, strict=True)) for row in rows]
    return pa.RecordBatch.from_pylist([{name: row[name] for name in schema.names} for row in full], schema=schema)


def key_of(ordinal: int) -> dict[str, Any]:
    """Accession and digest of a record; every third accession is longer."""
    digest = hashlib.sha256(str(ordinal).encode()).digest()
    return {"accession_version": f"{'NZ_' * (ordinal % 3 == 0)}A{ordinal}.1", "sequence_sha256": digest} | WHOSE


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
    ordinal, accession = (SEQUENCE_SCHEMA.get_field_index(name) for name in ("record_ordinal", "accession_version"))

    def bounds(column: int) -> list[tuple[Any, ...]]:
        groups = [metadata.row_group(group).column(column).statistics for group in range(metadata.num_row_groups)]
        return [(found.min, found.max, found.null_count) for found in groups]

    assert bounds(ordinal) == [(5, 9, 0), (11, 11, 0)]
    assert bounds(accession) == [("A5.1", "NZ_A9.1", 0), ("A11.1", "A11.1", 0)]
    assert metadata.num_rows == 4
    codecs = {
        SEQUENCE_SCHEMA.names[i]: metadata.row_group(0).column(i).compression for i in range(len(SEQUENCE_SCHEMA))
    }
    assert codecs.pop("sequence_sha256") == "UNCOMPRESSED"
    assert set(codecs.values()) == {"ZSTD"}


@settings(deadline=None)
@given(
    # records: chunks of each, whether it has a row, and whether the batch of chunks or of rows ends after it
    records=st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.booleans(), st.booleans()), max_size=40),
    ahead=st.integers(0, 3),
)
def test_chunks_get_the_keys_of_their_records_whichever_comes_first(
    records: list[tuple[int, bool, bool, bool]], ahead: int
) -> None:
    """Rows come before their chunks or behind; a record without a row (it was quarantined) is named."""
    chunk_batches: list[list[tuple[int, int, str]]] = [[]]
    row_batches: list[list[dict[str, Any]]] = [[]]
    for ordinal, (chunks, has_row, chunks_end, rows_end) in enumerate(records):
        for number in range(chunks):
            chunk_batches[-1].append((ordinal, number, "ACGT" * (ordinal % 5)))
            if chunks_end:  # also within a record
                chunk_batches.append([])
        if has_row:
            digest = {} if chunks else {"sequence_sha256": None}
            row_batches[-1].append({"record_ordinal": ordinal} | key_of(ordinal) | digest)
        if rows_end:
            row_batches.append([])
    sink = io.BytesIO()
    writer = SequenceFileWriter(sink)
    for rows in row_batches[:ahead]:
        writer.write_keys(pa.RecordBatch.from_pylist(rows, schema=KEYS))
    waiting = row_batches[ahead:]
    for chunk_rows in chunk_batches:
        writer.write_batch(batch_of(chunk_rows, CHUNK_SCHEMA))
        if waiting:
            writer.write_keys(pa.RecordBatch.from_pylist(waiting.pop(0), schema=KEYS))
    for rows in waiting:
        writer.write_keys(pa.RecordBatch.from_pylist(rows, schema=KEYS))
    writer.close()
    sink.seek(0)
    orphans = {ordinal for ordinal, (chunks, has_row, *_) in enumerate(records) if chunks and not has_row}
    assert writer.without_keys == orphans
    read = pq.read_table(sink)
    read.validate(full=True)
    expected = [row for rows in chunk_batches for row in batch_of(rows).to_pylist()]
    if not any(row_batches):  # nothing said whose the file is
        expected = [row | dict.fromkeys(WHOSE, "") for row in expected]
    for row in expected:
        if row["record_ordinal"] in orphans:
            row |= {"accession_version": "", "sequence_sha256": bytes(32)}
    assert read.to_pylist() == expected
    sink.seek(0)
    assert pl.read_parquet(sink).equals(pl.from_arrow(read))
    assert_groups_lie_within_their_file(sink)


def assert_groups_lie_within_their_file(sink: io.BytesIO) -> None:
    """Spark (parquet-java) reads a group with the part of the file that has its middle, reckoned from column 0."""
    metadata = pq.read_metadata(sink)
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        columns = [group.column(i) for i in range(group.num_columns)]
        begin = columns[0].data_page_offset
        assert begin == min(column.data_page_offset for column in columns)
        assert begin + sum(column.total_compressed_size for column in columns) <= len(sink.getvalue())


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


def test_the_bytes_do_not_depend_on_which_thread_is_quicker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys come while a batch is encoded: after its row group looked for them, or before."""
    keys_are_here, group_is_written = threading.Semaphore(0), threading.Semaphore(0)
    encode = SequenceFileWriter.write_batch
    digests = set()
    for first in ("encoder", "keys"):

        def write_batch(self: SequenceFileWriter, *given: Any, first: str = first, **named: Any) -> None:
            assert first == "encoder" or keys_are_here.acquire(timeout=10)
            encode(self, *given, **named)
            group_is_written.release()

        monkeypatch.setattr(SequenceFileWriter, "write_batch", write_batch)
        with TableFile(tmp_path / first, SEQUENCE_SCHEMA) as table:
            for ordinal in range(4):
                table.write(batch_of([(ordinal, 0, "ACGT" * 9)], CHUNK_SCHEMA))
                assert first == "keys" or group_is_written.acquire(timeout=10)
                key = {"record_ordinal": ordinal} | key_of(ordinal)
                table.write_keys(pa.RecordBatch.from_pylist([key], schema=KEYS))
                keys_are_here.release()
        digests.add(table.sha256)
    assert len(digests) == 1


def test_any_part_of_a_record_is_read_from_its_row_groups(tmp_path: Path) -> None:
    """A record of more row groups than are kept in memory, between two others."""
    draw = random.Random(13)
    pieces = ["".join(draw.choices("ACGT", k=7)) for _ in range(MAX_CACHED_GROUPS + 2)]
    groups = [[(6, number, piece)] for number, piece in enumerate(pieces)]
    groups[0].insert(0, (5, 0, "TTTT"))
    groups[-1].append((7, 0, "GGGG"))
    path = tmp_path / "sequences.parquet"
    path.write_bytes(file_of([batch_of(rows) for rows in groups]).getvalue())
    whole = "".join(pieces)
    reader = ResidueReader(path)
    for start, end in [(1, len(whole)), (8, 8), (7, 8), (15, 21), (14, 36), (50, len(whole)), (1, 3)]:
        residues = whole[start - 1 : end]
        assert b"".join(reader.part(6, start=start, end=end, reverse=False)).decode() == residues
        reverse = b"".join(reader.part(6, start=start, end=end, reverse=True)).decode()
        assert reverse == residues.translate(str.maketrans("ACGT", "TGCA"))[::-1]
    assert [len(piece) for piece in reader.part(6, start=6, end=16, reverse=False)] == [2, 7, 2]
    assert b"".join(reader.part(5, start=1, end=4, reverse=False)) == b"TTTT"
    assert b"".join(reader.part(7, start=2, end=3, reverse=False)) == b"GG"
    for ordinal, end in ((6, len(whole) + 1), (7, 5), (8, 1)):
        with pytest.raises(IntegrityError, match="are not all in its table"):
            list(reader.part(ordinal, start=1, end=end, reverse=False))
    reader.close()
