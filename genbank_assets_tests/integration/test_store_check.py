"""``verify`` and ``repair`` of a whole store: what was damaged is found, and is as it was afterwards."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from genbank_assets.cli import main
from genbank_assets.file_lock import lock_path
from genbank_assets.lineage import database_check, store_check
from genbank_assets.lineage.store_check import StoreCheck, repair_store, verify_store
from genbank_assets.objects import repair
from genbank_assets.objects.object_index import table_path
from genbank_assets.postgres.connection import open_database
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease, Stage
from genbank_assets.tables.unique_tables import memberships_table
from genbank_assets_tests.fix_faults import is_locked
from genbank_assets_tests.fix_postgres import Divisions, Entry
from genbank_assets_tests.integration.test_mirror import mirror
from genbank_assets_tests.integration.test_postgres_changes import many
from genbank_assets_tests.paths import SAMPLE

VRL = PartitionKey("genbank", "vrl")


@pytest.fixture
def mirrored(settings: Settings, tmp_path: Path) -> Settings:
    base = dataclasses.replace(settings, source=SAMPLE.as_uri(), objects=(tmp_path / "set").as_uri())
    mirror(VRL, base)
    return base


@pytest.fixture
def partition(mirrored: Settings) -> PartitionRelease:
    return PartitionRelease(mirrored.store, VRL, "1.0")


def a_file(partition: PartitionRelease, stage: Stage, name: str) -> Path:
    manifest = partition.manifest(stage)
    assert manifest is not None
    return partition.folder_of(manifest) / str(manifest.files[0].get(name, name))


def told(check: StoreCheck) -> set[tuple[str, str]]:
    return {(problem.stage, problem.what.split(" ")[0]) for problem in check.problems}


def flip(path: Path) -> bytes:
    """Change a byte in the middle of a file; returns what it was."""
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :])
    return content


def test_a_whole_store_has_no_problem_and_everything_was_looked_at(mirrored: Settings) -> None:
    check = verify_store(mirrored)
    assert check.problems == ()
    assert (check.partitions, check.files, check.objects) == (1, 1 + 2 + 2, 7)


@pytest.mark.parametrize(
    ("stage", "name"),
    [
        ("records", "records_file"),
        ("records", "sequences_file"),
        ("unique_records", "memberships/memberships.parquet"),
        ("unique_records", "sequences/sequences.parquet"),
    ],
)
@pytest.mark.parametrize("how", ["a byte", "short", "gone"])
def test_a_damaged_table_is_found_and_made_again_byte_for_byte(
    mirrored: Settings, partition: PartitionRelease, stage: Stage, name: str, how: str
) -> None:
    path = a_file(partition, stage, name)
    before, digest = path.read_bytes(), partition.manifest("records").digest  # type: ignore[union-attr]
    if how == "a byte":
        flip(path)
    elif how == "short":
        path.write_bytes(before[:-1])
    else:
        path.unlink()
    check = verify_store(mirrored, stages=[stage])
    (problem,) = check.problems
    assert (problem.stage, problem.partition) == (stage, "genbank/vrl 1.0")
    assert problem.remedy == "genbank-assets repair genbank/vrl"
    repair = repair_store(mirrored)
    assert repair.check.problems == ()
    assert any(stage in line for line in repair.done)
    assert a_file(partition, stage, name).read_bytes() == before
    assert partition.manifest("records").digest == digest  # type: ignore[union-attr]


def test_a_damaged_raw_file_is_named_with_what_to_do_and_left_alone(
    mirrored: Settings, partition: PartitionRelease
) -> None:
    path = a_file(partition, "raw_files", "name")
    flip(path)
    damaged = path.read_bytes()
    (problem,) = repair_store(mirrored).check.problems
    assert (problem.stage, problem.name) == ("raw_files", path.name)
    assert "genbank-assets materialize genbank/vrl" in problem.remedy
    assert path.read_bytes() == damaged


def test_invalid_manifests_and_those_of_other_input_are_reported(
    mirrored: Settings, partition: PartitionRelease
) -> None:
    path = partition.manifest_path("records")
    text = path.read_text()
    path.write_text(text.replace('"input_digest": "', '"input_digest": "0'))
    assert ("records", "it") in told(verify_store(mirrored))
    path.write_text("{")
    (problem,) = verify_store(mirrored, stages=["records", "unique_records"]).problems
    assert problem.stage == "records"
    assert "cannot be read" in problem.what


def test_objects_and_their_table_are_repaired_with_the_rest(mirrored: Settings, partition: PartitionRelease) -> None:
    gone = next(Path(mirrored.objects_url.removeprefix("file://")).glob("nucleotide/*/*"))
    gone.unlink()
    table = table_path(partition)
    table.unlink()
    check = verify_store(mirrored)
    assert {problem.stage for problem in check.problems} == {"object_set"}
    assert {problem.remedy for problem in check.problems} == {"genbank-assets objects repair genbank/vrl"}
    assert repair_store(mirrored).check.problems == ()
    assert gone.is_file()
    assert table.is_file()


def test_what_is_repaired_is_the_repairs_alone_meanwhile(
    mirrored: Settings, partition: PartitionRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked: dict[str, bool] = {}

    def watched(module: ModuleType, name: str) -> None:
        work = getattr(module, name)

        def working(*arguments: Any, **options: Any) -> Any:
            locked[name] = is_locked(lock_path(mirrored.store, str(VRL)))
            return work(*arguments, **options)

        monkeypatch.setattr(module, name, working)

    for module, name in (
        (store_check, "build_records"), (store_check, "build_unique_records"), (database_check, "load_division"),
        (repair, "publish_division"), (repair, "copy_object"),
    ):  # fmt: skip
        watched(module, name)
    flip(a_file(partition, "records", "records_file"))
    flip(a_file(partition, "unique_records", "memberships/memberships.parquet"))
    flip(table_path(partition))
    next(Path(mirrored.objects_url.removeprefix("file://")).glob("nucleotide/*/*")).unlink()
    with open_database(mirrored) as database, database.transaction() as session:
        session.execute("UPDATE genbank.record SET record_sha256 = sequence_sha256")
    assert repair_store(mirrored).check.problems == ()
    assert locked == dict.fromkeys(
        ("build_records", "build_unique_records", "load_division", "publish_division", "copy_object"), True
    )


ONE, TWO = "gbbct1.seq.gz", "gbbct2.seq.gz"


def two_files(divisions: Divisions) -> PartitionRelease:
    """A loaded division whose second file supersedes a record of the first."""
    files = {ONE: many(4), TWO: [*many(4, prefix="CD"), Entry("AB000000", version=2)]}
    partition = divisions.make("genbank/bct", "1.0", files)
    divisions.load(partition)
    return partition


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (
            "UPDATE genbank.record SET is_current = false WHERE accession IN ('AB000001', 'CD000001', 'CD000002')",
            {ONE: "1 of 3 records are not in PostgreSQL", TWO: "2 of 5 records are not in PostgreSQL"},
        ),
        (
            "DELETE FROM genbank.record WHERE accession = 'AB000001'",
            {ONE: "1 of 3 records are not in PostgreSQL"},
        ),
        (  # count and XOR of the division stay what they were
            "UPDATE genbank.record r SET record_sha256 = o.record_sha256 FROM genbank.record o "
            "WHERE (r.accession, o.accession) IN (('AB000001', 'CD000001'), ('CD000001', 'AB000001'))",
            {
                ONE: "1 of 3 records have another record_sha256 in PostgreSQL",
                TWO: "1 of 5 records have another record_sha256 in PostgreSQL",
            },
        ),
        (
            "INSERT INTO genbank.record "
            "SELECT (jsonb_populate_record(r, '{\"accession\": \"XX1\", \"record_id\": 99}')).* "
            "FROM genbank.record r WHERE accession = 'AB000001'",
            {ONE: "1 current records in PostgreSQL are not in the tables"},
        ),
        ("DELETE FROM genbank.source_file WHERE name LIKE '%2.seq.gz'", {TWO: "it is not in the ledger"}),
        (
            "UPDATE genbank.source_file SET record_digest = sha256('') WHERE name LIKE '%1.seq.gz'",
            {ONE: "the XOR of its record_sha256 in the ledger is not that of the tables"},
        ),
        (
            "UPDATE genbank.source_file SET superseded = 0",
            {ONE: "the ledger has 4 records, 0 of them superseded, the tables 4 and 1"},
        ),
        (
            "UPDATE genbank.source_file SET raw_sha256 = 'f' WHERE name LIKE '%2.seq.gz'",
            {TWO: "the ledger names another raw file (SHA-256) than the tables were made from"},
        ),
    ],
)  # fmt: skip
def test_differences_in_the_database_are_reported_by_file_and_repaired(
    divisions: Divisions, damage: str, told: dict[str, str]
) -> None:
    partition = two_files(divisions)
    settings = divisions.settings
    assert verify_store(settings).problems == ()
    divisions.query(damage)
    problems = verify_store(settings, stages=["postgres_table"]).problems
    assert {problem.name: problem.what for problem in problems} == told
    assert {problem.remedy for problem in problems} == {"genbank-assets repair genbank/bct"}
    repaired = repair_store(settings)
    assert repaired.check.problems == ()
    assert repaired.done == (f"genbank/bct 1.0: {len(told)} file(s) compared with PostgreSQL and mended",)
    rows = divisions.query("SELECT accession, version, record_sha256 FROM genbank.record WHERE is_current ORDER BY 1")
    table = pl.read_parquet(memberships_table(partition)).sort("accession", "version").unique("accession", keep="last")
    assert rows == table.sort("accession").select("accession", "version", "record_sha256").rows()


def test_a_release_that_is_not_the_newest_is_compared_with_the_ledger(divisions: Divisions) -> None:
    two_files(divisions)
    divisions.load(divisions.make("genbank/bct", "2.0", {ONE: many(2)}), max_absent_fraction=1.0)
    assert verify_store(divisions.settings).problems == ()
    divisions.query("UPDATE genbank.source_file SET record_digest = sha256('') WHERE release = '1.0'")
    problems = repair_store(divisions.settings).check.problems
    assert [(problem.partition, problem.name) for problem in problems] == [
        ("genbank/bct 1.0", ONE), ("genbank/bct 1.0", TWO),
    ]  # fmt: skip


def test_a_record_that_moved_to_a_division_of_a_later_release_is_not_missed(divisions: Divisions) -> None:
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: many(4)}))
    divisions.load(divisions.make("genbank/phg", "2.0", {"gbphg1.seq.gz": many(1)}))
    assert divisions.query("SELECT count(*) FROM genbank.record WHERE section = 'bct'") == [(3,)]
    assert verify_store(divisions.settings).problems == ()


def test_a_division_without_records_is_compared_too(divisions: Divisions) -> None:
    divisions.load(divisions.make("genbank/bct", "1.0", {ONE: ["LOCUS       broken\n//\n"]}))
    assert verify_store(divisions.settings).problems == ()
    divisions.query("UPDATE genbank.source_file SET records = 1")
    (problem,) = verify_store(divisions.settings).problems
    assert problem.name == ONE


def test_a_recreated_or_missing_database_is_reported(divisions: Divisions) -> None:
    two_files(divisions)
    divisions.query("DELETE FROM genbank.division")
    (problem,) = verify_store(divisions.settings).problems
    assert problem.what == "the database does not have it"
    divisions.query("DROP SCHEMA genbank CASCADE")
    (problem,) = verify_store(divisions.settings).problems
    assert "no schema genbank" in problem.what
    nowhere = dataclasses.replace(divisions.settings, postgres_url="postgresql://localhost:1/none")
    (problem,) = verify_store(nowhere).problems
    assert (problem.partition, problem.stage) == ("the database", "postgres_table")
    assert "cannot reach PostgreSQL" in problem.what
    assert verify_store(nowhere, stages=["records"]).problems == ()
    assert repair_store(divisions.settings).check.problems == ()
    assert divisions.query("SELECT count(*) FROM genbank.record") == [(8,)]


@pytest.fixture
def environment(mirrored: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENBANK_ASSETS_STORE", str(mirrored.store))
    monkeypatch.setenv("GENBANK_ASSETS_OBJECTS", mirrored.objects_url)
    monkeypatch.setenv("GENBANK_ASSETS_POSTGRES_URL", str(mirrored.postgres_url))


def test_the_commands_say_what_is_wrong_and_end_with_1_until_it_is_right(
    environment: None, partition: PartitionRelease, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "genbank/vrl"]) == 0
    flip(a_file(partition, "records", "records_file"))
    assert main(["verify", "--stage", "unique_records"]) == 0
    assert main(["verify", "--stage", "records"]) == 1
    assert "genbank-assets repair genbank/vrl" in capsys.readouterr().out
    assert main(["repair"]) == 0
    assert "made again" in capsys.readouterr().out
    assert main(["verify", "--json"]) == 0
