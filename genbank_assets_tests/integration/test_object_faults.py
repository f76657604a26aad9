"""The object set when things go wrong on the way: each test names what a user would see."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from genbank_assets.errors import GenbankAssetsError, ObjectStoreError
from genbank_assets.objects import store, upload
from genbank_assets.objects.etags import PART_BYTES
from genbank_assets.objects.store import open_objects
from genbank_assets.objects.upload import Uploader
from genbank_assets.objects.verify import verify_objects
from genbank_assets.settings import Settings
from genbank_assets_tests.fix_s3 import ENDPOINT_VARIABLE, Asked, Fault, FaultyProxy, S3Server, rclone_server
from genbank_assets_tests.integration.test_mirror import mirror
from genbank_assets_tests.integration.test_objects import VRL, pruned, republish
from genbank_assets_tests.paths import SAMPLE

Rule = Callable[[Asked], Fault | None]
SEQUENCES = 7  # distinct ones of the sample's vrl
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


@pytest.fixture
def parsed(settings: Settings, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A small division that is ready to be sent, with short pauses."""
    monkeypatch.setattr(upload, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(store, "RETRY_SECONDS", 2.0)
    base = dataclasses.replace(
        settings, source=SAMPLE.as_uri(), objects=f"s3://{s3.bucket}/set", object_layout="record"
    )
    mirror(VRL, base, stages=4)
    return base


@pytest.fixture
def faulty(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Rule], FaultyProxy]]:
    """Makes the environment lead through a proxy with a rule."""
    proxies: list[FaultyProxy] = []

    def begin(rule: Rule) -> FaultyProxy:
        proxies.append(FaultyProxy(s3, rule).__enter__())
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxies[-1].endpoint)
        return proxies[-1]

    yield begin
    for proxy in proxies:
        proxy.__exit__()


def is_sequence(asked: Asked, method: str = "PUT") -> bool:
    return asked.method == method and "/nucleotide/" in asked.path


def sent_whole(s3: S3Server) -> bool:
    """Whether the bucket holds every sequence under its digest, as boto3 reads it."""
    keys = s3.keys("set/nucleotide/")
    digests = [hashlib.sha256(s3.get(key)).hexdigest() == key.rsplit("/", 1)[-1] for key in keys]
    return len(digests) == SEQUENCES and all(digests)


FIRST_TRY = {
    "the connection is reset in the middle of the body": Fault(reset=True),
    "the answer is lost after the object was stored": Fault(reset=True, arrives=True),
    "500 is answered after the object was stored": Fault(status=500, arrives=True),
    "500 is answered": Fault(status=500),
    "503 is answered with SlowDown": Fault(status=503, body=SLOW_DOWN),
    "409 is answered though nothing is there": Fault(status=409),
    "the body is spoilt on its way": Fault(spoil=True),
}  # fmt: skip


@pytest.mark.parametrize("fault", FIRST_TRY.values(), ids=list(FIRST_TRY))
def test_every_sequence_arrives_though_each_first_try_fails(
    parsed: Settings, s3: S3Server, faulty: Callable[[Rule], FaultyProxy], fault: Fault
) -> None:
    proxy = faulty(lambda asked: fault if is_sequence(asked) and asked.number == 0 else None)
    report = republish(parsed, VRL).report
    assert proxy.faults == SEQUENCES
    assert sent_whole(s3)
    assert (report.upload_attempts, report.upload_errors) == (SEQUENCES, 0)
    assert verify_objects(parsed).problems == ()


def test_a_repeated_request_finds_the_object_of_the_lost_answer(
    parsed: Settings, s3: S3Server, faulty: Callable[[Rule], FaultyProxy]
) -> None:
    def rule(asked: Asked) -> Fault | None:  # as AWS and Ceph do; rclone passes over If-None-Match
        if not is_sequence(asked):
            return None
        return Fault(status=412) if asked.number else Fault(reset=True, arrives=True)

    faulty(rule)
    report = republish(parsed, VRL).report
    assert (report.objects_put, report.upload_errors, report.upload_retries) == (0, 0, SEQUENCES)
    assert sent_whole(s3)


def test_a_server_without_conditional_requests_is_used_without_them(
    parsed: Settings, s3: S3Server, faulty: Callable[[Rule], FaultyProxy]
) -> None:
    no = Fault(status=501, body=b"<Error><Code>NotImplemented</Code></Error>")
    proxy = faulty(lambda asked: no if "if-none-match" in asked.headers else None)
    assert republish(dataclasses.replace(parsed, upload_concurrency=1), VRL).report.objects_put == SEQUENCES
    assert proxy.faults == 1
    assert sent_whole(s3)


def test_etags_other_than_md5_cost_one_request_rather_than_one_per_object(
    parsed: Settings, s3: S3Server, faulty: Callable[[Rule], FaultyProxy]
) -> None:
    other = Fault(etag=f'"{"0" * 32}"')  # such as those of encrypted buckets
    proxy = faulty(lambda asked: other if is_sequence(asked) else None)
    assert republish(dataclasses.replace(parsed, upload_concurrency=1), VRL).report.objects_put == SEQUENCES
    assert sum(number for (method, path), number in proxy.asked.items() if method == "GET" and "/nucl" in path) == 1
    assert sent_whole(s3)


def test_a_damaged_object_that_was_there_before_is_sent_again(parsed: Settings, s3: S3Server) -> None:
    republish(parsed, VRL)
    short, wrong = sorted(s3.keys("set/nucleotide/"))[:2]
    s3.client().put_object(Bucket=s3.bucket, Key=short, Body=s3.get(short)[:-1])
    s3.client().put_object(Bucket=s3.bucket, Key=wrong, Body=s3.get(wrong)[:-1] + b"*")
    s3.client().delete_object(Bucket=s3.bucket, Key="set/manifests/genbank/1.0/vrl.parquet")
    republish(parsed, VRL)
    assert sent_whole(s3)


def test_bytes_kept_for_a_retry_stay_within_the_memory_limit(
    parsed: Settings, s3: S3Server, faulty: Callable[[Rule], FaultyProxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty(lambda asked: Fault(status=503) if is_sequence(asked) and asked.number < upload.TRIES else None)
    monkeypatch.setattr(store, "RETRY_SECONDS", 0.0)  # a store that is away would be waited for otherwise
    monkeypatch.setattr(upload, "MAX_SECOND_CHANCE_BYTES", 100)
    with pytest.raises(ObjectStoreError, match="503"):
        republish(parsed, VRL)
    monkeypatch.setattr(upload, "MAX_SECOND_CHANCE_BYTES", 1_000_000)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    faulty(lambda asked: Fault(status=503) if is_sequence(asked) and asked.number < upload.TRIES else None)
    assert republish(parsed, VRL).report.upload_errors == SEQUENCES
    assert sent_whole(s3)


@pytest.mark.skipif(bool(os.environ.get(ENDPOINT_VARIABLE)), reason="this server refuses what is spoilt by itself")
def test_a_store_that_keeps_other_bytes_than_were_sent_stops_the_publication(
    parsed: Settings, s3: S3Server, faulty: Callable[[Rule], FaultyProxy]
) -> None:
    faulty(lambda asked: Fault(spoil=True) if is_sequence(asked) else None)
    with pytest.raises(ObjectStoreError, match="returned different bytes"):
        republish(parsed, VRL)
    assert s3.keys("set/manifests/") == {}


HOPELESS = {
    "the bucket does not exist": (
        Fault(status=404, body=b"<Error><Code>NoSuchBucket</Code><Message>No such bucket.</Message></Error>"),
        "NoSuchBucket",
    ),
    "writing is not allowed": (Fault(status=403, body=b"<Error><Code>AccessDenied</Code></Error>"), "AccessDenied"),
    "the credentials have expired": (
        Fault(status=400, body=b"<Error><Code>ExpiredToken</Code><Message>It has expired.</Message></Error>"),
        "ExpiredToken",
    ),
}


@pytest.mark.parametrize(("fault", "words"), HOPELESS.values(), ids=list(HOPELESS))
@pytest.mark.parametrize("method", ["PUT", "any"])
def test_permanent_failures_are_reported_at_once_in_one_sentence(
    parsed: Settings, s3: S3Server, faulty: Callable[[Rule], FaultyProxy], fault: Fault, words: str, method: str
) -> None:
    proxy = faulty(lambda asked: fault if method in {asked.method, "any"} else None)
    with pytest.raises(GenbankAssetsError, match=words) as caught:
        republish(parsed, VRL)
    assert "\n" not in str(caught.value)
    assert s3.secret not in str(caught.value)
    assert proxy.faults <= 2 * parsed.upload_concurrency


def test_a_prefix_with_unusual_characters_is_the_same_for_other_clients(parsed: Settings, s3: S3Server) -> None:
    prefix = "my set/ü+~%20=&'*@"
    odd = dataclasses.replace(parsed, objects=f"s3://{s3.bucket}/{prefix}")
    assert republish(odd, VRL).report.objects_put == SEQUENCES
    assert len(s3.keys(f"{prefix}/nucleotide/")) == SEQUENCES
    assert verify_objects(odd).problems == ()
    assert pruned(odd, older_than=timedelta(seconds=-60), dry_run=True) == []


def test_a_server_with_a_certificate_of_ones_own_authority_is_trusted_by_aws_ca_bundle(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    base = dataclasses.replace(settings, source=SAMPLE.as_uri(), objects="s3://mirror/set", object_layout="pack")
    mirror(VRL, base, stages=4)
    with rclone_server(tmp_path / "s3", tls=(tmp_path / "cert.pem", tmp_path / "key.pem")) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(store, "RETRY_SECONDS", 0.5)
        with pytest.raises(ObjectStoreError, match="store"):
            republish(base, VRL)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        assert republish(base, VRL).report.objects_put == 1
        assert verify_objects(base).problems == ()
        assert pruned(base, older_than=timedelta(seconds=-60), dry_run=True) == []


def test_the_bucket_goes_into_the_hosts_name_where_that_is_asked_for() -> None:
    assert store._with_bucket("https://s3.example.org:9000", "mirror") == "https://mirror.s3.example.org:9000"
    assert store._with_bucket("https://mirror.s3.example.org", "mirror") == "https://mirror.s3.example.org"


# A sequence in parts: the requests that make one object of them, and how each of them may fail.

LONG = b"ACGT" * (5 * PART_BYTES // 8)


def send_long(settings: Settings) -> Uploader:
    uploader = Uploader(open_objects(settings, retries=0), retrying_store=open_objects(settings), concurrency=4)
    pieces = (LONG[at : at + 1_000_000] for at in range(0, len(LONG), 1_000_000))
    uploader.send_long("long", pieces, length=len(LONG), sha256=hashlib.sha256(LONG).digest())
    return uploader


def is_part(asked: Asked) -> bool:
    return asked.method == "PUT" and "partNumber=" in asked.path


def is_begin(asked: Asked) -> bool:
    return asked.method == "POST" and "uploads" in asked.path


def is_completion(asked: Asked) -> bool:
    return asked.method == "POST" and "uploadId=" in asked.path


@pytest.mark.parametrize("which", [is_begin, is_part, is_completion])
@pytest.mark.parametrize(
    "fault",
    [Fault(status=500), Fault(status=503, body=SLOW_DOWN), Fault(reset=True), Fault(reset=True, arrives=True)],
    ids=["500", "503", "reset", "lost answer"],
)
def test_a_long_sequence_arrives_though_the_first_try_of_a_request_fails(
    settings: Settings,
    s3: S3Server,
    faulty: Callable[[Rule], FaultyProxy],
    which: Callable[[Asked], bool],
    fault: Fault,
) -> None:
    proxy = faulty(lambda asked: fault if which(asked) and asked.number == 0 else None)
    counts = send_long(dataclasses.replace(settings, objects=f"s3://{s3.bucket}/set")).counts
    assert proxy.faults >= 1
    assert (counts.put, counts.errors) == (1, 0)
    assert s3.get("set/long") == LONG


def test_a_completion_that_fails_within_status_200_is_repeated(
    settings: Settings, s3: S3Server, faulty: Callable[[Rule], FaultyProxy]
) -> None:
    error = Fault(status=200, body=b'<?xml version="1.0"?><Error><Code>InternalError</Code></Error>')
    proxy = faulty(lambda asked: error if is_completion(asked) and asked.number == 0 else None)
    assert send_long(dataclasses.replace(settings, objects=f"s3://{s3.bucket}/set")).counts.put == 1
    assert proxy.faults == 1
    assert s3.get("set/long") == LONG


@pytest.mark.skipif(bool(os.environ.get(ENDPOINT_VARIABLE)), reason="this server refuses what is spoilt by itself")
def test_a_part_that_was_spoilt_on_its_way_is_found_and_sent_again(
    settings: Settings, s3: S3Server, faulty: Callable[[Rule], FaultyProxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty(lambda asked: Fault(spoil=True) if is_part(asked) and "partNumber=2" in asked.path else None)
    base = dataclasses.replace(settings, objects=f"s3://{s3.bucket}/set")
    with pytest.raises(ObjectStoreError, match="returned different bytes"):
        send_long(base)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    assert send_long(base).counts.put == 1
    assert s3.get("set/long") == LONG
    assert send_long(base).counts.found == 1


def test_concurrent_parts_of_a_sequence_stay_within_the_setting(
    settings: Settings, s3: S3Server, faulty: Callable[[Rule], FaultyProxy]
) -> None:
    proxy = faulty(lambda asked: Fault(seconds=0.2) if is_part(asked) else None)
    settings = dataclasses.replace(settings, objects=f"s3://{s3.bucket}/set")
    uploader = Uploader(open_objects(settings, retries=0), retrying_store=open_objects(settings), concurrency=2)
    pieces = (LONG[at : at + 1_000_000] for at in range(0, len(LONG), 1_000_000))
    uploader.send_long("long", pieces, length=len(LONG), sha256=hashlib.sha256(LONG).digest())
    assert proxy.max_at_once == 2
