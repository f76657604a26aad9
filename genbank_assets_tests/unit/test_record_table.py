"""A record table that is read for loading: what is wanted comes in order, and only so much of it ahead."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genbank_assets.postgres import record_table
from genbank_assets.postgres.record_table import RecordTable, Wanted

GROUPS, ROWS = 12, 50
BIG = 1024 * 1024  # bytes of the last record of each group; the others have a few


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "x.records.parquet"
    rows = [
        {"record_ordinal": group * ROWS + row, "comment": f"{group} {row}" + "x" * (BIG if row == ROWS - 1 else 0)}
        for group in range(GROUPS)
        for row in range(ROWS)
    ]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=ROWS)
    return path


def wanting(rows: list[int]) -> Wanted:
    """Those rows of every group, each by the number after its own."""
    ids = np.zeros(GROUPS * ROWS, np.int64)
    chosen = [group * ROWS + row for group in range(GROUPS) for row in rows]
    ids[chosen] = np.array(chosen, np.int64) + 1
    return Wanted(ids)


def quiet(counted: list[int]) -> int:
    """How many there are once no more come."""
    before = -1
    while before != len(counted):
        before = len(counted)
        time.sleep(0.2)
    return before


@pytest.mark.parametrize("rows", [[ROWS - 1], [0], list(range(ROWS)), []])
def test_what_is_wanted_comes_in_order_for_each_set_of_columns(table: Path, rows: list[int]) -> None:
    wanted = wanting(rows)
    expected = [int(i) for i in wanted.ids if i]
    with RecordTable(table) as opened:
        comments, ordinals = opened.wanted([["comment"], ["record_ordinal"]], wanted)
        found = list(comments)
        assert [i for _, ids in found for i in ids.to_pylist()] == expected
        texts = [text.split("x")[0] for batch, _ in found for text in batch["comment"].to_pylist()]
        assert texts == [f"{(i - 1) // ROWS} {(i - 1) % ROWS}" for i in expected]
        assert [i + 1 for batch, _ in ordinals for i in batch["record_ordinal"].to_pylist()] == expected


@pytest.mark.parametrize(("gathered_bytes", "batches"), [(1, GROUPS), (10**9, 1)])
def test_selected_records_come_in_batches_of_some_bytes(
    table: Path, monkeypatch: pytest.MonkeyPatch, gathered_bytes: int, batches: int
) -> None:
    monkeypatch.setattr(record_table, "GATHERED_BYTES", gathered_bytes)
    with RecordTable(table) as opened:
        (found,) = opened.wanted([["comment"]], wanting(list(range(40))))
        sizes = [len(ids) for _, ids in found]
    assert sum(sizes) == 40 * GROUPS
    assert len(sizes) == batches


def test_few_records_that_are_most_of_the_bytes_are_not_all_read_ahead(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_table, "READ_AHEAD_BYTES", 3 * BIG)
    read: list[int] = []
    original = RecordTable._read

    def counting(self: RecordTable, group: int, columns: list[str]) -> list[pa.RecordBatch]:
        read.append(group)
        return original(self, group, columns)

    monkeypatch.setattr(RecordTable, "_read", counting)
    with RecordTable(table) as opened:
        big, _ = opened.wanted([["comment"], ["record_ordinal"]], wanting([ROWS - 1]))
        assert quiet(read) <= 3
        assert sum(batch.num_rows for batch, _ in big) == GROUPS
    read.clear()
    with RecordTable(table) as opened:
        opened.wanted([["comment"], ["record_ordinal"]], wanting([0]))
        assert quiet(read) == 2 * GROUPS  # they are little


def test_an_error_in_reading_reaches_who_asks_and_no_thread_stays(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(self: RecordTable, group: int, columns: list[str]) -> list[pa.RecordBatch]:
        raise OSError(f"group {group} cannot be read")

    before = threading.active_count()
    monkeypatch.setattr(RecordTable, "_read", failing)
    with RecordTable(table) as opened:
        rows, _ = opened.wanted([["comment"], ["record_ordinal"]], wanting([0]))
        with pytest.raises(OSError, match="group 0 cannot be read"):
            list(rows)
    assert threading.active_count() == before
