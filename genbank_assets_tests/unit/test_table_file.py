"""A table file: its digest is of the bytes on disk, and an encoder's error reaches whoever writes."""

from __future__ import annotations

import gc
import hashlib
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genbank_assets.schema.tables import RECORD_SCHEMA, SEQUENCE_SCHEMA
from genbank_assets.tables.table_file import TableFile


def chunk(ordinal: int, residues: str) -> pa.RecordBatch:
    row = {"record_ordinal": ordinal, "chunk_ordinal": 0, "residues": residues}
    key = {"accession_version": f"A{ordinal}.1", "sequence_sha256": bytes(32)} | dict.fromkeys(
        ("collection", "section", "release"), ""
    )
    return pa.RecordBatch.from_pylist([row | key], schema=SEQUENCE_SCHEMA)


def test_size_and_digest_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    with TableFile(path, SEQUENCE_SCHEMA) as table:
        for ordinal in range(20):
            table.write(chunk(ordinal, "ACGT" * ordinal))
    content = path.read_bytes()
    assert (table.bytes, table.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert pq.read_metadata(path).num_rows == 20


def test_an_error_of_the_encoder_is_raised_to_the_writer(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a batch"), TableFile(tmp_path / "x.parquet", SEQUENCE_SCHEMA) as table:
        table.write(pa.RecordBatch.from_pydict({"a": [1]}))


@pytest.mark.parametrize("schema", [RECORD_SCHEMA, SEQUENCE_SCHEMA], ids=["records", "sequences"])
def test_a_table_given_up_leaves_neither_thread_nor_file_open(tmp_path: Path, schema: pa.Schema) -> None:
    before = threading.active_count()

    def give_up() -> None:
        with TableFile(tmp_path / "x.parquet", schema):
            raise KeyError

    with pytest.raises(KeyError):
        give_up()
    gc.collect()  # a writer that was never closed complains when it goes
    assert threading.active_count() == before
    assert str(tmp_path / "x.parquet") not in {str(p.resolve()) for p in Path("/proc/self/fd").iterdir()}


FULL = """
import resource, sys
from pathlib import Path
import pyarrow as pa
from genbank_assets.schema.tables import RECORD_SCHEMA
from genbank_assets.tables.table_file import TableFile
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
text = "".join(f"{number} " for number in range(50_000))
values = {"string": "x", "int64": 1, "int32": 1, "fixed_size_binary[32]": bytes(32)}
needed = {f.name: values[str(f.type)] for f in RECORD_SCHEMA if not f.nullable and not pa.types.is_list(f.type)}
needed |= {f.name: [] for f in RECORD_SCHEMA if not f.nullable and pa.types.is_list(f.type)}
try:
    with TableFile(Path(sys.argv[1]), RECORD_SCHEMA) as table:
        for number in range(8):
            table.write(pa.RecordBatch.from_pylist([{**needed, "comment": f"{number} {text}"}], schema=RECORD_SCHEMA))
except OSError as error:
    print(error.strerror)
"""


def test_a_batch_that_cannot_be_encoded_ends_nothing_but_the_file(tmp_path: Path) -> None:
    """Not the process either: what pyarrow has buffered must not be written when the interpreter is half gone."""
    program = FULL.replace("**needed, ", "").replace("except OSError as error", "except pa.ArrowInvalid as error")
    command = [sys.executable, "-c", program.replace("error.strerror", "error"), str(tmp_path / "x.parquet"), "-1"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "non-nullable" in found.stdout
    assert found.stderr == ""


@pytest.mark.parametrize("room_bytes", [0, 100_000, 300_000])
def test_a_full_disk_is_reported_once(tmp_path: Path, room_bytes: int) -> None:
    """And not once more when buffers go."""
    command = [sys.executable, "-c", FULL, str(tmp_path / "x.parquet"), str(room_bytes)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (found.stdout, found.stderr) == ("File too large\n", "")


def test_booleans_are_plain_for_readers_that_know_nothing_else(tmp_path: Path) -> None:
    """Polars before 1.0 reads no packed booleans below lists."""
    empty = {f.name: [] if pa.types.is_list(f.type) else None for f in RECORD_SCHEMA}
    values = {"string": "", "int64": 0, "fixed_size_binary[32]": bytes(32)}
    needed = {f.name: values[str(f.type)] for f in RECORD_SCHEMA if not f.nullable and not pa.types.is_list(f.type)}
    flags = {"partial_start": True, "partial_end": False}
    feature = {"key": "gene", "spans_origin": True, "spans": [flags], "qualifiers": [], **flags}
    path = tmp_path / "x.parquet"
    with TableFile(path, RECORD_SCHEMA) as table:
        table.write(pa.RecordBatch.from_pylist([empty | needed | {"features": [feature]}], schema=RECORD_SCHEMA))
    group = pq.read_metadata(path).row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    booleans = {column.path_in_schema: set(column.encodings) for column in columns if column.physical_type == "BOOLEAN"}
    assert len(booleans) == 5
    assert all("PLAIN" in encodings for encodings in booleans.values())  # RLE is of the levels
    assert pq.read_table(path)["features"].to_pylist()[0][0]["spans"][0]["partial_start"] is True
