"""Change states between releases, on made-up divisions: every state, moves, duplicates, guards, evidence."""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path
from typing import Any, LiteralString

import pytest

from genbank_assets.compute.results import TaskResult
from genbank_assets.errors import DatabaseError, ShrinkGuardError
from genbank_assets.postgres import division_load, lookup
from genbank_assets.postgres.connection import Session, open_database
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey
from genbank_assets_tests.fix_postgres import Divisions, Entry
from genbank_assets_tests.integration.test_mirror import mirror
from genbank_assets_tests.paths import SHARED

ONE = "gbbct1.seq.gz"
TWO = "gbbct2.seq.gz"


def many(count: int, *, prefix: str = "AB") -> list[Entry]:
    return [
        Entry(f"{prefix}{number:06}", residues=f"acgt{number:020b}".replace("0", "a").replace("1", "c"))
        for number in range(count)
    ]


def rows_of(divisions: Divisions) -> list[tuple]:
    return divisions.query(
        "SELECT section, accession_version, definition, is_current FROM genbank.record ORDER BY section, accession"
    )


def test_every_changed_state_is_recorded_and_unchanged_ones_are_not(divisions: Divisions) -> None:
    same, annotated, changed, raised, gone = (Entry(f"AB00000{n}", residues="acgt" * (n + 3)) for n in range(5))
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: [same, annotated, changed, raised, gone]}))
    second = {
        ONE: [
            same,
            dataclasses.replace(annotated, title="Another title"),
            dataclasses.replace(changed, residues="ttttt"),
            dataclasses.replace(raised, version=2),
            Entry("AB000009", residues="ggggg"),
        ]
    }
    loaded = divisions.load(divisions.make("genbank/bct", "2.0", second))
    assert divisions.states("2.0") == {
        "bct/AB000001": "annotation_changed",
        "bct/AB000002": "sequence_changed",
        "bct/AB000003": "sequence_changed",
        "bct/AB000009": "new",
        "bct/AB000004": "absent",
    }
    report = loaded.report
    assert (report.records_new, report.records_unchanged, report.records_absent) == (1, 1, 1)
    assert (report.records_sequence_changed, report.records_annotation_changed) == (2, 1)
    third = {ONE: [same, gone, dataclasses.replace(annotated, title="Another title")]}
    divisions.load(divisions.make("genbank/bct", "3.0", third))
    assert divisions.states("3.0") == {
        "bct/AB000004": "returned", "bct/AB000002": "absent", "bct/AB000003": "absent", "bct/AB000009": "absent",
    }  # fmt: skip
    as_of = "SELECT accession_version FROM genbank.records_as_of('genbank', %s) ORDER BY 1"
    assert [len(divisions.query(as_of, release)) for release in ("1.0", "2.0", "3.0")] == [5, 5, 3]
    assert divisions.query(as_of, "2.0")[3] == ("AB000003.2",)
    assert rows_of(divisions)[1] == ("bct", "AB000001.1", "Another title", True)


def test_changes_of_a_reissued_release_are_those_of_its_last_issue(divisions: Divisions) -> None:
    """Whether an issue in between was seen, in part or not at all, makes no difference."""
    back, gone, changed, same = (Entry(f"AB00000{n}", residues="acgt" * (n + 3)) for n in range(4))
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: [back, gone, changed, same]}))
    between = [
        dataclasses.replace(back, title="Another title"), dataclasses.replace(changed, version=2, residues="ttttt"),
        same, Entry("AB000008"),
    ]  # fmt: skip
    divisions.load(divisions.make("genbank/bct", "2.0", {ONE: between}))
    last = dataclasses.replace(changed, version=3, residues="ggggg")
    for _ in range(2):  # and back and forth
        divisions.load(divisions.make("genbank/bct", "2.0", {ONE: [back, gone, last, same, Entry("AB000009")]}))
        divisions.load(divisions.make("genbank/bct", "2.0", {ONE: between}))
    divisions.load(divisions.make("genbank/bct", "2.0", {ONE: [back, gone, last, same, Entry("AB000009")]}))
    told = divisions.query(
        "SELECT accession, state, accession_version, previous_accession_version FROM genbank.release_changes "
        "WHERE release = '2.0' ORDER BY 1, at"
    )
    assert told == [
        ("AB000002", "sequence_changed", "AB000002.3", "AB000002.1"),
        # No other release has it: that it was there is not forgotten.
        ("AB000008", "new", "AB000008.1", None), ("AB000008", "absent", "AB000008.1", "AB000008.1"),
        ("AB000009", "new", "AB000009.1", None),
    ]  # fmt: skip
    as_of = "SELECT accession_version FROM genbank.records_as_of('genbank', %s) ORDER BY 1"
    first = ["AB000000.1", "AB000001.1", "AB000002.1", "AB000003.1"]
    assert [row for (row,) in divisions.query(as_of, "1.0")] == first
    assert [row for (row,) in divisions.query(as_of, "2.0")] == [*first[:2], "AB000002.3", first[3], "AB000009.1"]


def test_the_later_issue_counts_though_the_clock_was_set_back(divisions: Divisions) -> None:
    first, other = Entry("AB000001"), Entry("AB000002")
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: [first, other]}))
    with open_database(divisions.settings) as database, database.transaction() as session:
        session.execute("UPDATE genbank.record_event SET at = at + interval '3 days'")
    again = {ONE: [dataclasses.replace(first, version=2, residues="ttttt")]}
    divisions.load(divisions.make("genbank/bct", "1.0", again))
    as_of = "SELECT accession_version FROM genbank.records_as_of('genbank', '1.0')"
    assert divisions.query(as_of) == [("AB000001.2",)]
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: [first, other]}))
    assert sorted(divisions.query(as_of)) == [("AB000001.1",), ("AB000002.1",)]


def test_a_record_keeps_its_number_and_its_features_are_replaced(divisions: Divisions) -> None:
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: [Entry("AB000001"), Entry("AB000002")]}))
    ids = divisions.query("SELECT accession, record_id FROM genbank.record ORDER BY 1")
    changed = Entry("AB000001", version=2, residues="acgtacgttt")
    loaded = divisions.load(divisions.make("genbank/bct", "2.0", {ONE: [changed, Entry("AB000002")]}))
    assert divisions.query("SELECT accession, record_id FROM genbank.record ORDER BY 1") == ids
    assert divisions.query("SELECT count(*) FROM genbank.feature") == [(4,)]
    assert divisions.query("SELECT count(*) FROM genbank.reference") == [(2,)]
    # two keys and accessions for the guard, then one record, its two features and its reference
    assert loaded.report.rows_copied == 2 + 2 + 1 + 2 + 1


def test_a_repeated_accession_counts_once_in_any_order(divisions: Divisions) -> None:
    older, newer = Entry("AB000001", version=1), Entry("AB000001", version=2, residues="acgtacgttt")
    again = dataclasses.replace(newer, title="Said again")
    files = {ONE: [newer, Entry("AB000002"), older], TWO: [again, Entry("AB000003")]}
    partition = divisions.make("genbank/bct", "1.0", files)
    loaded = divisions.load(partition)
    assert (loaded.report.rows_loaded, loaded.report.duplicates, loaded.report.records) == (3, 2, 5)
    assert rows_of(divisions)[0] == ("bct", "AB000001.2", "Said again", True)
    assert divisions.states("1.0")["bct/AB000001"] == "new"
    again_loaded = divisions.load(partition)
    assert (again_loaded.report.files_now, again_loaded.report.duplicates) == (0, 2)
    assert again_loaded.digest == loaded.digest


def test_an_emptied_division_meets_the_guard(divisions: Divisions) -> None:
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: many(20)}))
    empty = divisions.make("genbank/bct", "2.0", {})
    for _ in range(2):
        with pytest.raises(ShrinkGuardError, match=r"lacks 20 of 20 .*--max-absent-fraction 1\.000"):
            divisions.load(empty)
    assert divisions.query("SELECT count(*) FROM genbank.record WHERE is_current") == [(20,)]
    assert divisions.query("SELECT release FROM genbank.release") == [("1.0",), ("2.0",)]
    loaded = divisions.load(empty, max_absent_fraction=1.0)
    assert (loaded.report.rows_loaded, loaded.report.records_absent, loaded.report.files) == (0, 20, 0)
    assert divisions.load(empty).report.records_absent == 20  # finished: nobody is asked again


def test_a_few_absent_records_stop_nothing(divisions: Divisions) -> None:
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: many(19)}))
    assert divisions.load(divisions.make("genbank/bct", "2.0", {})).report.records_absent == 19


def test_a_division_that_was_always_empty_is_an_empty_load(divisions: Divisions) -> None:
    loaded = divisions.load(divisions.make("genbank/htc", "1.0", {}))
    assert (loaded.report.rows_loaded, loaded.report.rows_copied) == (0, 0)


def test_a_file_without_a_record_is_an_empty_file(divisions: Divisions) -> None:
    files = {ONE: ["LOCUS       broken\n//\n"], TWO: [Entry("AB000001")]}
    assert divisions.load(divisions.make("genbank/bct", "1.0", files)).report.rows_loaded == 1


def test_an_older_release_is_not_loaded_over_a_newer_one(divisions: Divisions) -> None:
    divisions.load(divisions.make("genbank/bct", "10.0", {ONE: [Entry("AB000001")]}))
    with pytest.raises(DatabaseError, match=r"release 10\.0 is already loaded; the older 9\.0"):
        divisions.load(divisions.make("genbank/bct", "9.0", {ONE: [Entry("AB000001")]}))


def test_evidence_of_removal_is_kept_with_the_event(divisions: Divisions) -> None:
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: many(3)}))
    evidence = [("AB000000", "gbdel", "gbdel.txt.gz"), ("ZZ000000", "gbdel", "gbdel.txt.gz")]
    divisions.load(divisions.make("genbank/bct", "2.0", {ONE: many(3)[2:]}, evidence=evidence))
    found = {row["accession"]: row["evidence"] for row in lookup.changes(divisions.settings, release="2.0")}
    assert found == {"AB000000": "gbdel: gbdel.txt.gz", "AB000001": None}


@pytest.mark.parametrize("leaving_first", [True, False])
def test_a_genbank_record_that_moves_between_divisions_is_neither_absent_nor_new(
    divisions: Divisions, leaving_first: bool
) -> None:
    stays, moves = Entry("AB000001", division="BCT"), Entry("AB000002", division="BCT")
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: [stays, moves]}))
    left = divisions.make("genbank/bct", "2.0", {ONE: [stays]})
    entered = divisions.make("genbank/phg", "2.0", {"gbphg1.seq.gz": [dataclasses.replace(moves, division="PHG")]})
    for partition in (left, entered) if leaving_first else (entered, left):
        divisions.load(partition)
    assert divisions.states("2.0") == {"phg/AB000002": "annotation_changed"}
    assert [row[:2] for row in rows_of(divisions)] == [("bct", "AB000001.1"), ("phg", "AB000002.1")]
    (event,) = lookup.changes(divisions.settings, release="2.0")
    assert event["evidence"] == "moved from bct"
    as_of = "SELECT section, accession FROM genbank.records_as_of('genbank', %s) ORDER BY 2"
    assert divisions.query(as_of, "1.0") == [("bct", "AB000001"), ("bct", "AB000002")]
    assert divisions.query(as_of, "2.0") == [("bct", "AB000001"), ("phg", "AB000002")]


def test_refseq_sections_may_share_a_record(divisions: Divisions) -> None:
    for section in ("bacteria", "plasmid"):
        name = f"{section}.1.genomic.gbff.gz"
        divisions.load(divisions.make(f"refseq/{section}", "1", {name: [Entry("NC_000001")]}))
    assert divisions.states("1", collection="refseq") == {
        "bacteria/NC_000001": "new", "plasmid/NC_000001": "new",
    }  # fmt: skip
    assert len(rows_of(divisions)) == 2


def test_a_release_that_is_issued_again_is_compared_with_itself(divisions: Divisions) -> None:
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: many(3), TWO: many(2, prefix="CD")}))
    loaded = divisions.load(divisions.make("genbank/bct", "1.0", {ONE: many(2)}))
    assert loaded.report.rows_loaded == 2
    gone = [row["accession"] for row in lookup.changes(divisions.settings) if row["state"] == "absent"]
    assert gone == ["AB000002", "CD000000", "CD000001"]
    assert len(divisions.query("SELECT * FROM genbank.records_as_of('genbank', '1.0')")) == 2
    assert divisions.query("SELECT name FROM genbank.source_file WHERE replaced_at IS NULL") == [(ONE,)]


def test_rows_parsed_by_other_code_are_loaded_anew_without_events(divisions: Divisions) -> None:
    partition = divisions.make("genbank/bct", "1.0", {ONE: many(3)})
    divisions.load(partition)
    events = divisions.query("SELECT * FROM genbank.record_event ORDER BY 1")
    divisions.query("UPDATE genbank.record SET code_version = '0', definition = 'as older code read it'")
    divisions.query("UPDATE genbank.source_file SET code_version = '0'")
    loaded = divisions.load(partition)
    assert (loaded.report.files_now, loaded.report.records_unchanged) == (1, 3)
    assert {row[2] for row in rows_of(divisions)} == {"A record"}
    assert divisions.query("SELECT * FROM genbank.record_event ORDER BY 1") == events
    assert divisions.query("SELECT count(*) FROM genbank.feature") == [(6,)]


@pytest.mark.parametrize("finished", [True, False])
def test_rows_that_something_else_deleted_come_back_with_the_next_run(divisions: Divisions, finished: bool) -> None:
    partition = divisions.make("genbank/bct", "1.0", {ONE: many(3), TWO: many(2, prefix="CD")})
    divisions.load(partition)
    divisions.query(
        "SELECT genbank.remove_records(ARRAY(SELECT record_id FROM genbank.record LIMIT 2), 'genbank', 'bct')"
    )
    if not finished:
        divisions.query("DELETE FROM genbank.division_release")
    assert divisions.load(partition).report.rows_loaded == 5
    assert divisions.query(
        "SELECT count(*) FROM genbank.record r JOIN genbank.record_presence p USING (record_id)"
    ) == [(5,)]
    assert divisions.query("SELECT count(*) FROM genbank.feature") == [(10,)]
    assert divisions.load(partition).report.files_now == 0


def test_a_record_row_names_its_file_its_run_and_its_history(divisions: Divisions, tmp_path: Path) -> None:
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: [Entry("AB000001")]}))
    divisions.load(divisions.make("genbank/bct", "2.0", {ONE: [Entry("AB000001", version=2, residues="ttt")]}))
    row = lookup.record_row(divisions.settings, collection="genbank", division="bct", accession="AB000001")
    assert row is not None
    assert (row["accession_version"], row["first_release"], row["last_release"]) == ("AB000001.2", "1.0", "2.0")
    assert (row["file"], row["run_id"], row["features"]) == (ONE, "run", 2)
    assert [(e["release"], e["state"]) for e in row["events"]] == [("1.0", "new"), ("2.0", "sequence_changed")]
    missing = lookup.record_row(divisions.settings, collection="genbank", division="bct", accession="ZZ1")
    assert missing is None


@pytest.mark.slow
def test_every_accession_of_the_mirrors_has_its_known_fate(
    settings: Settings, mirror_273: str, mirror_274: str
) -> None:
    expected = json.loads((SHARED / "mirror" / "EXPECTED.json").read_text())
    sources = {"273": mirror_273, "274": mirror_274}
    keys = {PartitionKey(c, d) for number in sources for c in ("genbank", "refseq") for d in expected[number][c]}
    for source in sources.values():
        for key in sorted(keys):
            mirror(key, dataclasses.replace(settings, source=source), stages=4)
    fates: dict[str, set[str]] = {}
    for release in ("274.0", "238"):
        for row in lookup.changes(settings, release=release):
            fates.setdefault(row["state"], set()).add(row["accession"])
    for state in ("new", "absent", "annotation_changed", "sequence_changed"):
        assert fates[state] == set(expected["274"]["fates"][state]), state
    assert not set().union(*fates.values()) & set(expected["274"]["fates"]["same"])


def test_a_record_that_moves_while_its_old_division_loads_keeps_its_new_place(
    divisions: Divisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other division commits after this one has compared the record and before it notes where it is."""
    moving, others = Entry("AB000009"), many(3)
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: [moving, *others]}))
    divisions.load(divisions.make("genbank/phg", "1.0", {"gbphg1.seq.gz": many(3, prefix="CD")}))
    old = divisions.make("genbank/bct", "2.0", {ONE: [moving, *others]})
    moved = dataclasses.replace(moving, division="PHG", title="Moved")
    new = divisions.make("genbank/phg", "2.0", {"gbphg1.seq.gz": [*many(3, prefix="CD"), moved]})
    execute, between = Session.execute, []

    def one_after_the_other(load, tasks, *, on_done, **_):
        results = [TaskResult(load(task), 0.1, 0) for task in tasks]
        for task, result in zip(tasks, results, strict=True):
            on_done(task, result)
        return results

    def interrupted(session: Session, statement: LiteralString, parameters: Any = None) -> list[tuple[Any, ...]]:
        if "finish_file" in statement and not between:
            between.append(True)
            other = threading.Thread(target=divisions.load, args=[new])
            other.start()
            other.join(60)
        return execute(session, statement, parameters)

    monkeypatch.setattr(division_load, "run_tasks", one_after_the_other)
    monkeypatch.setattr(Session, "execute", interrupted)
    divisions.load(old)
    assert between
    place = (
        "SELECT f.name, r.record_offset FROM genbank.record r "
        "LEFT JOIN genbank.source_file f USING (source_file_id) WHERE r.accession = %s AND r.section = 'phg'"
    )
    [(name, offset)] = divisions.query(place, "AB000009")
    assert (name, offset > 0) == ("gbphg1.seq.gz", True)
