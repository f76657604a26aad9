"""Published tables answer as the store does, to the same commands, without a store: fetch, trace, extract and SQL."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from genbank_assets.catalog.bucket import TableBucket
from genbank_assets.catalog.ducklake import build_catalog
from genbank_assets.catalog.mirror import open_mirror
from genbank_assets.catalog.sql import open_catalog
from genbank_assets.cli.app import main
from genbank_assets.durable import file_sha256
from genbank_assets.errors import IntegrityError, NotFoundError, ObjectStoreError
from genbank_assets.ncbi.sample import sample_source
from genbank_assets.ncbi.taxonomy import fetch_taxonomy
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets.table_set.bundles import make_bundle, remove_bundle
from genbank_assets.table_set.prune import prune_tables
from genbank_assets.table_set.publish import publish_tables
from genbank_assets.table_set.verify import verify_tables
from genbank_assets.tables.derived import build_derived
from genbank_assets.tables.taxonomy import build_taxonomy
from genbank_assets_tests.fix_two_releases import PARTITIONS
from genbank_assets_tests.integration.test_objects import Bucket, bucket
from genbank_assets_tests.integration.test_table_set import public_rclone_server

__all__ = ["bucket"]  # a fixture
pytestmark = pytest.mark.slow
AT_ONCE = timedelta(seconds=-60)
Capture = pytest.CaptureFixture[bytes]


def quiet(line: str) -> None:
    pass


@pytest.fixture(scope="module")
def whole(two_releases: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A copy of the store, with coding sequences, a taxonomy and a catalog."""
    store = tmp_path_factory.mktemp("whole") / "store"
    shutil.copytree(two_releases.store, store, symlinks=True)
    settings = dataclasses.replace(two_releases, store=store, objects=two_releases.objects_url)
    for stage in ("samples", "cds"):
        partition = PartitionRelease(store, PartitionKey("genbank", "vrl"), "2.0")
        build_derived(partition, stage=stage, settings=settings, progress=quiet, run_id="test")
    fetched = fetch_taxonomy(settings=dataclasses.replace(settings, source=sample_source()), progress=quiet)
    build_taxonomy(fetched, store=store, progress=quiet)
    build_catalog(store)
    return settings


def publish(settings: Settings, names: tuple[str, ...] = PARTITIONS) -> None:
    for name in names:
        for release in ("1.0", "2.0") if name.startswith("genbank") else ("1",):
            key = PartitionKey(*name.split("/"))
            publish_tables(settings, key, release=release, run_id="test", progress=quiet)


@pytest.fixture
def published(whole: Settings, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Everything in the bucket; the command runs in an empty folder and knows of no store."""
    settings = dataclasses.replace(whole, tables=bucket.url)
    publish(settings)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    monkeypatch.delenv("GENBANK_ASSETS_STORE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GENBANK_ASSETS_OBJECTS", settings.objects_url)
    yield settings
    assert [path.name for path in (tmp_path / "empty").iterdir()] == []


def both(settings: Settings, capture: Capture, *arguments: str, code: int = 0) -> tuple[bytes, bytes]:
    """What a command prints of the store, and what of the bucket alone."""
    outputs = []
    for place in (str(settings.store), str(settings.tables)):
        capture.readouterr()
        assert main([*arguments, "--store", place]) == code, capture.readouterr().err.decode()
        outputs.append(capture.readouterr().out)
    return outputs[0], outputs[1]


def test_fetch_gives_the_same_residues(published: Settings, capfdbinary: Capture, tmp_path: Path) -> None:
    rows = open_mirror(published.store).memberships().collect()
    names = rows["accession_version"].to_list()
    (tmp_path / "names.txt").write_text("\n".join([*names, *names[:3], "", "XX000000"]))
    for arguments in (
        [names[0]], [rows["accession"][0].lower()], [names[-1], "--start", "5", "--end", "70"],
        [*names[:7], "--format", "raw"], [rows["sequence_sha256"].drop_nulls()[0].hex()],
    ):  # fmt: skip
        local, remote = both(published, capfdbinary, "fetch", *arguments)
        assert remote == local
        assert remote
    local, remote = both(published, capfdbinary, "fetch", "--from", str(tmp_path / "names.txt"), code=1)
    assert remote == local
    assert remote.count(b">") > 10
    assert main(["fetch", names[0], "--format", "genbank", "--store", str(published.tables)]) == 1
    assert b"raw files, which are not published" in capfdbinary.readouterr().err
    assert main(["fetch", names[0], "--start", "7", "--end", "3", "--store", str(published.tables)]) == 1
    assert b"not within" in capfdbinary.readouterr().err


def test_ncbis_own_text_is_there_where_raw_files_are_published(
    published: Settings, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: Capture
) -> None:
    publish(dataclasses.replace(published, publish_raw_files=True))
    publish(dataclasses.replace(published, publish_raw_files=True), ("genbank/vrl",))  # sends nothing
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    names = open_mirror(published.store).memberships("genbank").collect()["accession_version"].to_list()
    old = open_mirror(published.store).changes("genbank/vrl").collect().filter(state="sequence_changed")
    (tmp_path / "names.txt").write_text("\n".join([*names[::2], old["previous_accession_version"][0], "XX000000"]))
    for code, *arguments in (
        (0, "trace", names[0], "--raw"),
        (1, "fetch", "--from", str(tmp_path / "names.txt"), "--format", "genbank"),
        (0, "extract", "genbank", "--format", "genbank"),
    ):
        local, remote = both(published, capfdbinary, *arguments, code=code)  # type: ignore[arg-type]
        assert remote == local
        assert b"LOCUS  " in remote
    assert main(["fetch", names[0], "--format", "genbank", "--end", "3", "--store", str(published.tables)]) == 1
    assert b"a range selects residues" in capfdbinary.readouterr().err
    assert verify_tables(published).problems == ()
    assert prune_tables(published, older_than=AT_ONCE).objects == 0
    assert main(["trace", names[0], "--verify", "--json", "--store", str(published.tables)]) == 0
    hops = {hop["stage"]: hop for hop in json.loads(capfdbinary.readouterr().out)[0]["hops"]}
    assert hops["record text"]["status"] == "ok"
    for key in bucket.listing():
        if key.startswith("tables/genbank/2.0/") and "/raw_files/" in key:
            bucket.put(key, b"damaged")
    assert main(["trace", names[0], "--raw", "--store", str(published.tables)]) == 1
    assert b"is not what its manifest says" in capfdbinary.readouterr().err
    assert not list((tmp_path / "scratch").iterdir())


def test_a_version_of_before_comes_from_its_release(published: Settings, capfdbinary: Capture) -> None:
    changes = open_mirror(published.store).changes("genbank/vrl").collect()
    old = changes.filter(state="sequence_changed")["previous_accession_version"][0]
    local, remote = both(published, capfdbinary, "fetch", old)
    assert remote == local
    assert main(["trace", old, "--store", str(published.tables)]) == 0
    assert b"a state of release 1.0; release 2.0 has" in capfdbinary.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--format", "fasta"],
        ["genbank/vrl", "--format", "protein"],
        ["refseq", "--format", "protein"],
        ["genbank", "--feature", "CDS", "--format", "feature"],
        ["--format", "tsv", "--columns", "accession_version,organism,length", "--order", "accession"],
        ["genbank/vrl", "--changed-since", "1.0"],
        ["genbank", "--release", "1.0", "--distinct"],
        ["--taxon", "Viruses"],
        ["refseq/viral", "--format", "gff3", "--length", "1000-"],
    ],
    ids=" ".join,
)
def test_extract_gives_the_same_bytes(
    whole: Settings, tmp_path: Path, capfdbinary: Capture, arguments: list[str]
) -> None:
    place = tmp_path.parent / "extract-tables"
    settings = dataclasses.replace(whole, tables=place.as_uri())
    if not place.is_dir():
        publish(settings)
    local, remote = both(settings, capfdbinary, "extract", *arguments)
    assert remote == local
    assert remote


@pytest.mark.parametrize("arguments", [["--distinct"], ["refseq", "--format", "protein"]], ids=" ".join)
def test_what_an_extract_leaves_is_the_same_too(
    published: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """Files, manifests and metadata; and nothing among the temporary files."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    made = []
    for name, store in (("local", str(published.store)), ("remote", str(published.tables))):
        out = ["--out", str(tmp_path / name / "set.fasta.gz"), "--metadata", "croissant", "--metadata", "ro-crate"]
        assert main(["extract", *arguments, *out, "--store", store]) == 0
        made.append({path.name: file_sha256(path) for path in (tmp_path / name).iterdir()})
    local, remote = made
    assert len(local) == 4
    assert remote == local
    assert not list((tmp_path / "scratch").iterdir())


def test_extract_by_name_reads_a_real_bucket(published: Settings, capfdbinary: Capture, tmp_path: Path) -> None:
    names = open_mirror(published.store).memberships("genbank").collect()["accession"].to_list()
    (tmp_path / "names.txt").write_text("\n".join([*names[::2], "XX000000"]))
    local, remote = both(published, capfdbinary, "extract", "--accessions", str(tmp_path / "names.txt"), code=1)
    assert remote == local
    assert remote
    assert main(["extract", "genbank/phg", "--format", "genbank", "--store", str(published.tables)]) == 1
    assert b"raw files, which are not published" in capfdbinary.readouterr().err


def test_trace_follows_a_record_to_its_objects(published: Settings, bucket: Bucket, capfdbinary: Capture) -> None:
    row = open_mirror(published.store).memberships("genbank/vrl").collect().row(0, named=True)
    assert main(["trace", row["accession"], "--verify", "--json", "--store", str(published.tables)]) == 0
    (found,) = json.loads(capfdbinary.readouterr().out)
    hops = {hop["stage"]: hop for hop in found["hops"]}
    raw = PartitionRelease(published.store, PartitionKey("genbank", "vrl"), "2.0").manifest("raw_files")
    assert raw is not None
    assert hops["raw file"]["facts"]["sha256"] == raw.files[0]["sha256"]
    assert hops["raw file"]["facts"]["url"] == raw.files[0]["url"]
    assert hops["record text"]["facts"]["record_sha256"] == row["record_sha256"].hex()
    assert hops["database row"]["status"] == "none"
    for stage in ("table row", "object"):
        key = hops[stage]["facts"]["object"].removeprefix(f"{published.tables}/")
        assert bucket.listing()[key] == hops[stage]["facts"]["bytes"]
    sequences = hops["object"]["facts"]["object"].removeprefix(f"{published.tables}/")
    assert (b"object_set" in json.dumps(hops["object"]).encode()) == str(published.tables).startswith("file:")
    records = hops["table row"]["facts"]["object"].removeprefix(f"{published.tables}/")
    content = bucket.get(records)
    bucket.put(records, content[:4] + bytes(len(content) // 2) + content[4 + len(content) // 2 :])
    assert main(["trace", row["accession"], "--store", str(published.tables)]) == 1
    told = capfdbinary.readouterr().out
    assert b"table row     MISMATCH" in told
    assert f"{records} in".encode() in told
    bucket.put(records, content)
    content = bucket.get(sequences)
    bucket.put(sequences, content[:60] + bytes([content[60] ^ 1]) + content[61:])
    assert main(["trace", row["accession"], "--verify", "--store", str(published.tables)]) == 1
    assert b"is not what its manifest says" in capfdbinary.readouterr().out
    bucket.delete(sequences)
    assert main(["trace", row["accession"], "--store", str(published.tables)]) == 1
    assert b"object        MISSING" in capfdbinary.readouterr().out
    assert main(["trace", "XX000000", "--store", str(published.tables)]) == 1
    assert b"searched: 4 division(s) of genbank 2.0, refseq 1" in capfdbinary.readouterr().err
    assert main(["trace", row["accession"], "--raw", "--store", str(published.tables)]) == 1
    assert f"came from {raw.files[0]['url']}".encode() in capfdbinary.readouterr().err
    assert main(["trace", row["accession"], "--prov", "--store", str(published.tables)]) == 2


def test_the_variable_is_read_without_a_store(
    published: Settings, capfdbinary: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = open_mirror(published.store).memberships().collect()["accession"][0]
    assert main(["fetch", name]) == 1
    capfdbinary.readouterr()
    monkeypatch.setenv("GENBANK_ASSETS_TABLES", str(published.tables))
    assert main(["fetch", name]) == 0
    told = capfdbinary.readouterr()
    assert told.out.startswith(b">")
    assert b"there is no store here: reading the tables published at" in told.err
    monkeypatch.setenv("GENBANK_ASSETS_STORE", "no-such-store")
    assert main(["fetch", name]) == 1
    monkeypatch.setenv("GENBANK_ASSETS_STORE", "s3://bucket/a")
    assert main(["fetch", name]) == 1
    assert b"must be a folder" in capfdbinary.readouterr().err


_QUERIES = (
    "SELECT collection, section, count(*), sum(length) FROM records GROUP BY ALL ORDER BY ALL",
    "SELECT count(*), count(DISTINCT gene) FROM features",
    "SELECT state, accession_version FROM changes ORDER BY ALL",
    "SELECT r.accession_version, sum(strlen(s.residues)) FROM records r JOIN sequences s "
    "USING (collection, section, accession_version) GROUP BY ALL ORDER BY ALL",
)


def test_sql_reads_the_tables_where_they_lie(published: Settings, capfdbinary: Capture) -> None:
    make_bundle(published)
    for query in _QUERIES:
        local, remote = both(published, capfdbinary, "sql", "-q", query)
        assert remote == local
    local, remote = both(published, capfdbinary, "sql", "-q", "--release", "genbank 1.0", _QUERIES[0])
    assert remote == local
    capfdbinary.readouterr()
    assert main(["catalog", "--store", str(published.tables)]) == 0
    assert b" 0 added now" in capfdbinary.readouterr().out  # it was the bundle's
    table = TableBucket(str(published.tables)).releases()[PartitionKey("genbank", "vrl")][-1]
    with open_catalog(TableBucket(str(published.tables))) as connection:
        places = connection.execute("SELECT path FROM __ducklake_metadata_mirror.ducklake_data_file").fetchall()
    assert (table.location(table.memberships),) in places


def test_a_catalog_is_made_without_a_bundle_and_follows(published: Settings, bucket: Bucket) -> None:
    remote = TableBucket(str(published.tables))
    with open_catalog(remote) as connection, open_catalog(published.store) as local:
        for query in _QUERIES:
            assert connection.execute(query).fetchall() == local.execute(query).fetchall()
    bucket.delete("manifests/genbank/2.0/pln.json")
    publish(published, ("genbank/phg",))  # the index is replaced
    with open_catalog(TableBucket(str(published.tables))) as connection:
        rows = connection.execute("SELECT section, any_value(release) FROM records GROUP BY ALL ORDER BY ALL")
        assert dict(rows.fetchall())["pln"] == "1.0"


def test_a_bundle_stays_while_releases_come_and_go(published: Settings, bucket: Bucket) -> None:
    bundle, is_new = make_bundle(published)
    assert is_new
    assert (bundle.records, len(bundle.divisions)) == (len(open_mirror(published.store).records().collect()), 7)
    folder = f"bundles/{bundle.name}"
    assert {"README.md", "LICENSE.md", "genbank.ducklake", "manifest.json"} <= {
        key.removeprefix(f"{folder}/") for key in bucket.listing() if key.startswith(folder)
    }
    assert b"no restrictions" in bucket.get(f"{folder}/LICENSE.md")
    for name in ("README.md", "LICENSE.md", "genbank.ducklake", "manifest.json"):
        assert bucket.get(f"bundles/latest/{name}") == bucket.get(f"{folder}/{name}")
    there = bucket.listing()
    assert make_bundle(published) == (bundle, False)
    assert set(bucket.listing()) == set(there)

    before = open_mirror(f"{published.tables}?bundle={bundle.name}").records().collect()
    retired = dataclasses.replace(published, keep_releases=1)
    for name in PARTITIONS[:3]:
        publish_tables(retired, PartitionKey(*name.split("/")), run_id="test", progress=quiet)
    bucket.delete("manifests/refseq/1/viral.json")
    publish_tables(retired, PartitionKey("genbank", "vrl"), run_id="test", progress=quiet)
    assert prune_tables(retired, older_than=AT_ONCE).objects == 0  # the bundle has them all
    assert len(open_mirror(str(published.tables)).divisions()) == 3
    again = open_mirror(f"{published.tables}?bundle={bundle.name}")
    assert len(again.divisions()) == 7
    assert again.records().collect().equals(before)
    second, is_new = make_bundle(retired)
    assert (second.name, is_new) == (f"{bundle.name}.2", True)
    assert len(open_mirror(f"{published.tables}?bundle=latest").divisions()) == 3
    with open_catalog(TableBucket(f"{published.tables}?bundle={bundle.name}")) as connection:
        assert connection.execute("SELECT count(*) FROM records").fetchone() == (len(before),)

    remove_bundle(retired, bundle.name)
    assert prune_tables(retired, older_than=AT_ONCE).objects > 0
    assert verify_tables(retired, sample=100).problems == ()
    assert len(open_mirror(f"{published.tables}?bundle={second.name}").records().collect()) > 0
    with pytest.raises(NotFoundError, match="no such bundle was made"):
        open_mirror(f"{published.tables}?bundle={bundle.name}").divisions()
    with pytest.raises(ObjectStoreError, match="named by its date"):
        open_mirror(f"{published.tables}?bundle=../x")


def test_a_bundle_that_was_tampered_with_is_refused(published: Settings, bucket: Bucket) -> None:
    bundle, _ = make_bundle(published)
    key = f"bundles/{bundle.name}/manifests/genbank/2.0/vrl.json"
    bucket.put(key, bucket.get(key).replace(b'"run_id": "test"', b'"run_id": "best"'))
    with pytest.raises(IntegrityError, match="is not what its bundle lists"):
        open_mirror(f"{published.tables}?bundle={bundle.name}").divisions()
    with pytest.raises(IntegrityError, match="not what its bundle lists; remove the bundle"):
        prune_tables(published, older_than=AT_ONCE)


def test_a_public_bucket_needs_no_keys(
    whole: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: Capture
) -> None:
    import os

    settings = dataclasses.replace(whole, tables=(tmp_path / "s3" / "public" / "set").as_uri())
    publish(settings, ("genbank/vrl",))
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    accession = open_mirror(settings.store).memberships("genbank/vrl").collect()["accession"][0]
    with contextlib.ExitStack() as stack:
        endpoint = stack.enter_context(public_rclone_server(tmp_path / "s3"))
        place = f"s3://public/set?endpoint={endpoint}&unsigned=true"
        for arguments in (
            ["trace", accession, "--verify"],
            ["fetch", accession],
            ["extract", "--taxon", "Viruses"],
            ["sql", "-q", "SELECT count(*) FROM records"],
        ):
            assert main([*arguments, "--store", place]) == 0, capfdbinary.readouterr().err.decode()
            assert capfdbinary.readouterr().out
