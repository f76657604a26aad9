"""Outputs of stages are never written again: what readers see while they are replaced, and what is left afterwards."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from genbank_assets import generations
from genbank_assets.defs.findings import control_totals
from genbank_assets.errors import GenbankAssetsError, IntegrityError, StoreError
from genbank_assets.flatfile.reader import FlatFileReader
from genbank_assets.objects.publish import publish_division
from genbank_assets.retention import prune_releases
from genbank_assets.settings import Settings
from genbank_assets.stable_paths import stable_path
from genbank_assets.store import (
    STAGES,
    Manifest,
    PartitionRelease,
    Stage,
    current_release,
    publish_manifest,
    releases_in_store,
)
from genbank_assets.tables import dedup as dedup_stage
from genbank_assets.tables import records as records_stage
from genbank_assets.tables import writer
from genbank_assets.tables.dedup import build_unique_records
from genbank_assets.tables.records import CODE_VERSION, PARSER_VERSION, TABLE_FORMAT, build_records
from genbank_assets.tables.table_file import TableFile
from genbank_assets.tables.unique_tables import memberships_table
from genbank_assets.tables.writer import parse_file
from genbank_assets_tests.fix_postgres import Divisions, Entry

ONE, TWO = "gbbct1.seq.gz", "gbbct2.seq.gz"
FIRST = [Entry(f"AB00000{n}", residues="acgt" * (n + 3)) for n in range(3)]
SECOND = [Entry(f"CD00000{n}", residues="ttgca" * (n + 3)) for n in range(3)]
CHANGED = [dataclasses.replace(entry, title="Changed") for entry in FIRST]


@pytest.fixture
def made(tmp_path: Path) -> Divisions:
    """A store without database; what is replaced stays for an hour."""
    return Divisions(Settings(store=tmp_path / "store", workers=1))


def issue_again(
    made: Divisions, partition: PartitionRelease, files: dict[str, Sequence[Entry | str]], **changed: Any
) -> None:
    """The release's raw files as they are now; keyword arguments go into the last file's entry."""
    raw = partition.stage_folder("raw_files")
    entries = [made._raw_file(raw / name, records) for name, records in files.items()]
    entries[-1] |= changed
    before = manifest_of(partition, "raw_files")
    publish_manifest(dataclasses.replace(before, files=tuple(entries)), partition=partition)


def manifest_of(partition: PartitionRelease, stage: Stage) -> Manifest:
    found = partition.manifest(stage)
    assert found is not None
    return found


def build(made: Divisions, partition: PartitionRelease, *, run_id: str = "again", **changed: Any) -> Manifest:
    options = {"progress": made.lines.append, "run_id": run_id}
    if "recheck" in changed:
        options["recheck"] = changed.pop("recheck")
    settings = dataclasses.replace(made.settings, **changed)
    records = build_records(partition, settings=settings, **options)
    unique = build_unique_records(partition, settings=settings, **options)
    assert (unique.stage, unique.input_digest) == ("unique_records", records.digest)
    return records


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def folders(partition: PartitionRelease, stage: Stage) -> set[str]:
    return {path.name for path in partition.stage_folder(stage).iterdir()}


def table(partition: PartitionRelease, name: str, kind: str = "records") -> Path:
    manifest = manifest_of(partition, "records")
    (entry,) = [entry for entry in manifest.files if entry["name"] == name]
    return partition.folder_of(manifest) / entry[f"{kind}_file"]


def test_a_parse_that_fails_leaves_what_readers_see_and_is_resumed(made: Divisions) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST, TWO: SECOND})
    seen = {stage: contents(partition.files_folder(stage)) for stage in ("records", "unique_records")}
    before = partition.manifest_path("records").read_bytes()
    issue_again(made, partition, {ONE: CHANGED, TWO: SECOND}, expected_records=99)
    with pytest.raises(IntegrityError, match="the release notes say 99 entries, 3 were found"):
        build(made, partition)
    assert partition.manifest_path("records").read_bytes() == before
    assert {stage: contents(partition.files_folder(stage)) for stage in seen} == seen
    assert pl.read_parquet(table(partition, ONE))["definition"].to_list() == ["A record"] * 3
    made.lines.clear()
    issue_again(made, partition, {ONE: CHANGED, TWO: SECOND}, expected_records=3)
    build(made, partition, keep_replaced_seconds=0)
    assert not [line for line in made.lines if line.startswith("parsed")]  # both were parsed by the run that failed
    assert pl.read_parquet(table(partition, ONE))["definition"].to_list() == ["Changed"] * 3
    published = manifest_of(partition, "records")
    assert folders(partition, "records") == {"manifest.json", published.generation}
    listed = {entry[f"{kind}_file"] for entry in published.files for kind in ("records", "sequences")}
    assert set(contents(partition.folder_of(published))) == {"manifest.json", *listed}


def test_a_generation_is_named_by_its_input_and_code_and_keeps_a_copy_of_its_manifest(made: Divisions) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST})
    records = manifest_of(partition, "records")
    expected = hashlib.sha256(f"{records.input_digest}\n{CODE_VERSION}".encode()).hexdigest()[:16]
    assert records.generation == expected
    assert f"{PARSER_VERSION}.{TABLE_FORMAT}" == CODE_VERSION == records.code_version
    copy = partition.folder_of(records) / "manifest.json"
    assert copy.read_bytes() == partition.manifest_path("records").read_bytes()


def test_the_copy_of_the_manifest_is_there_before_readers_are_sent_to_it(
    made: Divisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST, TWO: SECOND})
    issue_again(made, partition, {ONE: CHANGED, TWO: SECOND})
    before = manifest_of(partition, "records")
    from genbank_assets import store

    write = store.write_atomically

    def killed(path: Path, content: bytes) -> None:
        if path == partition.manifest_path("records"):
            raise KeyboardInterrupt
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(store, "write_atomically", killed)
        with pytest.raises(KeyboardInterrupt):
            build(made, partition)
    assert partition.manifest("records") == before
    assert len(list(partition.stage_folder("records").glob("*/manifest.json"))) == 2
    made.lines.clear()
    after = build(made, partition)
    assert not [line for line in made.lines if line.startswith("parsed")]
    assert after.report.files_now == 0
    assert manifest_of(partition, "records").generation != before.generation


def test_what_did_not_change_is_linked_to(made: Divisions) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST, TWO: SECOND})
    inodes = {kind: table(partition, TWO, kind).stat().st_ino for kind in ("records", "sequences")}
    issue_again(made, partition, {ONE: CHANGED, TWO: SECOND})
    records = build(made, partition)
    assert records.report.files_now == 1
    assert {kind: table(partition, TWO, kind).stat().st_ino for kind in inodes} == inodes
    assert records.file_runs == {ONE: "again", TWO: "made"}


def test_files_are_copied_without_hard_links(made: Divisions, monkeypatch: pytest.MonkeyPatch) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST, TWO: SECOND})
    before = table(partition, TWO)
    issue_again(made, partition, {ONE: CHANGED, TWO: SECOND})

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refused)
    build(made, partition)
    after = table(partition, TWO)
    assert after.read_bytes() == before.read_bytes()
    assert after.stat().st_ino != before.stat().st_ino


def test_replaced_files_stay_for_their_readers_and_go_with_a_later_run(made: Divisions) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST})
    reader = manifest_of(partition, "records")
    folder = partition.folder_of(reader)
    seen = contents(folder)
    half = partition.generation_folder("records", "0" * 16)  # a run that was killed, of an input that is gone
    half.mkdir()
    (half / "x").write_text("half")
    issue_again(made, partition, {ONE: CHANGED})
    build(made, partition)
    assert contents(folder) == seen
    assert not half.exists()
    build(made, partition)
    assert contents(folder) == seen
    build(made, partition, keep_replaced_seconds=0)  # nothing changed
    assert not folder.exists()
    assert folders(partition, "records") == {"manifest.json", manifest_of(partition, "records").generation}


def test_the_time_for_readers_begins_when_the_manifest_was_replaced(made: Divisions) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST})
    folder = partition.files_folder("records")
    issue_again(made, partition, {ONE: CHANGED})
    build(made, partition)
    long_ago = time.time() - 3599
    os.utime(partition.manifest_path("records"), (long_ago, long_ago))
    build(made, partition)
    assert folder.exists()
    os.utime(partition.manifest_path("records"), (long_ago - 2, long_ago - 2))
    build(made, partition)
    assert not folder.exists()


def test_a_release_that_comes_back_is_not_parsed_again(made: Divisions) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST, TWO: SECOND})
    first = manifest_of(partition, "records")
    issue_again(made, partition, {ONE: CHANGED, TWO: SECOND})
    build(made, partition)
    issue_again(made, partition, {ONE: FIRST, TWO: SECOND})
    back = build(made, partition)
    assert back.report.files_now == 0
    assert (back.generation, back.digest) == (first.generation, first.digest)


@pytest.mark.parametrize("kind", ["records", "sequences"])
@pytest.mark.parametrize("how", ["missing", "short"])
def test_a_damaged_table_is_made_again_beside_what_is_there(made: Divisions, kind: str, how: str) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST, TWO: SECOND})
    before = manifest_of(partition, "records")
    path = table(partition, ONE, kind)
    good = path.read_bytes()
    other = table(partition, TWO).stat().st_ino
    path.unlink()
    if how == "short":
        path.write_bytes(good[:-1])
    after = build(made, partition)
    assert (after.report.files_now, after.digest) == (1, before.digest)
    assert after.generation != before.generation
    assert table(partition, ONE, kind).read_bytes() == good
    assert table(partition, TWO).stat().st_ino == other
    assert not made.lines[-1].startswith("3 records")  # nothing further was made again
    assert build(made, partition).report.files_now == 0


@pytest.mark.parametrize("kind", ["records", "sequences", "quarantine"])
def test_a_changed_byte_is_found_when_digests_are_looked_at(made: Divisions, kind: str) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: [*FIRST, "LOCUS nothing\n//\n"]})
    path = table(partition, ONE, kind)
    good = path.read_bytes()
    path.unlink()  # hard links share bytes
    path.write_bytes(good[:20] + bytes([good[20] ^ 1]) + good[21:])
    assert build(made, partition).report.files_now == 0
    assert build(made, partition, recheck=True).report.files_now == 1
    assert table(partition, ONE, kind).read_bytes() == good


def test_damaged_memberships_are_made_again(made: Divisions) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST})
    path = memberships_table(partition)
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    build(made, partition)
    assert memberships_table(partition) == path
    build(made, partition, recheck=True)
    assert memberships_table(partition) != path
    assert memberships_table(partition).read_bytes() == good
    memberships_table(partition).unlink()
    build(made, partition)
    assert memberships_table(partition).read_bytes() == good


@pytest.mark.parametrize("what", ["parser", "format"])
def test_another_version_of_the_code_makes_tables_anew(
    made: Divisions, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST})
    version = {"parser": ("4", TABLE_FORMAT), "format": (PARSER_VERSION, "3")}[what]
    monkeypatch.setattr(records_stage, "PARSER_VERSION", version[0])
    monkeypatch.setattr(records_stage, "TABLE_FORMAT", version[1])
    monkeypatch.setattr(records_stage, "CODE_VERSION", ".".join(version))
    made.lines.clear()
    after = build(made, partition)
    assert after.code_version == ".".join(version)
    assert (after.files[0]["code_version"], after.files[0]["table_format"]) == version
    verb = "parsed" if what == "parser" else "rewrote"
    assert [line for line in made.lines if line.startswith(f"{verb} {ONE}")]


def test_the_stable_path_is_of_the_newest_complete_release(made: Divisions) -> None:
    first = made.make("genbank/bct", "1.0", {ONE: FIRST, TWO: SECOND})
    pattern = made.settings.store / "genbank" / "current" / "*" / "records" / "*.parquet"
    key = first.key
    assert pl.scan_parquet(pattern).collect()["release"].unique().to_list() == ["1.0"]
    second = PartitionRelease(made.settings.store, key, "2.0")
    shutil.copytree(first.stage_folder("raw_files"), second.stage_folder("raw_files"))
    publish_manifest(dataclasses.replace(manifest_of(first, "raw_files"), release="2.0"), partition=second)
    options = {"settings": made.settings, "progress": made.lines.append, "run_id": "two"}
    build_records(second, **options)  # type: ignore[arg-type]
    assert pl.scan_parquet(pattern).collect()["release"].unique().to_list() == ["1.0"]
    build_unique_records(second, **options)  # type: ignore[arg-type]
    rows = pl.scan_parquet(pattern).collect()
    assert rows.select("collection", "section", "release").unique().rows() == [("genbank", "bct", "2.0")]
    here = stable_path(made.settings.store, key)
    assert sorted(path.name for path in here.iterdir()) == ["quarantine", "records", "sequences", "unique_records"]
    for kind in ("sequences", "unique_records/sequences", "unique_records/memberships"):
        assert len(pl.scan_parquet(here / kind / "*.parquet").collect()) == 6
    assert not here.readlink().is_absolute()
    # A star for the release finds the stable path alone; what the layout before had, nothing.
    assert pl.scan_parquet(made.settings.store / "genbank/*/bct/records/*.parquet").collect().equals(rows)
    with pytest.raises(pl.exceptions.ComputeError, match="expanded paths were empty"):
        pl.scan_parquet(made.settings.store / "genbank/*/bct/records/*.records.parquet").collect()
    # A store that moves takes it along.
    shutil.move(made.settings.store, made.settings.store.with_name("elsewhere"))
    moved = pattern.relative_to(made.settings.store)
    assert len(pl.scan_parquet(made.settings.store.with_name("elsewhere") / moved).collect()) == 6


def test_the_stable_path_holds_its_tables_until_it_moves(made: Divisions) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST})
    issue_again(made, partition, {ONE: CHANGED})
    settings = dataclasses.replace(made.settings, keep_replaced_seconds=0)
    options = {"settings": settings, "progress": made.lines.append, "run_id": "again"}
    build_records(partition, **options)  # type: ignore[arg-type]
    here = stable_path(made.settings.store, partition.key) / "records" / "*.parquet"
    assert pl.scan_parquet(here).collect()["definition"].to_list() == ["A record"] * 3
    build_unique_records(partition, **options)  # type: ignore[arg-type]
    assert pl.scan_parquet(here).collect()["definition"].to_list() == ["Changed"] * 3
    build_records(partition, **options)  # type: ignore[arg-type]
    assert folders(partition, "records") == {"manifest.json", manifest_of(partition, "records").generation}


def releases(made: Divisions, numbers: Sequence[str], *, stages: Sequence[Stage] = STAGES) -> list[PartitionRelease]:
    found = []
    for number in numbers:
        partition = made.make("genbank/bct", number, {ONE: FIRST})
        for stage in stages[3:]:
            manifest = dataclasses.replace(manifest_of(partition, "unique_records"), stage=stage, generation="")
            publish_manifest(manifest, partition=partition)
        found.append(partition)
    return found


def test_a_release_that_goes_is_out_of_sight_before_its_first_file_and_a_killed_deletion_is_finished(
    made: Divisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = releases(made, ["1.0", "2.0", "3.0"])
    key, store = first.key, made.settings.store

    def killed(path: Path, *_: object, **__: object) -> None:
        assert releases_in_store(store, key=key, stage="records")[0].release == "2.0"
        next(path.rglob("*.parquet")).unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(generations.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            prune_releases(store, key=key, keep=2, grace_seconds=0)
    assert not first.folder.exists()
    assert [p.release for p in releases_in_store(store, key=key, stage="raw_files")] == ["2.0", "3.0"]
    assert len(list((store / "genbank" / "1.0").iterdir())) == 1
    assert prune_releases(store, key=key, keep=2, grace_seconds=0) == []
    assert not (store / "genbank" / "1.0").exists()
    assert current_release(store, key=key, stage="records") is not None


def test_the_release_of_the_stable_path_is_never_deleted(made: Divisions) -> None:
    complete, tables, _ = releases(made, ["1.0", "2.0", "3.0"])
    for stage in ("postgres_table", "object_set"):
        tables.manifest_path(stage).unlink()
    newest = PartitionRelease(made.settings.store, complete.key, "3.0")
    for stage in STAGES[1:]:
        shutil.rmtree(newest.stage_folder(stage))
    build(made, tables)  # the stable path goes back to 2.0
    assert prune_releases(made.settings.store, key=complete.key, keep=1, grace_seconds=0) == []
    here = stable_path(made.settings.store, complete.key) / "records" / "*.parquet"
    assert pl.scan_parquet(here).collect()["release"].unique().to_list() == ["2.0"]


def test_a_store_that_cannot_be_written_is_a_sentence_that_names_the_path(
    made: Divisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST})
    issue_again(made, partition, {ONE: CHANGED})
    seen = contents(partition.files_folder("records"))
    for number, words in (
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "this user may not"),
        (errno.EDQUOT, "quota"),
    ):

        def refused(*_: object, number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", refused)
            with pytest.raises(StoreError, match=words) as told:
                build(made, partition)
        assert str(made.settings.store) in str(told.value)
        assert "\n" not in str(told.value)
        assert contents(partition.files_folder("records")) == seen
    shutil.rmtree(partition.stage_folder("unique_records"))
    partition.stage_folder("unique_records").write_text("a file where a folder should be")
    with pytest.raises(StoreError, match="is a file, not a folder"):
        build(made, partition)


def test_a_manifest_that_cannot_be_read_is_named(made: Divisions) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST})
    partition.manifest_path("records").write_text("{")
    with pytest.raises(IntegrityError) as told:
        partition.manifest("records")
    assert str(partition.manifest_path("records")) in str(told.value)


def test_two_files_of_one_stem_have_tables_of_their_own(made: Divisions) -> None:
    """As a day of RefSeq has them."""
    files = {"rsnc.0902.2026.gbff.gz": FIRST, "rsnc.0902.2026.gpff.gz": SECOND}
    partition = made.make("refseq/viral", "1", files)
    rows = {name: pl.read_parquet(table(partition, name))["accession"].to_list() for name in files}
    assert rows == {name: [entry.accession for entry in entries] for name, entries in files.items()}


HEADER = """GBBCT1.SEQ           Genetic Sequence Data Bank
                         August 15 2026

                NCBI-GenBank Flat File Release {release}

                   Bacterial Sequences (Part 1)

{loci:>8} loci, {bases:>12} bases, from        3 reported sequences


"""
BASES = sum(len(entry.residues) for entry in FIRST)


@pytest.mark.parametrize(
    ("header", "entry", "said"),
    [
        ({}, {}, ""),
        ({"loci": 4}, {}, "its header says 4 loci, 3 were found"),
        ({"bases": BASES + 1}, {}, f"its header says {BASES + 1} bases, {BASES} were found"),
        ({"bases": 0}, {}, ""),  # files of CON count no bases
        ({"release": "2.0"}, {}, "its header says release 2.0, not 1.0"),
        ({"release": "1.1"}, {}, ""),
        ({}, {"expected_records": 4}, "the release notes say 4 entries, 3 were found"),
        ({}, {"expected_records": 3, "expected_bases": BASES}, ""),
        ({}, {"expected_bases": BASES - 1}, f"the release notes say {BASES - 1} bases, {BASES} were found"),
    ],
)  # fmt: skip
def test_control_totals_of_header_and_notes_are_compared(
    made: Divisions, header: dict[str, Any], entry: dict[str, Any], said: str
) -> None:
    text = HEADER.format(**{"release": "1.0", "loci": 3, "bases": BASES} | header)
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST})
    issue_again(made, partition, {ONE: [text, *FIRST]}, **entry)
    if not said:
        assert build(made, partition).report.records == 3
        return
    with pytest.raises(IntegrityError, match=said):
        build(made, partition)
    assert manifest_of(partition, "records").input_digest != manifest_of(partition, "raw_files").digest


def test_quarantined_blocks_count_as_loci_and_excuse_bases(made: Divisions) -> None:
    files = [HEADER.format(release="1.0", loci=4, bases=BASES + 7), *FIRST, "LOCUS       X      7 bp\nbroken\n//\n"]
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST})
    issue_again(made, partition, {ONE: files}, expected_records=4, expected_bases=BASES + 7)
    records = build(made, partition)
    assert (records.report.records, records.report.quarantined) == (3, 1)


def test_a_locus_line_within_a_record_is_not_part_of_the_header(made: Divisions) -> None:
    first, *others = [entry.text() for entry in FIRST]
    lines = first.splitlines(keepends=True)
    broken = lines[0] + "LOCUS       CYC1 [Saccharomyces cerevisiae].\n" + "".join(lines[2:])
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST})
    files = [HEADER.format(release="1.0", loci=3, bases=BASES), broken, *others]
    issue_again(made, partition, {ONE: files}, expected_records=3)
    records = build(made, partition)
    assert (records.report.records, records.report.quarantined) == (3, 1)
    assert control_totals(partition, records, made.settings).passed


def test_an_error_in_one_file_is_raised_as_it_is(made: Divisions) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST})
    issue_again(made, partition, {ONE: ["no flat file\n"]})
    with pytest.raises(GenbankAssetsError, match="no LOCUS line"):
        build(made, partition)


def test_a_generation_holds_what_its_manifest_lists_and_nothing_else(made: Divisions) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST})
    folder = partition.files_folder("records")
    assert {path.name for path in folder.iterdir()} == {"manifest.json", "records", "sequences", "quarantine"}
    folder = partition.files_folder("unique_records")
    assert {path.name for path in folder.iterdir()} == {"manifest.json", "sequences", "memberships"}


def test_a_deletion_of_a_generation_that_was_killed_is_finished(
    made: Divisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST})
    issue_again(made, partition, {ONE: CHANGED})
    build(made, partition)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(generations.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            build(made, partition, keep_replaced_seconds=0)
    assert len(folders(partition, "records")) == 3
    build(made, partition, keep_replaced_seconds=0)
    assert folders(partition, "records") == {"manifest.json", manifest_of(partition, "records").generation}


def test_the_stable_path_follows_tables_that_were_made_again(made: Divisions) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST})
    table(partition, ONE).unlink()
    options = {"settings": made.settings, "progress": made.lines.append, "run_id": "again"}
    build_records(partition, **options)  # type: ignore[arg-type]
    here = stable_path(made.settings.store, partition.key) / "records"
    assert here.resolve() == (partition.files_folder("records") / "records").resolve()


def test_members_that_do_not_add_up_to_the_records_are_not_published(made: Divisions) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST})
    before = manifest_of(partition, "unique_records")
    records = manifest_of(partition, "records")
    for name in ("records", "with_sequence"):
        wrong = tuple(entry | {name: entry[name] + 1} for entry in records.files)
        publish_manifest(dataclasses.replace(records, files=wrong), partition=partition)
        with pytest.raises(IntegrityError, match="members"):
            build_unique_records(partition, settings=made.settings, progress=made.lines.append, run_id="again")
        assert manifest_of(partition, "unique_records") == before


def test_the_report_of_deduplication_counts(made: Divisions) -> None:
    twin = dataclasses.replace(FIRST[0], accession="ZZ000001")
    partition = made.make("genbank/bct", "1.0", {ONE: [*FIRST, twin]})
    report = manifest_of(partition, "unique_records").report
    counts = (report.records, report.with_sequence, report.distinct_sequences, report.duplicates)
    assert counts == (4, 4, 3, 1)
    assert report.residues == BASES + len(twin.residues)


def test_a_killed_run_resumes_with_the_next_file(made: Divisions, monkeypatch: pytest.MonkeyPatch) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST, TWO: SECOND})
    issue_again(made, partition, {ONE: CHANGED, TWO: [dataclasses.replace(e, title="Changed") for e in SECOND]})
    parse = records_stage.parse_file

    def killed(path: Path, **options: Any) -> Any:
        if path.name == TWO:
            raise KeyboardInterrupt
        return parse(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(records_stage, "parse_file", killed)
        with pytest.raises(KeyboardInterrupt):
            build(made, partition)
    made.lines.clear()
    records = build(made, partition, run_id="last")
    assert [line.split()[1] for line in made.lines if line.startswith("parsed")] == [TWO]
    assert records.file_runs == {ONE: "again", TWO: "last"}
    assert records.report.files_now == 1


def test_rows_that_are_not_written_stop_the_file(made: Divisions, monkeypatch: pytest.MonkeyPatch) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST})
    issue_again(made, partition, {ONE: CHANGED})
    write = TableFile.write

    def one_less(self: TableFile, batch: pa.RecordBatch) -> None:
        write(self, batch[1:] if "features" in batch.schema.names else batch)

    with monkeypatch.context() as patch:
        patch.setattr(TableFile, "write", one_less)
        with pytest.raises(IntegrityError, match="3 records, but 2 rows were written"):
            build(made, partition)
    assert not list(partition.stage_folder("records").glob("*/records/.*"))


def test_a_locus_line_that_became_neither_row_nor_quarantined_block_stops_the_file(
    made: Divisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST})
    before = manifest_of(partition, "records")
    issue_again(made, partition, {ONE: CHANGED})

    class OneMore(FlatFileReader):
        @property
        def totals(self) -> dict[str, Any]:
            return super().totals | {"locus_lines": super().totals["locus_lines"] + 1}

    monkeypatch.setattr(writer, "FlatFileReader", OneMore)
    with pytest.raises(IntegrityError, match="4 LOCUS lines, but 3 rows and 0 quarantined blocks"):
        build(made, partition)
    assert manifest_of(partition, "records") == before


def test_a_link_that_fails_because_the_disk_is_full_is_not_replaced_by_a_copy(
    made: Divisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST, TWO: SECOND})
    issue_again(made, partition, {ONE: CHANGED, TWO: SECOND})

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", refused)
    with pytest.raises(StoreError, match="the disk is full"):
        build(made, partition)


def test_days_of_updates_have_no_stable_path(made: Divisions) -> None:
    partition = made.make("genbank/daily", "20260902", {"nc0902.flat.gz": FIRST})
    assert manifest_of(partition, "unique_records").generation
    assert not stable_path(made.settings.store, partition.key).exists()


def test_records_without_residues_are_members_and_no_sequences(made: Divisions) -> None:
    bare = (
        FIRST[0].text().partition("ORIGIN")[0].replace(FIRST[0].accession, "CON00001")
        + "CONTIG      join(A1:1..9)\n//\n"
    )
    partition = made.make("genbank/bct", "1.0", {ONE: [*FIRST, bare]})
    report = manifest_of(partition, "unique_records").report
    assert (report.records, report.with_sequence, report.distinct_sequences, report.duplicates) == (4, 3, 3, 0)
    members = pl.read_parquet(memberships_table(partition))
    assert members.filter(pl.col("sequence_sha256").is_null())["accession"].to_list() == ["CON00001"]


def test_a_quarantine_table_of_before_does_not_stay(tmp_path: Path) -> None:
    text = tmp_path / "x.seq"
    text.write_text(FIRST[0].text() + "LOCUS nothing\n//\n")
    assert parse_file(text, out=tmp_path / "out").quarantine_file == "quarantine/x.parquet"
    text.write_text(FIRST[0].text())
    assert parse_file(text, out=tmp_path / "out").quarantine_file is None
    assert list((tmp_path / "out" / "quarantine").iterdir()) == []


def test_the_run_that_made_a_table_is_kept_and_does_not_change_the_digest(made: Divisions, tmp_path: Path) -> None:
    partition = made.make("genbank/bct", "1.0", {ONE: FIRST, TWO: SECOND})
    elsewhere = Divisions(Settings(store=tmp_path / "elsewhere", workers=1)).make(
        "genbank/bct", "1.0", {ONE: FIRST, TWO: SECOND}
    )
    shutil.rmtree(elsewhere.stage_folder("records"))
    build(made, elsewhere, run_id="another")
    here, there = manifest_of(partition, "records"), manifest_of(elsewhere, "records")
    assert (here.file_runs[ONE], there.file_runs[ONE]) == ("made", "another")
    assert here.digest == there.digest
    assert manifest_of(elsewhere, "unique_records").input_digest == there.digest


def in_the_earlier_form(partition: PartitionRelease) -> None:
    """Write the manifests as version 0.1.0 and its successors did: the run stands in each file's mapping."""
    records, unique = manifest_of(partition, "records"), manifest_of(partition, "unique_records")
    earlier = dataclasses.replace(
        records, files=tuple(entry | {"run_id": "earlier"} for entry in records.files), file_runs={}
    )
    unique = dataclasses.replace(unique, input_digest=earlier.digest)
    for manifest in (earlier, unique):
        content = json.loads(manifest.to_json())
        del content["file_runs"]
        for path in (partition.manifest_path(manifest.stage), partition.folder_of(manifest) / "manifest.json"):
            path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


@pytest.mark.parametrize("damaged", [False, True])
def test_a_store_whose_manifests_have_the_run_within_the_files_stays_as_it_is(
    divisions: Divisions, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    partition = divisions.make("genbank/bct", "1.0", {ONE: FIRST, TWO: SECOND})
    in_the_earlier_form(partition)
    divisions.load(partition)
    before = {stage: manifest_of(partition, stage).digest for stage in ("records", "unique_records", "postgres_table")}
    ledger = divisions.query("SELECT name, transaction_id FROM genbank.source_file ORDER BY 1")
    if damaged:
        table(partition, ONE).write_bytes(b"")
    else:
        monkeypatch.setattr(records_stage, "parse_file", None)
        monkeypatch.setattr(dedup_stage, "_built", None)
    build(divisions, partition, run_id="later")
    loaded = divisions.load(partition)
    assert {stage: manifest_of(partition, stage).digest for stage in before} == before
    assert (loaded.report.files_now, loaded.report.rows_copied) == (0, 0)
    assert divisions.query("SELECT name, transaction_id FROM genbank.source_file ORDER BY 1") == ledger
    records = manifest_of(partition, "records")
    assert [records.run_of(entry) for entry in records.files] == ["later" if damaged else "earlier", "earlier"]


def test_a_dropped_release_stays_readable_as_long_as_replaced_files(made: Divisions) -> None:
    first, second, third = releases(made, ["1.0", "2.0", "3.0"])
    store, key = made.settings.store, first.key

    def prune(keep: int) -> list[str]:
        return prune_releases(store, key=key, keep=keep, grace_seconds=3600)

    def seen() -> list[PartitionRelease]:
        return releases_in_store(store, key=key, stage="records")

    reader = first.manifest("records")
    assert reader is not None
    assert (prune(2), seen()) == ([], [second, third])
    table_of_first = first.folder_of(reader) / reader.files[0]["records_file"]
    assert pl.read_parquet(table_of_first)["release"].unique().item() == "1.0"
    assert (prune(3), seen()) == ([], [first, second, third])  # more are to be kept: it comes back
    assert (prune(1), seen()) == ([], [third])
    for release, seconds in ((first, 3601), (second, 3500)):
        os.utime(release.retired, (time.time() - seconds,) * 2)
    assert (prune(1), seen()) == (["1.0"], [third])
    assert not first.folder.exists()
    assert second.folder.exists()


def test_releases_that_are_not_kept_go_with_the_publication_of_a_later_one_and_days_stay(
    made: Divisions, tmp_path: Path
) -> None:
    settings = dataclasses.replace(
        made.settings, objects=(tmp_path / "set").as_uri(), keep_releases=1, keep_replaced_seconds=0
    )
    days = [made.make("genbank/daily", day, {ONE: FIRST}) for day in ("20260902", "20260903")]
    for day in days:
        applied = dataclasses.replace(manifest_of(day, "unique_records"), stage="postgres_table", generation="")
        publish_manifest(applied, partition=day)
        publish_division(day, settings=settings, progress=made.lines.append, run_id="run")
    for number in ("1.0", "2.0"):
        (partition,) = releases(made, [number], stages=STAGES[:4])
        publish_division(partition, settings=settings, progress=made.lines.append, run_id="run")
    assert [p.release for p in releases_in_store(settings.store, key=partition.key, stage="records")] == ["2.0"]
    assert not (settings.store / "genbank" / "1.0").exists()
    assert "release 1.0 is no longer kept: its files were deleted from the store" in made.lines
    assert all(day.manifest("records") for day in days)
