"""A store that version 0.1.0 made: read as it is, brought to today's layout without parsing, with the same values."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from genbank_assets.catalog.mirror import open_mirror
from genbank_assets.errors import IntegrityError
from genbank_assets.lookup.records import rows_named
from genbank_assets.ncbi.fetch import fetch_division
from genbank_assets.schema.tables import MEMBERSHIP_SCHEMA, RECORD_SCHEMA, SEQUENCE_SCHEMA
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets.tables import records as records_stage
from genbank_assets.tables.dedup import build_unique_records
from genbank_assets.tables.records import PARSER_VERSION, build_records
from genbank_assets.tables.unique_tables import memberships_table, unique_sequences_table
from genbank_assets_tests.paths import ROOT, SAMPLE

ARCHIVE = ROOT / "genbank_assets_tests" / "stores" / "version-0.1.0.tar.gz"
KEYS = [PartitionKey("genbank", "phg"), PartitionKey("genbank", "con"), PartitionKey("refseq", "viral")]


@pytest.fixture
def old(tmp_path: Path) -> Settings:
    """The store, and the source as it was when the store was made."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path / "store", filter="data")
    shutil.copytree(SAMPLE, tmp_path / "source")
    moment = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    for path in (tmp_path / "source").rglob("*"):
        os.utime(path, (moment, moment))
    return Settings(store=tmp_path / "store", source=(tmp_path / "source").as_uri(), workers=1, keep_replaced_seconds=0)


def partition_of(settings: Settings, key: PartitionKey) -> PartitionRelease:
    return PartitionRelease(settings.store, key, "1.0" if key.collection == "genbank" else "1")


def upgraded(settings: Settings, key: PartitionKey, lines: list[str] | None = None) -> PartitionRelease:
    partition = partition_of(settings, key)
    options = {"settings": settings, "progress": [].append if lines is None else lines.append, "run_id": "new"}
    fetch_division(key, **options)  # type: ignore[arg-type]
    build_records(partition, **options)  # type: ignore[arg-type]
    build_unique_records(partition, **options)  # type: ignore[arg-type]
    return partition


def files_below(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_size)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_it_is_read_as_it_is(old: Settings, key: PartitionKey) -> None:
    partition = partition_of(old, key)
    before = files_below(old.store)
    records = partition.manifest("records")
    assert records is not None
    assert partition.files_folder("records") == partition.stage_folder("records")
    frame = pl.read_parquet(partition.files_folder("records") / records.files[0]["records_file"])
    (found,) = rows_named(partition, frame["accession_version"][0])
    assert found.row["record_sha256"] == frame["record_sha256"][0]
    read = open_mirror(old.store).records(str(key)).collect()
    assert read["accession_version"].to_list() == frame["accession_version"].to_list()
    assert read["section"].unique().to_list() == [key.division]
    assert files_below(old.store) == before


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_it_is_brought_to_todays_layout_without_parsing(
    old: Settings, key: PartitionKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parsed(*_: object, **__: object) -> None:
        raise AssertionError("it was parsed again")

    monkeypatch.setattr(records_stage, "parse_file", parsed)
    partition = partition_of(old, key)
    before = partition.manifest("records")
    raw_before = partition.manifest("raw_files")
    assert before is not None
    assert raw_before is not None
    name = str(raw_before.files[0]["name"])
    inode = (partition.files_folder("raw_files") / name).stat().st_ino
    tables = {
        table: pl.read_parquet(partition.files_folder("records") / before.files[0][f"{table}_file"])
        for table in ("records", "sequences")
    }
    unique = [pl.read_parquet(table(partition)) for table in (memberships_table, unique_sequences_table)]
    lines: list[str] = []
    upgraded(old, key, lines)
    assert any("rewritten, not parsed again" in line for line in lines)
    now, raw = partition.manifest("records"), partition.manifest("raw_files")
    assert now is not None
    assert raw is not None
    assert raw.files == raw_before.files
    assert raw.generation != ""
    assert (partition.folder_of(raw) / name).stat().st_ino == inode
    (entry,) = now.files
    assert entry["code_version"] == PARSER_VERSION == before.files[0]["code_version"]
    assert now.run_of(entry) == "old"
    paths = {table: partition.folder_of(now) / entry[f"{table}_file"] for table in ("records", "sequences")}
    assert paths["records"].parent.name == "records"
    for table, schema in (("records", RECORD_SCHEMA), ("sequences", SEQUENCE_SCHEMA)):
        assert pq.read_schema(paths[table]).names == schema.names
        assert paths[table].stat().st_size == entry[f"{table}_bytes"]
        new = pl.read_parquet(paths[table])
        assert new.select(tables[table].columns).equals(tables[table])
    assert pl.read_parquet(paths["records"])["section"].unique().to_list() == [key.division]
    keys = pl.read_parquet(paths["records"]).select("record_ordinal", "accession_version", "sequence_sha256")
    chunks = pl.read_parquet(paths["sequences"])
    joined = chunks.select("record_ordinal").join(keys, on="record_ordinal", how="left", maintain_order="left")
    assert chunks.select(joined.columns).equals(joined)
    for was, table in zip(unique, (memberships_table, unique_sequences_table), strict=True):
        new = pl.read_parquet(table(partition))
        assert new.select(was.columns).equals(was)
        assert set(new.select("collection", "section", "release").rows()) <= {
            (key.collection, key.division, partition.release)
        }
    assert pq.read_schema(memberships_table(partition)).names == MEMBERSHIP_SCHEMA.names
    # Nothing of the old layout is left, and nothing is done twice.
    for stage in ("raw_files", "records", "unique_records"):
        left = {path.name for path in partition.stage_folder(stage).iterdir()}
        assert left == {"manifest.json", partition.files_folder(stage).name}
    there = files_below(old.store / key.collection / partition.release)
    lines.clear()
    upgraded(old, key, lines)
    assert files_below(old.store / key.collection / partition.release) == there
    assert not any("rewr" in line for line in lines)


def test_old_tables_stay_for_their_readers_and_are_not_touched(old: Settings) -> None:
    key = KEYS[0]
    partition = partition_of(old, key)
    kept = {
        path: path.read_bytes() for path in partition.folder.rglob("*") if path.is_file() and path.suffix != ".json"
    }
    upgraded(dataclasses.replace(old, keep_replaced_seconds=3600), key)
    assert {path: path.read_bytes() for path in kept} == kept
    upgraded(old, key)
    assert not any(path.exists() for path in kept)


def test_a_damaged_old_table_is_parsed_again(old: Settings) -> None:
    partition = partition_of(old, KEYS[0])
    before = partition.manifest("records")
    assert before is not None
    table = partition.files_folder("records") / before.files[0]["records_file"]
    values = pl.read_parquet(table)
    table.write_bytes(table.read_bytes()[:-1])
    upgraded(old, KEYS[0])
    now = partition.manifest("records")
    assert now is not None
    assert now.run_of(now.files[0]) == "new"
    assert (
        pl.read_parquet(partition.folder_of(now) / now.files[0]["records_file"]).select(values.columns).equals(values)
    )


def test_tables_of_a_killed_run_of_0_1_0_are_not_parsed_again(old: Settings) -> None:
    """It left receipts and tables, and no manifest."""
    partition = partition_of(old, KEYS[0])
    partition.manifest_path("records").unlink()
    lines: list[str] = []
    upgraded(old, KEYS[0], lines)
    assert any(line.startswith("rewrote gbphg1.seq.gz") for line in lines)
    assert not any(line.startswith("parsed") for line in lines)


def test_an_old_table_that_does_not_hold_its_rows_is_not_rewritten(old: Settings) -> None:
    partition = partition_of(old, KEYS[0])
    path = partition.manifest_path("records")
    path.write_text(path.read_text().replace('"records": 1,', '"records": 2,', 1))
    with pytest.raises(IntegrityError, match="2 records, but the old table has 1 rows"):
        upgraded(old, KEYS[0])
    assert partition.files_folder("records") == partition.stage_folder("records")
