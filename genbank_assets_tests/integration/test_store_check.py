"""``verify`` and ``repair`` of a whole store: what was damaged is found, and is as it was afterwards."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from genbank_assets.cli import main
from genbank_assets.lineage.store_check import StoreCheck, repair_store, verify_store
from genbank_assets.objects.object_index import table_path
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease, Stage
from genbank_assets_tests.integration.test_mirror import mirror
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


def test_a_manifest_that_is_no_manifest_and_one_of_other_input_are_told(
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
    table_path(partition).write_bytes(b"")
    check = verify_store(mirrored)
    assert {problem.stage for problem in check.problems} == {"object_set"}
    assert {problem.remedy for problem in check.problems} == {"genbank-assets objects repair genbank/vrl"}
    assert repair_store(mirrored).check.problems == ()
    assert gone.is_file()


@pytest.fixture
def environment(mirrored: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENBANK_ASSETS_STORE", str(mirrored.store))
    monkeypatch.setenv("GENBANK_ASSETS_OBJECTS", mirrored.objects_url)


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
