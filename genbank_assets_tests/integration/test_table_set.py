"""Published tables: on a real S3 server and in a folder, read back without a store, killed, spoiled and pruned."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from genbank_assets.catalog.mirror import Mirror, open_mirror
from genbank_assets.cli.app import main
from genbank_assets.errors import GenbankAssetsError, IntegrityError, NotFoundError, ObjectStoreError, SettingsError
from genbank_assets.objects.etags import Etags
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets.table_set.bundle_reading import broken_files, read_bundle
from genbank_assets.table_set.manifests import open_tables
from genbank_assets.table_set.prune import prune_tables
from genbank_assets.table_set.publish import PublishedTables, publish_tables
from genbank_assets.table_set.verify import verify_tables
from genbank_assets.tables.derived import build_derived
from genbank_assets_tests.fix_s3 import Asked, Fault, FaultyProxy, S3Server
from genbank_assets_tests.fix_two_releases import PARTITIONS
from genbank_assets_tests.integration.test_objects import Bucket, bucket
from genbank_assets_tests.processes import free_port

__all__ = ["bucket"]  # a fixture
VRL = PartitionKey("genbank", "vrl")
AT_ONCE = timedelta(seconds=-60)


@pytest.fixture
def mirrored(two_releases: Settings, bucket: Bucket) -> Settings:
    return dataclasses.replace(two_releases, tables=bucket.url)


def published(settings: Settings, name: str = "genbank/vrl", release: str | None = None) -> PublishedTables:
    key = PartitionKey(*name.split("/"))
    return publish_tables(settings, key, release=release, run_id="test", progress=lambda line: None)


def publish_everything(settings: Settings) -> None:
    for name in PARTITIONS:
        for release in ("1.0", "2.0") if name.startswith("genbank") else ("1",):
            published(settings, name, release)


def test_the_bucket_reads_as_the_store_does(mirrored: Settings) -> None:
    publish_everything(mirrored)
    local, remote = open_mirror(mirrored.store), open_mirror(mirrored.tables)
    assert_frame_equal(remote.divisions(), local.divisions(), check_row_order=False)
    for ask in (Mirror.records, Mirror.features, Mirror.sequences, Mirror.memberships, Mirror.changes):
        for partitions, release in ((None, None), ("genbank", "1.0"), ("genbank/vrl", "2.0")):
            expected = ask(local, partitions, release=release).collect()
            found = ask(remote, partitions, release=release).collect()
            assert_frame_equal(found, expected, check_row_order=False)
    assert len(remote.changes("genbank/vrl").collect()) > 0
    names = local.memberships("genbank").select("accession_version").collect().to_series().to_list()
    for name in names[:3] + names[-3:]:
        ours, theirs = remote.fetch(name), local.fetch(name)
        assert (ours.row, ours.residues()) == (theirs.row, theirs.residues())
    assert [r.seq for r in remote.seqrecords(names)] == [r.seq for r in local.seqrecords(names)]
    long = pl.col("length") > 5000
    assert [r.row for r in remote.select(long)] == [r.row for r in local.select(long)]


def test_a_query_asks_for_the_columns_it_speaks_of(mirrored: Settings) -> None:
    published(mirrored)
    records = open_mirror(mirrored.tables).records("genbank/vrl")
    local = open_mirror(mirrored.store).records("genbank/vrl")
    for query in (
        lambda frame: frame.select(pl.len()),
        lambda frame: frame.filter(pl.col("length") > 3000).select("accession_version", "section").sort(pl.all()),
        lambda frame: frame.select("accession").head(2).select(pl.len()),
        lambda frame: frame.group_by("organism").agg(pl.col("length").sum()).sort("organism"),
    ):
        assert_frame_equal(query(records).collect(), query(local).collect())


def test_existing_tables_are_neither_sent_nor_compared_again(
    mirrored: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = published(mirrored)
    assert first.sent == len(first.manifest.tables) >= 4
    there = bucket.listing()
    with monkeypatch.context() as patch:
        patch.setattr(Etags, "verify_stored", lambda *_, **__: pytest.fail("compared, although the ETag is known"))
        again = published(mirrored)
    assert (again.sent, again.manifest) == (0, first.manifest)
    assert bucket.listing() == there
    bucket.delete(first.manifest.key)  # as a run leaves it that is killed before its manifest
    resumed = published(mirrored)
    assert (resumed.sent, resumed.manifest.content) == (0, first.manifest.content)
    assert resumed.manifest.tables == first.manifest.tables
    assert verify_tables(mirrored, sample=100).problems == ()


def test_a_wrong_byte_is_found_and_sent_anew(mirrored: Settings, bucket: Bucket) -> None:
    table = published(mirrored).manifest.of_kind("records")[0]
    content = bucket.get(table.key)
    bucket.put(table.key, content[:100] + bytes([content[100] ^ 1]) + content[101:])
    (problem,) = verify_tables(mirrored, sample=0).problems
    assert (problem.key, "different bytes" in problem.what) == (table.key, True)
    assert published(mirrored).sent == 1
    assert bucket.get(table.key) == content
    assert verify_tables(mirrored, sample=0).problems == ()
    bucket.delete(table.key)
    assert [p.what for p in verify_tables(mirrored, sample=0).problems] == ["is missing"]
    bucket.put(table.key, content[:-1])
    assert "bytes instead of" in verify_tables(mirrored, sample=0).problems[0].what
    bucket.put(table.key, content)
    bucket.put("index.json", b'{"format": 1, "divisions": []}')
    assert [p.key for p in verify_tables(mirrored, sample=0).problems] == ["index.json"]


def test_a_damaged_table_of_the_store_is_not_published(mirrored: Settings, bucket: Bucket, tmp_path: Path) -> None:
    shutil.copytree(mirrored.store, tmp_path / "copy", symlinks=True)
    settings = dataclasses.replace(mirrored, store=tmp_path / "copy")
    (table,) = (tmp_path / "copy/genbank/2.0/vrl/records").glob("*/sequences/*.parquet")
    content = table.read_bytes()
    table.unlink()
    table.write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])
    with pytest.raises(IntegrityError, match="not what its manifest says"):
        published(settings)
    assert not any("/sequences/" in key or key.startswith("manifests/") for key in bucket.listing())


def test_releases_that_are_not_kept_are_retired_and_pruned(mirrored: Settings, bucket: Bucket) -> None:
    settings = dataclasses.replace(mirrored, keep_releases=1)
    old = published(settings, release="1.0").manifest
    bucket.put("tables/notes.txt", b"somebody else's")
    before = open_mirror(settings.tables)
    before.divisions()
    new = published(settings)
    assert new.retired == ("1.0",)
    assert [row["release"] for row in json.loads(bucket.get("index.json"))["divisions"]] == ["2.0"]
    assert set(before.records().collect()["release"]) == {"1.0"}  # who reads it may go on
    assert prune_tables(settings).objects == 0  # too young
    assert verify_tables(settings).unlisted == len(old.tables)
    assert prune_tables(settings, older_than=AT_ONCE, dry_run=True).objects == len(old.tables)
    announced: list[str] = []
    pruned = prune_tables(settings, older_than=AT_ONCE, announce=lambda orphan: announced.append(orphan.key))
    assert pruned.objects == len(old.tables)
    assert sorted(announced) == sorted(table.key for table in old.tables)
    kept = {table.key for table in new.manifest.tables} | {
        new.manifest.key,
        "index.json",
        "README.md",
        "tables/notes.txt",
    }
    assert {key for key in bucket.listing() if not key.startswith("leases/")} == kept
    with pytest.raises(NotFoundError, match="open the mirror again"):
        before.memberships("genbank/vrl").collect()
    with pytest.raises(NotFoundError, match="older than the 1 release"):
        published(settings, release="1.0")


def test_nothing_is_pruned_beside_a_manifest_that_cannot_be_read(mirrored: Settings, bucket: Bucket) -> None:
    manifest = published(mirrored).manifest
    there = bucket.listing()
    bucket.put(manifest.key, b"{}")
    with pytest.raises(IntegrityError, match="not a manifest of tables"):
        prune_tables(mirrored, older_than=AT_ONCE)
    assert set(bucket.listing()) - {manifest.key} == set(there) - {manifest.key}


def test_publishers_beside_each_other_are_all_listed(mirrored: Settings, bucket: Bucket) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(PARTITIONS)) as pool:
        list(pool.map(lambda name: published(mirrored, name), PARTITIONS))
    index = json.loads(bucket.get("index.json"))["divisions"]
    assert sorted(f"{row['collection']}/{row['section']}" for row in index) == sorted(PARTITIONS)
    assert verify_tables(mirrored, sample=100).problems == ()


def test_a_killed_run_resumes_where_it_stopped(two_releases: Settings, s3: S3Server) -> None:
    held = [time.monotonic() + 60]

    def rule(asked: Asked) -> Fault | None:
        """The third table and all after it wait until the run is dead."""
        if asked.method == "PUT" and "/tables/" in asked.path and len(s3.keys("set/tables/")) >= 2:
            return Fault(seconds=max(0.0, held[0] - time.monotonic()), reset=True)
        return None

    settings = dataclasses.replace(two_releases, tables=f"s3://{s3.bucket}/set", upload_concurrency=1)
    with FaultyProxy(s3, rule) as proxy:
        environment = os.environ | {
            "GENBANK_ASSETS_STORE": str(settings.store),
            "GENBANK_ASSETS_TABLES": str(settings.tables),
            "GENBANK_ASSETS_UPLOAD_CONCURRENCY": "1",
            "AWS_ENDPOINT_URL": proxy.endpoint,
        }
        command = [sys.executable, "-m", "genbank_assets.cli", "tables", "publish", "genbank/vrl"]
        run = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 50
        while proxy.faults == 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        run.send_signal(signal.SIGKILL)
        run.wait(10)
        held[0] = 0.0
    sent_before = s3.keys("set/tables/")
    assert len(sent_before) == 2
    assert not s3.keys("set/manifests/")
    with pytest.raises(NotFoundError, match="no tables are published there"):
        open_mirror(settings.tables).divisions()
    done = published(settings)
    assert done.sent == len(done.manifest.tables) - 2
    assert verify_tables(settings, sample=100).problems == ()


def test_outages_are_waited_for(two_releases: Settings, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def rule(asked: Asked) -> Fault | None:
        if asked.method in {"PUT", "GET"} and asked.number == 0 and "/leases/" not in asked.path:
            return Fault(status=503, body=b"<Error><Code>SlowDown</Code></Error>")
        return None

    settings = dataclasses.replace(two_releases, tables=f"s3://{s3.bucket}/set")
    with FaultyProxy(s3, rule) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        published(settings)
        assert proxy.faults > 5
        assert verify_tables(settings, sample=100).problems == ()


def test_any_engine_reads_the_layout_in_place(two_releases: Settings, tmp_path: Path) -> None:
    settings = dataclasses.replace(two_releases, tables=(tmp_path / "out").as_uri())
    for name in ("genbank/phg", "genbank/vrl"):
        published(settings, name)
    expected = open_mirror(settings.store).records(["genbank/phg", "genbank/vrl"]).collect()
    glob = f"{tmp_path}/out/tables/genbank/2.0/*/*/records/*.parquet"
    rows = duckdb.sql(f"SELECT section, count(*) FROM read_parquet('{glob}') GROUP BY ALL").fetchall()
    assert dict(rows) == dict(expected.group_by("section").len().iter_rows())
    manifest = json.loads((tmp_path / "out/manifests/genbank/2.0/vrl.json").read_text())
    keys = [f"{tmp_path}/out/{table['key']}" for table in manifest["tables"] if table["kind"] == "memberships"]
    assert len(pl.read_parquet(keys)) == len(expected.filter(section="vrl"))


@pytest.mark.parametrize("url", ["s3://bucket/a?colour=red", "s3://", "file:///no/such/folder"])
def test_addresses_that_cannot_be_read(url: str) -> None:
    with pytest.raises((ObjectStoreError, NotFoundError)):
        open_mirror(url).divisions()


def test_the_place_has_to_be_named_and_differ_from_the_object_set(two_releases: Settings) -> None:
    with pytest.raises(SettingsError, match="GENBANK_ASSETS_TABLES is not set"):
        published(two_releases)
    with pytest.raises(SettingsError, match="different locations"):
        dataclasses.replace(two_releases, objects="s3://bucket/a", tables="s3://bucket/a/")
    with pytest.raises(SettingsError, match="holds credentials"):
        dataclasses.replace(two_releases, tables="s3://me:secret@bucket/a")
    with pytest.raises(GenbankAssetsError, match="cannot be read yet"):
        published(dataclasses.replace(two_releases, tables="file:///tmp"), "genbank/vrl", "9.0")


def test_a_public_bucket_is_read_without_keys(
    two_releases: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = dataclasses.replace(two_releases, tables=(tmp_path / "s3" / "public" / "set").as_uri())
    published(settings)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    local = open_mirror(settings.store).records("genbank/vrl").collect()
    with public_rclone_server(tmp_path / "s3") as endpoint:
        for more in ("&unsigned=true", "&unsigned=true&region=eu-1", ""):
            mirror = open_mirror(f"s3://public/set?endpoint={endpoint}{more}")
            assert_frame_equal(mirror.records().collect(), local)
            assert mirror.fetch(local["accession"][0]).residues()


@contextlib.contextmanager
def public_rclone_server(folder: Path) -> Iterator[str]:
    """``rclone serve s3`` that asks for no keys; yields its endpoint."""
    rclone = Path(sys.executable).parent / "rclone"
    if not rclone.exists():
        pytest.skip("rclone is not installed")
    port = free_port()
    command = [str(rclone), "serve", "s3", "--config", str(folder / "none.conf"), "--addr", f"127.0.0.1:{port}"]
    server = subprocess.Popen([*command, str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


def test_the_commands(
    two_releases: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GENBANK_ASSETS_STORE", str(two_releases.store))
    assert main(["tables", "publish", "-q"]) == 1
    assert "GENBANK_ASSETS_TABLES is not set" in capsys.readouterr().err
    monkeypatch.setenv("GENBANK_ASSETS_TABLES", (tmp_path / "out").as_uri())
    assert main(["tables", "publish", "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["partition"] for row in told} == set(PARTITIONS)
    assert all(row["sent"] == row["tables"] for row in told)
    assert main(["tables", "verify"]) == 0
    assert "0 problem(s)" in capsys.readouterr().out
    gone = next((tmp_path / "out/tables/genbank").rglob("records/*.parquet"))
    gone.unlink()
    assert main(["tables", "verify", "-q"]) == 1
    assert "is missing" in capsys.readouterr().out
    assert main(["tables", "publish", "genbank/phg", "genbank/pln", "genbank/vrl", "-q"]) == 0
    assert gone.exists()
    text = (tmp_path / "out/README.md").read_text()
    assert "| genbank | vrl | 2.0 |" in text
    assert "no restrictions" in text


def test_the_asset_publishes_and_its_check_looks(two_releases: Settings, s3: S3Server) -> None:
    import dagster as dg

    from genbank_assets.definitions import build_defs
    from genbank_assets.defs.resources import MirrorResource

    resources = {"mirror": MirrorResource(store=str(two_releases.store), tables=f"s3://{s3.bucket}/set")}
    definitions = build_defs(resources=resources)
    job = definitions.resolve_job_def("publish_genbank_tables")
    with dg.DagsterInstance.ephemeral() as instance:
        done = job.execute_in_process(partition_key="vrl", instance=instance)
        bundled = definitions.resolve_job_def("bundle_tables").execute_in_process(instance=instance)
    assert done.success
    (event,) = done.asset_materializations_for_node("genbank__table_set")
    assert event.metadata["release"].value == "2.0"
    assert event.metadata["dagster/uri"].value == f"s3://{s3.bucket}/set/manifests/genbank/2.0/vrl.json"
    assert event.metadata["tables"].value == event.metadata["files_now"].value > 3
    assert [check.passed for check in done.get_asset_check_evaluations()] == [True]
    assert open_mirror(f"s3://{s3.bucket}/set").divisions()["section"].to_list() == ["vrl"]
    (event,) = bundled.asset_materializations_for_node("table_bundle")
    name = event.metadata["bundle"].value
    assert event.metadata["dagster/uri"].value == f"s3://{s3.bucket}/set/bundles/{name}/manifest.json"
    assert event.metadata["releases"].value == "genbank 2.0"
    assert [check.passed for check in bundled.get_asset_check_evaluations()] == [True]
    s3.client().put_object(Bucket=s3.bucket, Key=f"set/bundles/{name}/LICENSE.md", Body=b"mine")
    place = open_tables(dataclasses.replace(two_releases, tables=f"s3://{s3.bucket}/set"))
    bundle = read_bundle(place, "latest")
    assert bundle is not None
    assert broken_files(place, bundle) == [f"bundles/{name}/LICENSE.md"]


def test_further_tables_are_sent_alone_and_read_as_well(mirrored: Settings, tmp_path: Path) -> None:
    shutil.copytree(mirrored.store, tmp_path / "copy", symlinks=True)
    settings = dataclasses.replace(mirrored, store=tmp_path / "copy")
    first = published(settings)
    with pytest.raises(NotFoundError, match="cds of genbank/vrl are not made yet"):
        open_mirror(settings.tables).cds()
    partition = PartitionRelease(settings.store, VRL, "2.0")
    for stage in ("samples", "cds"):
        build_derived(partition, stage=stage, settings=settings, progress=lambda line: None, run_id="test")
    second = published(settings)
    assert second.sent == 2
    assert {table.key for table in first.manifest.tables} < {table.key for table in second.manifest.tables}
    local, remote = open_mirror(settings.store), open_mirror(settings.tables)
    for ask in (Mirror.samples, Mirror.cds):
        expected = ask(local, "genbank/vrl").collect()
        assert len(expected) > 0
        assert_frame_equal(ask(remote).collect(), expected)
