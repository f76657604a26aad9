"""What loads decide without a database: representatives, guards, digests, leases, names, differences."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genbank_assets.errors import DatabaseError, ReleaseError, SettingsError
from genbank_assets.postgres import arrays, comparison, connection, ddl, leases, partitions, preflight, versions
from genbank_assets.postgres.daily_rows import check_year
from genbank_assets.postgres.digests import Digest
from genbank_assets.processes import started
from genbank_assets.schema.tables import QUALIFIER
from genbank_assets.settings import Settings


def member(version: int | None, file: str, ordinal: int) -> dict[str, Any]:
    return {"version": version, "source_file": file, "record_ordinal": ordinal}


def test_of_a_repeated_accession_the_highest_version_counts_and_of_equal_ones_the_last() -> None:
    in_order = [
        member(None, "gbphg9.seq.gz", 9), member(1, "gbphg10.seq.gz", 8), member(2, "gbphg2.seq.gz", 5),
        member(2, "gbphg2.seq.gz", 10), member(2, "gbphg10.seq.gz", 0), member(10, "gbphg1.seq.gz", 0),
    ]  # fmt: skip
    assert sorted([*in_order[3:], *in_order[:3]], key=preflight._precedence) == in_order


@given(st.lists(st.sampled_from("ABC"), min_size=1, max_size=9).map(sorted), st.data())
def test_repeated_accessions_are_found_wherever_a_batch_ends(names: list[str], data: st.DataObject) -> None:
    rows = pa.RecordBatch.from_pydict({"accession": names, "row": list(range(len(names)))})
    batches, at = [], 0
    while at < len(names):
        size = data.draw(st.integers(1, len(names) - at))
        batches.append(rows.slice(at, size))
        at += size
    found = {row["row"] for row in preflight._repeated(iter(batches))}
    assert found == {row for row, name in enumerate(names) if names.count(name) > 1}


@pytest.mark.parametrize(
    ("absent", "loaded", "allowed", "too_many"),
    [
        (19, 19, 0.0, False), (20, 20, 0.0, True), (20, 2000, 0.01, False), (21, 2000, 0.01, True),
        (20, 20, 1.0, False), (500, 1000, 0.5, False), (501, 1000, 0.5, True),
    ],
)  # fmt: skip
def test_how_many_records_may_be_absent(absent: int, loaded: int, allowed: float, too_many: bool) -> None:
    assert preflight.shrinks_too_much(absent, loaded=loaded, max_absent_fraction=allowed) is too_many


def test_totals_agree_only_in_number_and_digest() -> None:
    same = preflight.ComparedTotals(3, 3, digests_agree=True, files=1, superseded={})
    assert same.agree
    assert not dataclasses.replace(same, rows=2).agree
    assert not dataclasses.replace(same, digests_agree=False).agree
    assert (preflight.Absences(1, 4).fraction, preflight.Absences(0, 0).fraction) == (0.25, 0.0)


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=9), st.integers(0, 3))
def test_a_digest_of_many_is_their_xor_in_any_parts(digests: list[bytes], cut: int) -> None:
    whole, parts = Digest(), Digest()
    column = pa.array(digests, pa.binary(32))
    whole.add(column)
    for part in (column[cut:], column[:cut]):
        parts.add(part)
    expected = 0
    for digest in digests:
        expected ^= int.from_bytes(digest, "big")
    assert whole.value == parts.value == expected.to_bytes(32, "big")


def holder(**more: Any) -> leases.Holder:
    since = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)
    mine: dict[str, Any] = {"host": leases.this_host(), "process": leases.this_process(), "run_id": "r", "since": since}
    return leases.Holder(**(mine | {"silent_seconds": 0.0} | more))


def test_whose_lease_has_expired() -> None:
    pid, ended = os.getpid(), 2**22 + 1
    assert leases.this_process() == f"{pid}:{started(pid)}"
    assert not holder().has_expired()
    assert not holder(silent_seconds=leases.LEASE_TIMEOUT_SECONDS).has_expired()
    assert holder(silent_seconds=leases.LEASE_TIMEOUT_SECONDS + 0.1).has_expired()
    for process in (f"{ended}:1", f"{pid}:1", f"{pid}:", str(pid), f"{ended}:"):
        assert holder(process=process).has_expired()
        assert not holder(process=process, host="elsewhere/x").has_expired()
    assert str(holder(process="7:1", host="here/x")) == "run r, process 7 on here, since 2026-11-01 12:00:00"
    assert str(holder(process="7:1", host="here/x", run_id="")).startswith("process 7 on here, since")


def test_names_of_features_are_their_values_in_order_without_what_no_index_takes() -> None:
    long = "x" * 1001
    features: list[list[tuple[str, str | None]]] = [
        [("gene", "a"), ("product", "p"), ("gene", "b"), ("locus_tag", None), ("gene", long), ("db_xref", "x:1")],
        [],
        [("locus_tag", "l"), ("locus_tag", "m"), ("product", long), ("product", "q"), ("db_xref", long)],
        [("note", "n"), ("db_xref", "x:2"), ("db_xref", "y" * 1000), ("db_xref", None)],
    ]
    rows = [[{"key": key, "value": value} for key, value in feature] for feature in features]
    column = pa.array([[], *rows], pa.list_(QUALIFIER))[1:]
    found = {name: values.to_pylist() for name, values in arrays.feature_names(column).items()}
    assert found == {
        "gene": ["a", None, None, None], "locus_tag": [None, None, "l", None], "product": ["p", None, long, None],
        "further_names": [["gene=b"], None, ["locus_tag=m", "product=q"], None],
    }  # fmt: skip
    assert arrays.all_values(column, "db_xref").to_pylist() == [["x:1"], None, None, ["x:2", "y" * 1000]]
    ids, ordinal, elements = arrays.flattened(column, pa.array([7, 8, 9, 10]))
    assert ids.to_pylist() == [7] * 6 + [9] * 5 + [10] * 4
    assert ordinal.to_pylist() == [*range(6), *range(5), *range(4)]
    assert len(elements) == 15


@pytest.mark.parametrize("name", ["", "Phg", "1a", "a-b", 'a"b', "a" * 31, "a b"])
def test_only_plain_names_become_names_of_tables(name: str) -> None:
    assert partitions.partition_name("record", collection="genbank", section="phg") == "record_genbank_phg"
    for place in ({"collection": name, "section": "phg"}, {"collection": "genbank", "section": name}):
        with pytest.raises(SettingsError, match="cannot be part of a table's name"):
            partitions.partition_name("record", **place)


@pytest.mark.parametrize(
    ("ledger", "what"),
    [
        ({}, "is not in the ledger"), ({"f": ("r", 3, 1, b"\0" * 32)}, ""), ({"f": ("r", 3, 1, None)}, ""),
        ({"f": ("s", 3, 1, b"\0" * 32)}, "another raw file"), ({"f": ("r", 4, 1, b"\0" * 32)}, "the ledger has 4"),
        ({"f": ("r", 3, 0, b"\0" * 32)}, "0 of them superseded"), ({"f": ("r", 3, 1, b"\1" * 32)}, "the XOR"),
        ({"f": ("r", 3, 1, b"\0" * 32), "g": ("r", 1, 0, None)}, "the tables have not"),
    ],
)  # fmt: skip
def test_how_a_ledger_differs_from_the_tables(ledger: dict[str, tuple[Any, ...]], what: str) -> None:
    found = list(comparison._of_ledger({"f": comparison._Expected("r", 3, 1)}, ledger))
    assert len(found) == bool(what)
    assert all(what in one.what for one in found)
    assert [one.name for one in found] == (["g"] if "g" in ledger else ["f"] * bool(what))


def test_a_day_holds_no_record_of_a_later_year() -> None:
    day = dt.date(2026, 1, 2)
    for late in (0, 3):
        check_year(pl.DataFrame({"update_date": [None, day, day + dt.timedelta(late)]}), day)
    check_year(pl.DataFrame({"update_date": []}, schema={"update_date": pl.Date}), day)
    with pytest.raises(ReleaseError, match="holds records of 2026-01-06"):
        check_year(pl.DataFrame({"update_date": [day, day + dt.timedelta(4)]}), day)


class _Server:
    """What a server says of itself that cannot be run here."""

    def __init__(self, version: int, encoding: str) -> None:
        self._said = (version, encoding)

    def execute(self, statement: str) -> list[tuple[int, str]]:
        return [self._said]


@pytest.mark.parametrize(
    ("version", "encoding", "says"),
    [(130011, "UTF8", "PostgreSQL 13 is too old: 14"), (140000, "UTF8", ""), (180001, "LATIN1", "encoded in LATIN1")],
)
def test_which_servers_are_supported(version: int, encoding: str, says: str) -> None:
    server: Any = _Server(version, encoding)
    if not says:
        versions._check_server(server)
        return
    with pytest.raises(DatabaseError, match=says):
        versions._check_server(server)


def test_pieces_of_a_copy_come_in_order_and_so_does_their_error() -> None:
    assert list(connection._one_ahead(bytes([n]) for n in range(9))) == [bytes([n]) for n in range(9)]

    def failing() -> Any:
        yield b"1"
        raise OSError("damaged")

    got: list[bytes] = []
    with pytest.raises(OSError, match="damaged"):
        got.extend(connection._one_ahead(failing()))
    assert got == [b"1"]
    totals = connection.SqlTotals(1, 2, 3, 4.0)
    totals.add(connection.SqlTotals(10, 20, 30, 40.0))
    assert dataclasses.astuple(totals) == (11, 22, 33, 44.0)


def test_those_who_open_a_database_at_once_share_it_and_the_last_one_closes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    class Pool:
        def __init__(self, url: str, *, pool_size: int) -> None:
            self.url = url

        def __enter__(self) -> Pool:
            done.append(f"open {self.url}")
            return self

        def __exit__(self, *_: object) -> None:
            done.append(f"close {self.url}")

    monkeypatch.setattr(connection, "Database", Pool)
    monkeypatch.setattr(connection, "genbank_url", lambda settings, create: str(settings.postgres_pool_size))
    settings = Settings(store=tmp_path, postgres_pool_size=2)
    other = dataclasses.replace(settings, postgres_pool_size=3)
    for _ in range(2):
        with connection.open_database(settings) as one, connection.open_database(other) as another:
            with connection.open_database(settings) as again:
                assert again is one
            assert another is not one
            assert "close 2" not in done
        assert done == ["open 2", "open 3", "close 3", "close 2"]
        done.clear()


def test_every_description_of_a_column_of_a_view_is_written() -> None:
    written = ddl.comment_statement()
    for view, comments in ddl._VIEW_COLUMN_COMMENTS.items():
        for name, text in comments.items():
            assert f"COMMENT ON COLUMN genbank.{view}.{name} IS {ddl._quoted(text)}" in written
