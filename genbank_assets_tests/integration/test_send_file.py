"""Sequences of one table on their way to a real store: what is wanted and not there stops the publication."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import obstore
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genbank_assets.errors import IntegrityError
from genbank_assets.objects import packs, read, send_file
from genbank_assets.objects.requests import Outgoing, Stored
from genbank_assets.objects.send_file import WANTED, FileSender
from genbank_assets.objects.store import open_objects
from genbank_assets.objects.upload import Uploader
from genbank_assets.schema.tables import SEQUENCE_SCHEMA
from genbank_assets.settings import Settings
from genbank_assets.tables.table_file import TableFile

RESIDUES = {0: "ACGT" * 30, 2: "GATTACA" * 9, 5: "TTAGGG" * 20}


def digest(ordinal: int) -> bytes:
    return hashlib.sha256(RESIDUES[ordinal].encode()).digest()


def table(path: Path, ordinals: list[int]) -> Path:
    rows = [
        {
            "record_ordinal": ordinal, "chunk_ordinal": 0, "accession_version": f"A{ordinal}.1",
            "sequence_sha256": digest(ordinal), "collection": "genbank", "section": "phg", "release": "1.0",
            "residues": RESIDUES[ordinal],
        }
        for ordinal in ordinals
    ]  # fmt: skip
    with TableFile(path, SEQUENCE_SCHEMA) as written:
        written.write(pa.RecordBatch.from_pylist(rows, schema=SEQUENCE_SCHEMA))
    return path


@pytest.mark.parametrize("packing", [True, False])
@pytest.mark.parametrize("missing", [0, 2, 5])
def test_a_wanted_sequence_that_the_table_lacks_stops_the_publication(
    settings: Settings, tmp_path: Path, missing: int, *, packing: bool
) -> None:
    path = table(tmp_path / "sequences.parquet", [ordinal for ordinal in RESIDUES if ordinal != missing])
    wanted = pl.DataFrame(
        [(ordinal, digest(ordinal), "nucleotide", len(text), False) for ordinal, text in RESIDUES.items()],
        schema=WANTED,
        orient="row",
    )
    store = open_objects(dataclasses.replace(settings, objects=(tmp_path / "set").as_uri()), retries=0)
    uploader = Uploader(store, retrying_store=store, concurrency=2)
    with pytest.raises(IntegrityError, match="holds 2 of 3 sequences that are to be sent"):
        FileSender(uploader, packing=packing, refget=False).send(path, wanted)


@pytest.mark.parametrize("there", [b"TATTACA" * 9, b"GATTACA" * 8, None], ids=["other bytes", "cut off", "none"])
@pytest.mark.parametrize("is_long", [False, True])
def test_what_is_there_is_believed_by_its_digest_alone(
    settings: Settings, tmp_path: Path, there: bytes | None, *, is_long: bool
) -> None:
    store = open_objects(dataclasses.replace(settings, objects=(tmp_path / "set").as_uri()), retries=0)
    residues, key = RESIDUES[2].encode(), "nucleotide/ab/any"
    if there is not None:
        obstore.put(store, key, there)
    for found in (0, 1):  # it is sent, then found
        uploader = Uploader(store, retrying_store=store, concurrency=2)
        stored: list[Stored] = []
        if is_long:
            pieces = iter([residues[:30], residues[30:]])
            stored.append(uploader.send_long(key, pieces, length=len(residues), sha256=digest(2)))
        else:
            uploader.send_all(iter([Outgoing(key, residues, digest(2), stored.append)]))
        assert (uploader.counts.put, uploader.counts.found, stored[0].bytes) == (1 - found, found, len(residues))
        assert bytes(obstore.get(store, key).bytes()) == residues


@pytest.mark.parametrize("packing", [True, False])
def test_many_batches_groups_and_packs_leave_one_row_a_sequence(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, packing: bool
) -> None:
    """Row groups with nothing wanted, sequences of several chunks, digests of what is in the set already."""
    monkeypatch.setattr(send_file, "BATCH_ROWS", 2)
    monkeypatch.setattr(send_file, "PACK_BYTES", 40)
    monkeypatch.setattr(send_file, "MAX_PACKED_RESIDUES", 100)
    monkeypatch.setattr(packs, "_COMPRESS_AT_ONCE_RESIDUES", 50)
    residues = {ordinal: f"{'ACGT' * ordinal}{ordinal:b}".replace("0", "A").replace("1", "C") for ordinal in range(40)}
    is_wanted = {ordinal for ordinal in residues if ordinal % 3 and not 10 <= ordinal < 20}
    is_in_set = {ordinal for ordinal in is_wanted if ordinal % 4 == 1}
    path = tmp_path / "sequences.parquet"
    schema = pa.schema([SEQUENCE_SCHEMA.field(name) for name in ("record_ordinal", "chunk_ordinal", "residues")])
    with pq.ParquetWriter(path, schema) as writer:
        for group in range(0, 40, 5):
            rows = [
                {"record_ordinal": ordinal, "chunk_ordinal": number, "residues": residues[ordinal][at : at + 120]}
                for ordinal in range(group, group + 5)
                for number, at in enumerate(range(0, len(residues[ordinal]), 120))
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    digests = {ordinal: hashlib.sha256(text.encode()).digest() for ordinal, text in residues.items()}
    rows = [(n, digests[n], "nucleotide", len(residues[n]), n in is_in_set) for n in sorted(is_wanted, reverse=True)]
    store = open_objects(dataclasses.replace(settings, objects=(tmp_path / "set").as_uri()), retries=0)
    uploader = Uploader(store, retrying_store=store, concurrency=2)
    sent = FileSender(uploader, packing=packing, refget=True).send(
        path, pl.DataFrame(rows, schema=WANTED, orient="row")
    )
    found = {row["sequence_sha256"]: row for row in sent.iter_rows(named=True)}
    assert len(found) == len(sent) == len(is_wanted)
    for ordinal in is_wanted:
        row, text = found[digests[ordinal]], residues[ordinal].encode()
        assert row["refget"] == send_file._refget(hashlib.sha512(text))
        assert (row["key"] is None) == (ordinal in is_in_set)
        if row["key"] is not None:
            assert row["encoding"] == ("zstd" if packing and len(text) <= 100 else "identity")
            assert b"".join(read.residues(settings, row, store=store)) == text
    if packing:
        assert sent.filter(pl.col("encoding") == "zstd")["key"].n_unique() > 1
    assert uploader.counts.put == sent["key"].drop_nulls().n_unique()
    assert uploader.counts.put == sum(1 for batch in obstore.list(store) for _ in batch)
