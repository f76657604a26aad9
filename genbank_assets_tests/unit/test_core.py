"""Store, settings, catalogue, releases, limiter, checksums: the small parts everything stands on."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from genbank_assets.errors import IntegrityError, NotFoundError, SettingsError, SourceBusyError
from genbank_assets.ncbi.catalog import GENBANK, REFSEQ, division_of_file, file_sort_key, parse_partition
from genbank_assets.ncbi.download import GzipCheck, PosixCksum
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.sources import without_credentials
from genbank_assets.release_facts import release_sort_key
from genbank_assets.reports import StageReport
from genbank_assets.retention import prune_releases
from genbank_assets.settings import Settings, settings_from_environment
from genbank_assets.store import (
    STAGES,
    Manifest,
    PartitionKey,
    PartitionRelease,
    current_release,
    publish_manifest,
    releases_in_store,
    temporary_beside,
)
from genbank_assets.text_table import table


def manifest(release: str = "273.0", **changes: object) -> Manifest:
    values = {
        "stage": "raw_files", "code_version": "1", "collection": "genbank", "release": release, "division": "phg",
        "input_digest": "", "files": ({"name": "a"},), "report": StageReport(files=1, seconds=2.0),
    }  # fmt: skip
    return Manifest(**(values | changes))  # type: ignore[arg-type]


def test_a_manifest_reads_back_as_it_was_written() -> None:
    assert Manifest.from_json(manifest().to_json()) == manifest()


def test_the_digest_is_of_the_content_not_of_the_run() -> None:
    assert manifest().digest == manifest(report=StageReport(seconds=9.0), run_id="other").digest
    assert manifest().digest != manifest(files=({"name": "b"},)).digest


def test_a_broken_manifest_is_an_error() -> None:
    with pytest.raises(IntegrityError):
        Manifest.from_json("{}")


def test_the_current_release_is_the_highest_published(tmp_path: Path) -> None:
    key = PartitionKey("genbank", "phg")
    for release in ("99.0", "273.0", "260"):
        publish_manifest(manifest(release), partition=PartitionRelease(tmp_path, key, release))
    (tmp_path / "genbank" / "300.0" / "phg" / "raw_files").mkdir(parents=True)
    found = current_release(tmp_path, key=key, stage="raw_files")
    assert found is not None
    assert found.release == "273.0"


def test_old_releases_go_but_never_the_newest_complete_one(tmp_path: Path) -> None:
    key = PartitionKey("genbank", "phg")
    for release, stages in (("1.0", STAGES), ("2.0", STAGES), ("3.0", STAGES[:1]), ("4.0", STAGES[:1])):
        for stage in stages:
            publish_manifest(manifest(release, stage=stage), partition=PartitionRelease(tmp_path, key, release))
    assert prune_releases(tmp_path, key=key, keep=2, grace_seconds=0) == ["1.0"]
    assert [p.release for p in releases_in_store(tmp_path, key=key, stage="raw_files")] == ["2.0", "3.0", "4.0"]


def test_releases_sort_by_number() -> None:
    assert sorted(["273.0", "99", "260.1", "260"], key=release_sort_key) == ["99", "260", "260.1", "273.0"]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(RuntimeError), temporary_beside(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_settings_come_from_the_environment() -> None:
    found = settings_from_environment({"GENBANK_ASSETS_WORKERS": "3", "GENBANK_ASSETS_SOURCE": "file:///x"})
    assert (found.workers, found.source, found.keep_releases) == (3, "file:///x", 2)


@pytest.mark.parametrize(
    "variables",
    [
        {"GENBANK_ASSETS_WORKERS": "many"},
        {"GENBANK_ASSETS_WORKERS": "0"},
        {"GENBANK_ASSETS_SOURCE": "gopher://x"},
        {"GENBANK_ASSETS_MAX_ABSENT_FRACTION": "2"},
    ],
)
def test_settings_that_cannot_be_used_are_refused(variables: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        settings_from_environment(variables)


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(Settings(postgres_url="postgresql://u:secret@h/d"))
    assert without_credentials("ftp://user:secret@host:21/x") == "ftp://host:21/x"


@pytest.mark.parametrize(
    ("name", "collection", "division"),
    [
        ("gbphg1.seq.gz", GENBANK, "phg"),
        ("gbpln1000.seq.gz", GENBANK, "pln"),
        ("gbxyz1.seq.gz", GENBANK, None),
        ("gbphg01.seq.gz", GENBANK, None),
        ("../gbphg1.seq.gz", GENBANK, None),
        ("viral.1.genomic.gbff.gz", REFSEQ, "viral"),
        ("viral.1.1.genomic.gbff.gz", REFSEQ, "viral"),
        ("bacteria.wp_protein.12.protein.gpff.gz", REFSEQ, "bacteria"),
        ("vertebrate_mammalian.3.rna.gbff.gz", REFSEQ, "vertebrate_mammalian"),
        ("viral.1.1.genomic.fna.gz", REFSEQ, None),
        ("complete.1.genomic.gbff.gz", REFSEQ, None),
    ],
)
def test_file_names_belong_to_divisions(name: str, collection: object, division: str | None) -> None:
    assert division_of_file(name, collection=collection) == division  # type: ignore[arg-type]


def test_files_sort_by_number() -> None:
    assert sorted(["gbbct10.seq.gz", "gbbct9.seq.gz"], key=file_sort_key) == ["gbbct9.seq.gz", "gbbct10.seq.gz"]


def test_partitions_are_parsed_or_explained() -> None:
    assert parse_partition("refseq/viral") == PartitionKey("refseq", "viral")
    with pytest.raises(NotFoundError, match="no division 'complete'"):
        parse_partition("refseq/complete")


def test_the_limiter_keeps_the_rate(tmp_path: Path) -> None:
    slept: list[float] = []
    limiter = Limiter(tmp_path, requests_per_second=10, sleep=slept.append)
    start = time.time()
    for _ in range(5):
        limiter.wait_for_turn()
    assert slept[4] == pytest.approx(0.4, abs=0.05 + time.time() - start)


def test_the_limiter_gives_up_after_four_pauses_in_a_row(tmp_path: Path) -> None:
    limiter = Limiter(tmp_path, requests_per_second=10, sleep=lambda seconds: None)
    for _ in range(3):
        limiter.slow_down(None, url="x", sent=time.time())
    with pytest.raises(SourceBusyError):
        limiter.slow_down(None, url="x", sent=time.time())


def test_requests_of_one_storm_count_as_one_pause(tmp_path: Path) -> None:
    limiter = Limiter(tmp_path, requests_per_second=10, sleep=lambda seconds: None)
    sent = time.time()
    for _ in range(10):
        limiter.slow_down(None, url="x", sent=sent)
    later = time.time()
    limiter.slow_down(None, url="x", sent=later)
    limiter.record_success(sent=sent)  # of before the storm: says nothing
    limiter.slow_down(None, url="x", sent=time.time())
    limiter.record_success(sent=time.time())
    for _ in range(3):
        limiter.slow_down(None, url="x", sent=time.time())
    with pytest.raises(SourceBusyError):
        limiter.slow_down(None, url="x", sent=time.time())


def test_posix_cksum_is_the_commands(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"GenBank" * 1000)
    check = PosixCksum()
    check.update(path.read_bytes())
    said = subprocess.run(["cksum", str(path)], capture_output=True, text=True, check=True).stdout.split()[0]
    assert check.value() == int(said)


def test_a_gzip_bomb_is_refused() -> None:
    import zlib

    compressor = zlib.compressobj(9, wbits=31)
    bomb = b"".join(compressor.compress(bytes(1024 * 1024)) for _ in range(400)) + compressor.flush()
    small = bomb[:1000]
    check = GzipCheck("bomb.gz")
    check._taken = -(10**9)  # as if it inflated far better than deflate can
    with pytest.raises(IntegrityError, match="expands more"):
        check.update(small + bomb[1000:])


def test_tables_are_aligned() -> None:
    assert table(("name", "n"), [("a", 1234), ("bcd", None)]) == "name      n\n----  -----\na     1,234\nbcd       -"
