"""The object set over time: what verify and prune find, several releases, layouts and runs beside each other."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from genbank_assets.errors import NotFoundError, ObjectStoreError
from genbank_assets.lookup.fetch import fetch
from genbank_assets.objects import object_index
from genbank_assets.objects.division_tables import DivisionTables
from genbank_assets.objects.verify import verify_objects
from genbank_assets.schema.tables import OBJECT_SCHEMA, UNIQUE_SEQUENCE_SCHEMA
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets.tables.buckets import sorted_writer, write_sorted
from genbank_assets.tables.unique_tables import MEMBERSHIPS
from genbank_assets_tests.fix_s3 import S3Server
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

__all__ = ["bucket", "sampled", "short_outages"]  # fixtures
pytestmark = pytest.mark.slow  # test_objects has the quick ones of this package
AT_ONCE = timedelta(seconds=-60)
BCT = PartitionKey("genbank", "bct")


def test_verify_finds_a_changed_byte_without_reading_every_sequence(sampled: Settings, bucket: Bucket) -> None:
    mirror(VRL, sampled)
    key = next(key for key in bucket.listing() if key.startswith("nucleotide/"))
    bucket.put(key, bucket.get(key)[:-1] + b"*")
    (problem,) = verify_objects(sampled, sample=0).problems
    assert problem.key == key
    assert "different bytes" in problem.what


def test_an_object_rewritten_with_the_same_bytes_is_accepted(sampled: Settings, bucket: Bucket) -> None:
    mirror(VRL, sampled)
    key = next(key for key in bucket.listing() if key.startswith("nucleotide/"))
    content = bucket.get(key)
    bucket.delete(key)
    bucket.put(key, content)
    assert verify_objects(sampled, sample=0).problems == ()


def test_verify_counts_objects_that_no_manifest_lists(sampled: Settings, bucket: Bucket) -> None:
    mirror(VRL, sampled)
    mirror(PLN, sampled)
    assert verify_objects(sampled, partitions=[VRL]).unlisted == 0
    bucket.put("nucleotide/ab/ab" + "0" * 62, b"ACGT")
    bucket.put("packs/ab/ab" + "0" * 62, b"ACGT")
    bucket.put("somebody/else", b"ACGT")
    assert verify_objects(sampled, partitions=[VRL]).unlisted == 2
    # With a manifest of another store in the set this one cannot tell.
    bucket.put("manifests/genbank/9.0/vrl.parquet", bucket.get("manifests/genbank/1.0/vrl.parquet"))
    assert verify_objects(sampled).unlisted is None


def test_a_killed_run_resumes_completely_after_its_orphans_were_pruned(
    sampled: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror(PLN, sampled, stages=4)

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(DivisionTables, "send_manifest", killed)
        with pytest.raises(KeyboardInterrupt):
            republish(sampled, PLN)
    orphans = {orphan.key for orphan in pruned(sampled, older_than=AT_ONCE, dry_run=True)}
    assert orphans == set(bucket.listing())
    gone = {orphan.key for orphan in pruned(sampled, older_than=AT_ONCE)}
    assert len([key for key in gone if key.startswith("nucleotide/")]) == 107
    assert republish(sampled, PLN).report.objects_put == 107
    assert verify_objects(sampled, sample=107).problems == ()


def test_prune_keeps_what_the_manifest_of_an_earlier_release_lists(sampled: Settings, bucket: Bucket) -> None:
    mirror(VRL, sampled)
    before = bucket.get("manifests/genbank/1.0/vrl.parquet")
    bucket.put("manifests/genbank/0.9/vrl.parquet", before)
    bucket.delete("manifests/genbank/1.0/vrl.parquet")
    assert pruned(sampled, older_than=AT_ONCE) == []
    bucket.delete("manifests/genbank/0.9/vrl.parquet")
    assert len(pruned(sampled, older_than=AT_ONCE)) == 7 + 1  # and the memberships


def test_unfinished_uploads_of_killed_runs_are_found_and_aborted(sampled: Settings, s3: S3Server) -> None:
    base = dataclasses.replace(sampled, objects=f"s3://{s3.bucket}/set")
    mirror(VRL, base)
    client = s3.client()
    digest = "ab" + "0" * 62
    ours, foreign, outside = f"set/nucleotide/ab/{digest}", "set/somebody/else", f"other/nucleotide/ab/{digest}"
    begun = {}
    for key in (ours, foreign, outside):
        begun[key] = client.create_multipart_upload(Bucket=s3.bucket, Key=key)["UploadId"]
        client.upload_part(Bucket=s3.bucket, Key=key, UploadId=begun[key], PartNumber=1, Body=b"ACGT")
    assert pruned(base) == []  # too young
    for dry_run in (True, False):
        (orphan,) = pruned(base, older_than=AT_ONCE, dry_run=dry_run)
        assert (orphan.key, orphan.bytes) == (f"nucleotide/ab/{digest}?uploads", 4)
    left = {upload["Key"] for upload in client.list_multipart_uploads(Bucket=s3.bucket)["Uploads"]}
    assert left == {foreign, outside}
    for key in left:
        client.abort_multipart_upload(Bucket=s3.bucket, Key=key, UploadId=begun[key])


def test_a_missing_bucket_is_one_sentence_for_verify_and_prune(sampled: Settings, s3: S3Server) -> None:
    mirror(VRL, sampled)
    gone = dataclasses.replace(sampled, objects="s3://no-such-bucket/set")
    with pytest.raises(ObjectStoreError, match="NoSuchBucket"):
        verify_objects(gone)
    with pytest.raises(ObjectStoreError, match="NoSuchBucket"):
        pruned(gone)


@pytest.mark.parametrize("layouts", [("record", "pack"), ("pack", "record")])
def test_another_layout_for_the_next_release_sends_nothing_again(
    sampled: Settings, bucket: Bucket, mirror_273: str, mirror_274: str, layouts: tuple[str, str]
) -> None:
    first, second = (
        dataclasses.replace(sampled, source=source, object_layout=layout)
        for source, layout in zip((mirror_273, mirror_274), layouts, strict=True)
    )
    mirror(BCT, first)
    before = {digest for (digest,) in digests(sampled, "273.0")}
    manifest = mirror(BCT, second)[4]
    after = {digest for (digest,) in digests(sampled, "274.0")}
    new = len(after - before)
    assert 0 < new < len(after)
    # A pack ends with its file; an object is a sequence.
    assert 0 < manifest.report.objects_put <= new
    rows = pl.read_parquet(PartitionRelease(sampled.store, BCT, "274.0").files_folder("object_set") / "objects.parquet")
    encodings = dict(rows.group_by("encoding").len().iter_rows())
    new_encoding = {"record": "identity", "pack": "zstd"}[layouts[1]]
    assert encodings[new_encoding] >= new
    assert verify_objects(sampled, sample=1000).problems == ()


def digests(settings: Settings, release: str) -> list[tuple[bytes]]:
    folder = PartitionRelease(settings.store, BCT, release).files_folder("object_set")
    return pl.read_parquet(folder / "objects.parquet", columns=["sequence_sha256"]).rows()


def test_a_version_that_only_an_earlier_release_has_is_fetched_from_there(
    settings: Settings, mirror_273: str, mirror_274: str
) -> None:
    memberships = {}
    for source, release in ((mirror_273, "273.0"), (mirror_274, "274.0")):
        mirror(BCT, dataclasses.replace(settings, source=source))
        folder = PartitionRelease(settings.store, BCT, release).files_folder("unique_records")
        rows = pl.read_parquet(folder / MEMBERSHIPS).select("accession_version", "sequence_sha256").rows()
        memberships[release] = {name: digest for name, digest in rows if digest is not None}
    gone = memberships["273.0"].keys() - memberships["274.0"].keys()
    assert gone
    for name in gone:
        residues = b"".join(fetch(settings, name, format_="raw"))
        assert hashlib.sha256(residues).digest() == memberships["273.0"][name]
    absent = next(n for n in gone if not any(m.startswith(n.split(".")[0] + ".") for m in memberships["274.0"]))
    with pytest.raises(NotFoundError, match=f"273.0 had {absent}"):
        list(fetch(settings, absent.split(".")[0]))


def test_a_digest_is_found_in_either_case_and_with_its_name_space(sampled: Settings, bucket: Bucket) -> None:
    with_refget = dataclasses.replace(sampled, refget=True)
    mirror(VRL, with_refget)
    folder = PartitionRelease(sampled.store, VRL, "1.0").files_folder("object_set")
    row = pl.read_parquet(folder / "objects.parquet").row(0, named=True)
    expected = b"".join(fetch(with_refget, row["sequence_sha256"].hex(), format_="raw"))
    assert hashlib.sha256(expected).digest() == row["sequence_sha256"]
    for name in (row["sequence_sha256"].hex().upper(), row["refget"], f"ga4gh:{row['refget']}"):
        assert b"".join(fetch(with_refget, name, format_="raw")) == expected


@pytest.mark.parametrize(("start", "end"), [(0, None), (10, 5), (1, 10**9), (-3, 4)])
def test_a_range_that_is_not_there_prints_no_fasta_title(
    sampled: Settings, bucket: Bucket, start: int, end: int | None
) -> None:
    mirror(VRL, sampled)
    folder = PartitionRelease(sampled.store, VRL, "1.0").files_folder("unique_records")
    name = pl.read_parquet(folder / MEMBERSHIPS)["accession_version"][0]
    printed = []
    with pytest.raises(NotFoundError, match="not within"):
        printed.extend(fetch(sampled, name, start=start, end=end))
    assert printed == []


def test_a_part_of_a_sequence_from_a_damaged_pack_is_refused(sampled: Settings, bucket: Bucket) -> None:
    packed = dataclasses.replace(sampled, object_layout="pack")
    mirror(VRL, packed)
    folder = PartitionRelease(sampled.store, VRL, "1.0").files_folder("object_set")
    rows = pl.read_parquet(folder / "objects.parquet").sort("length").rows(named=True)
    # The frame of another sequence of the pack: whole as a frame, but not the one that is asked for.
    table = pl.read_parquet(folder / "objects.parquet")
    places = {name: rows[-1][name] for name in ("offset", "bytes", "length")}
    first = pl.col("sequence_sha256") == rows[0]["sequence_sha256"]
    swapped = [pl.when(first).then(pl.lit(value)).otherwise(name).alias(name) for name, value in places.items()]
    table.with_columns(swapped).write_parquet(folder / "objects.parquet")
    with pytest.raises(Exception, match="do not have their digest"):
        list(fetch(packed, rows[0]["sequence_sha256"].hex(), format_="raw", start=2, end=5))


def test_two_runs_on_one_division_at_once_leave_one_whole_set(sampled: Settings, bucket: Bucket) -> None:
    mirror(PLN, sampled, stages=4)
    mirror(VRL, sampled, stages=4)
    program = (
        "import sys; from genbank_assets.settings import settings_from_environment as s;"
        "from genbank_assets.store import PartitionKey as K, PartitionRelease as P;"
        "from genbank_assets.file_lock import file_lock as l;"
        "from genbank_assets.objects.publish import publish_division as p; x = s(); k = K('genbank', sys.argv[1]);\n"
        "with l(x.store, str(k), progress=print):\n"
        "    p(P(x.store, k, '1.0'), settings=x, progress=lambda l: None, run_id='k')"
    )
    environment = os.environ | {
        "GENBANK_ASSETS_STORE": str(sampled.store),
        "GENBANK_ASSETS_OBJECTS": str(sampled.objects),
    }
    runs = [
        subprocess.Popen([sys.executable, "-c", program, division], env=environment)
        for division in ("pln", "pln", "vrl", "vrl")
    ]
    assert [run.wait(120) for run in runs] == [0, 0, 0, 0]
    assert len([key for key in bucket.listing() if key.startswith("nucleotide/")]) == 107 + 7
    assert verify_objects(sampled, sample=200).problems == ()
    assert pruned(sampled, older_than=AT_ONCE, dry_run=True) == []


def test_a_small_division_is_compared_with_a_large_one_in_the_memory_of_a_row_group(tmp_path: Path) -> None:
    """400,000 listed sequences lie between the digests of ten: memory must not hold them."""
    digest = pl.Series([hashlib.sha256(str(n).encode()).digest() for n in range(400_000)]).sort()
    key = pl.format("packs/ab/{}", pl.col("sequence_sha256").bin.encode("hex"))
    fixed = {"molecule_class": "nucleotide", "length": 500, "offset": 0, "bytes": 1, "encoding": "zstd"}
    rows = pl.DataFrame({"sequence_sha256": digest}).with_columns(
        *[pl.lit(value).alias(name) for name, value in fixed.items()],
        key.alias("key"),
        pl.lit(1).alias("object_bytes"),
        pl.col("sequence_sha256").alias("object_sha256"),
        pl.lit("etag").alias("etag"),
        pl.lit(None, pl.String).alias("refget"),
    )
    with sorted_writer(tmp_path / "large.parquet", OBJECT_SCHEMA, sorted_by=["sequence_sha256"]) as writer:
        write_sorted(writer, rows, OBJECT_SCHEMA)
    few = rows.gather_every(40_000).select("sequence_sha256", "molecule_class", "length").with_columns(
        member_count=pl.lit(1), representative_accession_version=pl.lit("A.1"),
        representative_source_file=pl.lit("f"), representative_record_ordinal=pl.lit(0),
        collection=pl.lit("genbank"), section=pl.lit("bct"), release=pl.lit("1.0"),
    )  # fmt: skip
    with sorted_writer(tmp_path / "small.parquet", UNIQUE_SEQUENCE_SCHEMA, sorted_by=["sequence_sha256"]) as writer:
        write_sorted(writer, few, UNIQUE_SEQUENCE_SCHEMA)
    ((known, unknown),) = object_index.split_known(tmp_path / "small.parquet", [tmp_path / "large.parquet"])
    assert (len(known), len(unknown)) == (10, 0)
    assert known.sort("sequence_sha256").equals(rows.gather_every(40_000).select(known.columns))
    table = object_index._Table(tmp_path / "large.parquet")
    found = list(table.rows_of(few.select("sequence_sha256", "molecule_class")))
    assert sum(table.num_rows for table in found) == 10
    assert sum(table.get_total_buffer_size() for table in found) < 20_000  # no views into the row groups
