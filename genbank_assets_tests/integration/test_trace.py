"""A trace answers to every kind of name, over releases, and reading again finds every kind of damage."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import psycopg
import pytest

from genbank_assets.errors import IntegrityError, NotFoundError
from genbank_assets.lineage.prov import as_prov_json
from genbank_assets.lineage.render import as_markdown, as_text
from genbank_assets.lineage.search import search
from genbank_assets.lineage.trace import Trace, trace
from genbank_assets.lookup.text import original_text
from genbank_assets.objects.publish import publish_division
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionRelease
from genbank_assets.tables.unique_tables import memberships_table
from genbank_assets_tests.fix_postgres import Divisions, Entry

FILE = "gbbct1.seq.gz"
RUN = "0c1f2f31-7aec-4c4d-8420-e383ad4e9d65"
TAKEN_OVER = Entry("AB000005").text().replace("ACCESSION   AB000005", "ACCESSION   AB000005 AB900000 AB900010-AB900012")
BROKEN = (
    "LOCUS       AB000009                  10 bp    DNA     linear   BCT 01-JAN-2020\nACCESSION   AB000009\n"
    "ORIGIN\n        1 acgt\n//\n"
)


def bring(
    divisions: Divisions, release: str, records: list[Entry | str], *, key: str = "genbank/bct"
) -> PartitionRelease:
    """A division in all five stages."""
    name = FILE if key == "genbank/bct" else f"{key.split('/')[1]}.1.genomic.gbff.gz"
    partition = divisions.make(key, release, {name: records})
    divisions.load(partition)
    publish_division(partition, settings=divisions.settings, progress=divisions.lines.append, run_id=RUN)
    return partition


@pytest.fixture
def two_releases(divisions: Divisions) -> tuple[Settings, PartitionRelease, PartitionRelease]:
    """AB000001 stays, 2 gets a new version, 3 another text, 4 goes, 5 has secondary accessions, 9 is quarantined."""
    first = [Entry(f"AB00000{n}", residues="acgt" * (n + 2)) for n in range(1, 5)]
    earlier = bring(divisions, "273.0", [*first, TAKEN_OVER])
    second = [
        first[0], dataclasses.replace(first[1], version=2, residues="ggggcccc"),
        dataclasses.replace(first[2], title="Another title"), TAKEN_OVER, BROKEN,
    ]  # fmt: skip
    return divisions.settings, earlier, bring(divisions, "274.0", second)


def one(settings: Settings, name: str, *, verify: bool = False) -> Trace:
    (found,) = trace(settings, name, verify=verify)
    return found


def test_a_record_that_the_next_release_lacks_is_traced_where_it_was(
    two_releases: tuple[Settings, PartitionRelease, PartitionRelease],
) -> None:
    settings, *_ = two_releases
    for name in ("AB000004", "AB000004.1"):
        found = one(settings, name, verify=True)
        assert (found.release, found.ok) == ("273.0", True)
        assert found.note == "a state of release 273.0; release 274.0 of genbank/bct does not have it"
        row = found.hops[4]
        assert (row.status, row.problem, row.facts["is_current"]) == ("ok", "absent since release 274.0", False)
        assert [(e["release"], e["state"]) for e in row.facts["events"]] == [("273.0", "new"), ("274.0", "absent")]


def test_an_earlier_version_is_traced_in_its_release(
    two_releases: tuple[Settings, PartitionRelease, PartitionRelease],
) -> None:
    settings, *_ = two_releases
    found = one(settings, "AB000002.1", verify=True)
    assert (found.release, found.ok) == ("273.0", True)
    assert found.note.endswith("release 274.0 has AB000002.2 instead")
    assert found.hops[4].problem == "replaced by AB000002.2 in release 274.0 (sequence_changed)"
    assert (one(settings, "AB000002").accession_version, one(settings, "AB000002").note) == ("AB000002.2", "")
    with pytest.raises(
        NotFoundError, match=r"no record AB000002\.7 in the store: AB000002\.2 is in genbank/bct 274\.0"
    ):
        trace(settings, "AB000002.7")


def test_a_record_whose_files_were_deleted_is_traced_from_the_database(
    two_releases: tuple[Settings, PartitionRelease, PartitionRelease],
) -> None:
    settings, earlier, _ = two_releases
    for path in sorted(earlier.folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    found = one(settings, "AB000004")
    assert found.note.startswith("as the database has it")
    assert [hop.status for hop in found.hops] == ["missing", "ok", "missing", "missing", "ok", "missing"]
    assert found.hops[4].problem == "absent since release 274.0"
    with pytest.raises(NotFoundError):
        trace(settings, "AB000004.2")


def test_names_in_lower_case_and_secondary_accessions_are_understood(
    two_releases: tuple[Settings, PartitionRelease, PartitionRelease],
) -> None:
    settings, *_ = two_releases
    assert one(settings, " ab000001.1\n").accession_version == "AB000001.1"
    for name in ("AB900000", "AB900011", "ab900012"):
        found = one(settings, name)
        assert (found.accession_version, found.ok) == ("AB000005.1", True)
        assert found.note == f"{name.upper()} is a secondary accession of AB000005"
    for name in ("AB900013", "AB90000", "NOSUCH"):
        with pytest.raises(NotFoundError, match=r"searched: 1 division\(s\) of GenBank 274\.0"):
            trace(settings, name)


def test_a_quarantined_block_has_a_reason(
    two_releases: tuple[Settings, PartitionRelease, PartitionRelease],
) -> None:
    settings, *_ = two_releases
    found = one(settings, "AB000009", verify=True)
    assert not found.ok
    assert [(hop.stage, hop.status) for hop in found.hops] == [
        ("raw file", "ok"), ("record text", "ok"), ("table row", "missing"),
    ]  # fmt: skip
    assert found.hops[2].problem.startswith("quarantined at line ")
    assert found.hops[2].facts["reason"] in found.note
    assert b"".join(original_text(search(settings, "AB000009")[0].found)) == BROKEN.encode()
    json.dumps(found.as_dict())


def test_a_record_in_several_sections_is_traced_in_each(divisions: Divisions) -> None:
    for section in ("viral", "plasmid"):
        bring(divisions, "237", [Entry("NC_000001")], key=f"refseq/{section}")
    found = trace(divisions.settings, "NC_000001.1", verify=True)
    assert {t.division for t in found} == {"viral", "plasmid"}
    assert all(t.ok for t in found)


@pytest.mark.parametrize("name", ["AB000001", "AB000002.1", "AB000004", "AB000009", "AB900011"])
def test_every_kind_of_answer_goes_into_prov_and_json(
    two_releases: tuple[Settings, PartitionRelease, PartitionRelease], name: str
) -> None:
    settings, *_ = two_releases
    traces = trace(settings, name)
    assert json.loads(json.dumps([found.as_dict() for found in traces]))[0]["note"] == traces[0].note
    assert "entity" in json.loads(as_prov_json(settings, traces))


def test_what_is_left_of_a_release_that_is_gone_goes_into_prov(
    two_releases: tuple[Settings, PartitionRelease, PartitionRelease],
) -> None:
    settings, earlier, _ = two_releases
    for stage in ("unique_records", "object_set"):
        (earlier.folder / stage / "manifest.json").unlink()
    found = one(settings, "AB000004")
    assert [hop.status for hop in found.hops] == ["ok", "ok", "ok", "missing", "ok", "missing"]
    graph = json.loads(as_prov_json(settings, [found]))
    assert any(name.startswith("gba:database-row/") for name in graph["entity"])
    assert not any(name.startswith(("gba:sequence/", "gba:object/")) for name in graph["entity"])


def test_every_run_of_a_trace_has_a_link(two_releases: tuple[Settings, PartitionRelease, PartitionRelease]) -> None:
    settings = dataclasses.replace(two_releases[0], dagster_url="https://dagster.example.org/")
    found = one(settings, "AB000001")
    link = f"https://dagster.example.org/runs/{RUN}"
    assert found.hops[5].facts["run_url"] == link
    assert {hop.stage for hop in found.hops if "run_id" in hop.facts} == {
        "raw file", "table row", "sequence", "database row", "object",
    }  # fmt: skip
    assert found.hops[2].facts["run_url"] == "", "a run that Dagster did not start has no page there"
    assert f"[{RUN}]({link})" in as_markdown(found)
    assert link in as_text(found)


def test_the_facts_do_not_run_together_in_markdown(
    two_releases: tuple[Settings, PartitionRelease, PartitionRelease],
) -> None:
    found = one(two_releases[0], "AB000003")
    text = as_markdown(found)
    assert "<br>" not in text, "Dagster's UI leaves HTML out"
    assert f"| begins at | `byte {found.hops[1].facts['offset']:,} of the uncompressed text` |" in text
    assert "| history | release 274.0: annotation&#95;changed as AB000003.1, run run |" in text


Break = Callable[[PartitionRelease, Settings], None]


def flip(path: Path, *, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))


def sql(statement: str) -> Break:
    def run(_: PartitionRelease, settings: Settings) -> None:
        assert settings.postgres_url is not None
        with psycopg.connect(settings.postgres_url, autocommit=True) as connection:
            assert connection.execute(statement.encode()).rowcount > 0

    return run


def unlink_manifest(stage: str) -> Break:
    return lambda partition, _: (partition.folder / stage / "manifest.json").unlink()


def rewrite_organism(partition: PartitionRelease, _: Settings) -> None:
    path = partition.files_folder("records") / "records/gbbct1.parquet"
    pl.read_parquet(path).with_columns(organism=pl.lit("Homo sapiens")).write_parquet(path)


def the_object(settings: Settings) -> Path:
    return settings.store / "objects" / one(settings, "AB000001").hops[5].facts["key"]


DAMAGES: dict[str, tuple[Break, str, str]] = {
    "a byte of the raw file": (
        lambda p, _: flip(p.files_folder("raw_files") / FILE, at=5), "raw file", "SHA-256 of gbbct1.seq.gz"),
    "a value of the record table": (rewrite_organism, "table row", "parsed again differs in organism"),
    "a byte of the sequence table": (
        lambda p, _: flip(p.files_folder("records") / "sequences/gbbct1.parquet", at=40), "table row",
        "SHA-256 of gbbct1.parquet"),
    "a column of the database row": (
        sql("UPDATE genbank.record SET organism = 'Homo sapiens' WHERE accession = 'AB000001'"), "database row",
        "differs from the table in organism"),
    "a feature": (
        sql("UPDATE genbank.feature SET location = '1..3' WHERE key = 'gene' AND gene = 'gAB000001'"), "database row",
        "differs from the table in 1 feature(s)"),
    "a deleted reference": (sql("DELETE FROM genbank.reference"), "database row", "in 1 reference(s)"),
    "a row that is not current": (
        sql("UPDATE genbank.record SET is_current = false WHERE accession = 'AB000001'"), "database row",
        "the database says that it is absent"),
    "a changed object": (lambda _, s: flip(the_object(s), at=0), "object", "do not have their digest"),
    "a missing object": (lambda _, s: the_object(s).unlink(), "object", "has no such object"),
    "the division's list in the object set": (
        lambda _, s: (s.store / "objects/manifests/genbank/274.0/bct.parquet").unlink(), "object",
        "no longer has the division's list"),
    "the manifest of raw_files": (unlink_manifest("raw_files"), "raw file", "no manifest of release 274.0 lists it"),
    "the manifest of records": (unlink_manifest("records"), "table row", "no record table"),
    "the manifest of unique_records": (unlink_manifest("unique_records"), "database row", ""),
    "the manifest of postgres_table": (unlink_manifest("postgres_table"), "database row", "not loaded"),
    "the manifest of object_set": (unlink_manifest("object_set"), "object", "not published"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_reading_again_finds(two_releases: tuple[Settings, PartitionRelease, PartitionRelease], damage: str) -> None:
    settings, _, newest = two_releases
    assert one(settings, "AB000001", verify=True).ok
    do, stage, problem = DAMAGES[damage]
    do(newest, settings)
    found = one(settings, "AB000001", verify=True)
    assert not found.ok
    (hop,) = [hop for hop in found.hops if hop.stage == stage]
    assert hop.status in {"missing", "mismatch"}
    assert problem in hop.problem


def test_a_damaged_table_gets_a_sentence_and_no_traceback(
    two_releases: tuple[Settings, PartitionRelease, PartitionRelease],
) -> None:
    settings, _, newest = two_releases
    path = memberships_table(newest)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(IntegrityError, match=r"memberships\.parquet cannot be read .* remove it and materialize"):
        trace(settings, "AB000001")


def test_a_release_that_is_just_being_deleted_is_passed_over(
    two_releases: tuple[Settings, PartitionRelease, PartitionRelease],
) -> None:
    settings, earlier, _ = two_releases
    memberships_table(earlier).unlink()
    for name in ("ZZ999999", "ZZ999999.1"):
        with pytest.raises(NotFoundError):
            trace(settings, name)
