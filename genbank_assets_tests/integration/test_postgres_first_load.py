"""First loads: unseen until whole, resumed after a kill, proved before they are shown, moved records adopted."""

from __future__ import annotations

import dataclasses
import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from genbank_assets.compute.results import measured
from genbank_assets.errors import IntegrityError
from genbank_assets.postgres import division_load, first_load, one_file, partitions
from genbank_assets.postgres.connection import open_database
from genbank_assets.postgres.statements import PARTITIONED
from genbank_assets.postgres.versions import ensure_schema
from genbank_assets_tests.fix_postgres import Divisions, Entry
from genbank_assets_tests.integration.test_postgres_changes import ONE, TWO, many, rows_of

PHG = "gbphg1.seq.gz"


def killed(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_a_division_is_invisible_until_it_is_complete(divisions: Divisions, monkeypatch: pytest.MonkeyPatch) -> None:
    partition = divisions.make("genbank/bct", "1.0", {ONE: many(3), TWO: many(2, prefix="CD")})
    seen: list[Any] = []
    attach = first_load.FirstLoad.attach

    def look(self: Any, *arguments: Any, **options: Any) -> int:
        seen.append(divisions.query("SELECT (SELECT count(*) FROM genbank.record), "
                                    "(SELECT count(*) FROM genbank.record_genbank_bct)"))  # fmt: skip
        return attach(self, *arguments, **options)

    monkeypatch.setattr(first_load.FirstLoad, "attach", look)
    divisions.load(partition)
    assert seen == [[(0, 5)]]
    assert divisions.query("SELECT count(*) FROM genbank.current_record") == [(5,)]


def test_a_killed_first_load_resumes_with_the_interrupted_file(
    divisions: Divisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = divisions.make("genbank/bct", "1.0", {ONE: many(3), TWO: many(2, prefix="CD")})
    note = one_file._entry

    def dying(task: Any, *arguments: Any, **options: Any) -> str:
        if task.name == TWO:
            raise KeyboardInterrupt
        return note(task, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(one_file, "_entry", dying)
        with pytest.raises(KeyboardInterrupt):
            divisions.load(partition)
    assert divisions.query("SELECT count(*) FROM genbank.record") == [(0,)]
    assert divisions.query("SELECT name FROM genbank.source_file") == [(ONE,)]
    loaded = divisions.load(partition)
    assert (loaded.report.files_now, loaded.report.rows_loaded) == (1, 5)
    assert divisions.query("SELECT count(*), count(DISTINCT record_id) FROM genbank.feature") == [(10, 5)]


def test_a_file_that_two_workers_load_at_once_is_there_once(
    divisions: Divisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a worker that was taken for lost had only lost its network, or died before it could report."""
    partition = divisions.make("genbank/bct", "1.0", {ONE: many(3), TWO: many(2, prefix="CD")})

    def twice(function: Any, tasks: Any, **_: Any) -> Any:
        with ThreadPoolExecutor(2) as pool:
            return [next(pool.map(functools.partial(measured, function), [task, task])) for task in tasks]

    monkeypatch.setattr(division_load, "run_tasks", twice)
    assert divisions.load(partition).report.rows_loaded == 5
    assert divisions.query("SELECT count(*), count(DISTINCT accession) FROM genbank.record") == [(5, 5)]


_PAGES = (
    "SELECT relpages > 0 AND relallvisible = relpages, coalesce(reloptions::text, '') LIKE '%%autovacuum_enabled%%' "
    "FROM pg_class WHERE oid = 'genbank.feature_genbank_bct'::regclass"
)


def test_pages_are_settled_while_they_are_young_and_autovacuum_comes_with_the_division(
    divisions: Divisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = divisions.make("genbank/bct", "1.0", {ONE: many(3), TWO: many(2, prefix="CD")})
    monkeypatch.setattr(partitions, "_MIN_GROWN_BYTES", 0)
    seen = []
    build = partitions.build_indexes

    def look(*arguments: Any, **options: Any) -> None:
        seen.extend(divisions.query(_PAGES))
        build(*arguments, **options)

    monkeypatch.setattr(partitions, "build_indexes", look)
    divisions.load(partition, workers=1)
    assert [seen, divisions.query(_PAGES)] == [[(True, True)], [(True, False)]]


def test_a_vacuum_that_an_old_transaction_holds_up_comes_again_for_twice_as_much(
    divisions: Divisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = {"collection": "genbank", "section": "bct"}
    monkeypatch.setattr(partitions, "_MIN_GROWN_BYTES", 0)
    fill = "INSERT INTO genbank.record_event_genbank_bct (record_id, release, state, collection, section, accession, " \
        "accession_version, run_id, point) SELECT n, '1.0', 'new', 'genbank', 'bct', 'AB', 'AB.1', 'r', 1 " \
        "FROM generate_series(1, 2000) n"  # fmt: skip
    with open_database(divisions.settings, create=True) as database:
        ensure_schema(database)
        with database.transaction() as session:
            partitions.make_tables(session, **name)
        table = "genbank.record_event_genbank_bct"

        def filled() -> bool:
            with database.transaction() as session:
                session.execute(fill)
                grown = partitions.grown_tables(session, **name)
            partitions.freeze_pages(database, grown)
            return table in grown

        with database.apart() as old:
            old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            old.execute("SELECT count(*) FROM genbank.record")
            held_up = [filled() for _ in range(8)]
        partitions.freeze_pages(database, [table])
        assert [filled(), filled()] == [True, True]
    assert held_up[0]
    assert held_up.count(True) in {3, 4}


@pytest.mark.parametrize("where", ["build_indexes", "attach"])
def test_a_kill_after_the_last_file_costs_no_file(
    divisions: Divisions, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    partition = divisions.make("genbank/bct", "1.0", {ONE: many(3)})
    with monkeypatch.context() as patch:
        patch.setattr(first_load.FirstLoad, where, killed)
        with pytest.raises(KeyboardInterrupt):
            divisions.load(partition)
    loaded = divisions.load(partition)
    assert (loaded.report.files_now, loaded.report.rows_loaded) == (0, 3)
    assert divisions.load(partition).report.files_now == 0


def test_a_release_that_overtakes_an_unfinished_first_load_begins_anew(
    divisions: Divisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = divisions.make("genbank/bct", "1.0", {ONE: many(3)})
    with monkeypatch.context() as patch:
        patch.setattr(first_load.FirstLoad, "attach", killed)
        with pytest.raises(KeyboardInterrupt):
            divisions.load(old)
    divisions.load(divisions.make("genbank/bct", "2.0", {ONE: many(4)}))
    assert len(rows_of(divisions)) == 4
    assert divisions.query("SELECT DISTINCT release FROM genbank.record_event") == [("2.0",)]
    assert divisions.query("SELECT release FROM genbank.source_file") == [("2.0",)]


def test_a_release_issued_anew_and_taken_back_during_its_first_load_begins_anew_each_time(
    divisions: Divisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is resumed has to be of the input that is there now, not of one that was there before the last."""
    with monkeypatch.context() as patch:
        patch.setattr(first_load.FirstLoad, "attach", killed)
        for records in (many(3), many(4)):
            issued = divisions.make("genbank/bct", "1.0", {ONE: records})
            with pytest.raises(KeyboardInterrupt):
                divisions.load(issued)
    loaded = divisions.load(divisions.make("genbank/bct", "1.0", {ONE: many(3)}))
    assert (loaded.report.files_now, len(rows_of(divisions))) == (1, 3)
    assert divisions.query("SELECT count(*) FROM genbank.source_file") == [(1,)]


def spoil(divisions: Divisions, table: str, *, what: str) -> None:
    """Change a row so that only a digest sees it, or take one away so that only the number of rows does."""
    if what == "digests":
        divisions.query(f"UPDATE {table} SET record_sha256 = sha256('x') WHERE accession = 'AB000001' RETURNING 1")
        return
    (gone,), (left,) = divisions.query(
        f"SELECT record_sha256 FROM {table} WHERE accession IN ('AB000001', 'AB000002') ORDER BY accession"
    )
    both = bytes(a ^ b for a, b in zip(gone, left, strict=True))
    divisions.query(f"DELETE FROM {table} WHERE accession = 'AB000001' RETURNING 1")
    divisions.query(f"UPDATE {table} SET record_sha256 = %s WHERE accession = 'AB000002' RETURNING 1", both)


@pytest.mark.parametrize(("what", "told"), [("digests", "digests differ"), ("rows", "3 accessions.*digests agree")])
def test_what_does_not_agree_is_not_shown(
    divisions: Divisions, monkeypatch: pytest.MonkeyPatch, what: str, told: str
) -> None:
    partition = divisions.make("genbank/bct", "1.0", {ONE: many(3)})
    build = first_load.FirstLoad.build_indexes

    def meddled(self: Any, *arguments: Any, **options: Any) -> None:
        spoil(divisions, "genbank.record_genbank_bct", what=what)
        build(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(first_load.FirstLoad, "build_indexes", meddled)
        with pytest.raises(IntegrityError, match=told):
            divisions.load(partition)
    assert divisions.query("SELECT count(*) FROM genbank.record") == [(0,)]
    assert divisions.load(partition).report.rows_loaded == 3


@pytest.mark.parametrize(("what", "told"), [("digests", "digests differ"), ("rows", "digests agree")])
def test_an_update_that_does_not_agree_is_compared_again(
    divisions: Divisions, monkeypatch: pytest.MonkeyPatch, what: str, told: str
) -> None:
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: many(3)}))
    finish = division_load.DivisionLoad._finish
    meddled: list[bool] = []

    def meddle(self: Any, *arguments: Any, **options: Any) -> None:
        if not meddled:
            meddled.append(True)
            spoil(divisions, "genbank.record", what=what)
        finish(self, *arguments, **options)

    monkeypatch.setattr(division_load.DivisionLoad, "_finish", meddle)
    partition = divisions.make("genbank/bct", "2.0", {ONE: many(4)})
    divisions.load(partition)
    assert any(f"their {told}: every file is compared again" in line for line in divisions.lines)
    assert divisions.load(partition).report.files_now == 0


def test_the_ledger_keeps_the_digest_of_each_file_and_release(divisions: Divisions) -> None:
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: many(3), TWO: many(2, prefix="CD")}))
    files = [int.from_bytes(row[0]) for row in divisions.query("SELECT record_digest FROM genbank.source_file")]
    (whole,) = divisions.query("SELECT record_digest FROM genbank.division_release")
    rows = [int.from_bytes(row[0]) for row in divisions.query("SELECT record_sha256 FROM genbank.record")]
    expected = 0
    for digest in rows:
        expected ^= digest
    assert files[0] ^ files[1] == int.from_bytes(whole[0]) == expected != 0


def test_a_division_that_is_first_loaded_later_adopts_what_moved_into_it(divisions: Divisions) -> None:
    stays, same, other, gone = (Entry(f"AB00000{n}", residues="acgt" * (n + 3)) for n in range(4))
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: [stays, same, other, gone]}))
    ids = dict(divisions.query("SELECT accession, record_id FROM genbank.record"))
    into = [same, dataclasses.replace(other, title="Changed"), Entry("ZZ000001")]
    divisions.load(divisions.make("genbank/phg", "2.0", {PHG: into}))
    assert divisions.states("2.0") == {"phg/AB000002": "annotation_changed", "phg/ZZ000001": "new"}
    found = dict(divisions.query("SELECT accession, record_id FROM genbank.record WHERE section = 'phg'"))
    assert {name: ids.get(name) for name in (same.accession, other.accession)} == {
        name: found[name] for name in (same.accession, other.accession)
    }
    divisions.load(divisions.make("genbank/bct", "2.0", {ONE: [stays, gone]}))
    assert divisions.query("SELECT section, accession FROM genbank.record ORDER BY 1, 2") == [
        ("bct", "AB000000"), ("bct", "AB000003"), ("phg", "AB000001"), ("phg", "AB000002"), ("phg", "ZZ000001"),
    ]  # fmt: skip
    counts = (
        "SELECT records_new, records_unchanged, records_annotation_changed FROM genbank.source_file WHERE name = %s"
    )
    assert divisions.query(counts, PHG) == [(1, 1, 1)]
    orphans = "SELECT count(*) FROM genbank.{} t LEFT JOIN genbank.record r USING (record_id, collection, section) "
    for table in ("feature", "reference"):
        assert divisions.query(orphans.format(table) + "WHERE r.record_id IS NULL") == [(0,)]


def test_records_are_looked_for_only_where_they_may_have_been(divisions: Divisions) -> None:
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: many(3)}))
    divisions.load(divisions.make("genbank/vrl", "1.0", {"gbvrl1.seq.gz": many(3, prefix="VV")}))
    (point,) = divisions.query("SELECT point FROM genbank.release WHERE release = '1.0'")
    where = "SELECT genbank.moved_from_where('genbank', 'phg', %s)"
    ((text,),) = divisions.query(where, point[0])
    assert "(false OR NOT r.is_current" in text  # both are at this release: none of their current records has moved
    ((text,),) = divisions.query(where, point[0] + 1)
    assert "(r.is_current AND r.section IN ('bct', 'vrl') OR NOT r.is_current" in text


def test_partitions_are_named_and_kept_apart(divisions: Divisions) -> None:
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: many(3)}))
    divisions.load(divisions.make("refseq/viral", "1", {"viral.1.genomic.gbff.gz": [Entry("NC_000001")]}))
    found = divisions.query(
        "SELECT relid::regclass::text FROM unnest(%s::text[]) t, pg_partition_tree(('genbank.' || t)::regclass) "
        "WHERE isleaf ORDER BY 1", list(PARTITIONED),
    )  # fmt: skip
    assert [name for (name,) in found] == sorted(
        f"genbank.{table}_{leaf}" for table in PARTITIONED for leaf in ("genbank_bct", "refseq_viral")
    )
    plan = divisions.query(
        "EXPLAIN SELECT * FROM genbank.record WHERE collection = 'genbank' AND section = 'bct' AND organism = 'Phage'"
    )
    assert not any("refseq" in line for (line,) in plan)


def test_a_load_leaves_statistics_and_no_dead_rows_behind(divisions: Divisions) -> None:
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: many(300)}))
    changed = [dataclasses.replace(entry, title="Another") for entry in many(300)]
    divisions.load(divisions.make("genbank/bct", "2.0", {ONE: changed}))
    tuples = divisions.query(
        "SELECT c.relname, c.reltuples::int, c.relallvisible > 0 FROM pg_class c WHERE c.relname IN "
        "('record_genbank_bct', 'feature_genbank_bct', 'reference_genbank_bct') ORDER BY 1"
    )
    assert tuples == [("feature_genbank_bct", 600, True), ("record_genbank_bct", 300, True),
                      ("reference_genbank_bct", 300, True)]  # fmt: skip
