"""What a second demonstration need not do again, and that it does what somebody took away."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from genbank_assets.lineage import in_place
from genbank_assets.lineage.in_place import complete_partitions
from genbank_assets.ncbi.sample import SAMPLE, sample_source
from genbank_assets.postgres.connection import open_database
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, current_release
from genbank_assets_tests.integration.test_mirror import mirror

PHAGES, TAGS = PartitionKey("genbank", "phg"), PartitionKey("genbank", "est")


@pytest.fixture
def mirrored(settings: Settings, tmp_path: Path) -> tuple[Settings, Path]:
    """Two divisions of the sample through all stages, and a copy of the sample to change."""
    source = tmp_path / "sample"
    shutil.copytree(SAMPLE, source)
    settings = dataclasses.replace(settings, source=sample_source())
    for key in (PHAGES, TAGS):
        mirror(key, settings)
    return settings, source


def in_place_now(mirrored: tuple[Settings, Path]) -> set[PartitionKey]:
    settings, source = mirrored
    return complete_partitions(settings, [PHAGES, TAGS, PartitionKey("genbank", "bct")], source=source)


def test_all_that_ran_is_in_place(mirrored: tuple[Settings, Path]) -> None:
    assert in_place_now(mirrored) == {PHAGES, TAGS}


def test_nothing_is_in_place_in_a_new_store_and_none_is_made(tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert complete_partitions(Settings(store=store), [PHAGES], source=SAMPLE) == set()
    assert not store.exists()


def lose_table(settings: Settings, source: Path) -> None:
    partition = current_release(settings.store, key=PHAGES, stage="records")
    assert partition is not None
    next(partition.files_folder("records").rglob("*.parquet")).unlink()


def lose_manifest(settings: Settings, source: Path) -> None:
    partition = current_release(settings.store, key=PHAGES, stage="records")
    assert partition is not None
    partition.manifest_path("unique_records").unlink()


def damage_raw_file(settings: Settings, source: Path) -> None:
    partition = current_release(settings.store, key=PHAGES, stage="records")
    assert partition is not None
    path = partition.files_folder("raw_files") / "gbphg1.seq.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def change_source(settings: Settings, source: Path) -> None:
    (source / "genbank" / "gbphg1.seq.gz").write_bytes(b"another")


def lose_row(settings: Settings, source: Path) -> None:
    with open_database(settings) as database, database.transaction() as session:
        session.execute("DELETE FROM genbank.record WHERE accession = 'J02482'")


def lose_ledger(settings: Settings, source: Path) -> None:
    with open_database(settings) as database, database.transaction() as session:
        session.execute("UPDATE genbank.division_release SET input_digest = 'other' WHERE section = 'phg'")


def lose_object(settings: Settings, source: Path) -> None:
    partition = current_release(settings.store, key=PHAGES, stage="object_set")
    assert partition is not None
    keys = pl.read_parquet(next(partition.files_folder("object_set").glob("*.parquet")))["key"].to_list()
    path = settings.store / "objects" / keys[0]
    path.unlink()


@pytest.mark.parametrize(
    "lose",
    [lose_table, lose_manifest, damage_raw_file, change_source, lose_row, lose_ledger, lose_object],
    ids=lambda lose: lose.__name__.replace("_", "-"),
)
def test_a_division_that_lacks_something_is_not(
    mirrored: tuple[Settings, Path], lose: Callable[[Settings, Path], None]
) -> None:
    lose(*mirrored)
    assert in_place_now(mirrored) == {TAGS}


def test_a_new_version_of_the_code_is_not(mirrored: tuple[Settings, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(in_place._CODE_VERSIONS, "postgres_table", "next")
    assert in_place_now(mirrored) == set()
