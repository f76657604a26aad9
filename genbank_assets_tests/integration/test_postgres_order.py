"""The order of states: whatever comes first, is killed or resumed, a row ends at the latest state by date."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from genbank_assets.errors import DatabaseError
from genbank_assets.lineage.trace import trace
from genbank_assets.ncbi.catalog import GENBANK
from genbank_assets.ncbi.daily import daily_partition, fetch_daily
from genbank_assets.postgres import daily, division_load, one_file
from genbank_assets.postgres.connection import open_database
from genbank_assets.postgres.daily import apply_day
from genbank_assets.postgres.load import load_division
from genbank_assets.postgres.sql_files import query
from genbank_assets.postgres.versions import ensure_schema
from genbank_assets.release_facts import first_fetched
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionRelease
from genbank_assets.tables.dedup import build_unique_records
from genbank_assets.tables.records import build_records
from genbank_assets_tests.defs.test_checks import finding
from genbank_assets_tests.fix_postgres import Divisions, Entry
from genbank_assets_tests.integration.test_daily import (
    DAY,
    NEXT,
    PHAGE,
    VIRAL,
    VRL,
    Ncbi,
    accession,
    annotated,
    apply,
    loaded,
    mirrored,
    ncbi,
    renamed,
)
from genbank_assets_tests.integration.test_leases import eventually
from genbank_assets_tests.integration.test_mirror import mirror

__all__ = ["mirrored", "ncbi"]
NAME = accession(VIRAL[0])
OPTIONS: dict[str, Any] = {"progress": lambda line: None, "run_id": "r"}


def prepared(settings: Settings, day: dt.date) -> PartitionRelease:
    """A day up to its tables."""
    partition = daily_partition(settings, collection=GENBANK, day=day)
    fetch_daily(GENBANK, day=day, settings=settings, **OPTIONS)
    build_records(partition, settings=settings, **OPTIONS)
    build_unique_records(partition, settings=settings, **OPTIONS)
    return partition


def history(settings: Settings) -> list[tuple[Any, ...]]:
    with open_database(settings) as database, database.transaction() as session:
        return session.execute(
            "SELECT accession, release, state, accession_version, previous_accession_version, record_sha256 "
            "FROM genbank.record_event ORDER BY accession, point, state"
        )


def release_two(ncbi: Ncbi, settings: Settings, *first: str) -> PartitionRelease:
    ncbi.release("2.0", "October 15 2026", vrl=[*first, *VIRAL[1:5]], phg=PHAGE)
    mirror(VRL, settings, stages=3)
    return PartitionRelease(settings.store, VRL, "2.0")


def test_an_older_day_changes_nothing_while_a_later_release_is_on_its_way(
    mirrored: Settings, ncbi: Ncbi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load that was killed after its files, an older day, the resumed load."""
    ncbi.day(DAY, annotated(VIRAL[0], "OLDDAY"), renamed(VIRAL[5], "ZZ000001"))
    day = prepared(mirrored, DAY)
    release = release_two(ncbi, mirrored, annotated(VIRAL[0], "NEWRELEASE"))

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(division_load.DivisionLoad, "_finish", killed)
        with pytest.raises(KeyboardInterrupt):
            load_division(release, settings=mirrored, **OPTIONS)
    applied = apply_day(day, settings=mirrored, **OPTIONS)
    assert (applied.extra["applied"], applied.extra["superseded_by_release"]) == (0, 2)
    assert loaded(mirrored)["vrl", NAME][0].startswith("NEWRELEASE")
    load_division(release, settings=mirrored, **OPTIONS)
    assert loaded(mirrored)["vrl", NAME][:2] == (loaded(mirrored)["vrl", NAME][0], "2.0")
    assert ("vrl", "ZZ000001") not in loaded(mirrored)
    for name in ("database_totals", "shrink"):
        assert finding(name, release, mirrored).passed
    assert load_division(release, settings=mirrored, **OPTIONS).report.files_now == 0


def test_an_older_day_that_waited_for_a_later_release_changes_nothing(
    mirrored: Settings, ncbi: Ncbi, monkeypatch: pytest.MonkeyPatch
) -> None:
    ncbi.day(DAY, annotated(VIRAL[0], "OLDDAY"))
    day = prepared(mirrored, DAY)
    release = release_two(ncbi, mirrored, annotated(VIRAL[0], "NEWRELEASE"))
    finish = division_load.DivisionLoad._finish
    reached, go_on, lines = threading.Event(), threading.Event(), []

    def slow(self: Any, *arguments: Any, **options: Any) -> None:
        reached.set()
        go_on.wait(30)
        finish(self, *arguments, **options)

    monkeypatch.setattr(division_load.DivisionLoad, "_finish", slow)
    load = threading.Thread(target=lambda: load_division(release, settings=mirrored, **OPTIONS))
    load.start()
    assert reached.wait(30)
    late = threading.Thread(
        target=lambda: apply_day(day, settings=mirrored, progress=lines.append, run_id="day")  # type: ignore[arg-type]
    )
    late.start()
    for _ in range(200):
        if any("another run works on load genbank/vrl (run r," in str(line) for line in lines):
            break
        threading.Event().wait(0.05)
    else:
        pytest.fail(f"the day did not say for whom it waits: {lines}")
    go_on.set()
    load.join(60)
    late.join(60)
    assert loaded(mirrored)["vrl", NAME][0].startswith("NEWRELEASE")
    (followed,) = trace(mirrored, NAME)
    assert followed.release == "2.0"
    assert {hop.stage: hop.status for hop in followed.hops}["database row"] == "ok"


def test_the_merge_decides_even_when_nothing_before_it_does(
    mirrored: Settings, ncbi: Ncbi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any lock and with what it read before, an older day still finds the division past it."""
    ncbi.day(DAY, annotated(VIRAL[0], "OLDDAY"))
    day = prepared(mirrored, DAY)
    load_division(release_two(ncbi, mirrored, annotated(VIRAL[0], "NEWRELEASE")), settings=mirrored, **OPTIONS)
    always = {"daily.is_open": "SELECT true WHERE %(point)s IS NOT NULL"}
    monkeypatch.setattr(daily, "query", lambda name: always.get(name) or query(name))
    monkeypatch.setattr(one_file, "assert_held", lambda *_: None)
    assert apply_day(day, settings=mirrored, **OPTIONS).extra["applied"] == 0
    assert loaded(mirrored)["vrl", NAME][0].startswith("NEWRELEASE")


def test_a_release_that_is_resumed_after_a_later_day_keeps_what_the_day_brought(
    mirrored: Settings, ncbi: Ncbi, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = dt.date(2026, 10, 20)
    ncbi.day(later, annotated(VIRAL[0], "LATER"), annotated(VIRAL[1], "LATER"), VIRAL[2])
    day = prepared(mirrored, later)
    release = release_two(ncbi, mirrored, annotated(VIRAL[0], "RELEASE"))
    load_file = one_file.load_file

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(division_load, "load_file", killed)
        with pytest.raises(KeyboardInterrupt):
            load_division(release, settings=mirrored, **OPTIONS)
    assert load_file is one_file.load_file
    assert apply_day(day, settings=mirrored, **OPTIONS).extra["applied"] == 3
    report = load_division(release, settings=mirrored, **OPTIONS).report
    assert report.rows_loaded == 5
    rows = loaded(mirrored)
    assert [rows["vrl", accession(record)][0].split()[0] for record in VIRAL[:2]] == ["LATER", "LATER"]
    assert rows["vrl", accession(VIRAL[2])][1] == "1.0.20261020"
    assert finding("database_totals", release, mirrored).passed
    with open_database(mirrored) as database, database.transaction() as session:
        then = session.execute(
            "SELECT e.state, e.release FROM genbank.record_event e WHERE e.accession = %s ORDER BY e.point", [NAME]
        )
        as_of = session.execute(
            "SELECT since_release FROM genbank.records_as_of('genbank', '2.0') WHERE accession = %s", [NAME]
        )
    assert then == [("new", "1.0"), ("annotation_changed", "2.0"), ("annotation_changed", "1.0.20261020")]
    assert as_of == [("2.0",)]


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))][1:], ids=str)
def test_days_in_any_order_leave_the_same_rows_and_the_same_history(
    mirrored: Settings, ncbi: Ncbi, order: tuple[int, ...]
) -> None:
    days = [DAY, NEXT, dt.date(2026, 9, 4)]
    ncbi.day(days[0], annotated(VIRAL[0], "FIRST"), annotated(VIRAL[1], "ONLY"), renamed(VIRAL[5], "ZZ000001"))
    ncbi.day(days[1], annotated(VIRAL[0], "SECOND"), annotated(renamed(VIRAL[5], "ZZ000001"), "SECOND"))
    ncbi.day(days[2], VIRAL[0], annotated(VIRAL[2], "LAST"))
    for number in order:
        apply(mirrored, days[number])
    rows = loaded(mirrored)
    shown = {name: rows["vrl", name][:2] for name in (NAME, accession(VIRAL[1]), accession(VIRAL[2]), "ZZ000001")}
    assert {name: (text.split()[0], release) for name, (text, release) in shown.items() if name != NAME} == {
        accession(VIRAL[1]): ("ONLY", "1.0.20260902"),
        accession(VIRAL[2]): ("LAST", "1.0.20260904"),
        "ZZ000001": ("SECOND", "1.0.20260903"),
    }
    assert shown[NAME][1] == "1.0.20260904"
    told = [row[:5] for row in history(mirrored) if row[0] in {NAME, "ZZ000001"}]
    version = told[0][3]
    assert told == [
        (NAME, "1.0", "new", version, None),
        (NAME, "1.0.20260902", "annotation_changed", version, version),
        (NAME, "1.0.20260903", "annotation_changed", version, version),
        (NAME, "1.0.20260904", "annotation_changed", version, version),
        ("ZZ000001", "1.0.20260902", "new", told[4][3], None),
        ("ZZ000001", "1.0.20260903", "annotation_changed", told[4][3], told[4][3]),
    ]


def test_an_older_release_is_refused_even_when_the_later_one_is_not_finished(
    mirrored: Settings, ncbi: Ncbi, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = PartitionRelease(mirrored.store, VRL, "1.0")
    release = release_two(ncbi, mirrored, annotated(VIRAL[0], "NEWRELEASE"))
    with monkeypatch.context() as patch:
        patch.setattr(division_load.DivisionLoad, "_finish", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            load_division(release, settings=mirrored, **OPTIONS)
    with pytest.raises(DatabaseError, match=r"the older 1\.0 is not loaded over it"):
        load_division(first, settings=mirrored, **OPTIONS)
    assert loaded(mirrored)["vrl", NAME][0].startswith("NEWRELEASE")


def test_releases_are_ordered_by_number_rather_than_date(mirrored: Settings) -> None:
    note = "SELECT genbank.note_release('genbank', %s, %s, 0, %s, '2026-11-26')"
    with open_database(mirrored) as database, database.transaction(keep=False) as session:
        first = session.execute("SELECT point FROM genbank.release WHERE release = '1.0'")[0][0]
        points = [
            session.execute(note, [f"{number}.0", number, date])[0][0]
            for number, date in ((3, "2026-10-15"), (2, None), (4, "2026-01-01"), (5, None))
        ]
        assert session.execute(note, ["2.0", 2, "2020-01-01"])[0][0] == points[1]  # what was noted once holds
        day, release = session.execute(
            "SELECT genbank.point_of('2026-10-15', NULL, NULL), genbank.point_of('2026-10-15', 3, 0)"
        )[0]
    assert first < points[1] < points[0] < points[2] < points[3]
    assert day < release == points[0]


def test_a_day_on_the_date_of_a_release_comes_before_it(divisions: Divisions) -> None:
    partition = divisions.make("genbank/bct", "1.0", {"gbbct1.seq.gz": [Entry("AB000000")]})
    divisions.load(partition)
    date = first_fetched(partition)
    for day, applied in ((date, 0), (date + dt.timedelta(days=1), 1)):
        files = {f"nc{day:%m%d}.flat.gz": [Entry("AB000000", title=f"Of {day}")]}
        done = apply_day(
            divisions.make("genbank/daily", f"{day:%Y%m%d}", files), settings=divisions.settings, **OPTIONS
        )
        assert (done.extra["applied"], done.extra["superseded_by_release"]) == (applied, 1 - applied)
    assert divisions.query("SELECT definition FROM genbank.record") == [(f"Of {day}",)]


ONE, OTHER = "gbbct1.seq.gz", "gbphg1.seq.gz"


def in_another_order(divisions: Divisions) -> tuple[list[Entry], dict[str, int]]:
    """Eight records whose numbers, names and places on the disk have three orders; returns them and their numbers."""
    entries = [Entry(f"AB{n:06}", residues="acgt" * (n + 3)) for n in (5, 2, 7, 0, 6, 1, 4, 3)]
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: entries}))
    for release, number in (("1.1", 1), ("1.2", 0), ("1.3", 4)):  # a changed record is written anew, at the end
        entries[number] = dataclasses.replace(entries[number], title=f"Changed by {release}")
        divisions.load(divisions.make("genbank/bct", release, {ONE: entries}))
    numbers = divisions.query("SELECT accession, record_id FROM genbank.record WHERE section = 'bct'")
    return entries, {str(name): int(number) for name, number in numbers}


def waits(beside: psycopg.Connection[Any]) -> bool:
    """Whether a statement of a load waits for a lock."""
    found = beside.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
        "AND query LIKE '%genbank.%'"
    )
    return found.fetchone() == (1,)


@pytest.mark.parametrize("way", ["changed", "absent", "moved", "moved to a division that is new"])
def test_rows_are_locked_in_the_order_of_their_numbers(divisions: Divisions, way: str) -> None:
    """Two loads that change the same rows wait for each other, never each for the other.

    A session holds a row in the middle. When the load waits for it, all rows before it are locked and none after it,
    in whatever order the files, the index of names or the disk have them.
    """
    entries, numbers = in_another_order(divisions)
    if way == "moved":
        divisions.load(divisions.make("genbank/phg", "1.0", {OTHER: [Entry("CD000001", division="PHG")]}))
    entries = [dataclasses.replace(e, title="Otherwise", division="PHG" if "moved" in way else "BCT") for e in entries]
    release = {
        "changed": lambda: divisions.make("genbank/bct", "2.0", {ONE: sorted(entries, key=lambda e: e.accession)}),
        "absent": lambda: divisions.make("genbank/bct", "2.0", {ONE: [Entry("AB000009")]}),
    }.get(way, lambda: divisions.make("genbank/phg", "2.0", {OTHER: sorted(entries, key=lambda e: e.accession)}))()
    ids = sorted(numbers.values())
    middle = ids[len(ids) // 2]
    url = str(divisions.settings.postgres_url)
    lock = "SELECT record_id FROM genbank.record WHERE record_id = ANY (%s) FOR UPDATE"
    with (
        psycopg.connect(url) as holder, psycopg.connect(url, autocommit=True) as beside,
        ThreadPoolExecutor(1) as pool,
    ):  # fmt: skip
        holder.execute(lock, [[middle]])
        load = pool.submit(divisions.load, release, max_absent_fraction=1.0)
        eventually(lambda: load.done() or waits(beside))
        free = {number for (number,) in beside.execute(f"{lock} SKIP LOCKED", [ids])}
        holder.rollback()
        load.result(60)
    assert sorted(set(ids) - free) == [number for number in ids if number <= middle]
    kept = divisions.query("SELECT count(*) FROM genbank.record WHERE record_id = ANY (%s)", ids)
    assert kept == [(len(ids),)]


@pytest.mark.parametrize("is_new", [False, True], ids=["with records", "that is new"])
def test_a_record_that_moves_to_a_division_keeps_what_a_later_day_brings_meanwhile(
    divisions: Divisions, is_new: bool
) -> None:
    """The day has changed the record and not committed when the load, which has seen it as it was, wants to move it."""
    moving, other = Entry("AB000009"), Entry("CD000001", division="PHG")
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: [moving, Entry("AB000001")]}))
    if not is_new:
        divisions.load(divisions.make("genbank/phg", "1.0", {OTHER: [other]}))
    moved = dataclasses.replace(moving, division="PHG", title="Moved")
    release = divisions.make("genbank/phg", "2.0", {OTHER: [other, moved]})
    url = str(divisions.settings.postgres_url)
    with (
        psycopg.connect(url) as day, psycopg.connect(url, autocommit=True) as beside, ThreadPoolExecutor(1) as pool,
    ):  # fmt: skip
        day.execute(
            "UPDATE genbank.record SET definition = 'Of a later day', point = point + (1::bigint << 40) "
            "WHERE accession = 'AB000009'"
        )
        load = pool.submit(divisions.load, release)
        eventually(lambda: load.done() or waits(beside))
        assert not load.done()
        day.commit()
        load.result(60)
    rows = divisions.query("SELECT section, definition FROM genbank.record WHERE accession = 'AB000009' ORDER BY 1")
    assert rows == [("bct", "Of a later day"), ("phg", "Moved")]


def test_two_releases_that_are_noted_at_the_same_moment_stand_in_the_order_of_their_numbers(settings: Settings) -> None:
    """The earlier one, first fetched after the date of the later one, waits until it can see where that stands."""
    with open_database(settings, create=True) as database:
        ensure_schema(database)
    note = "SELECT genbank.note_release('genbank', %s, %s, 0, %s::date, %s::date)"
    url = str(settings.postgres_url)
    with (
        psycopg.connect(url) as one, psycopg.connect(url) as other, psycopg.connect(url, autocommit=True) as beside,
        ThreadPoolExecutor(1) as pool,
    ):  # fmt: skip
        (later,) = one.execute(note, ["2.0", 2, "2026-10-15", "2026-10-16"]).fetchone() or (0,)
        noted = pool.submit(other.execute, note, ["1.0", 1, None, "2026-12-01"])
        eventually(lambda: noted.done() or waits(beside))
        one.commit()
        (earlier,) = noted.result(60).fetchone() or (0,)
    assert 0 < earlier < later
