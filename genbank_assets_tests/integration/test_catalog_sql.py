"""The SQL catalog: newest by default, as of a release by version, counts of the manifests, rebuilt at any time."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from genbank_assets.catalog import ducklake
from genbank_assets.catalog.ducklake import attached, build_catalog, catalog_path, snapshots
from genbank_assets.catalog.mirror import open_mirror
from genbank_assets.catalog.sql import open_catalog
from genbank_assets.errors import IntegrityError, NotFoundError
from genbank_assets.postgres.connection import open_database
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets_tests.fix_two_releases import PARTITIONS, files_below
from genbank_assets_tests.integration.test_daily import VIRAL, accession

pytest.importorskip("duckdb_extension_ducklake")


@pytest.fixture(scope="module")
def store(two_releases: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the store, with its catalog."""
    copy = tmp_path_factory.mktemp("catalog") / "store"
    shutil.copytree(two_releases.store, copy, symlinks=True)
    report = build_catalog(copy)
    assert report.left_out == ()
    assert (report.steps, report.steps_now) == (7, 7)
    return copy


def rows(store: Path, query: str, *, release: str | None = None) -> list[tuple[object, ...]]:
    with open_catalog(store, release=release) as connection:
        return connection.execute(query).fetchall()


def test_the_newest_state_is_the_mirrors(store: Path) -> None:
    mirror = open_mirror(store)
    expected = sorted(mirror.records().select("collection", "section", "release", "accession_version").collect().rows())
    assert sorted(rows(store, "SELECT collection, section, release, accession_version FROM records")) == expected
    assert rows(store, "SELECT count(*), count(DISTINCT accession) FROM records")[0] == (len(expected),) * 2
    features = mirror.features(qualifiers=["gene"]).select("accession_version", "feature_ordinal", "key", "gene")
    found = rows(store, "SELECT accession_version, feature_ordinal, key, gene FROM features")
    assert sorted(map(str, found)) == sorted(map(str, features.collect().rows()))
    residues = "SELECT sum(strlen(residues)) FROM sequences"
    length = mirror.sequences().select("residues").collect()["residues"].str.len_chars().sum()
    assert rows(store, residues) == [(length,)]


def test_as_of_a_release_is_what_the_tables_and_the_database_say(store: Path, two_releases: Settings) -> None:
    query = "SELECT accession_version, record_sha256 FROM records WHERE collection = 'genbank'"
    found = sorted(rows(store, query, release="genbank 1.0"))
    tables = open_mirror(store).records("genbank", release="1.0").select("accession_version", "record_sha256")
    assert found == sorted(tables.collect().rows())
    with open_database(two_releases) as database, database.transaction() as session:
        told = session.execute("SELECT accession_version, record_sha256 FROM genbank.records_as_of('genbank', '1.0')")
    assert found == sorted((name, bytes(digest)) for name, digest in told)
    assert found != sorted(rows(store, query))
    assert rows(store, query, release="genbank 2") == rows(store, query)
    with pytest.raises(NotFoundError, match="one of genbank and refseq: say which, as in genbank 1"):
        rows(store, query, release="1")


def test_joins_hold(store: Path) -> None:
    joined = rows(
        store,
        "SELECT r.accession_version, any_value(r.length), sum(strlen(s.residues)) FROM records r "
        "JOIN sequences s USING (collection, section, accession_version) GROUP BY ALL",
    )
    assert joined
    assert all(length == residues for _, length, residues in joined)


def test_changes_are_the_mirrors(store: Path) -> None:
    columns = "section, state, accession, previous_accession_version"
    found = rows(store, f"SELECT {columns} FROM changes WHERE release = '2.0'")
    expected = open_mirror(store).changes("genbank", release="2.0").select(columns.split(", ")).collect().rows()
    assert sorted(map(str, found)) == sorted(map(str, expected))
    assert len(found) == 4


def test_it_is_brought_forward_or_made_anew(store: Path, tmp_path: Path) -> None:
    copy = tmp_path / "store"
    shutil.copytree(store, copy, symlinks=True)
    shutil.rmtree(copy / "catalog")
    later = [copy / "refseq", tmp_path / "later"]  # without a date in its notes, it is of the day it was made on
    later[0].rename(later[1])
    first = build_catalog(copy)
    assert (first.steps, first.steps_now) == (6, 6)
    later[1].rename(later[0])
    second = build_catalog(copy)
    assert (second.steps, second.steps_now) == (7, 1)
    query = "SELECT section, accession_version FROM records ORDER BY ALL"
    assert rows(copy, query) == rows(store, query)
    assert build_catalog(copy).steps_now == 0
    shutil.rmtree(copy / "genbank" / "1.0")  # the release is no longer kept
    third = build_catalog(copy)
    assert (third.steps, third.steps_now) == (4, 4)
    assert rows(copy, query) == rows(store, query)
    with pytest.raises(NotFoundError, match=r"does not contain release genbank 1\.0; it has genbank 2\.0, refseq 1"):
        rows(copy, query, release="genbank 1.0")


def test_a_catalog_that_does_not_add_up_does_not_replace_the_one_before(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "store"
    shutil.copytree(store, copy, symlinks=True)
    before = catalog_path(copy).read_bytes()
    shutil.rmtree(copy / "genbank" / "1.0")
    with monkeypatch.context() as patch:
        patch.setattr(ducklake, "_add", lambda *_, **__: None)
        with pytest.raises(IntegrityError, match="the manifest counts"):
            build_catalog(copy)
    assert catalog_path(copy).read_bytes() == before
    assert [path.name for path in (copy / "catalog").iterdir() if path.name.startswith(".")] == []


def test_the_tables_are_not_touched(store: Path) -> None:
    before = files_below(store / "genbank") | files_below(store / "refseq")
    build_catalog(store)
    with attached(catalog_path(store), writing=True) as connection:  # whoever has it open for writing either
        connection.execute("DELETE FROM mirror.records")
    shutil.rmtree(store / "catalog")
    assert files_below(store / "genbank") | files_below(store / "refseq") == before
    build_catalog(store)


def test_a_snapshot_says_what_it_brought(store: Path) -> None:
    with attached(catalog_path(store)) as connection:
        brought = [facts["section"] for _, facts in snapshots(connection) if "section" in facts]
    assert sorted(brought) == sorted(name.partition("/")[2] for name in PARTITIONS + PARTITIONS[:3])


def command(*arguments: str, store: Path, text: str = "") -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "genbank_assets.cli", *arguments, "--store", str(store)]
    return subprocess.run(program, capture_output=True, text=True, input=text, check=False)


def test_the_commands(store: Path, tmp_path: Path) -> None:
    built = command("catalog", store=store)
    assert built.returncode == 0
    assert "0 added now" in built.stdout
    name = accession(VIRAL[4])
    query = f"SELECT accession FROM records WHERE accession = '{name}'"
    assert name not in command("sql", query, store=store).stdout
    assert name in command("sql", query, "--release", "genbank 1.0", store=store).stdout
    typed = command("sql", store=store, text="SELECT 40 + 2\nAS answer;\nSELECT count(*) FROM changes;")
    assert "42" in typed.stdout
    out = tmp_path / "rows.csv"
    assert command("sql", "SELECT 1 AS a", "--out", str(out), store=store).returncode == 0
    assert out.read_text() == "a\n1\n"
    wrong = command("sql", "SELECT nothing FROM records", store=store)
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("genbank-assets: the query failed: ")
    assert "Traceback" not in wrong.stderr
    (tmp_path / "empty").mkdir()
    none = command("sql", "SELECT 1", store=tmp_path / "empty")
    assert (none.returncode, "make it with genbank-assets catalog" in none.stderr) == (1, True)


def test_tables_of_the_first_version_are_left_out_by_name(store: Path, tmp_path: Path) -> None:
    copy = tmp_path / "store"
    shutil.copytree(store, copy, symlinks=True)
    partition = PartitionRelease(copy, PartitionKey("refseq", "viral"), "1")
    manifest = partition.manifest("records")
    assert manifest is not None
    import pyarrow.parquet as pq

    for entry in manifest.files:
        path = partition.folder_of(manifest) / entry["records_file"]
        pq.write_table(pq.read_table(path).drop_columns(["section"]), path)
    report = build_catalog(copy)
    assert report.left_out == ("refseq/viral 1",)
    assert rows(copy, "SELECT count(*) FROM records WHERE collection = 'refseq'") == [(0,)]
    assert dataclasses.asdict(report)["steps"] == 6
