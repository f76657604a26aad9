"""The object set after interruptions and damage: wherever something stopped, the next run makes it right."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
import polars as pl
import pytest

from genbank_assets.errors import IntegrityError, ObjectStoreError
from genbank_assets.file_lock import lock_path
from genbank_assets.objects import lease, prune, prune_plan, publish, repair, store
from genbank_assets.objects.division_objects import DivisionObjects
from genbank_assets.objects.division_tables import DivisionTables
from genbank_assets.objects.memberships import memberships_of
from genbank_assets.objects.object_index import table_path
from genbank_assets.objects.prune import prune_objects
from genbank_assets.objects.prune_plan import Orphan
from genbank_assets.objects.repair import repair_objects
from genbank_assets.objects.store import lock_objects, open_objects
from genbank_assets.objects.verify import verify_objects
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease, publish_manifest
from genbank_assets.tables.unique_tables import memberships_table
from genbank_assets_tests.fix_faults import is_locked
from genbank_assets_tests.fix_s3 import Asked, Fault, FaultyProxy, S3Server
from genbank_assets_tests.integration.test_mirror import mirror
from genbank_assets_tests.integration.test_objects import (
    PLN,
    VRL,
    Bucket,
    bucket,
    pruned,
    republish,
    sampled,
    short_outages,
)
from genbank_assets_tests.paths import SAMPLE

__all__ = ["bucket", "sampled", "short_outages"]  # fixtures
pytestmark = pytest.mark.slow  # test_objects has the quick ones of this package
AT_ONCE = timedelta(seconds=-60)


@pytest.fixture(autouse=True)
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "POLL_SECONDS", 0.05)


def killed_before_its_manifest(settings: Settings, key: PartitionKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """A publication that sent every object and was killed then."""

    def killed(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(DivisionTables, "send_memberships", killed)
        with pytest.raises(KeyboardInterrupt):
            republish(settings, key)


class StoppedError(Exception):
    """Ctrl-C, as far as a test can raise it."""


@pytest.mark.parametrize(
    "how", ["while it announces", "in the middle of the deletions", "503 in the middle", "at the end"]
)
def test_a_prune_that_stops_anywhere_is_made_right_by_the_next_publication(
    sampled: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    mirror(PLN, sampled, stages=4)
    killed_before_its_manifest(sampled, PLN, monkeypatch)
    there = len(bucket.listing())

    def stop(orphan: Orphan) -> None:
        if how == "while it announces":
            raise StoppedError

    delete = prune._delete

    def failing(*arguments: object, **options: object) -> None:
        delete(*arguments, **options)  # type: ignore[arg-type]
        if "503" in how:
            raise ObjectStoreError("503 in the middle", transient=True)
        if how == "in the middle of the deletions":
            raise StoppedError

    monkeypatch.setattr(prune, "_delete", failing)
    monkeypatch.setattr("genbank_assets.objects.prune_plan.BATCH_ROWS", 20)
    with contextlib.suppress(StoppedError, ObjectStoreError):
        prune_objects(sampled, older_than=AT_ONCE, announce=stop)
    left = len(bucket.listing())
    assert (left == there) == (how == "while it announces")
    if how in {"in the middle of the deletions", "503 in the middle"}:
        assert left == there - 20
    notes = list(sampled.store.glob("*/*/*/object_set/.sent"))  # of what was sent: forgotten before the first deletion
    assert bool(notes) == (how == "while it announces")
    republish(sampled, PLN)
    assert verify_objects(sampled, sample=107).problems == ()
    assert pruned(sampled, older_than=AT_ONCE) == []


def test_the_command_cut_short_by_head_leaves_a_set_that_is_made_right(
    sampled: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror(PLN, sampled, stages=4)
    killed_before_its_manifest(sampled, PLN, monkeypatch)
    before = bucket.listing()
    environment = os.environ | {"GENBANK_ASSETS_STORE": str(sampled.store), "GENBANK_ASSETS_OBJECTS": bucket.url}
    command = f"{sys.executable} -m genbank_assets.cli objects prune --older-than -1 | head -c 10"
    subprocess.run(["bash", "-c", command], env=environment, check=True, capture_output=True)
    # Whether head is gone before the last line is written is not for us to say; in between there is nothing.
    assert bucket.listing() in (before, {})
    republish(sampled, PLN)
    assert verify_objects(sampled, sample=0).problems == ()
    assert pruned(sampled, older_than=AT_ONCE) == []


def test_a_prune_that_is_killed_leaves_nothing_that_blocks_and_nothing_behind(
    sampled: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror(PLN, sampled, stages=4)
    killed_before_its_manifest(sampled, PLN, monkeypatch)
    program = (
        "import os, signal, sys; from datetime import timedelta; from genbank_assets.objects import prune, prune_plan;"
        "from genbank_assets.settings import settings_from_environment as s\n"
        "d = prune._delete; prune_plan.BATCH_ROWS = 20\n"
        "def kill(*a, **k): d(*a, **k); os.kill(os.getpid(), signal.SIGKILL)\n"
        "prune._delete = kill; prune.prune_objects(s(), older_than=timedelta(seconds=-60))"
    )
    environment = os.environ | {"GENBANK_ASSETS_STORE": str(sampled.store), "GENBANK_ASSETS_OBJECTS": bucket.url}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == -signal.SIGKILL
    assert list(sampled.store.glob(".prune-*"))
    assert [key for key in bucket.listing() if key.startswith("leases/")]
    republish(sampled, PLN)
    assert verify_objects(sampled, sample=107).problems == ()
    assert pruned(sampled, older_than=AT_ONCE) == []
    assert not list(sampled.store.glob(".prune-*"))
    assert not [key for key in bucket.listing() if key.startswith("leases/")]


@pytest.mark.parametrize("comparison", ["object by object", "beside a listing"])
def test_what_a_killed_run_sent_is_believed_only_as_far_as_it_is_there(
    sampled: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, comparison: str
) -> None:
    monkeypatch.setattr(
        "genbank_assets.objects.resume.LISTED_AT_ONCE", 0 if comparison == "object by object" else 10**9
    )
    mirror(VRL, sampled)  # so that the set is not empty
    mirror(PLN, sampled, stages=4)
    killed_before_its_manifest(sampled, PLN, monkeypatch)
    before = set(bucket.listing()) - {key for key in bucket.listing() if "vrl" in key}
    gone, short, wrong = sorted(key for key in before if key.startswith("nucleotide/"))[:3]
    content = bucket.get(wrong)
    bucket.delete(gone)
    bucket.put(short, bucket.get(short)[:-1])
    bucket.put(wrong, content[:-1] + b"*")
    manifest = republish(sampled, PLN)
    assert verify_objects(sampled, sample=200).problems == ()
    assert 1 <= (manifest.report.objects_put or 0) <= 3


def test_what_was_sent_to_another_set_is_not_believed(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (
        dataclasses.replace(
            settings, source=(Path(__file__).parents[2] / "genbank_assets/sample").as_uri(), objects=url
        )
        for url in ((tmp_path / "one").as_uri(), (tmp_path / "two").as_uri())
    )
    mirror(VRL, one, stages=4)
    killed_before_its_manifest(one, VRL, monkeypatch)
    assert republish(two, VRL).report.objects_put == 7
    assert verify_objects(two, sample=10).problems == ()


@pytest.mark.parametrize("layout", ["record", "pack"])
def test_repair_sends_again_what_is_missing_or_damaged_and_touches_nothing_else(
    sampled: Settings, bucket: Bucket, layout: str
) -> None:
    settings = dataclasses.replace(sampled, object_layout=layout)
    mirror(PLN, settings)
    mirror(VRL, settings)
    kind = "nucleotide/" if layout == "record" else "packs/"
    mine = set(pl.read_parquet(table_path(PartitionRelease(settings.store, PLN, "1.0")))["key"])
    keys = sorted(key for key in bucket.listing() if key.startswith(kind) and key in mine)
    whole = {key: bucket.get(key) for key in bucket.listing()}
    if layout == "record":
        bucket.delete(keys[0])
        bucket.put(keys[1], whole[keys[1]][:-1])
        bucket.put(keys[2], whole[keys[2]][:-1] + b"*")
    else:
        bucket.put(keys[0], whole[keys[0]][:100])
    memberships = next(key for key in whole if key.startswith("memberships/genbank/1.0/pln/"))
    bucket.delete(memberships)
    if bucket.folder is not None:
        times = {key: (bucket.folder / key).stat().st_mtime_ns for key in bucket.listing()}
    done = repair_objects(settings, sample=0)
    assert done.problem_count == (4 if layout == "record" else 2)
    assert (done.repaired, done.failed, done.problems) == (("genbank/pln 1.0",), (), ())
    assert done.objects_put == (3 if layout == "record" else 1)
    manifests = {key for key in whole if key.startswith("manifests/")}  # ETags of a folder's files are others now
    assert {key: bucket.get(key) for key in whole.keys() - manifests} == {k: whole[k] for k in whole.keys() - manifests}
    assert bucket.listing().keys() == whole.keys()
    if bucket.folder is not None:
        touched = {key for key, then in times.items() if (bucket.folder / key).stat().st_mtime_ns != then}
        sent = set(keys[1:3]) if layout == "record" else {keys[0]}
        assert touched == {*sent, "manifests/genbank/1.0/pln.parquet"}
    assert repair_objects(settings, sample=200).problem_count == 0


def test_a_repair_has_the_division_to_itself_while_it_writes(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = dataclasses.replace(settings, source=SAMPLE.as_uri(), objects=(tmp_path / "set").as_uri())
    mirror(VRL, settings)
    partition = PartitionRelease(settings.store, VRL, "1.0")
    table_path(partition).write_bytes(b"not a table")
    next(path for path in (tmp_path / "set" / "nucleotide").rglob("*") if path.is_file()).unlink()
    held: list[tuple[str, bool]] = []

    def noting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **options: Any) -> Any:
            held.append((name, is_locked(lock_path(settings.store, str(VRL)))))
            return function(*arguments, **options)

        return called

    for name in ("_copy", "publish_division"):
        monkeypatch.setattr(repair, name, noting(name, getattr(repair, name)))
    assert repair_objects(settings, sample=0).problems == ()
    assert held == [("_copy", True), ("publish_division", True)]


def test_repair_finds_rot_that_keeps_size_and_etag(sampled: Settings, bucket: Bucket) -> None:
    """A byte that changed on the disk of the server: only reading it tells."""
    if bucket.folder is None:
        pytest.skip("a server's ETag changes with the bytes")
    mirror(VRL, sampled)
    key = next(key for key in bucket.listing() if key.startswith("nucleotide/"))
    path = bucket.folder / key
    content, then = path.read_bytes(), path.stat()
    with path.open("r+b") as file:
        file.write(b"*")
    os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns))
    assert verify_objects(sampled, sample=0).problems == ()
    done = repair_objects(sampled, sample=100)
    assert (done.problem_count, done.objects_put, done.problems) == (1, 1, ())
    assert path.read_bytes() == content


def test_repair_makes_lost_manifests_and_a_damaged_local_table_anew(sampled: Settings, bucket: Bucket) -> None:
    mirror(VRL, sampled)
    mirror(PLN, sampled)
    whole = bucket.listing()
    bucket.delete("manifests/genbank/1.0/vrl.parquet")
    partition = PartitionRelease(sampled.store, PLN, "1.0")
    table_path(partition).write_bytes(b"not a table")
    assert verify_objects(sampled, sample=0).problem_count == 2
    done = repair_objects(sampled, sample=0)
    assert (set(done.repaired), done.failed, done.problems) == ({"genbank/vrl 1.0", "genbank/pln 1.0"}, (), ())
    assert done.objects_put == 0
    assert bucket.listing().keys() == whole.keys()
    assert verify_objects(sampled, sample=200).problems == ()


def test_what_cannot_be_repaired_is_named_with_what_to_do(sampled: Settings, bucket: Bucket) -> None:
    mirror(VRL, sampled)
    bucket.delete(next(key for key in bucket.listing() if key.startswith("nucleotide/")))
    partition = PartitionRelease(sampled.store, VRL, "1.0")
    manifest = partition.manifest("records")
    assert manifest is not None
    for entry in manifest.files:
        (partition.folder_of(manifest) / entry["sequences_file"]).unlink()
    done = repair_objects(sampled, sample=0)
    (reason,) = done.failed
    assert "genbank-assets verify genbank/vrl" in reason
    assert len(done.problems) == 1


def test_damaged_memberships_and_tables_are_found_and_sent_again(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*arguments: object) -> None:
        raise ObjectStoreError("503", transient=True)

    settings = dataclasses.replace(settings, source=SAMPLE.as_uri(), objects=(tmp_path / "set").as_uri())
    mirror(VRL, settings)
    (path,) = (tmp_path / "set" / "memberships").rglob("*.parquet")
    whole = path.read_bytes()
    for content, what in ((whole[:-1], "bytes, not"), (whole[:-1] + b"*", "its digest has changed")):
        path.write_bytes(content)
        (problem,) = verify_objects(settings, sample=0).problems
        assert what in problem.what
        done = repair_objects(settings, sample=0)
        assert (done.problem_count, done.objects_put, done.problems) == (1, 0, ())
        assert path.read_bytes() == whole
    # A table that is damaged here and in the set is made anew; a store that fails for the moment is an error.
    table = table_path(PartitionRelease(settings.store, VRL, "1.0"))
    (copy,) = (tmp_path / "set" / "manifests").rglob("*.parquet")
    for damaged in (table, copy):
        damaged.write_bytes(b"not a table")
    with monkeypatch.context() as patch:
        patch.setattr(repair, "copy_object", failing)
        with pytest.raises(ObjectStoreError, match="503"):
            repair_objects(settings, sample=0)
    done = repair_objects(settings, sample=0)
    assert (done.repaired, done.problems) == (("genbank/vrl 1.0",), ())
    assert table.read_bytes() == copy.read_bytes()


def test_a_publication_that_lacks_a_sequence_is_not_published(settings: Settings, tmp_path: Path) -> None:
    settings = dataclasses.replace(settings, source=SAMPLE.as_uri(), objects=(tmp_path / "set").as_uri())
    mirror(VRL, settings, stages=4)
    partition = PartitionRelease(settings.store, VRL, "1.0")
    unique = partition.manifest("unique_records")
    assert unique is not None
    more = dataclasses.replace(unique, extra=unique.extra | {"distinct_sequences": 8})
    publish_manifest(more, partition=partition)
    with pytest.raises(IntegrityError, match="has 8 distinct sequences, the set 7 of them"):
        republish(settings, VRL)
    assert partition.manifest("object_set") is None


def test_a_publication_that_fails_leaves_the_old_table_and_manifest(
    sampled: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror(VRL, sampled)
    partition = PartitionRelease(sampled.store, VRL, "1.0")
    before, content = partition.manifest("object_set"), table_path(partition).read_bytes()
    with_refget = dataclasses.replace(sampled, refget=True)

    def failing(*arguments: object, **options: object) -> None:
        raise ObjectStoreError("no")

    for step in ("send_memberships", "send_manifest"):
        with monkeypatch.context() as patch:
            patch.setattr(DivisionTables, step, failing)
            with pytest.raises(ObjectStoreError):
                republish(with_refget, VRL)
        assert partition.manifest("object_set") == before
        assert table_path(partition).read_bytes() == content
        assert verify_objects(sampled, sample=10).problems == ()
    republish(with_refget, VRL)
    assert table_path(partition).read_bytes() != content


def test_an_accession_is_found_with_nothing_but_the_bucket(sampled: Settings, bucket: Bucket, tmp_path: Path) -> None:
    mirror(VRL, sampled)
    objects = tmp_path / "objects.parquet"
    objects.write_bytes(bucket.get("manifests/genbank/1.0/vrl.parquet"))
    named = memberships_of(objects)
    assert named is not None
    content = bucket.get(named["key"])
    assert hashlib.sha256(content).hexdigest() == named["sha256"]
    (tmp_path / "memberships.parquet").write_bytes(content)
    found = pl.read_parquet(tmp_path / "memberships.parquet").join(
        pl.read_parquet(objects), on=["sequence_sha256", "molecule_class"], how="inner"
    )
    assert len(found) >= 7
    for row in found.iter_rows(named=True):
        assert hashlib.sha256(bucket.get(row["key"])).digest() == row["sequence_sha256"]


def test_memberships_that_no_manifest_names_are_pruned(sampled: Settings, bucket: Bucket) -> None:
    mirror(VRL, sampled)
    left = f"memberships/genbank/1.0/vrl/{'ab' * 32}.parquet"
    bucket.put(left, b"x")
    bucket.put("memberships/notes.txt", b"x")
    assert pruned(sampled) == []  # too young
    assert [orphan.key for orphan in pruned(sampled, older_than=AT_ONCE)] == [left]
    assert verify_objects(sampled, sample=0).problems == ()


def test_a_prune_waits_for_the_publication_of_another_store_and_says_so(
    sampled: Settings, bucket: Bucket, tmp_path: Path
) -> None:
    mirror(VRL, sampled, stages=4)
    other = dataclasses.replace(sampled, store=tmp_path / "other")
    lines: list[str] = []
    done = threading.Event()

    def prune_it() -> None:
        prune_objects(other, older_than=AT_ONCE, progress=lines.append)
        done.set()

    with lease.leased(open_objects(sampled, retries=0), purpose="publish", work="publication of genbank/vrl 1.0"):
        thread = threading.Thread(target=prune_it)
        thread.start()
        assert not done.wait(0.5)
    thread.join(20)
    assert done.is_set()
    assert any("waiting" in line and "publication of genbank/vrl 1.0" in line for line in lines)


def test_a_publication_waits_for_a_prune_and_a_lease_is_not_written_anew(
    sampled: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_objects(sampled, retries=0)
    order: list[str] = []
    with lease.leased(opened, purpose="prune", work="objects prune"):
        waiting = lease.Lease(opened, purpose="publish", work="x", progress=order.append)
        thread = threading.Thread(target=lambda: (waiting.acquire(), order.append("begun")))
        thread.start()
        time.sleep(0.4)
        assert "begun" not in order
    thread.join(20)
    assert order[-1] == "begun"
    waiting.check()
    # Another host's prune takes it for dead.
    monkeypatch.setattr(lease, "EXPIRY_SECONDS", -1.0)
    with lease.leased(opened, purpose="prune", work="objects prune"):
        pass
    with pytest.raises(ObjectStoreError, match="run it again") as caught:
        waiting.check()
    assert caught.value.transient
    waiting.release()
    assert not [key for key in bucket.listing() if key.startswith("leases/")]


def test_a_prune_that_slept_past_its_lease_deletes_nothing_beside_a_publication(
    sampled: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that slept, a run that was stopped: what it planned may be what the publication found in the set."""
    mirror(VRL, sampled)
    orphan = f"nucleotide/ab/{'ab' * 32}"
    bucket.put(orphan, b"ACGT")
    publication = lease.Lease(open_objects(sampled, retries=0), purpose="publish", work="x")

    def slept() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(lease, "EXPIRY_SECONDS", -1.0)
            publication.acquire()

    with pytest.raises(ObjectStoreError, match="run it again") as caught:
        prune_objects(sampled, older_than=AT_ONCE, announced=slept)
    assert caught.value.transient
    publication.check()
    publication.release()
    assert orphan in bucket.listing()
    assert [one.key for one in pruned(sampled, older_than=AT_ONCE)] == [orphan]


def test_a_plan_has_every_row_however_many_batches_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prune_plan, "BATCH_ROWS", 3)
    rows = [prune_plan.Planned("object", f"nucleotide/{number}", number, "2026-01-01") for number in range(10)]
    plan = prune_plan.Plan(tmp_path / "plan")
    plan.write(iter(rows))
    assert [row for batch in plan.batches() for row in batch] == rows
    assert (plan.objects, plan.bytes) == (10, 45)


def test_a_prune_that_slept_between_two_deletions_asks_before_the_next(
    sampled: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror(VRL, sampled)
    orphans = [f"nucleotide/{byte}/{byte * 32}" for byte in ("ab", "cd")]
    for key in orphans:
        bucket.put(key, b"ACGT")
    monkeypatch.setattr(prune_plan, "BATCH_ROWS", 1)
    publication = lease.Lease(open_objects(sampled, retries=0), purpose="publish", work="x")
    delete, clocks = prune._delete, lease._clocks

    def slept(*arguments: Any, **options: Any) -> None:
        delete(*arguments, **options)
        with monkeypatch.context() as patch:
            patch.setattr(lease, "EXPIRY_SECONDS", -1.0)
            publication.acquire()
        monkeypatch.setattr(lease, "_clocks", lambda: (clocks()[0], clocks()[1] + 601.0))

    monkeypatch.setattr(prune, "_delete", slept)
    with pytest.raises(ObjectStoreError, match="run it again"):
        prune_objects(sampled, older_than=AT_ONCE)
    publication.release()
    assert [key for key in orphans if key in bucket.listing()] == orphans[1:]


def test_a_publication_whose_lease_was_taken_does_not_publish(
    sampled: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror(VRL, sampled, stages=4)
    run = DivisionObjects.run

    def slow(self: DivisionObjects, *arguments: object, **options: object) -> object:
        counts = run(self, *arguments, **options)  # type: ignore[arg-type]
        for key in [key for key in bucket.listing() if key.startswith("leases/")]:
            bucket.delete(key)
        return counts

    with monkeypatch.context() as patch:
        patch.setattr(DivisionObjects, "run", slow)
        with pytest.raises(ObjectStoreError, match="run it again"):
            republish(sampled, VRL)
    assert not [key for key in bucket.listing() if key.startswith("manifests/")]
    assert republish(sampled, VRL).report.objects == 7


def test_runs_of_one_store_that_delete_and_publish_exclude_each_other(sampled: Settings) -> None:
    order: list[str] = []

    def publishing() -> None:
        with lock_objects(sampled, exclusive=False, work="publication", progress=order.append):
            order.append("publishes")

    with lock_objects(sampled, exclusive=True, work="prune"):
        thread = threading.Thread(target=publishing)
        thread.start()
        time.sleep(0.3)
        order.append("deleted")
    thread.join(10)
    assert order == ["publication: waiting for a deletion of this store to end", "deleted", "publishes"]
    with lock_objects(sampled, exclusive=False, work="a"), lock_objects(sampled, exclusive=False, work="b"):
        pass  # publications go on beside each other


def test_a_publication_holds_the_lock_of_the_store_beside_others_and_a_prune_alone(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = dataclasses.replace(settings, source=SAMPLE.as_uri(), objects=(tmp_path / "set").as_uri())
    path = settings.store / "objects.lock"
    held: dict[str, tuple[bool, bool]] = {}
    run, orphans = DivisionObjects.run, prune._orphans

    def publishing(*arguments: Any, **options: Any) -> Any:
        held["publication"] = (is_locked(path), is_locked(path, alone=False))
        return run(*arguments, **options)

    def pruning(*arguments: Any, **options: Any) -> Any:
        held["prune"] = (is_locked(path), is_locked(path, alone=False))
        return orphans(*arguments, **options)

    monkeypatch.setattr(DivisionObjects, "run", publishing)
    monkeypatch.setattr(prune, "_orphans", pruning)
    mirror(VRL, settings)
    prune.prune_objects(settings)
    assert held == {"publication": (True, False), "prune": (True, True)}


@pytest.fixture
def outage(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float], FaultyProxy]]:
    """A server that is away for some seconds from its first sequence on."""
    with contextlib.ExitStack() as stack:

        def begin(seconds: float) -> FaultyProxy:
            since: list[float] = []

            def rule(asked: Asked) -> Fault | None:
                if asked.method == "PUT" and "/nucleotide/" in asked.path and not since:
                    since.append(time.monotonic())
                return Fault(reset=True) if since and time.monotonic() - since[0] < seconds else None

            proxy = stack.enter_context(FaultyProxy(s3, rule))
            monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
            return proxy

        yield begin


def test_waiting_for_a_restarting_server_is_reported(
    sampled: Settings, bucket: Bucket, outage: Callable[[float], FaultyProxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    if bucket.s3 is None:
        pytest.skip("a folder does not restart")
    mirror(VRL, sampled, stages=4)
    monkeypatch.setattr(store, "RETRY_SECONDS", 60.0)
    monkeypatch.setattr("genbank_assets.objects.upload.MAX_PAUSE_SECONDS", 0.5)
    monkeypatch.setattr("genbank_assets.objects.throttle.ANNOUNCE_SECONDS", 1.0)
    outage(4.0)
    lines: list[str] = []
    partition = PartitionRelease(sampled.store, VRL, "1.0")
    manifest = publish.publish_division(partition, settings=sampled, progress=lines.append, run_id="x")
    assert manifest.report.objects_put == 7
    assert any("nothing was stored for" in line and "trying again" in line for line in lines)
    assert verify_objects(sampled, sample=10).problems == ()


def test_a_store_that_stays_away_is_an_error_that_may_pass(
    sampled: Settings, bucket: Bucket, outage: Callable[[float], FaultyProxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    if bucket.s3 is None:
        pytest.skip("a folder does not restart")
    mirror(VRL, sampled, stages=4)
    outage(3600)
    with pytest.raises(ObjectStoreError) as caught:
        republish(sampled, VRL)
    assert caught.value.transient


def test_a_damaged_membership_table_is_not_sent(sampled: Settings, bucket: Bucket) -> None:
    mirror(VRL, sampled, stages=4)
    path = memberships_table(PartitionRelease(sampled.store, VRL, "1.0"))
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"*")
    with pytest.raises(IntegrityError, match="genbank-assets verify"):
        republish(sampled, VRL)
    assert not [key for key in bucket.listing() if key.startswith(("memberships/", "manifests/"))]


def test_a_lease_of_a_dead_process_does_not_count(sampled: Settings, bucket: Bucket) -> None:
    program = (
        "import os, signal; from genbank_assets.objects.lease import Lease; from genbank_assets.objects.store import *;"
        "from genbank_assets.settings import settings_from_environment as s;"
        "Lease(open_objects(s(), retries=0), purpose='publish', work='x').acquire();"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = os.environ | {"GENBANK_ASSETS_STORE": str(sampled.store), "GENBANK_ASSETS_OBJECTS": bucket.url}
    subprocess.run([sys.executable, "-c", program], env=environment, check=False)
    opened = open_objects(sampled, retries=0)
    assert len([key for batch in obstore.list(opened, prefix="leases/") for key in batch]) == 1
    begun = time.monotonic()
    with lease.leased(opened, purpose="prune", work="objects prune"):
        assert time.monotonic() - begun < 20
    assert not [key for key in bucket.listing() if key.startswith("leases/")]
