"""Daily updates at the edges: days that are gone, New Year, moving records, and what the next release makes of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import pytest

from genbank_assets.errors import IntegrityError, NotFoundError
from genbank_assets.ncbi import daily
from genbank_assets.ncbi.catalog import GENBANK, REFSEQ
from genbank_assets.ncbi.daily import daily_partition, fetch_daily
from genbank_assets.postgres.lookup import changes
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey
from genbank_assets_tests.integration.test_daily import (
    DAY,
    NEXT,
    PHAGE,
    PHG,
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
from genbank_assets_tests.integration.test_mirror import mirror

__all__ = ["mirrored", "ncbi"]


def fetched(settings: Settings, day: dt.date, *, collection=GENBANK) -> list[str]:
    manifest = fetch_daily(collection, day=day, settings=settings, progress=lambda line: None, run_id="t")
    return [entry["name"] for entry in manifest.files]


@pytest.fixture
def days(plain_settings: Settings, tmp_path: Path) -> tuple[Settings, Ncbi]:
    source = Ncbi(tmp_path / "days")
    return dataclasses.replace(plain_settings, source=source.folder.as_uri()), source


def test_a_dropped_day_is_not_an_empty_day(days: tuple[Settings, Ncbi]) -> None:
    settings, source = days
    source.day(dt.date(2026, 6, 1), VIRAL[0])
    source.day(dt.date(2026, 11, 1), VIRAL[0])
    with pytest.raises(NotFoundError, match="any more: the oldest is of 2026-06-01"):
        fetched(settings, dt.date(2026, 5, 31))
    assert fetched(settings, dt.date(2026, 9, 2)) == []  # a day between two others that NCBI made none for
    with pytest.raises(NotFoundError, match="may come later"):
        fetched(settings, dt.date(2026, 11, 2))


@pytest.mark.parametrize(
    ("day", "name"),
    [(dt.date(2026, 12, 31), "nc1231.flat.gz"), (dt.date(2027, 1, 1), "nc0101.flat.gz"),
     (dt.date(2028, 2, 29), "nc0229.flat.gz"), (dt.date(2027, 1, 31), "nc0131.flat.gz")],
)  # fmt: skip
def test_days_around_new_year_are_of_the_right_year(days: tuple[Settings, Ncbi], day: dt.date, name: str) -> None:
    settings, source = days
    for other in (dt.date(2026, 12, 30), dt.date(2026, 12, 31), dt.date(2027, 1, 1), dt.date(2027, 1, 31)):
        source.day(other, VIRAL[0])
    source.day(dt.date(2028, 2, 29), VIRAL[0])
    assert fetched(settings, day) == [name]


def test_new_years_eve_is_asked_for_on_new_years_day(days: tuple[Settings, Ncbi]) -> None:
    settings, source = days
    source.day(dt.date(2026, 12, 30), VIRAL[0])
    with pytest.raises(NotFoundError, match="newest is of 2026-12-30"):
        fetched(settings, dt.date(2026, 12, 31))
    source.day(dt.date(2027, 1, 1), VIRAL[0])
    assert fetched(settings, dt.date(2026, 12, 31)) == []


def test_both_kinds_of_a_refseq_day_are_fetched_and_hostile_names_are_not(
    plain_settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "d" / "refseq" / "daily"
    folder.mkdir(parents=True)
    for name in ("rsnc.0902.2026.gbff.gz", "rsnc.0902.2026.gpff.gz", "rsnc.0902.2026.fna.gz", "rsnc.9999.2026.gbff.gz"):
        source = Ncbi(tmp_path / name)
        source.day(DAY, VIRAL[0])
        (folder / name).write_bytes((source.folder / "genbank/daily-nc/nc0902.flat.gz").read_bytes())
    settings = dataclasses.replace(plain_settings, source=(tmp_path / "d").as_uri())
    assert fetched(settings, DAY, collection=REFSEQ) == ["rsnc.0902.2026.gbff.gz", "rsnc.0902.2026.gpff.gz"]


def test_a_day_that_cannot_be_fetched_again_leaves_what_is_there(days: tuple[Settings, Ncbi]) -> None:
    settings, source = days
    source.day(DAY, VIRAL[0])
    fetched(settings, DAY)
    folder = daily_partition(settings, collection=GENBANK, day=DAY).files_folder("raw_files")
    before = (folder / "nc0902.flat.gz").read_bytes()
    path = source.folder / "genbank/daily-nc/nc0902.flat.gz"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(IntegrityError, match="ends before"):
        fetched(settings, DAY)
    assert (folder / "nc0902.flat.gz").read_bytes() == before


@pytest.mark.parametrize("order", [(VRL, PHG), (PHG, VRL)], ids=["from-first", "to-first"])
def test_a_record_that_moved_division_is_updated_where_it_is_and_moved_by_the_next_release(
    mirrored: Settings, ncbi: Ncbi, order: tuple[PartitionKey, ...]
) -> None:
    moved = annotated(VIRAL[0], "MOVED").replace(" VRL ", " PHG ", 1)
    name = accession(moved)
    ncbi.day(DAY, moved)
    assert apply(mirrored, DAY).extra["states"]["annotation_changed"] == 1
    assert loaded(mirrored)["vrl", name][0].startswith("MOVED")
    ncbi.release("2.0", "October 15 2026", vrl=VIRAL[1:5], phg=[*PHAGE, moved])
    for key in order:
        mirror(key, mirrored)
    rows = loaded(mirrored)
    assert [(key, row[1:]) for key, row in rows.items() if key[1] == name] == [(("phg", name), ("2.0", True))]


def test_the_same_record_twice_in_a_day_counts_once_and_the_later_one_holds(mirrored: Settings, ncbi: Ncbi) -> None:
    ncbi.day(DAY, annotated(VIRAL[0], "FIRST"), annotated(VIRAL[0], "SECOND"))
    found = apply(mirrored, DAY)
    assert found.extra["applied"] == 1
    assert loaded(mirrored)["vrl", accession(VIRAL[0])][0].startswith("SECOND")


def test_a_day_applied_again_after_a_later_one_and_a_release_between_changes_nothing(
    mirrored: Settings, ncbi: Ncbi
) -> None:
    ncbi.day(DAY, annotated(VIRAL[0], "FIRST"), renamed(VIRAL[5], "ZZ000001"))
    ncbi.day(NEXT, annotated(VIRAL[0], "SECOND"))
    apply(mirrored, DAY)
    apply(mirrored, NEXT)
    before = loaded(mirrored)
    apply(mirrored, DAY)
    assert loaded(mirrored) == before
    ncbi.release(
        "2.0",
        "October 15 2026",
        vrl=[annotated(VIRAL[0], "SECOND"), *VIRAL[1:5], renamed(VIRAL[5], "ZZ000001")],
        phg=PHAGE,
    )
    mirror(VRL, mirrored)
    states = {change["state"] for change in changes(mirrored, release="2.0")}
    assert states == set()
    after = loaded(mirrored)
    apply(mirrored, DAY)
    apply(mirrored, NEXT)
    assert loaded(mirrored) == after


def test_daily_names_are_nearest_to_the_day_that_is_asked_for() -> None:
    assert daily._day("nc0229.flat.gz", near=dt.date(2026, 3, 1)) is None  # no year around has that day
    assert daily._day("nc1231.flat.gz", near=dt.date(2027, 1, 2)) == dt.date(2026, 12, 31)
    assert daily._day("nc0102.flat.gz", near=dt.date(2026, 12, 30)) == dt.date(2027, 1, 2)
    assert daily._day("nc1301.flat.gz", near=DAY) is None
    assert daily._day("rsnc.1231.2026.gbff.gz", near=dt.date(2020, 1, 1)) == dt.date(2026, 12, 31)
    assert daily._day("nc0101.gnp.gz", near=DAY) is None
