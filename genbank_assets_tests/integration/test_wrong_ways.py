"""Ways to read a store that look right and are not: each fails loudly, or is right, or is told in the document.

The tests verify the table *Common mistakes* in ``docs/reading-without.md``.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import psycopg
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from genbank_assets.catalog.mirror import open_mirror
from genbank_assets.settings import Settings


@pytest.fixture
def genbank(two_releases: Settings) -> Path:
    return two_releases.store / "genbank"


def vrl(settings: Settings) -> list[str]:
    return sorted(open_mirror(settings.store).records("genbank/vrl").select("accession_version").collect().to_series())


def test_a_glob_in_place_of_the_release_is_right(two_releases: Settings, genbank: Path) -> None:
    pattern = str(genbank / "*" / "vrl" / "records" / "*.parquet")
    assert sorted(pl.scan_parquet(pattern).collect()["accession_version"]) == vrl(two_releases)
    found = duckdb.sql(f"SELECT accession_version FROM '{pattern}'").fetchall()
    assert sorted(name for (name,) in found) == vrl(two_releases)


def test_a_glob_over_everything_says_it_by_release(two_releases: Settings, genbank: Path) -> None:
    found = pl.scan_parquet(str(genbank / "*.0" / "vrl" / "records" / "*" / "records" / "*.parquet")).collect()
    assert set(found["release"]) == {"1.0", "2.0"}  # both are kept: rows come twice
    newest = found.filter(pl.col("release") == "2.0")
    assert sorted(newest["accession_version"]) == vrl(two_releases)


def test_a_staging_folder_is_not_a_data_set_and_the_newest_tables_are(two_releases: Settings, genbank: Path) -> None:
    with pytest.raises((pa.ArrowInvalid, OSError), match=r"manifest\.json"):
        ds.dataset(genbank / "2.0" / "vrl" / "records", format="parquet").to_table()
    with pytest.raises(pl.exceptions.PolarsError):
        pl.scan_parquet(genbank / "2.0" / "vrl" / "records").collect()
    current = genbank / "current" / "vrl" / "records"
    assert sorted(ds.dataset(current).to_table()["accession_version"].to_pylist()) == vrl(two_releases)


def test_residues_joined_by_their_number_in_a_file(genbank: Path) -> None:
    """Over several files a number is of several records; the tables of phages and viruses begin with 0 each."""
    records, sequences = (str(genbank / "current" / "*" / kind / "*.parquet") for kind in ("records", "sequences"))
    by_number = f"FROM '{records}' r JOIN '{sequences}' s USING (record_ordinal)"
    with pytest.raises(duckdb.BinderException, match="Ambiguous reference"):
        duckdb.sql(f"SELECT accession_version, residues {by_number}")
    shared = f"FROM '{records}' NATURAL JOIN '{sequences}'"
    foreign = duckdb.sql(f"SELECT count(*) {by_number} WHERE r.accession_version != s.accession_version").fetchone()
    assert foreign is not None
    assert foreign[0] > 0
    lengths = duckdb.sql(f"SELECT any_value(length), sum(strlen(residues)) {shared} GROUP BY accession_version")
    assert all(length == letters for length, letters in lengths.fetchall())
    frame = pl.scan_parquet(records).join(pl.scan_parquet(sequences), on="record_ordinal").collect()
    assert (frame["accession_version"] != frame["accession_version_right"]).any()


def test_section_and_division_are_two_things(genbank: Path) -> None:
    table = str(genbank / "current" / "vrl" / "records" / "*.parquet")
    found = duckdb.sql(f"SELECT DISTINCT section, division FROM '{table}' ORDER BY ALL").fetchall()
    assert ("vrl", "VRL") in found
    assert ("vrl", "PLN") in found  # a plant's record that NCBI has in a file of viruses here
    assert duckdb.sql(f"SELECT 1 FROM '{table}' WHERE division = section").fetchall() == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT 1 FROM genbank.release_changes JOIN genbank.record USING (division, accession)", "division"),
        ("SELECT * FROM genbank.records_as_of('genbank', '999.0')", "999"),
        ("SELECT sequence FROM genbank.current_record", "sequence"),
    ],
)
def test_the_database_refuses(query: str, message: str, two_releases: Settings) -> None:
    assert two_releases.postgres_url is not None
    with psycopg.connect(two_releases.postgres_url) as connection, pytest.raises(psycopg.Error, match=message):
        connection.execute(query.encode())


def test_the_database_joins_changes_by_the_record(two_releases: Settings) -> None:
    assert two_releases.postgres_url is not None
    right = "SELECT count(*) FROM genbank.release_changes JOIN genbank.record USING (collection, record_id)"
    absent = "SELECT (SELECT count(*) FROM genbank.record) - (SELECT count(*) FROM genbank.current_record)"
    with psycopg.connect(two_releases.postgres_url) as connection:
        changes = connection.execute("SELECT count(*) FROM genbank.release_changes").fetchone()
        assert connection.execute(right.encode()).fetchone() == changes
        left_out = connection.execute(absent.encode()).fetchone()
        assert left_out is not None
        assert left_out[0] > 0
