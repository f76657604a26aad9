"""What an object table is asked: the prefixes beside it lead to the same rows, and read nothing that is not wanted."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from genbank_assets.objects import object_index
from genbank_assets.objects.keys import MOLECULE_CLASSES, pack_key, sequence_key
from genbank_assets.objects.listing import MAX_KEYS_IN_MEMORY, ranges
from genbank_assets.objects.object_index import IDENTITY, PREFIXES, rows_in, write_prefixes
from genbank_assets.schema.tables import OBJECT_SCHEMA

ROWS = 4_000


def digests(numbers: range) -> pl.Series:
    """Digests of which some begin with the same eight bytes, also beyond the end of a row group."""
    found = [hashlib.sha256(str(n).encode()).digest() for n in numbers]
    alike = [b"\x7f" * 8 + digest[8:] for digest in found[:250]]
    return pl.Series("sequence_sha256", alike + found[250:], dtype=pl.Binary).unique().sort()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    keys = digests(range(ROWS))
    fixed = {"length": 500, "offset": 0, "bytes": 1, "encoding": "zstd", "object_bytes": 1, "etag": "e", "refget": None}
    frame = pl.DataFrame({"sequence_sha256": keys}).with_columns(
        *[pl.lit(value).alias(name) for name, value in fixed.items()],
        molecule_class=pl.when(pl.int_range(pl.len()) % 5 == 0).then(pl.lit("protein")).otherwise(pl.lit("nucleotide")),
        key=pl.lit("packs/ab/") + pl.col("sequence_sha256").bin.encode("hex"),
        object_sha256="sequence_sha256",
    )
    rows = frame.select(OBJECT_SCHEMA.names).to_arrow().cast(OBJECT_SCHEMA)
    pq.write_table(rows, tmp_path / "objects.parquet", row_group_size=100)
    return tmp_path / "objects.parquet"


@pytest.fixture
def groups_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Row groups that were read, a number each time."""
    read: list[int] = []

    class Counting(pq.ParquetFile):  # type: ignore[misc, unused-ignore]
        def read_row_group(self, i: int, *arguments: object, **options: object) -> object:
            read.append(i)
            return super().read_row_group(i, *arguments, **options)

    monkeypatch.setattr(object_index.pq, "ParquetFile", Counting)
    return read


def wanted(keys: pl.Series) -> pl.DataFrame:
    one = pl.DataFrame({"sequence_sha256": keys})
    return pl.concat([one.with_columns(molecule_class=pl.lit(kind)) for kind in ("nucleotide", "protein")])


@pytest.mark.parametrize("numbers", [range(ROWS), range(0, ROWS, 7), range(ROWS - 20, ROWS + 20), range(240, 260)])
def test_the_rows_are_the_same_with_prefixes_and_without(table: Path, numbers: range) -> None:
    asked = wanted(digests(numbers))
    before = rows_in([object_index._Table(table)], asked)
    write_prefixes(table)
    assert table.with_name(PREFIXES).stat().st_size == 8 * pq.read_metadata(table).num_rows
    assert rows_in([object_index._Table(table)], asked).sort(IDENTITY).equals(before.sort(IDENTITY))
    assert [path.name for path in table.parent.iterdir() if path.name.startswith(".")] == []


def test_what_shares_nothing_reads_nothing(table: Path, groups_read: list[int]) -> None:
    strangers = wanted(pl.Series([hashlib.sha256(f"other {n}".encode()).digest() for n in range(1000)]))
    assert len(rows_in([object_index._Table(table)], strangers)) == 0
    assert len(set(groups_read)) > 35  # nearly every group lies around some of them
    write_prefixes(table)
    groups_read.clear()
    assert len(rows_in([object_index._Table(table)], strangers)) == 0
    assert groups_read == []


def test_prefixes_of_another_length_are_not_believed(table: Path) -> None:
    write_prefixes(table)
    path = table.with_name(PREFIXES)
    path.write_bytes(path.read_bytes()[:-8])
    asked = wanted(digests(range(ROWS)))
    assert len(rows_in([object_index._Table(table)], asked)) == ROWS


@pytest.mark.parametrize("sequences", [0, 1_000_000, 1_000_001, 10_000_000, 300_000_000])
def test_ranges_have_every_key_once_and_their_number_follows_the_set(sequences: int) -> None:
    spans = ranges(sequences)
    assert len(spans) <= 2 + 2 * sequences / MAX_KEYS_IN_MEMORY
    assert len(spans) > min(256, sequences / MAX_KEYS_IN_MEMORY)
    edges = [bytes([byte]) + end * 31 for byte in range(256) for end in (b"\x00", b"\xff")]
    for digest in edges:
        for kind in MOLECULE_CLASSES:
            key = sequence_key(digest.hex(), molecule_class=kind)
            holding = [span for span in spans if any(key.startswith(prefix) for prefix in span.prefixes)]
            assert [span.digests for span in holding if span.digests and span.digests[0] <= digest <= span.digests[1]]
            assert len(holding) == 1
        assert sum(pack_key(digest.hex()).startswith(span.prefixes) for span in spans) == 1
