"""The object set request by request: what is retried, how many are in flight, what a kill leaves, who holds a lease."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import obstore
import polars as pl
import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
    SSLError,
)
from obstore.exceptions import GenericError, NotSupportedError
from obstore.store import LocalStore, MemoryStore

from genbank_assets.errors import IntegrityError, ObjectStoreError, SettingsError
from genbank_assets.objects import (
    division_tables,
    lease,
    object_index,
    prune,
    publish,
    requests,
    store,
    throttle,
    unfinished,
    upload,
)
from genbank_assets.objects.etags import Etags, Parts
from genbank_assets.objects.packs import PackBuilder, unpacked
from genbank_assets.objects.read import residues
from genbank_assets.objects.resume import SentFiles
from genbank_assets.objects.retry import retried
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, publish_manifest, write_atomically

PHG = PartitionKey("genbank", "phg")


def manifest_of(stage: Any, **more: Any) -> Manifest:
    content = {"code_version": object_index.CODE_VERSION, "input_digest": "", "files": (), **more}
    return Manifest(stage=stage, collection="genbank", release="1.0", division="phg", **content)


# ---- addresses


@pytest.mark.parametrize(
    "url", ["s3://mirror/a?b", "s3://mirror/a#b", "s3://mirror/a//b", "s3://mirror/../b", "s3:///b", "ftp://mirror/b"]
)
def test_a_prefix_that_would_lead_elsewhere_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "x")
    with pytest.raises((ObjectStoreError, SettingsError), match=re.escape(url)):
        store.open_objects(Settings(store=tmp_path, objects=url))


# ---- retries


@pytest.mark.parametrize("seconds", [1.0, 1000.0])
def test_a_request_is_repeated_with_growing_pauses_until_its_time_is_up(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    now, pauses = [100.0], list[float]()
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def sleep(pause: float) -> None:
        pauses.append(pause)
        now[0] += pause

    monkeypatch.setattr("time.sleep", sleep)
    asked: list[float] = []

    def request() -> str:
        asked.append(now[0])
        if len(asked) == 12:
            return "there"
        raise GenericError("status code: 503 Service Unavailable")

    if seconds < 10:
        with pytest.raises(ObjectStoreError, match="cannot read a: 503") as caught:
            retried(request, doing="read a", seconds=seconds)
        assert caught.value.transient
        assert asked[-1] == pytest.approx(100 + seconds)  # once more at the very end
    else:
        assert retried(request, doing="read a", seconds=seconds) == "there"
        assert all(0.25 * 2**n <= pause <= 0.5 * 2**n for n, pause in enumerate(pauses[:5]))
        assert 10 <= max(pauses[6:]) <= 20


@pytest.mark.parametrize("error", [FileNotFoundError("status code: 404"), GenericError("status code: 403")])
def test_a_lasting_failure_is_not_repeated(error: Exception) -> None:
    asked: list[int] = []

    def request() -> None:
        asked.append(1)
        raise error

    with pytest.raises(ObjectStoreError) as caught:
        retried(request, doing="read a")
    assert not caught.value.transient
    assert len(asked) == 1


@pytest.mark.parametrize(("read", "there", "taken"), [(2, 8, True), (2, 7, False), (1, 8, False), (2, None, False)])
def test_a_lost_answer_to_the_last_part_is_looked_up(
    monkeypatch: pytest.MonkeyPatch, read: int, there: int | None, taken: bool
) -> None:
    """Only what was sent to its end and is there in full counts as sent."""
    bucket = MemoryStore()
    if there is not None:
        obstore.put(bucket, "key", b"x" * there)

    def put(*arguments: object, **options: object) -> None:
        for _ in range(read + (read == 2)):  # the last call finds the end
            next(parts, None)
        raise GenericError("the connection ended")

    parts = Parts(iter([b"ACGT", b"ACGT"]))
    monkeypatch.setattr(obstore, "put", put)
    if taken:
        assert requests.put_parts(bucket, "key", parts, length=8, at_once=1).bytes == 8
    else:
        with pytest.raises(GenericError, match="the connection ended"):
            requests.put_parts(bucket, "key", parts, length=8, at_once=1)


# ---- requests in flight


def test_requests_and_bytes_in_flight_have_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MAX_BYTES_IN_FLIGHT", 100)
    slots = throttle.Throttle(concurrency=2)

    def is_free(size: int) -> bool:
        """Whether a request would not wait now."""
        waited: list[bool] = []
        monkeypatch.setattr(slots._changed, "wait_for", lambda free: waited.append(free()))
        slots.wait(size)
        return waited[0]

    assert is_free(1000)  # alone, anything goes
    slots.enter(60)
    assert is_free(40)
    assert not is_free(41)
    slots.enter(1)
    assert not is_free(1)
    slots.leave(60)
    assert is_free(41)


def test_the_limit_is_halved_once_a_second_and_grows_back_to_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    slots = throttle.Throttle(concurrency=10)
    slots.slower()
    slots.slower()  # a request that was in flight already
    assert slots.allowed == 5
    for _ in range(5):
        now[0] += 1.01
        slots.slower()
    assert slots.allowed == 1
    slots.faster()
    assert slots.allowed == 2
    for _ in range(100):
        slots.faster()
    assert slots.allowed == 10


def test_a_store_is_away_only_if_nothing_was_stored_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    now, lines = [100.0], list[str]()
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr(store, "RETRY_SECONDS", 60.0)
    outage = throttle.Outage(lines.append)
    now[0] = 120.0
    assert outage.should_wait("503", since=110.0)
    assert lines == []
    now[0] = 126.0
    assert outage.should_wait("503", since=110.0)
    assert outage.should_wait("503", since=110.0)
    assert lines == ["503; nothing was stored for 16 s, trying again for 44 s at most"]
    now[0] = 171.0
    assert not outage.should_wait("503", since=110.0)
    outage.ended()
    assert not outage.should_wait("503", since=170.0)
    now[0] = 187.0
    assert outage.should_wait("500", since=171.5)
    assert len(lines) == 2


# ---- what a killed run sent


def test_records_of_what_was_sent_are_of_one_input_one_set_and_one_choice_of_digests(tmp_path: Path) -> None:
    settings = Settings(store=tmp_path, objects="file:///one")
    row = object_index.EMPTY.clear(1)
    SentFiles(tmp_path, input_digest="a", settings=settings).add("gbphg1.seq.gz", row)

    def found(digest: str = "a", **more: Any) -> int:
        sent = SentFiles(tmp_path, input_digest=digest, settings=dataclasses.replace(settings, **more))
        return len(sent.tables("gbphg1.seq.gz"))

    assert (found(), found("b"), found(refget=True), found(objects="file:///two")) == (1, 0, 0, 0)


OTHER: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "the sequences": ({"input_digest": "0"}, {}),
    "the code": ({"code_version": "2"}, {}),
    "the set": ({"extra": {"url": "file:///two", "refget": True}}, {}),
    "digests that are there already": ({"extra": {"url": "file:///one", "refget": True}}, {"refget": True}),
    "digests that are lacking": ({"extra": {"url": "file:///one", "refget": False}}, {"refget": True}),
}


@pytest.mark.parametrize("other", OTHER)
def test_a_publication_is_current_unless_something_is_another(other: str, tmp_path: Path) -> None:
    changed, chosen = OTHER[other]
    unique = manifest_of("unique_records")
    content = {"input_digest": unique.digest, "extra": {"url": "file:///one", "refget": False}} | changed
    settings = Settings(store=tmp_path, objects="file:///one", **chosen)
    is_current = bool(publish._is_current(manifest_of("object_set", **content), unique, settings))
    assert is_current == (other in {"nothing", "digests that are there already"})


def test_a_table_is_used_only_while_its_manifest_object_is_this_stores(tmp_path: Path) -> None:
    """Another store may publish the same release to the set: of another size, or of the same with other bytes."""
    settings = Settings(store=tmp_path / "store", objects=(tmp_path / "set").as_uri())
    (tmp_path / "set").mkdir()
    bucket = LocalStore(tmp_path / "set")
    partition = PartitionRelease(settings.store, PHG, "1.0")
    key = "manifests/genbank/1.0/phg.parquet"
    folder = partition.generation_folder("object_set", "0" * 16)
    folder.mkdir(parents=True)
    object_index.EMPTY.write_parquet(folder / object_index.TABLE)
    mine = (folder / object_index.TABLE).read_bytes()
    obstore.put(bucket, key, mine)
    extra = {"url": settings.objects_url, "manifest_key": key}
    entry = {"name": object_index.TABLE, "bytes": len(mine)}
    manifest = manifest_of("object_set", files=(entry,), extra=extra, generation="0" * 16)
    publish_manifest(manifest, partition=partition)

    def tables() -> list[Path]:
        return object_index.published_tables(settings, bucket)

    def is_published() -> bool:
        return object_index.is_published(bucket, partition, manifest)

    assert (tables(), is_published()) == ([folder / object_index.TABLE], True)
    path = tmp_path / "set" / key
    for content in (mine[:-5] + b"other", mine + b"more", mine[1:]):
        path.write_bytes(content)
        os.utime(path, (2e9, 2e9))  # later than this store's manifest
        assert (tables(), is_published()) == ([], False)
    path.write_bytes(mine)
    os.utime(path, (2e9, 2e9))
    assert (tables(), is_published()) == ([folder / object_index.TABLE], True)
    write_atomically(partition.manifest_path("object_set"), manifest.to_json().encode())  # version 0.1.0 gave no time
    assert tables() == [folder / object_index.TABLE]
    publish_manifest(dataclasses.replace(manifest, code_version="1"), partition=partition)  # has another layout
    assert tables() == []
    publish_manifest(manifest, partition=partition)
    path.write_bytes(mine[1:])
    os.utime(path, (1e9, 1e9))
    assert tables() == []
    path.unlink()
    assert (tables(), is_published()) == ([], False)
    path.write_bytes(mine)
    (folder / object_index.TABLE).unlink()
    assert (tables(), is_published()) == ([], False)
    assert not object_index.is_readable(settings, partition, None)


# ---- leases


@pytest.fixture
def bucket(tmp_path: Path) -> LocalStore:
    (tmp_path / "set").mkdir()
    return LocalStore(tmp_path / "set")


HOLDERS: dict[str, tuple[Callable[[dict[str, Any]], object], bool]] = {
    "this process": (lambda mine: mine, True),
    "a later process of the same number": (lambda mine: mine | {"started": "1"}, False),
    "a process that is none": (lambda mine: mine | {"pid": 2**22 + 1}, False),
    "a process of another host": (lambda mine: mine | {"pid": 2**22 + 1, "space": "other"}, True),
    "a process of another host that fell silent": (lambda mine: mine | {"space": "other"}, False),
    "a program that writes something else": (lambda mine: [1], True),
    "nobody any more": (lambda mine: None, False),
}


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("purpose", ["publish", "prune"])
def test_whose_lease_is_waited_for(bucket: LocalStore, holder: str, purpose: lease.Purpose) -> None:
    written, counts = HOLDERS[holder]
    content = written({"who": "a run", **lease._process()})
    other = f"leases/{'prune' if purpose == 'publish' else 'publish'}/{'a' * 32}"
    # A holder that may not delete truncates its lease.
    obstore.put(bucket, other, b"" if content is None else json.dumps(content).encode())
    if "silent" in holder:
        os.utime(Path(str(bucket.prefix), other), (time.time() - lease.EXPIRY_SECONDS - 60,) * 2)
    mine = lease.Lease(bucket, purpose=purpose, work="x")
    mine._write()
    found = mine._others("prune" if purpose == "publish" else "publish")
    assert [one.key for one in found] == ([other] if counts else [])
    assert (requests.stored_as(bucket, other) is not None) == counts
    mine.check()


def test_a_lease_is_renewed_until_it_was_taken(bucket: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    held = lease.Lease(bucket, purpose="publish", work="x")
    held._write()
    written: list[int] = []
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        if len(waits) == 3:
            bucket_path = Path(str(bucket.prefix), held.key)
            bucket_path.write_bytes(b"")  # taken by a run that may not delete
        return len(waits) > 5

    write = held._write

    def writing() -> None:
        written.append(1)
        write()

    monkeypatch.setattr(held, "_write", writing)
    monkeypatch.setattr(held._ended, "wait", wait)
    held._renew()
    assert (len(written), waits) == (2, [lease.RENEW_SECONDS] * 3)
    assert not held.is_fresh()
    with pytest.raises(ObjectStoreError, match="run it again"):
        held.check()


def test_a_lease_that_may_not_be_deleted_is_emptied(bucket: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object) -> None:
        raise GenericError("status code: 403")

    held = lease.Lease(bucket, purpose="prune", work="x")
    held._write()
    monkeypatch.setattr(obstore, "delete", refused)
    held.release()
    there = requests.stored_as(bucket, held.key)
    assert there is not None
    assert there.bytes == 0
    other = lease.Lease(bucket, purpose="publish", work="x")
    other._write()
    assert other._others("prune") == []


def test_a_prune_that_waits_does_not_hold_publications_up(bucket: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    publication = lease.Lease(bucket, purpose="publish", work="publication")
    publication._write()
    prune = lease.Lease(bucket, purpose="prune", work="prune")
    there: list[bool] = []

    def sleep(seconds: float) -> None:
        there.append(requests.stored_as(bucket, prune.key) is not None)
        publication._remove()

    monkeypatch.setattr("time.sleep", sleep)
    prune.acquire()
    prune.check()
    prune.release()
    assert there == [False]


def test_a_frame_is_read_again_with_its_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A store that fails for the moment is no damage of a sequence."""
    from genbank_assets.objects import verify

    settings = Settings(store=tmp_path / "store", objects=(tmp_path / "set").as_uri())
    found = verify.Comparison(settings)
    partition = PartitionRelease(settings.store, PHG, "1.0")
    found.broken[partition] = []
    monkeypatch.setattr(verify, "_sample", lambda table, count: [{"key": "nucleotide/ab"}])
    monkeypatch.setattr(verify, "table_path", lambda partition: tmp_path)
    for transient in (True, False):
        monkeypatch.setattr(verify, "residues", _failing(ObjectStoreError("503", transient=transient)))
        if transient:
            with pytest.raises(ObjectStoreError, match="503"):
                found._read_sample(partition, 1)
        else:
            found._read_sample(partition, 1)
    assert [problem.what for problem in found.problems] == ["503"]


def _failing(error: Exception) -> Callable[..., None]:
    def failing(*arguments: object, **options: object) -> None:
        raise error

    return failing


def test_a_set_is_compared_with_each_table_in_any_order(tmp_path: Path) -> None:
    """A sequence whose object is damaged in one table is taken from the next."""
    columns = {"sequence_sha256": [b"a" * 32], "molecule_class": ["nucleotide"], "key": ["nucleotide/aa"]}
    rows = pl.DataFrame(columns)
    frame = pl.concat([object_index.EMPTY, rows], how="diagonal")
    for number, key in enumerate(("broken", "whole")):
        frame.with_columns(key=pl.lit(key)).write_parquet(tmp_path / f"{number}.parquet", statistics=True)
    tables = [object_index._Table(tmp_path / f"{number}.parquet") for number in range(2)]
    wanted = rows.select(object_index.IDENTITY)
    assert object_index.rows_in(tables, wanted)["key"].to_list() == ["broken"]
    broken = pl.Series("key", ["broken"])
    assert object_index.rows_in(tables, wanted, broken=broken)["key"].to_list() == ["whole"]
    assert object_index.rows_in(tables[:1], wanted, broken=broken)["key"].to_list() == []


# ---- what goes wrong on the way


BOTO: dict[str, tuple[Exception, bool]] = {
    "the connection is refused": (EndpointConnectionError(endpoint_url="http://x"), True),
    "the server does not answer": (ReadTimeoutError(endpoint_url="http://x"), True),
    "the certificate is not trusted": (SSLError(endpoint_url="https://x", error=OSError("expired")), False),
    "there are no credentials": (NoCredentialsError(), False),
    "the server is busy": (
        ClientError({"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}}, "x"), True  # type: ignore[typeddict-item]
    ),
    "it is not allowed": (
        ClientError({"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "x"), False  # type: ignore[typeddict-item]
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BOTO)
def test_which_failures_to_find_unfinished_uploads_may_pass(what: str) -> None:
    error, passes = BOTO[what]
    with pytest.raises(ObjectStoreError, match="cannot be listed") as caught, unfinished._refusals("listed"):
        raise error
    assert caught.value.transient is passes


def test_an_upload_that_ended_meanwhile_is_none_and_other_answers_are_errors() -> None:
    def answer(code: str) -> None:
        with unfinished._none_where("NoSuchUpload"):
            raise ClientError({"Error": {"Code": code}}, "x")

    answer("NoSuchUpload")
    with pytest.raises(ClientError, match="AccessDenied"):
        answer("AccessDenied")


def test_a_file_is_stored_only_with_its_digest_and_if_the_store_keeps_it(
    bucket: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table"
    path.write_bytes(b"ACGT")
    digest = hashlib.sha256(b"ACGT").digest()
    with pytest.raises(IntegrityError, match="does not have its digest"):
        division_tables.put_file(bucket, "key", path, sha256=b"0" * 32, at_once=1)
    assert requests.stored_as(bucket, "key") is None
    assert division_tables.put_file(bucket, "key", path, sha256=digest, at_once=1).bytes == 4
    monkeypatch.setattr(Etags, "verify_stored", lambda *_, **__: False)
    with pytest.raises(GenericError, match="returned different bytes"):
        division_tables.put_file(bucket, "key", path, sha256=digest, at_once=1)


def test_a_long_object_that_cannot_be_stored_counts_as_an_error(
    bucket: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploader = upload.Uploader(bucket, retrying_store=bucket, concurrency=2)
    for status, passes in ((503, True), (403, False)):
        monkeypatch.setattr(upload, "put_parts", _failing(GenericError(f"status code: {status}")))
        with pytest.raises(ObjectStoreError, match=f"cannot store key: {status}") as caught:
            uploader.send_long("key", iter([b"A"]), length=1, sha256=b"")
        assert caught.value.transient is passes
    assert (uploader.counts.attempts, uploader.counts.errors, uploader.counts.put) == (2, 2, 0)


def test_a_store_without_conditional_requests_is_asked_once(
    bucket: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, modes = obstore.put, list[object]()

    def without(*arguments: Any, **options: Any) -> Any:
        modes.append(options.get("mode"))
        if options.get("mode") == "create":
            raise NotSupportedError("no")
        return put(*arguments, **options)

    monkeypatch.setattr(obstore, "put", without)
    uploader = upload.Uploader(bucket, retrying_store=bucket, concurrency=1)
    digest = hashlib.sha256(b"A").digest()
    uploader.send_all(iter([requests.Outgoing(f"key{n}", b"A", digest, lambda stored: None) for n in range(3)]))
    assert modes == ["create", None, None, None]
    assert uploader.counts.put == 3


@pytest.mark.parametrize(("status", "passes"), [(503, True), (403, False)])
def test_a_sequence_that_cannot_be_read_is_an_error_that_may_pass(
    monkeypatch: pytest.MonkeyPatch, bucket: LocalStore, tmp_path: Path, status: int, passes: bool
) -> None:
    row = {"length": 4, "key": "nucleotide/a", "encoding": "identity", "offset": 0, "bytes": 4, "object_bytes": 4,
           "sequence_sha256": hashlib.sha256(b"ACGT").digest()}  # fmt: skip
    settings = Settings(store=tmp_path)
    with pytest.raises(ObjectStoreError, match="the object set has no nucleotide/a"):
        list(residues(settings, row, store=bucket))
    for content in (b"ACGT", b"ACGA"):
        obstore.put(bucket, "nucleotide/a", content)
        assert b"".join(residues(settings, row, start=1, end=3, store=bucket)) == b"ACG"
        if content == b"ACGT":
            assert b"".join(residues(settings, row, store=bucket)) == content
        else:
            with pytest.raises(IntegrityError, match="do not have their digest"):
                list(residues(settings, row, store=bucket))
    monkeypatch.setattr(obstore, "get", _failing(GenericError(f"status code: {status}")))
    with pytest.raises(ObjectStoreError, match="cannot read nucleotide/a") as caught:
        list(residues(settings, row, store=bucket))
    assert caught.value.transient is passes


ANSWERS: dict[str, tuple[httpx.Response | None, bytes | str]] = {
    "the part": (httpx.Response(200, content=b"CG", headers={"Content-Range": "bytes 1-2/4"}), b"CG"),
    "another part": (httpx.Response(200, content=b"AC", headers={"Content-Range": "bytes 0-1/4"}), "status 200"),
    "too little": (httpx.Response(206, content=b"C", headers={"Content-Range": "bytes 1-2/4"}), "status 206"),
    "everything": (httpx.Response(200, content=b"ACGT"), "does not send parts"),
    "nothing": (None, "the connection to the store failed"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_part_is_taken_only_if_it_is_the_one_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str
) -> None:
    """Of a server that answers a range with status 200."""
    response, expected = ANSWERS[answer]
    asked: list[httpx.Request] = []

    def answered(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if response is None:
            raise httpx.ConnectError("refused")
        return response

    client = httpx.Client(transport=httpx.MockTransport(answered))
    monkeypatch.setattr(store, "http_client", lambda *_, **__: client)
    monkeypatch.setattr(obstore, "get_range", _failing(GenericError("non-partial response")))
    options = {"endpoint": "http://127.0.0.1:9", "skip_signature": "true", "region": "x"}
    s3 = store.open_objects(Settings(store=tmp_path, objects="s3://mirror/a b"), options=options)
    if isinstance(expected, bytes):
        assert store.read_range(s3, "key", start=1, end=3) == expected
    else:
        with pytest.raises(GenericError, match=expected):
            store.read_range(s3, "key", start=1, end=3)
    assert (str(asked[0].url), asked[0].headers["Range"]) == ("http://127.0.0.1:9/mirror/a%20b/key", "bytes=1-2")
    for failure, opened in (("other", s3), ("non-partial response", MemoryStore())):
        monkeypatch.setattr(obstore, "get_range", _failing(GenericError(failure)))
        with pytest.raises(GenericError, match=failure):
            store.read_range(opened, "key", start=1, end=3)
    assert len(asked) == 1


def test_objects_that_are_gone_do_not_keep_others_from_being_deleted(bucket: LocalStore) -> None:
    for key in ("a", "c"):
        obstore.put(bucket, key, b"x")
    prune._delete(bucket, ["a", "b", "c"], progress=print)
    assert [meta["path"] for batch in obstore.list(bucket) for meta in batch] == []


def test_a_frame_of_another_length_is_refused() -> None:
    builder = PackBuilder()
    builder.add(memoryview(b"ACGT"), digest=b"d" * 32, molecule_class="nucleotide")
    pack = builder.finish()
    frame = bytes(pack.content[: pack.sizes[0]])
    assert unpacked(frame, length=4) == b"ACGT"
    for length in (3, 5):
        with pytest.raises(IntegrityError, match="a frame of a pack"):
            unpacked(frame, length=length)


def test_statistics_of_several_uploads_add_up() -> None:
    names = [field.name for field in dataclasses.fields(requests.Counts)]
    one = requests.Counts(**{name: number for number, name in enumerate(names, 1)})
    both = dataclasses.replace(one)
    both.add(one)
    assert [getattr(both, name) for name in names] == [2 * number for number, _ in enumerate(names, 1)]
    assert both.minus(one) == one


def test_an_upload_that_fails_alone_gets_a_second_chance_after_the_others(
    bucket: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is not away as long as it takes other objects."""
    monkeypatch.setattr(upload, "FIRST_PAUSE_SECONDS", 0.0)
    uploader = upload.Uploader(bucket, retrying_store=bucket, concurrency=1)
    stored: list[str] = []
    bad, good = (
        requests.Outgoing(key, b"A", hashlib.sha256(b"A").digest(), lambda one: stored.append(one.key))
        for key in ("bad", "good")
    )
    put, tries = uploader._put, list[int]()

    def failing(outgoing: requests.Outgoing) -> requests.Stored:
        if outgoing.key == "bad":
            tries.append(1)
            if len(tries) <= upload.TRIES:
                uploader._send_with_retries(good)
                raise GenericError("status code: 503")
        return put(outgoing)

    monkeypatch.setattr(uploader, "_put", failing)
    uploader.send_all(iter([bad, good]))
    assert stored == ["good", "bad"]
    assert (len(tries), uploader.counts.errors, uploader.counts.slow_downs) == (upload.TRIES + 1, 1, upload.TRIES)
