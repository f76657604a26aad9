"""The object set in a folder and on a real S3 server, read back by other means than our own."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from Bio import SeqIO

from genbank_assets.errors import GenbankAssetsError, IntegrityError, NotFoundError, ObjectStoreError
from genbank_assets.lineage.trace import trace
from genbank_assets.lookup.fetch import fetch, fetch_all
from genbank_assets.objects import listing, packs, store
from genbank_assets.objects.packs import PackBuilder, index_of, unpacked
from genbank_assets.objects.prune import prune_objects
from genbank_assets.objects.prune_plan import Orphan
from genbank_assets.objects.publish import publish_division
from genbank_assets.objects.store import open_objects
from genbank_assets.objects.upload import Counts, Outgoing, Uploader
from genbank_assets.objects.verify import verify_objects
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease
from genbank_assets_tests.fix_s3 import ENDPOINT_VARIABLE, S3Server, ThrottlingProxy
from genbank_assets_tests.integration.test_mirror import mirror
from genbank_assets_tests.paths import SAMPLE

PLN = PartitionKey("genbank", "pln")
VRL = PartitionKey("genbank", "vrl")


@dataclasses.dataclass(frozen=True)
class Bucket:
    """An object set and a way to look into it that is not ours."""

    url: str
    folder: Path | None
    s3: S3Server | None

    def listing(self) -> dict[str, int]:
        if self.folder is not None:
            files = (p for p in self.folder.rglob("*") if p.is_file())
            return {str(p.relative_to(self.folder)): p.stat().st_size for p in files}
        assert self.s3 is not None
        return {key.removeprefix("set/"): size for key, size in self.s3.keys("set/").items()}

    def get(self, key: str) -> bytes:
        if self.folder is not None:
            return (self.folder / key).read_bytes()
        assert self.s3 is not None
        return self.s3.get(f"set/{key}")

    def put(self, key: str, content: bytes) -> None:
        if self.folder is not None:
            (self.folder / key).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / key).write_bytes(content)
        else:
            assert self.s3 is not None
            self.s3.client().put_object(Bucket=self.s3.bucket, Key=f"set/{key}", Body=content)

    def delete(self, key: str) -> None:
        if self.folder is not None:
            (self.folder / key).unlink()
        else:
            assert self.s3 is not None
            self.s3.client().delete_object(Bucket=self.s3.bucket, Key=f"set/{key}")


@pytest.fixture
def short_outages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is away is waited for as long as a test may last."""
    monkeypatch.setattr(store, "RETRY_SECONDS", 2.0)


@pytest.fixture(params=["file", "s3"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Bucket:
    if request.param == "file":
        (tmp_path / "set").mkdir()
        return Bucket((tmp_path / "set").as_uri(), tmp_path / "set", None)
    server = request.getfixturevalue("s3")
    return Bucket(f"s3://{server.bucket}/set", None, server)


@pytest.fixture
def sampled(settings: Settings, bucket: Bucket, short_outages: None) -> Settings:
    return dataclasses.replace(settings, source=SAMPLE.as_uri(), objects=bucket.url)


def republish(settings: Settings, key: PartitionKey, release: str = "1.0") -> Manifest:
    partition = PartitionRelease(settings.store, key, release)
    return publish_division(partition, settings=settings, progress=lambda line: None, run_id="again")


def pruned(settings: Settings, **options: Any) -> list[Orphan]:
    """What prune deletes, or would."""
    found: list[Orphan] = []
    told = prune_objects(settings, announce=found.append, **options)
    assert (told.objects, told.bytes) == (len(found), sum(orphan.bytes for orphan in found))
    return found


def listed(settings: Settings, key: PartitionKey) -> pl.DataFrame:
    partition = PartitionRelease(settings.store, key, "1.0")
    return pl.read_parquet(partition.files_folder("object_set") / "objects.parquet")


def biopython(division: str) -> dict[str, str]:
    found = {}
    for path in sorted((SAMPLE / "genbank").glob(f"gb{division}*.seq.gz")):
        with gzip.open(path, "rt", encoding="latin-1") as text:
            while not text.readline().startswith("\n"):
                pass
            for record in SeqIO.parse(text, "genbank"):
                if record.seq.defined:
                    found[record.id] = str(record.seq)
    assert found
    return found


def test_every_distinct_sequence_is_one_object_with_its_digest(sampled: Settings, bucket: Bucket) -> None:
    manifest = mirror(PLN, sampled)[4]
    sequences = {key: size for key, size in bucket.listing().items() if key.startswith("nucleotide/")}
    assert len(sequences) == manifest.report.objects == manifest.report.objects_put == 107
    for key in sequences:
        assert hashlib.sha256(bucket.get(key)).hexdigest() == key.rsplit("/", 1)[-1]
    assert bucket.listing()["manifests/genbank/1.0/pln.parquet"] == manifest.files[0]["bytes"]
    rows = listed(sampled, PLN)
    assert (rows["object_sha256"] == rows["sequence_sha256"]).all()
    assert bucket.s3 is None or rows["etag"].null_count() == 0


@pytest.mark.parametrize("layout", ["record", "pack"])
def test_what_is_fetched_is_what_biopython_reads(sampled: Settings, layout: str) -> None:
    settings = dataclasses.replace(sampled, object_layout=layout)
    mirror(PLN, settings)
    draw = random.Random(7)
    for name, sequence in list(biopython("pln").items())[::9]:
        assert b"".join(fetch(settings, name, format_="raw")).decode() == sequence
        start = draw.randint(1, len(sequence))
        end = draw.randint(start, len(sequence))
        part = b"".join(fetch(settings, name, format_="raw", start=start, end=end)).decode()
        assert part == sequence[start - 1 : end]
        fasta = b"".join(fetch(settings, name, start=start, end=end)).decode()
        assert fasta.startswith(f">{name}:{start}-{end}\n" if (start, end) != (1, len(sequence)) else f">{name}")
        assert fasta.split("\n", 1)[1].replace("\n", "") == part
        digest = hashlib.sha256(sequence.encode()).hexdigest()
        assert b"".join(fetch(settings, digest, format_="raw")).decode() == sequence
    with pytest.raises(NotFoundError, match="not within"):
        list(fetch(settings, name, start=1, end=len(sequence) + 1))


def test_packs_hold_each_sequence_once_and_explain_themselves(sampled: Settings, bucket: Bucket) -> None:
    settings = dataclasses.replace(sampled, object_layout="pack")
    manifest = mirror(PLN, settings)[4]
    packs = {key: bucket.get(key) for key in bucket.listing() if key.startswith("packs/")}
    assert (manifest.report.objects, manifest.report.distinct_sequences) == (len(packs), 107)
    found = {}
    for key, content in packs.items():
        assert hashlib.sha256(content).hexdigest() == key.rsplit("/", 1)[-1]
        for entry in index_of(content):
            residues = unpacked(content[entry.offset : entry.offset + entry.bytes], length=entry.length)
            assert hashlib.sha256(residues).digest() == entry.digest
            assert entry.digest not in found
            found[entry.digest] = (key, entry.offset, entry.bytes)
    rows = listed(settings, PLN)
    assert found == {row[0]: row[1:] for row in rows.select("sequence_sha256", "key", "offset", "bytes").iter_rows()}


def test_auto_packs_divisions_of_many_short_sequences(
    sampled: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packs, "MIN_SEQUENCES_TO_PACK", 50)
    assert mirror(PLN, sampled)[4].extra["layout"] == "pack"
    assert mirror(VRL, sampled)[4].extra["layout"] == "record"


def test_a_re_run_sends_nothing_and_a_lost_manifest_object_is_sent_again(sampled: Settings, bucket: Bucket) -> None:
    mirror(VRL, sampled)
    again = mirror(VRL, sampled)[4]
    assert (again.report.objects, again.report.objects_put, again.report.upload_attempts) == (7, 0, 0)
    bucket.delete("manifests/genbank/1.0/vrl.parquet")
    republish(sampled, VRL)
    assert "manifests/genbank/1.0/vrl.parquet" in bucket.listing()


def test_a_re_run_removes_what_version_0_1_0_left_beside_the_manifest(sampled: Settings, bucket: Bucket) -> None:
    mirror(VRL, sampled)
    left = PartitionRelease(sampled.store, VRL, "1.0").stage_folder("object_set") / "objects.parquet"
    left.write_bytes(b"PAR1")
    republish(sampled, VRL)
    assert left.exists()  # its readers have time
    republish(dataclasses.replace(sampled, keep_replaced_seconds=0), VRL)
    assert not left.exists()


def test_what_another_division_has_is_not_sent_again(sampled: Settings, bucket: Bucket, tmp_path: Path) -> None:
    first = dataclasses.replace(sampled, object_layout="pack")
    mirror(VRL, first)
    before = bucket.listing()
    # The same records under another division's name: the residues are in the set, by the other's manifest.
    folder = tmp_path / "mirror" / "genbank"
    folder.mkdir(parents=True)
    (folder / "GB_Release_Number").write_text("1.0\n")
    (folder / "gbrel.txt").write_text((SAMPLE / "genbank" / "gbrel.txt").read_text().replace("gbvrl1", "gbsyn1"))
    notes = folder / "gbrel.txt"
    kept = [line for line in notes.read_text().splitlines() if ".seq" not in line or "gbsyn1" in line]
    notes.write_text("\n".join(line for line in kept if not line.startswith("VRL")) + "\n")
    (folder / "gbsyn1.seq.gz").write_bytes((SAMPLE / "genbank" / "gbvrl1.seq.gz").read_bytes())
    other = dataclasses.replace(first, source=(tmp_path / "mirror").as_uri())
    manifest = mirror(PartitionKey("genbank", "syn"), other)[4]
    assert (manifest.report.objects_put, manifest.report.distinct_sequences) == (0, 7)
    sent = {key for key in bucket.listing().keys() - before.keys() if not key.startswith("memberships/")}
    assert sent == {"manifests/genbank/1.0/syn.parquet"}


def test_refget_digests_are_those_of_the_specification(sampled: Settings, bucket: Bucket) -> None:
    mirror(VRL, sampled)
    assert listed(sampled, VRL)["refget"].null_count() == 7
    with_refget = dataclasses.replace(sampled, refget=True)
    again = republish(with_refget, VRL)
    assert again.report.objects_put == 0  # the residues are read again, not sent again
    rows = {r["sequence_sha256"]: r["refget"] for r in listed(with_refget, VRL).iter_rows(named=True)}
    for sequence in biopython("vrl").values():
        identifier = rows[hashlib.sha256(sequence.encode()).digest()]
        # refget v2: base64url of the first 24 bytes of SHA-512
        import base64

        assert identifier == "SQ." + base64.urlsafe_b64encode(hashlib.sha512(sequence.encode()).digest()[:24]).decode()
        assert b"".join(fetch(with_refget, identifier, format_="raw")).decode() == sequence
    missing: list[str] = []
    names = ["SQ." + "A" * 32, *rows.values()]
    together = fetch_all(with_refget, iter(names), format_="raw", missing=lambda name, error: missing.append(name))
    one_by_one = b"".join(b"".join(fetch(with_refget, name, format_="raw")) for name in names[1:])
    assert (b"".join(together), missing) == (one_by_one, names[:1])


def test_the_published_example_of_refget() -> None:
    from genbank_assets.objects.send_file import _refget

    assert _refget(hashlib.sha512(b"ACGT")) == "SQ.aKF498dAxcJAqme6QYQ7EZ07-fiw8Kw2"


def test_verify_finds_what_is_missing_short_or_wrong(sampled: Settings, bucket: Bucket) -> None:
    mirror(PLN, sampled)
    assert verify_objects(sampled).problems == ()
    lost, short, wrong = sorted(key for key in bucket.listing() if key.startswith("nucleotide/"))[:3]
    content = bucket.get(wrong)
    bucket.delete(lost)
    bucket.put(short, bucket.get(short)[:-1])
    bucket.put(wrong, content[:-1] + b"*")
    found = verify_objects(sampled, sample=107)
    what = {problem.key: problem.what for problem in found.problems}
    assert found.rehashed == 107
    assert set(what) == {lost, short, wrong}
    assert "digest" in what[wrong]
    bucket.put("manifests/genbank/1.0/pln.parquet", b"no table")
    assert any("not the local table" in p.what for p in verify_objects(sampled, sample=0).problems)


@pytest.mark.parametrize("at_once", [4, 1_000_000])
def test_prune_deletes_what_no_manifest_lists_and_nothing_else(
    sampled: Settings, bucket: Bucket, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MAX_KEYS_IN_MEMORY", at_once)
    mirror(VRL, sampled)
    mirror(PartitionKey("genbank", "phg"), dataclasses.replace(sampled, object_layout="pack"))
    whole = set(bucket.listing())
    left_over = "nucleotide/ab/cd/abcd" + "0" * 60
    pack = "packs/ab/ab" + "0" * 62
    for key in (left_over, pack, "somebody/else", "nucleotide/notes.txt"):
        bucket.put(key, b"ACGT")
    assert pruned(sampled) == []  # too young
    ages = timedelta(seconds=-60)
    assert {o.key for o in pruned(sampled, older_than=ages, dry_run=True)} == {left_over, pack}
    assert left_over in bucket.listing()
    assert {o.key for o in pruned(sampled, older_than=ages)} == {left_over, pack}
    assert set(bucket.listing()) == whole | {"somebody/else", "nucleotide/notes.txt"}
    bucket.put("manifests/genbank/1.0/vrl.parquet", b"not a table")
    with pytest.raises(ObjectStoreError, match="nothing is deleted"):
        pruned(sampled, older_than=ages)


def test_prune_deletes_the_unfinished_file_of_a_killed_run_from_a_folder(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    base = dataclasses.replace(settings, source=SAMPLE.as_uri(), objects=folder.as_uri())
    mirror(VRL, base)
    whole = {path for path in folder.rglob("*") if path.is_file()}
    keys = sorted(str(path.relative_to(folder)) for path in whole)
    unfinished = {f"{key}#1" for key in keys[:2]} | {f"{keys[-1]}#12"}
    foreign = {"nucleotide/notes#1", f"{keys[-1]}#old"}
    for key in unfinished | foreign:
        (folder / key).write_bytes(b"ACGT")
    assert pruned(base) == []  # too young
    ages = timedelta(seconds=-60)
    assert {o.key for o in pruned(base, older_than=ages, dry_run=True)} == unfinished
    assert {o.key for o in pruned(base, older_than=ages)} == unfinished
    assert {path for path in folder.rglob("*") if path.is_file()} == whole | {folder / key for key in foreign}


def test_a_killed_publication_resumes_without_leaving_orphans(sampled: Settings, bucket: Bucket) -> None:
    mirror(PLN, sampled, stages=4)
    program = (
        "import json, sys; from genbank_assets.settings import settings_from_environment as s;"
        "from genbank_assets.store import PartitionKey as K, PartitionRelease as P;"
        "from genbank_assets.objects.publish import publish_division as p;"
        "print('ready', flush=True); x = s();"
        "p(P(x.store, K('genbank', 'pln'), '1.0'), settings=x, progress=lambda l: None, run_id='k')"
    )
    environment = os.environ | {
        "GENBANK_ASSETS_STORE": str(sampled.store),
        "GENBANK_ASSETS_OBJECTS": str(sampled.objects),
        "GENBANK_ASSETS_UPLOAD_CONCURRENCY": "1",
    }
    for pause in (0.02, 0.1, 0.2):
        process = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    republish(sampled, PLN)
    # In a folder a kill may leave the file that was being written, beside its final name.
    assert all("#" in orphan.key for orphan in pruned(sampled, older_than=timedelta(seconds=-60)))
    assert len([key for key in bucket.listing() if key.startswith("nucleotide/")]) == 107
    assert verify_objects(sampled, sample=107).problems == ()
    assert pruned(sampled, older_than=timedelta(seconds=-60), dry_run=True) == []
    folder = PartitionRelease(sampled.store, PLN, "1.0").stage_folder("object_set")
    generation = PartitionRelease(sampled.store, PLN, "1.0").files_folder("object_set").name
    assert sorted(path.name for path in folder.iterdir()) == sorted([generation, "manifest.json"])
    (folder / ".sent" / "notes").mkdir(parents=True)  # of a run killed after it had published its manifest
    republish(sampled, PLN)
    assert not (folder / ".sent").exists()


def test_wrong_residues_stop_the_publication(sampled: Settings, bucket: Bucket) -> None:
    mirror(VRL, sampled, stages=4)
    path = next((PartitionRelease(sampled.store, VRL, "1.0").files_folder("records")).glob("sequences/*.parquet"))
    table = pl.read_parquet(path)
    first = pl.col("record_ordinal") == table["record_ordinal"][0]
    spoilt = pl.when(first).then(pl.col("residues").str.replace("^.", "*")).otherwise("residues")
    table.with_columns(residues=spoilt).write_parquet(path)
    with pytest.raises(IntegrityError, match="digest"):
        republish(sampled, VRL)
    assert "manifests/genbank/1.0/vrl.parquet" not in bucket.listing()


def test_a_long_sequence_goes_up_in_parts_and_comes_back_in_part(
    settings: Settings, bucket: Bucket, tmp_path: Path
) -> None:
    residues = bytes(random.Random(3).choices(b"ACGT", k=21_000_000))
    text = ["LOCUS       BIG1 21000000 bp    DNA     linear   PLN 01-JAN-2025", "DEFINITION  One long sequence."]
    text += ["ACCESSION   BIG1", "VERSION     BIG1.1", "ORIGIN"]
    lower = residues.decode().lower()
    for at in range(0, len(lower), 60):
        line = lower[at : at + 60]
        text.append(f"{at + 1:>9} " + " ".join(line[i : i + 10] for i in range(0, len(line), 10)))
    folder = tmp_path / "mirror" / "genbank"
    folder.mkdir(parents=True)
    (folder / "GB_Release_Number").write_text("1.0\n")
    (folder / "gbrel.txt").write_text(
        "NCBI-GenBank Flat File Release 1.0\n\n   1. gbpln1.seq - Plant sequence entries, part 1.\n"
    )
    with gzip.open(folder / "gbpln1.seq.gz", "wt", compresslevel=1) as out:
        out.write("\n".join([*text, "//", ""]))
    source = dataclasses.replace(
        settings, source=(tmp_path / "mirror").as_uri(), objects=bucket.url, object_layout="pack", refget=True
    )
    manifest = mirror(PLN, source)[4]
    digest = hashlib.sha256(residues).hexdigest()
    key = f"nucleotide/{digest[:2]}/{digest}"
    assert bucket.get(key) == residues
    assert manifest.report.objects == manifest.report.objects_put == 1
    part = b"".join(fetch(source, "BIG1.1", format_="raw", start=8_388_600, end=17_000_001))
    assert part == residues[8_388_599:17_000_001]
    assert trace(source, "BIG1", verify=True)[0].ok


def test_uploads_survive_a_server_that_throttles(
    settings: Settings, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = dataclasses.replace(
        settings, source=SAMPLE.as_uri(), objects=f"s3://{s3.bucket}/set", upload_concurrency=50, object_layout="record"
    )
    with ThrottlingProxy(s3, share=0.2) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        report = mirror(PLN, base)[4].report
    assert proxy.refused > 0
    assert report.upload_retries is not None
    # the manifest object's own retries are the client's
    assert report.upload_retries <= proxy.refused <= report.upload_retries + 5
    assert (report.objects_put, report.upload_errors, report.upload_attempts) == (107, 0, 107)
    assert report.upload_slow_downs == report.upload_retries
    assert len(s3.keys("set/nucleotide/")) == 107


def test_an_upload_that_uses_up_its_tries_counts_and_fails_the_stage(
    short_outages: None, settings: Settings, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from genbank_assets.objects import upload

    monkeypatch.setattr(upload, "FIRST_PAUSE_SECONDS", 0.001)
    base = dataclasses.replace(settings, source=SAMPLE.as_uri(), objects=f"s3://{s3.bucket}/set")
    mirror(VRL, base, stages=4)
    with ThrottlingProxy(s3, share=0.0, refuse="/nucleotide/") as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        with pytest.raises(ObjectStoreError, match="503") as caught:
            republish(base, VRL)
    assert s3.secret not in str(caught.value)
    assert s3.keys("set/manifests/") == {}
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    assert republish(base, VRL).report.objects_put == 7


@pytest.mark.skipif(not os.environ.get(ENDPOINT_VARIABLE), reason="rclone does not hold one of two PUTs back")
def test_of_many_that_send_one_key_at_once_one_wins(settings: Settings, s3: S3Server) -> None:
    store = open_objects(dataclasses.replace(settings, objects=f"s3://{s3.bucket}/set"), retries=0)

    content = random.Random(16).randbytes(4096)  # the same from all of them, as a key is made of its content
    outgoing = Outgoing("key", content, hashlib.sha256(content).digest(), lambda stored: None)

    def send(number: int) -> Counts:
        uploader = Uploader(store, retrying_store=store, concurrency=1)
        uploader.send_all(iter([outgoing]))
        return uploader.counts

    with ThreadPoolExecutor(16) as pool:
        counts = list(pool.map(send, range(16)))
    assert (sum(count.put for count in counts), sum(count.found for count in counts)) == (1, 15)
    assert s3.get("set/key") == content


@pytest.mark.skipif(not os.environ.get(ENDPOINT_VARIABLE), reason="rclone does not compare bodies with their SHA-256")
def test_a_body_that_changed_on_its_way_is_refused_by_the_server(
    settings: Settings, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = dataclasses.replace(settings, source=SAMPLE.as_uri(), objects=f"s3://{s3.bucket}/set")
    mirror(VRL, base, stages=4)
    with ThrottlingProxy(s3, share=0.0, spoil="/nucleotide/") as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        with pytest.raises(ObjectStoreError, match="400"):
            republish(base, VRL)
    assert s3.keys() == {}
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    assert republish(base, VRL).report.objects_put == 7


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong-secret-000000"}, "403"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "cannot|failed"),
    ],
)
def test_an_unusable_store_is_a_clear_error_without_secrets(
    settings: Settings, s3: S3Server, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    base = dataclasses.replace(settings, source=SAMPLE.as_uri(), objects=f"s3://{s3.bucket}/set")
    mirror(VRL, base, stages=4)
    monkeypatch.setattr(store, "RETRY_SECONDS", 0.5)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(GenbankAssetsError, match=message) as caught:
        republish(base, VRL)
    assert "wrong-secret" not in str(caught.value)


def test_keys_come_from_the_profile_when_the_environment_has_none(
    settings: Settings, s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in s3.environment:
        monkeypatch.delenv(name)
    (tmp_path / "config").write_text(f"[profile mirror]\nregion = us-east-1\nendpoint_url = {s3.endpoint}\n")
    (tmp_path / "keys").write_text(f"[mirror]\naws_access_key_id = {s3.key}\naws_secret_access_key = {s3.secret}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("AWS_PROFILE", "mirror")
    base = dataclasses.replace(settings, source=SAMPLE.as_uri(), objects=f"s3://{s3.bucket}/set")
    assert mirror(VRL, base)[4].report.objects_put == 7
    assert trace(base, listed(base, VRL) is not None and next(iter(biopython("vrl"))), verify=True)[0].ok


def test_a_pack_is_the_same_bytes_again() -> None:
    def build() -> bytes:
        builder = PackBuilder()
        for residues in (b"ACGT" * 100, b"", b"MKV"):
            builder.add(memoryview(residues), digest=hashlib.sha256(residues).digest(), molecule_class="protein")
        return builder.finish().content

    assert build() == build()
    with pytest.raises(IntegrityError):
        index_of(b"ACGT")
    with pytest.raises(IntegrityError):
        unpacked(b"ACGT", length=4)


def test_the_command_verifies_and_prunes(
    sampled: Settings, bucket: Bucket, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from genbank_assets.cli import main

    mirror(VRL, sampled)
    monkeypatch.setenv("GENBANK_ASSETS_STORE", str(sampled.store))
    monkeypatch.setenv("GENBANK_ASSETS_OBJECTS", bucket.url)
    assert main(["objects", "verify", "genbank/vrl", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rehashed"] == 7
    victim = next(key for key in bucket.listing() if key.startswith("nucleotide/"))
    bucket.delete(victim)
    assert main(["objects", "verify"]) == 1
    assert f"{victim}: missing" in capsys.readouterr().out
    assert main(["objects", "prune", "--dry-run"]) == 0
    assert "0 objects" in capsys.readouterr().err
