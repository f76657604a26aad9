"""``open_mirror`` on a store with two releases: newest by default, joins that hold, Biopython as the judge."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from Bio import SeqIO

from genbank_assets.catalog.mirror import Mirror, open_mirror
from genbank_assets.errors import NotFoundError
from genbank_assets.postgres.connection import open_database
from genbank_assets.postgres.lookup import changes
from genbank_assets.settings import Settings
from genbank_assets_tests.fix_two_releases import files_below
from genbank_assets_tests.integration.test_daily import VIRAL, accession, records_of
from genbank_assets_tests.paths import SAMPLE

MOVED = records_of(SAMPLE / "genbank" / "gbpln1.seq.gz")[-1]
KEY = ["collection", "section", "accession_version"]


@pytest.fixture(scope="module")
def mirror(two_releases: Settings) -> Mirror:
    return open_mirror(two_releases.store)


def test_each_accession_comes_once_and_from_the_newest_release(mirror: Mirror) -> None:
    rows = mirror.records("genbank").select("accession", "release").collect()
    assert rows["accession"].is_unique().all()
    assert set(rows["release"]) == {"2.0"}
    assert accession(VIRAL[4]) not in set(rows["accession"])  # absent since 2.0
    assert set(mirror.records("refseq").select("release").collect()["release"]) == {"1"}


def test_another_release_that_is_kept(mirror: Mirror) -> None:
    rows = mirror.records(["genbank/vrl"], release="1").select("accession").collect()["accession"]
    assert sorted(rows) == sorted(map(accession, VIRAL[:5]))


@pytest.mark.parametrize(
    ("partitions", "release", "what"),
    [
        (None, "999.0", "release 999.0 is not kept; these are: 1, 1.0, 2.0"),
        ("genbank/bct", None, "genbank/bct is not in the store"),
        ("nonsense", None, "nonsense is not in the store"),
        (["genbank/vrl", "genbank/phg"], "3.0", "is not kept"),
    ],
)
def test_missing_partitions_and_releases_are_an_error(
    mirror: Mirror, partitions: str | list[str] | None, release: str | None, what: str
) -> None:
    for ask in (mirror.records, mirror.features, mirror.sequences, mirror.changes):
        with pytest.raises(NotFoundError, match=what):
            ask(partitions, release=release)


def test_residues_join_their_own_records(mirror: Mirror) -> None:
    """By the key; record_ordinal is of a file and would mix them."""
    chunks = mirror.sequences().sort(*KEY, "chunk_ordinal")
    joined = chunks.group_by(KEY, maintain_order=True).agg(pl.col("residues").str.join(""))
    rows = mirror.records().join(joined, on=KEY, how="left").select(*KEY, "length", "sequence_sha256", "residues")
    found = rows.collect()
    assert len(found) == mirror.records().select(pl.len()).collect().item()
    with_residues = found.filter(pl.col("sequence_sha256").is_not_null())
    assert (with_residues["residues"].str.len_chars() == with_residues["length"]).all()
    assert found.filter(pl.col("sequence_sha256").is_null())["residues"].is_null().all()


def test_features_are_those_of_biopython(mirror: Mirror) -> None:
    text = "".join(records_of(SAMPLE / "genbank" / "gbpln1.seq.gz"))
    expected = Counter(
        (record.id, feature.type, (feature.qualifiers.get("gene") or [None])[0])
        for record in SeqIO.parse(io.StringIO(text), "genbank")
        for feature in record.features
    )
    features = mirror.features("genbank/pln", release="1.0", qualifiers=["gene"])
    assert Counter(features.select("accession_version", "key", "gene").collect().iter_rows()) == expected


def test_seqrecords_have_residues_and_features(mirror: Mirror) -> None:
    wanted = {record.id: record for record in SeqIO.parse(io.StringIO("".join(VIRAL[2:4])), "genbank")}
    found = {record.id: record for record in mirror.seqrecords(list(wanted), "genbank/vrl")}
    assert set(found) == set(wanted)
    for name, record in wanted.items():
        assert str(found[name].seq) == str(record.seq).upper()
        assert [str(f.location) for f in found[name].features] == [str(f.location) for f in record.features]


def test_a_condition_selects_as_polars_does(mirror: Mirror) -> None:
    condition = (pl.col("length") > 500) & (pl.col("section") == "pln")
    expected = mirror.records().filter(condition).select("accession_version").collect()["accession_version"]
    assert [r.accession_version for r in mirror.select(condition)] == expected.to_list()


def test_fetch_by_name(mirror: Mirror) -> None:
    name = accession(VIRAL[1])
    record = mirror.fetch(name.lower())
    assert record.release == "2.0"
    before = mirror.fetch(name, "genbank", release="1.0")
    assert before.accession_version != record.accession_version
    assert record.residues() != before.residues()
    assert len(record.residues() or "") == record.row["length"] == len(record.to_seqrecord())
    assert mirror.fetch(before.accession_version, "genbank", release="1.0").row == before.row
    with pytest.raises(NotFoundError, match="no record"):
        mirror.fetch(before.accession_version)  # no longer a version of the newest release
    with pytest.raises(NotFoundError, match="no record NOSUCH1"):
        mirror.fetch("NOSUCH1")


def test_changes_are_those_of_the_database(mirror: Mirror, two_releases: Settings) -> None:
    rows = (
        mirror.changes("genbank", release="2.0").select("section", "state", "accession", "accession_version").collect()
    )
    told = [row for row in changes(two_releases, collection="genbank") if row["release"] == "2.0"]
    partition = "section" if "section" in told[0] else "division"
    expected = {(row[partition], row["state"], row["accession"], row["accession_version"]) for row in told}
    assert set(rows.iter_rows()) == expected
    assert sorted(rows["state"]) == ["absent", "annotation_changed", "new", "sequence_changed"]
    assert accession(MOVED) not in set(rows["accession"])  # it moved to another division and is the same
    assert mirror.changes("refseq").collect().is_empty()


def test_as_of_is_what_the_database_says(mirror: Mirror, two_releases: Settings) -> None:
    with open_database(two_releases) as database, database.transaction() as session:
        rows = session.execute("SELECT accession_version, record_sha256 FROM genbank.records_as_of('genbank', '1.0')")
    found = mirror.records("genbank", release="1.0").select("accession_version", "record_sha256").collect()
    assert sorted(found.iter_rows()) == sorted((name, bytes(digest)) for name, digest in rows)


def test_reading_leaves_the_store_as_it_is(two_releases: Settings) -> None:
    before = files_below(two_releases.store)
    mirror = open_mirror(two_releases.store)
    mirror.records().collect()
    mirror.fetch(accession(VIRAL[0])).residues()
    list(mirror.seqrecords(None, "genbank/phg"))
    assert files_below(two_releases.store) == before


def test_a_folder_without_a_store(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no store at"):
        open_mirror(tmp_path / "nowhere")
    with pytest.raises(NotFoundError, match="materialize"):
        open_mirror(tmp_path).records()


def test_divisions_tell_what_the_manifests_count(mirror: Mirror, two_releases: Settings) -> None:
    rows = mirror.divisions()
    assert rows.filter(section="vrl")["release"].to_list() == ["1.0", "2.0"]
    assert rows.filter(section="vrl")["is_newest"].to_list() == [False, True]
    (manifest,) = (two_releases.store / "genbank" / "2.0" / "vrl" / "records").glob("manifest.json")
    entries = json.loads(manifest.read_text())["files"]
    assert rows.filter(section="vrl", is_newest=True)["records"].item() == sum(e["records"] for e in entries)
