"""The object set on a real S3 server, read back by boto3."""

from __future__ import annotations

import dataclasses
import hashlib

from genbank_assets.objects.fetch import fetch
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey
from genbank_assets_tests.fix_s3 import S3Server
from genbank_assets_tests.integration.test_mirror import mirror
from genbank_assets_tests.paths import SAMPLE


def test_every_distinct_sequence_is_one_object_with_its_digest(settings: Settings, s3: S3Server) -> None:
    settings = dataclasses.replace(settings, source=SAMPLE.as_uri(), objects=f"s3://{s3.bucket}/set")
    manifest = mirror(PartitionKey("genbank", "pln"), settings)[4]
    client = s3.client()
    keys = [o["Key"] for o in client.list_objects_v2(Bucket=s3.bucket, Prefix="set/nucleotide/")["Contents"]]
    assert len(keys) == manifest.report.objects == 107
    for key in keys:
        content = client.get_object(Bucket=s3.bucket, Key=key)["Body"].read()
        assert hashlib.sha256(content).hexdigest() == key.rsplit("/", 1)[-1]
    assert client.head_object(Bucket=s3.bucket, Key="set/manifests/genbank/1.0/pln.parquet")["ContentLength"] > 0
    residues = b"".join(fetch(settings, "L31939", format_="raw"))
    assert len(residues) > 100


def test_a_re_run_sends_nothing(settings: Settings, s3: S3Server) -> None:
    settings = dataclasses.replace(settings, source=SAMPLE.as_uri(), objects=f"s3://{s3.bucket}")
    mirror(PartitionKey("genbank", "vrl"), settings)
    again = mirror(PartitionKey("genbank", "vrl"), settings)[4]
    assert (again.report.objects, again.report.objects_put) == (7, 0)
