"""Paths and manifests of the store: what readers see while others write. Round trips are in ``test_core``."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from genbank_assets import __version__
from genbank_assets.durable import DAY_SECONDS, sweep_temporaries
from genbank_assets.errors import IntegrityError, NotFoundError, StoreError
from genbank_assets.file_lock import file_lock
from genbank_assets.processes import space_digest
from genbank_assets.release_facts import release_sort_key
from genbank_assets.reports import RecordsReport
from genbank_assets.store import (
    STAGES,
    Manifest,
    PartitionKey,
    PartitionRelease,
    current_release,
    publish_manifest,
    releases_in_store,
    temporary_beside,
    write_atomically,
)

KEY = PartitionKey("genbank", "phg")


def manifest(*, stage: str = "records", release: str = "273.0", rows: int = 1) -> Manifest:
    return Manifest(
        stage=stage,  # type: ignore[arg-type]
        code_version="1",
        collection="genbank",
        release=release,
        division="phg",
        input_digest="",
        files=({"name": "a", "rows": rows},),
        report=RecordsReport(files=1),
        run_id="test",
    )


def test_the_folder_of_a_stage_is_where_the_docs_say(tmp_path: Path) -> None:
    partition = PartitionRelease(tmp_path, KEY, "273.0")
    assert str(KEY) == "genbank/phg"
    assert partition.manifest_path("records") == tmp_path / "genbank" / "273.0" / "phg" / "records" / "manifest.json"
    assert [partition.manifest(stage) for stage in STAGES] == [None] * 5


def test_a_published_manifest_is_what_readers_get(tmp_path: Path) -> None:
    partition = PartitionRelease(tmp_path, KEY, "273.0")
    publish_manifest(manifest(rows=1), partition=partition)
    before = dt.datetime.now(dt.UTC)
    published = publish_manifest(manifest(rows=2), partition=partition)
    assert partition.manifest("records") == published
    assert published.digest == manifest(rows=2).digest
    assert published.software_version == __version__
    written = dt.datetime.fromisoformat(published.published_at)
    assert before - dt.timedelta(milliseconds=1) <= written <= dt.datetime.now(dt.UTC)
    assert [path.name for path in partition.stage_folder("records").iterdir()] == ["manifest.json"]


def test_files_lie_in_the_folder_of_the_published_generation(tmp_path: Path) -> None:
    partition = PartitionRelease(tmp_path, KEY, "273.0")
    with pytest.raises(NotFoundError, match="is not published yet"):
        partition.files_folder("records")
    old = publish_manifest(manifest(rows=1), partition=partition)
    assert partition.files_folder("records") == partition.stage_folder("records")
    new = publish_manifest(dataclasses.replace(old, generation="0123456789abcdef"), partition=partition)
    assert new.digest == old.digest
    assert partition.files_folder("records") == partition.stage_folder("records") / "0123456789abcdef"
    assert partition.folder_of(old) == partition.stage_folder("records")
    assert partition.generation_folder("records", new.generation) == partition.folder_of(new)


def test_a_manifest_that_says_nothing_of_generations_keeps_its_digest() -> None:
    content = json.loads(manifest(rows=1).to_json())
    del content["generation"]
    old = Manifest.from_json(json.dumps(content))
    assert old.generation == ""
    assert old.digest == "887d4f713b56eb954131ee7fb152957014c76b6ba286224c3bfaebd2854181b8"


def test_readers_never_see_half_a_manifest(tmp_path: Path) -> None:
    partition = PartitionRelease(tmp_path, KEY, "273.0")
    publish_manifest(manifest(rows=1), partition=partition)
    seen: set[int] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            found = partition.manifest("records")
            assert found is not None
            seen.add(found.files[0]["rows"])

    reader = threading.Thread(target=read)
    reader.start()
    for rows in range(2, 60):
        publish_manifest(manifest(rows=rows), partition=partition)
    stop.set()
    reader.join()
    assert seen <= set(range(1, 60))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"stage": "records"}', '{"files": 1, "report": {}}'])
def test_an_invalid_manifest_is_reported(text: str) -> None:
    with pytest.raises(IntegrityError, match="manifest cannot be read"):
        Manifest.from_json(text)


def test_a_manifest_is_json_that_people_can_read() -> None:
    content = json.loads(manifest().to_json())
    assert content["files"] == [{"name": "a", "rows": 1}]
    assert content["report"] == {"files": 1}


def test_a_temporary_file_is_hidden_and_beside_its_place(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.parquet"
    with temporary_beside(path) as temporary:
        temporary.write_bytes(b"rows")
        assert temporary.parent == path.parent
        assert temporary.name.startswith(".")
        assert not path.exists()
    assert path.read_bytes() == b"rows"
    assert not temporary.exists()


def test_a_small_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.json"
    write_atomically(path, b"1")
    write_atomically(path, b"22")
    assert path.read_bytes() == b"22"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_before_the_call_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a loss of power leaves is the old file or the new one: never an empty file under the name."""
    order: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        order.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        fsync(descriptor)

    def replaced(source: Path, target: Path) -> None:
        order.append(f"rename {Path(source).name} {Path(target).name}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    write_atomically(tmp_path / "folder" / "small", b"new")
    temporary = order[0].removeprefix("sync ")
    assert temporary.endswith(".tmp")
    assert order == [f"sync {temporary}", f"rename {temporary} small", "sync folder"]


def test_a_path_that_cannot_be_written_is_a_sentence_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="/file: a part of the path is a file, not a folder"):
        write_atomically(tmp_path / "file" / "below", b"new")


def test_only_published_releases_count(tmp_path: Path) -> None:
    for release in ("272.0", "273.0"):
        publish_manifest(manifest(release=release), partition=PartitionRelease(tmp_path, KEY, release))
    PartitionRelease(tmp_path, KEY, "274.0").stage_folder("records").mkdir(parents=True)
    (tmp_path / "genbank" / "not-a-release" / "phg" / "records").mkdir(parents=True)
    found = releases_in_store(tmp_path, key=KEY, stage="records")
    assert [partition.release for partition in found] == ["272.0", "273.0"]
    assert current_release(tmp_path, key=KEY, stage="object_set") is None
    assert releases_in_store(tmp_path / "elsewhere", key=KEY, stage="records") == []


@pytest.mark.parametrize("release", ["", "273.", "v273", "273.0.1", "-1", "273 "])
def test_an_invalid_release_number_is_rejected(release: str) -> None:
    with pytest.raises(IntegrityError):
        release_sort_key(release)


def test_a_partition_of_a_new_store_can_be_locked_again_and_again(tmp_path: Path) -> None:
    for _ in range(2):
        with file_lock(tmp_path / "new" / "store", str(KEY), progress=pytest.fail):
            assert (tmp_path / "new" / "store" / "genbank" / "locks" / "phg.lock").is_file()


def test_half_written_files_of_processes_that_are_gone_are_swept(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    here = socket.gethostname()
    host = f"{here}-{space_digest()}"
    names = {
        f".x.{host}-{gone.pid}-00.tmp": 0,
        f".x.{host}-{os.getpid()}-00.tmp": 0,
        ".x.another-host-1-00.tmp": 0,
        f".x.{here}-00000000-{gone.pid}-00.tmp": 0,  # of a container with this host's name
        ".y.another-host-1-00.tmp": 2 * DAY_SECONDS,
        "x.tmp": 2 * DAY_SECONDS,
    }
    for name, age in names.items():
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (time.time() - age, time.time() - age))
    sweep_temporaries(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {
        f".x.{host}-{os.getpid()}-00.tmp",
        ".x.another-host-1-00.tmp",
        f".x.{here}-00000000-{gone.pid}-00.tmp",
        "x.tmp",
    }
