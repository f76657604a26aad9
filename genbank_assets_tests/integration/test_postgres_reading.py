"""Reading with SQL: what is current, any qualifier, errors instead of answers, and other people's tools."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import polars as pl
import psycopg
import pytest

from genbank_assets.postgres.statements import REFRESHED, sql_text
from genbank_assets_tests.fix_postgres import Divisions, Entry
from genbank_assets_tests.integration.test_postgres_changes import ONE, many

LONG = "x" * 1_500


@pytest.fixture
def two_releases(divisions: Divisions) -> Divisions:
    """A record that stays, one that changed, one that is gone, one that came."""
    stays, changed, gone = (Entry(f"AB00000{n}", residues="acgt" * (n + 3)) for n in range(3))
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: [stays, changed, gone]}))
    second = [stays, dataclasses.replace(changed, title="Changed"), Entry("AB000009")]
    divisions.load(divisions.make("genbank/bct", "2.0", {ONE: second}))
    return divisions


def test_views_show_what_the_newest_release_has(two_releases: Divisions) -> None:
    rows = two_releases.query(
        "SELECT accession, collection, section, division, release_loaded, release_of_last_change, source_file "
        "FROM genbank.current_record ORDER BY 1"
    )
    assert rows == [
        ("AB000000", "genbank", "bct", "BCT", "2.0", "1.0", ONE),
        ("AB000001", "genbank", "bct", "BCT", "2.0", "2.0", ONE),
        ("AB000009", "genbank", "bct", "BCT", "2.0", "2.0", ONE),
    ]  # fmt: skip
    found = two_releases.query(
        "SELECT accession_version, gene FROM genbank.current_feature WHERE key = 'gene' ORDER BY 1"
    )
    assert found == [("AB000000.1", "gAB000000"), ("AB000001.1", "gAB000001"), ("AB000009.1", "gAB000009")]
    assert two_releases.query("SELECT count(*) FROM genbank.current_reference") == [(3,)]
    lineage = "SELECT first_release, last_release, release, is_current FROM genbank.record_lineage ORDER BY accession"
    assert two_releases.query(lineage) == [
        ("1.0", "2.0", "1.0", True), ("1.0", "2.0", "2.0", True), ("1.0", "1.0", "1.0", False),
        ("2.0", "2.0", "2.0", True),
    ]  # fmt: skip


def test_an_unchanged_record_is_not_written_by_an_update(divisions: Divisions) -> None:
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: many(50)}))
    where = "SELECT accession, xmin::text, ctid::text FROM genbank.record ORDER BY 1"
    before = divisions.query(where)
    changed = [*many(49), dataclasses.replace(many(50)[49], title="Changed")]
    loaded = divisions.load(divisions.make("genbank/bct", "2.0", {ONE: changed}))
    after = divisions.query(where)
    assert [row for row in after if row not in before] == [after[49]]
    assert loaded.report.rows_merged == 1  # its event


@pytest.mark.parametrize(
    ("qualifier", "value", "count"),
    [("protein_id", "AAA1.1", 1), ("note", LONG, 1), ("note", "a", 0), ("product", LONG * 6, 1), ("db_xref", LONG, 1),
     ("gene", LONG, 1), ("gene", "a", 1), ("nothing", "x", 0), ("a", "gene", 0)],
)  # fmt: skip
def test_features_with_answers_for_any_qualifier_and_any_length(
    divisions: Divisions, qualifier: str, value: str, count: int
) -> None:
    pairs = [("gene", "a"), ("gene", LONG), ("product", LONG * 6), ("protein_id", "AAA1.1"), ("note", LONG),
             ("db_xref", LONG)]  # fmt: skip
    lines = ["     CDS             1..6"]
    for key, text in pairs:
        pieces = re.findall(".{1,50}", f'/{key}="{text}"')
        lines += [" " * 21 + piece for piece in pieces]
    text = (
        Entry("AB000001").text().replace("     gene            1..6", "\n".join([*lines, "     gene            1..6"]))
    )
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: [text]}))
    values = "SELECT q ->> 1 FROM genbank.feature, jsonb_array_elements(qualifiers) q WHERE q ->> 0 = %s"
    stored = divisions.query(values, qualifier)
    wanted = next((found for (found,) in stored if found.replace(" ", "") == value), value)
    assert divisions.query("SELECT count(*) FROM genbank.features_with(%s, %s)", qualifier, wanted) == [(count,)]


def test_releases_that_were_never_loaded_are_errors(two_releases: Divisions) -> None:
    ask = "SELECT count(*) FROM genbank.records_as_of(%s, %s)"
    assert two_releases.query(ask, "genbank", "1.0") == [(3,)]
    assert two_releases.query(ask, "genbank", "2.0.20990101") == [(3,)]  # a day on top of one that was
    for collection, release in (("genbank", "999.0"), ("genbank", "9.0.20260101"), ("refseq", "1.0"), ("genbank", "")):
        with pytest.raises(psycopg.errors.NoDataFound, match="was never loaded"):
            two_releases.query(ask, collection, release)
        with pytest.raises(psycopg.errors.NoDataFound, match="was never loaded"):
            two_releases.query(ask + " WHERE accession = 'nothing'", collection, release)


def test_polars_reads_the_views(two_releases: Divisions) -> None:
    with psycopg.connect(two_releases.settings.postgres_url or "") as connection:
        records = pl.read_database("SELECT * FROM genbank.current_record", connection)
        features = pl.read_database("SELECT * FROM genbank.current_feature", connection)
    assert records["accession"].sort().to_list() == ["AB000000", "AB000001", "AB000009"]
    assert len(features.join(records, on="record_id")) == len(features) == 6


def test_sqlalchemy_maps_the_tables(two_releases: Divisions) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    from sqlalchemy.ext.automap import automap_base
    from sqlalchemy.orm import Session

    url = (two_releases.settings.postgres_url or "").replace("postgresql://", "postgresql+psycopg://")
    engine = sqlalchemy.create_engine(url)
    base: Any = automap_base()
    base.prepare(autoload_with=engine, schema="genbank")
    assert {"record", "feature", "reference", "record_event", "source_file", "release"} <= set(base.classes.keys())
    with Session(engine) as session:
        record = base.classes.record
        found = session.query(record).filter(record.is_current).order_by(record.accession).all()
        assert [row.accession for row in found] == ["AB000000", "AB000001", "AB000009"]
    engine.dispose()


def test_functions_are_sound(two_releases: Divisions) -> None:
    """By plpgsql_check where the server has it; every function is there and callable in any case."""
    names = re.findall(r"CREATE OR REPLACE FUNCTION genbank\.(\w+)", "".join(sql_text(name) for name in REFRESHED))
    found = two_releases.query("SELECT proname FROM pg_proc WHERE pronamespace = 'genbank'::regnamespace")
    assert {name for (name,) in found} == set(names)
    if not two_releases.query("SELECT 1 FROM pg_available_extensions WHERE name = 'plpgsql_check'"):
        pytest.skip("this server has no plpgsql_check")
    two_releases.query("CREATE EXTENSION plpgsql_check")
    told = two_releases.query(
        "SELECT p.oid::regprocedure::text, c.message FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang, "
        "plpgsql_check_function_tb(p.oid) c WHERE l.lanname = 'plpgsql' AND c.level = 'error' "
        "AND p.pronamespace = 'genbank'::regnamespace AND c.message !~ 'stage_'"
    )
    assert told == []
