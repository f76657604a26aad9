"""Raw files are generations, too: what is fetched, linked to, made again, and seen meanwhile."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
import json
import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from genbank_assets.errors import StoreError
from genbank_assets.ncbi import fetch as fetch_module
from genbank_assets.ncbi import incoming
from genbank_assets.ncbi.fetch import fetch_division
from genbank_assets.ncbi.incoming import IncomingFiles
from genbank_assets.settings import Settings
from genbank_assets.store import STAGES, Manifest, PartitionKey, PartitionRelease, publish_manifest
from genbank_assets_tests.paths import SAMPLE

PHG = PartitionKey("genbank", "phg")
NAME = "gbphg1.seq.gz"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A folder as the source, which the test may change."""
    shutil.copytree(SAMPLE, tmp_path / "source")
    return Settings(store=tmp_path / "store", source=(tmp_path / "source").as_uri(), workers=1)


@pytest.fixture
def partition(settings: Settings) -> PartitionRelease:
    return PartitionRelease(settings.store, PHG, "1.0")


def fetch(settings: Settings, **options: bool) -> Manifest:
    return fetch_division(PHG, settings=settings, progress=lambda _: None, run_id="test", **options)


def source_file(settings: Settings) -> Path:
    return settings.store.with_name("source") / "genbank" / NAME


def change(settings: Settings, *, seconds: int = 0) -> None:
    """Other bytes of the same size, and another time only where it is said."""
    path = source_file(settings)
    before = path.stat()
    text = gzip.decompress(path.read_bytes()).replace(b"16-JUN-2004", b"16-JUN-2005")
    path.write_bytes(gzip.compress(text, mtime=0).ljust(before.st_size, b"\0")[: before.st_size])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + seconds * 10**9))


def place(partition: PartitionRelease) -> Path:
    return partition.files_folder("raw_files") / NAME


def test_nothing_is_fetched_or_written_where_nothing_changed(settings: Settings, partition: PartitionRelease) -> None:
    first = fetch(settings)
    before = partition.manifest_path("raw_files").stat().st_mtime_ns
    again = fetch(settings)
    assert (again.report.files_now, again.report.bytes_now) == (0, 0)
    assert (again.generation, again.published_at) == (first.generation, first.published_at)
    assert partition.manifest_path("raw_files").stat().st_mtime_ns == before
    assert {path.name for path in partition.stage_folder("raw_files").iterdir()} == {"manifest.json", first.generation}


@pytest.mark.parametrize("said", ["bytes", "modified", "etag", "checksum"])
def test_a_file_is_the_one_that_is_here_only_if_all_that_the_source_says_is_the_same(
    settings: Settings, partition: PartitionRelease, said: str
) -> None:
    fetch(settings)
    path = partition.manifest_path("raw_files")
    content = json.loads(path.read_text())
    content["files"][0][said] = 1 if said == "bytes" else "of another state"
    path.write_text(json.dumps(content))
    assert fetch(settings).report.files_now == 1


def test_an_entry_whose_note_is_of_another_state_is_not_taken(settings: Settings, partition: PartitionRelease) -> None:
    fetch(settings)
    entry = dict(fetch(settings).files[0])
    staged = IncomingFiles(partition)
    staged.folder.mkdir()
    shutil.copy(place(partition), staged.folder / NAME)
    staged.note(entry | {"etag": "of another state"})
    published = partition.files_folder("raw_files")
    partition.manifest_path("raw_files").unlink()
    shutil.rmtree(published)
    assert fetch(settings).report.files_now == 1


@pytest.mark.parametrize("how", ["missing", "short"])
def test_a_damaged_raw_file_is_fetched_again_beside_what_is_there(
    settings: Settings, partition: PartitionRelease, how: str
) -> None:
    first = fetch(settings)
    path = place(partition)
    good = path.read_bytes()
    path.unlink()
    if how == "short":
        path.write_bytes(good[:-1])
    again = fetch(settings)
    assert (again.report.files_now, again.digest) == (1, first.digest)
    assert again.generation != first.generation
    assert place(partition).read_bytes() == good
    assert fetch(settings).report.files_now == 0


def test_a_changed_byte_of_a_raw_file_is_found_when_digests_are_looked_at(
    settings: Settings, partition: PartitionRelease
) -> None:
    fetch(settings)
    path = place(partition)
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert fetch(settings).report.files_now == 0
    assert fetch(settings, recheck=True).report.files_now == 1
    assert place(partition).read_bytes() == good
    # The damaged file is still there for its readers, and never taken for the good one.
    place(partition).unlink()
    assert fetch(settings).report.files_now == 1
    assert place(partition).read_bytes() == good


def test_what_arrived_before_a_kill_is_read_again_when_digests_are_looked_at(
    settings: Settings, partition: PartitionRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(IncomingFiles, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            fetch(settings)
    here = IncomingFiles(partition).folder / NAME
    good = here.read_bytes()
    assert fetch_keeps(settings, patch=monkeypatch) == 0
    here.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert fetch(settings, recheck=True).report.files_now == 1
    assert place(partition).read_bytes() == good


def fetch_keeps(settings: Settings, *, patch: pytest.MonkeyPatch) -> int:
    """Files fetched by a run that is killed before it publishes."""
    seen = []

    def killed(self: IncomingFiles, manifest: Manifest, **_: object) -> None:
        seen.append(manifest.report.files_now)
        raise KeyboardInterrupt

    with patch.context() as inner:
        inner.setattr(IncomingFiles, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            fetch(settings)
    return int(seen[0] or 0)


def test_a_file_that_0_1_0_moved_into_place_before_it_was_killed_is_taken_if_it_has_its_digest(
    settings: Settings, partition: PartitionRelease
) -> None:
    """Its note still lies with the incoming files; only its bytes tell whether it is the new file or the old one."""
    for wrong in (False, True):
        entry = dict(fetch(settings).files[0])
        content = place(partition).read_bytes()
        shutil.rmtree(partition.stage_folder("raw_files"))
        staged = IncomingFiles(partition)
        staged.note(entry)
        moved = partition.stage_folder("raw_files") / NAME
        moved.write_bytes(content[:4] + bytes([content[4] ^ wrong]) + content[5:])  # a time: it inflates all the same
        assert fetch(settings).report.files_now == int(wrong)
        assert place(partition).read_bytes() == content


def test_a_release_that_is_issued_again_is_a_new_generation_and_the_old_one_stays_for_its_readers(
    settings: Settings, partition: PartitionRelease
) -> None:
    first = fetch(settings)
    path, before = place(partition), place(partition).read_bytes()
    source_file(settings).write_bytes(
        gzip.compress(gzip.decompress(before).replace(b"16-JUN-2004", b"16-JUN-2005"), mtime=0)
    )
    again = fetch(settings)
    assert again.generation != first.generation
    assert again.digest != first.digest
    assert path.read_bytes() == before
    fetch(dataclasses.replace(settings, keep_replaced_seconds=0))
    assert not path.exists()


def test_a_damaged_file_is_replaced_by_that_of_an_earlier_generation(
    settings: Settings, partition: PartitionRelease
) -> None:
    lists = settings.store.with_name("source") / "genbank" / "gbdel.txt"
    lists.write_text("GBPHG|AB000001\n")
    fetch(settings)
    good = place(partition).read_bytes()
    lists.write_text("GBPHG|AB000001\nGBPHG|AB000002\n")
    damaged = fetch(settings).generation
    place(partition).unlink()  # a link to that of the earlier generation
    place(partition).write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    again = fetch(settings, recheck=True)
    assert (again.report.files_now, place(partition).read_bytes()) == (0, good)
    assert again.generation != damaged


def stopped(settings: Settings, what: str) -> None:
    """A fetch that a full disk stops at this function of the publication."""

    def full(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(incoming, what, full)
        with pytest.raises(StoreError, match="the disk is full"):
            fetch(settings)


def test_a_generation_that_was_not_published_before_a_stop_is_published_by_the_next_run(
    settings: Settings, partition: PartitionRelease
) -> None:
    (settings.store.with_name("source") / "genbank" / "gbdel.txt").write_text("GBPHG|AB000001\n")
    undisturbed = fetch(dataclasses.replace(settings, store=settings.store.with_name("other")))
    stopped(settings, "publish_manifest")
    again = fetch(settings)
    assert (again.report.files_now, again.generation) == (0, undisturbed.generation)
    assert {path.name for path in partition.stage_folder("raw_files").iterdir()} == {"manifest.json", again.generation}
    assert {path.name for path in partition.files_folder("raw_files").iterdir()} == {
        "manifest.json", "evidence.parquet", NAME,
    }  # fmt: skip
    assert partition.manifest("raw_files") is not None


@pytest.mark.parametrize("damaged", ["", NAME, "evidence.parquet"])
def test_an_issue_that_comes_back_is_the_generation_that_it_was_unless_that_is_damaged(
    settings: Settings, partition: PartitionRelease, damaged: str
) -> None:
    (settings.store.with_name("source") / "genbank" / "gbdel.txt").write_text("GBPHG|AB000001\n")
    path = source_file(settings)
    issue, times = path.read_bytes(), path.stat().st_mtime_ns
    first = fetch(settings)
    change(settings, seconds=1)
    assert fetch(settings).generation != first.generation
    path.write_bytes(issue)
    os.utime(path, ns=(times, times))
    if damaged:
        there = partition.folder_of(first) / damaged
        content = there.read_bytes()
        there.unlink()
        there.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    again = fetch(settings)
    assert again.digest == first.digest
    assert (again.generation == first.generation) == (not damaged)
    assert again.report.files_now == int(damaged == NAME)
    assert place(partition).read_bytes() == issue


def test_files_left_by_a_stopped_fetch_of_another_issue_change_nothing(
    settings: Settings, partition: PartitionRelease
) -> None:
    path = source_file(settings)
    issue, times = path.read_bytes(), path.stat().st_mtime_ns
    first = fetch(settings)
    change(settings, seconds=1)
    stopped(settings, "generation_name")
    path.write_bytes(issue)
    os.utime(path, ns=(times, times))
    again = fetch(settings)
    assert (again.published_at, again.report.files_now) == (first.published_at, 0)
    assert {path.name for path in partition.stage_folder("raw_files").iterdir()} == {"manifest.json", first.generation}


def test_a_release_without_a_date_keeps_the_time_of_a_fetch_that_stopped_before_its_publication(
    settings: Settings, partition: PartitionRelease
) -> None:
    notes = settings.store.with_name("source") / "genbank" / "gbrel.txt"
    notes.write_text("\n".join(line for line in notes.read_text().splitlines() if "2026" not in line) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch_module, "dt", SimpleNamespace(datetime=EarlierTime, UTC=dt.UTC))
        stopped(settings, "publish_manifest")
    assert fetch(settings).extra["first_fetched_at"] == "2026-01-01T00:00:00+00:00"


class EarlierTime(dt.datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> EarlierTime:
        return cls(2026, 1, 1, tzinfo=tz)


def test_lists_that_say_something_else_are_a_new_generation_that_shares_its_files(
    settings: Settings, partition: PartitionRelease
) -> None:
    gone = settings.store.with_name("source") / "genbank" / "gbdel.txt"
    gone.write_text("GBPHG|AB000001\n")
    first = fetch(settings)
    inode = place(partition).stat().st_ino
    gone.write_text("GBPHG|AB000002\n")  # as many rows, of the same length
    os.utime(gone, (1, 1))
    again = fetch(settings)
    assert again.report.files_now == 0
    assert again.digest != first.digest
    assert place(partition).stat().st_ino == inode
    evidence = partition.files_folder("raw_files") / again.extra["evidence_file"]
    assert pl.read_parquet(evidence)["accession"].to_list() == ["AB000002"]
    gone.unlink()
    last = fetch(settings)
    assert "evidence_file" not in last.extra
    names = {path.name for path in partition.files_folder("raw_files").iterdir()}
    assert names == {"manifest.json", NAME}


def test_bytes_and_names_of_raw_files_are_on_the_disk_before_a_manifest_names_them(
    settings: Settings, partition: PartitionRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        order.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        fsync(descriptor)

    def replaced(source: Path, target: Path) -> None:
        order.append(f"rename {Path(target).name}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    made = fetch(settings)
    named = order.index(f"rename {NAME}")
    moved = order.index(f"rename {made.generation}")
    published = max(at for at, what in enumerate(order) if what == "rename manifest.json")
    assert f"sync {NAME}.part" in order[:named]
    assert named < moved < order.index("sync raw_files", moved) < published


def test_an_undated_release_keeps_the_time_it_was_first_fetched(settings: Settings) -> None:
    """Its place among releases and days: another fetch must not move it."""
    notes = settings.store.with_name("source") / "genbank" / "gbrel.txt"
    dated = fetch(settings)
    assert "first_fetched_at" not in dated.extra
    undated = re.sub(r"(?m)^ {5,}[A-Z][a-z]+ \d{1,2},? \d{4}$", "", notes.read_text())
    assert undated != notes.read_text()
    notes.write_text(undated)
    first = fetch(settings).extra["first_fetched_at"]
    assert first == dated.published_at
    change(settings, seconds=1)
    again = fetch(settings)
    assert (again.report.files_now, again.extra["first_fetched_at"]) == (1, first)


def test_a_fetch_ends_what_only_earlier_releases_need(settings: Settings) -> None:
    """Files that came of a release which went before it was whole, and releases that are not kept any more."""
    key = settings.store / "genbank"
    fetch(settings)
    begun = PartitionRelease(settings.store, PHG, "0.5").stage_folder("raw_files") / "incoming"
    here = PartitionRelease(settings.store, PHG, "0.9")
    issued = here.stage_folder("raw_files") / "incoming"
    other = key / "0.5" / "bct" / "raw_files" / "incoming"
    for folder in (begun, issued, other):
        folder.mkdir(parents=True)
        (folder / f"{NAME}.part").write_bytes(b"x")
    for release in ("0.8", "0.9"):
        partition = PartitionRelease(settings.store, PHG, release)
        for stage in STAGES:
            earlier = Manifest(stage=stage, code_version="1", collection="genbank", release=release, division="phg",
                               input_digest="", files=())  # fmt: skip
            publish_manifest(earlier, partition=partition)
    lines: list[str] = []
    keeping = dataclasses.replace(settings, keep_releases=2, keep_replaced_seconds=0)
    fetch_division(PHG, settings=keeping, progress=lines.append, run_id="test")
    assert (begun.exists(), issued.exists(), other.exists()) == (False, True, True)
    assert sorted(path.name for path in key.iterdir() if (path / "phg" / "raw_files").exists()) == ["0.5", "0.9", "1.0"]
    assert any("release 0.8 is no longer kept" in line for line in lines)


def test_a_store_that_is_a_file_is_a_sentence(settings: Settings) -> None:
    settings.store.write_text("not a folder")
    with pytest.raises(StoreError, match="is a file, not a folder") as told:
        fetch(settings)
    assert str(settings.store) in str(told.value)
    assert "\n" not in str(told.value)
