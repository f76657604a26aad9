"""One suite over the kinds of source, and the faults a network brings."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from genbank_assets.errors import IntegrityError, ReleaseError, SettingsError, SourceBusyError, SourceError
from genbank_assets.ncbi.catalog import GENBANK, REFSEQ
from genbank_assets.ncbi.download import fetch_file
from genbank_assets.ncbi.fetch import fetch_division
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.poll import poll_release
from genbank_assets.ncbi.sources import Source, open_source
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey
from genbank_assets_tests.fix_ncbi import FtpMirror, HttpMirror
from genbank_assets_tests.fix_s3 import S3Server
from genbank_assets_tests.paths import MIRROR_274, SAMPLE


def quiet(line: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture
def limiter(tmp_path: Path) -> Limiter:
    return Limiter(tmp_path / "limits", requests_per_second=10_000, sleep=lambda seconds: None)


@pytest.fixture(params=["file", "http", "ftp", "s3", "mirrors"])
def source(
    request: pytest.FixtureRequest, tmp_path: Path, http_mirror: HttpMirror, ftp_mirror: FtpMirror, limiter: Limiter
) -> Source:
    kind = request.param
    folder = {"file": tmp_path / "plain", "http": http_mirror.folder, "ftp": ftp_mirror.folder}.get(kind)
    if kind == "s3":
        url = in_bucket(SAMPLE, request.getfixturevalue("s3"))
    elif kind == "mirrors":
        shutil.copytree(SAMPLE, http_mirror.folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
        (tmp_path / "empty").mkdir()
        url = f"file:///nowhere {(tmp_path / 'empty').as_uri()} {http_mirror.url}"
    else:
        assert folder is not None
        shutil.copytree(SAMPLE, folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
        url = {"file": folder.as_uri(), "http": http_mirror.url, "ftp": ftp_mirror.url}[kind]
    with open_source(url, limiter=limiter) as opened:
        yield opened


def in_bucket(folder: Path, s3: S3Server) -> str:
    """The folder's files as objects below a prefix; the address of a source that reads them."""
    client = s3.client()
    for path in folder.rglob("*"):
        if path.is_file():
            client.put_object(Bucket=s3.bucket, Key=f"ncbi/{path.relative_to(folder)}", Body=path.read_bytes())
    return f"s3://{s3.bucket}/ncbi?endpoint={s3.endpoint}&region=us-east-1"


def test_a_folder_is_listed(source: Source) -> None:
    names = {remote.name for remote in source.listing("genbank")}
    assert {"gbphg1.seq.gz", "gbrel.txt", "GB_Release_Number"} <= names
    assert source.listing("refseq/release/nothing") == []


def test_a_file_is_streamed_from_an_offset(source: Source) -> None:
    remote = source.stat("genbank/gbphg1.seq.gz")
    whole = (SAMPLE / "genbank" / "gbphg1.seq.gz").read_bytes()
    assert remote.bytes == len(whole)
    assert b"".join(source.stream("genbank/gbphg1.seq.gz", offset=0, expected=remote)) == whole
    assert b"".join(source.stream("genbank/gbphg1.seq.gz", offset=1000, expected=remote)) == whole[1000:]


def test_a_missing_file_is_an_error(source: Source) -> None:
    with pytest.raises(SourceError):
        source.stat("genbank/gbxyz1.seq.gz")
    assert not source.exists("genbank/nothing")


def test_a_part_is_taken_up_where_it_was_left(source: Source, tmp_path: Path) -> None:
    fetch_file(source, "genbank/gbpln1.seq.gz", folder=tmp_path / "once", checksum=None, progress=quiet)
    whole = (tmp_path / "once" / "gbpln1.seq.gz").read_bytes()
    folder = tmp_path / "twice"
    folder.mkdir()
    remote = source.stat("genbank/gbpln1.seq.gz")
    from genbank_assets.ncbi.download import _journal, _resume_point

    part = folder / "gbpln1.seq.gz.part"
    _resume_point(part, remote)
    part.write_bytes(whole[:5000])
    fetched = fetch_file(source, "genbank/gbpln1.seq.gz", folder=folder, checksum=None, progress=quiet)
    assert fetched.bytes_transferred == len(whole) - 5000
    assert (folder / "gbpln1.seq.gz").read_bytes() == whole
    assert not part.exists()
    assert not _journal(part).exists()


def test_polling_sees_a_complete_release(source: Source, settings: Settings) -> None:
    for collection, number in ((GENBANK, "1.0"), (REFSEQ, "1")):
        state = poll_release(collection, settings=dataclasses.replace(settings, source=source._address))
        assert (state.number, state.complete) == (number, True)
        assert state.fingerprints["vrl" if collection is GENBANK else "viral"]


def test_dropped_connections_are_resumed(http_mirror: HttpMirror, settings: Settings) -> None:
    shutil.copytree(SAMPLE, http_mirror.folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
    http_mirror.fault = lambda method, path, times: (
        "drop" if method == "GET" and path.endswith("gbpln1.seq.gz") and times <= 3 else ""
    )
    settings = dataclasses.replace(settings, source=http_mirror.url)
    manifest = fetch_division(PartitionKey("genbank", "pln"), settings=settings, progress=quiet, run_id="t")
    assert manifest.files[0]["bytes"] == (SAMPLE / "genbank" / "gbpln1.seq.gz").stat().st_size
    gets = [r for r in http_mirror.requests if r == ("GET", "genbank/gbpln1.seq.gz")]
    assert len(gets) == 4


def test_a_server_that_keeps_saying_503_is_left_alone(http_mirror: HttpMirror, limiter: Limiter) -> None:
    http_mirror.fault = lambda method, path, times: "503"
    with open_source(http_mirror.url, limiter=limiter) as source, pytest.raises(SourceBusyError, match="4 times"):
        source.stat("genbank/GB_Release_Number")
    assert len(http_mirror.requests) == 4


def test_one_ftp_login_serves_all_files_of_a_worker(ftp_mirror: FtpMirror, settings: Settings) -> None:
    if not MIRROR_274.is_dir():
        pytest.skip("the shared mirrors are not here")
    shutil.copytree(MIRROR_274, ftp_mirror.folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
    settings = dataclasses.replace(settings, source=ftp_mirror.url, download_files=1)
    manifest = fetch_division(PartitionKey("genbank", "bct"), settings=settings, progress=quiet, run_id="t")
    assert len(manifest.files) == 3
    assert len(ftp_mirror.logins) == 1


def test_a_damaged_file_is_refused(tmp_path: Path, settings: Settings) -> None:
    folder = tmp_path / "source"
    shutil.copytree(SAMPLE, folder, copy_function=shutil.copyfile)
    path = folder / "genbank" / "gbphg1.seq.gz"
    path.write_bytes(path.read_bytes()[:-20])
    settings = dataclasses.replace(settings, source=folder.as_uri())
    with pytest.raises(IntegrityError, match=r"gbphg1\.seq\.gz"):
        fetch_division(PartitionKey("genbank", "phg"), settings=settings, progress=quiet, run_id="t")


def test_a_wrong_md5_is_refused(tmp_path: Path, settings: Settings) -> None:
    folder = tmp_path / "source"
    shutil.copytree(SAMPLE, folder, copy_function=shutil.copyfile)
    installed = folder / "refseq" / "release" / "release-catalog" / "release1.files.installed"
    lines = [("0" * 32 + line[32:]) if "viral" in line else line for line in installed.read_text().splitlines()]
    installed.write_text("\n".join(lines) + "\n")
    settings = dataclasses.replace(settings, source=folder.as_uri())
    with pytest.raises(IntegrityError, match="checksum"):
        fetch_division(PartitionKey("refseq", "viral"), settings=settings, progress=quiet, run_id="t")


def test_a_listing_that_lacks_a_promised_file_is_refused(tmp_path: Path, settings: Settings) -> None:
    folder = tmp_path / "source"
    shutil.copytree(SAMPLE, folder, copy_function=shutil.copyfile)
    (folder / "genbank" / "gbphg1.seq.gz").unlink()
    settings = dataclasses.replace(settings, source=folder.as_uri())
    with pytest.raises(ReleaseError, match=r"missing: gbphg1\.seq\.gz"):
        fetch_division(PartitionKey("genbank", "phg"), settings=settings, progress=quiet, run_id="t")


def test_a_hostile_name_in_a_listing_is_refused(http_mirror: HttpMirror, limiter: Limiter) -> None:
    (http_mirror.folder / "genbank").mkdir()
    (http_mirror.folder / "genbank" / "gb..%2f..%2fphg1.seq.gz").write_bytes(b"")
    with open_source(http_mirror.url, limiter=limiter) as source, pytest.raises(SourceError, match="invalid name"):
        source.listing("genbank")


def test_the_next_mirror_takes_over_in_the_middle_of_a_file(tmp_path: Path, http_mirror: HttpMirror) -> None:
    """The first breaks every transfer of the file; nothing of its bytes is joined with the next one's."""
    shutil.copytree(SAMPLE, http_mirror.folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
    http_mirror.fault = lambda method, path, times: (
        "truncate" if method == "GET" and path.endswith("pln1.seq.gz") else ""
    )
    lines: list[str] = []
    settings = Settings(
        store=tmp_path / "store", source=f"{http_mirror.url} {SAMPLE.as_uri()}", requests_per_second=10_000
    )
    key = PartitionKey("genbank", "pln")
    manifest = fetch_division(key, settings=settings, progress=lines.append, run_id="test")
    alone = dataclasses.replace(settings, store=tmp_path / "alone", source=SAMPLE.as_uri())
    expected = fetch_division(key, settings=alone, progress=lines.append, run_id="test")
    assert [entry["sha256"] for entry in manifest.files] == [entry["sha256"] for entry in expected.files]
    assert any("switching to the next source" in line for line in lines), lines


def test_a_mirror_of_another_release_does_not_take_over(
    tmp_path: Path, http_mirror: HttpMirror, mirror_273: str
) -> None:
    shutil.copytree(MIRROR_274, http_mirror.folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
    http_mirror.fault = lambda method, path, times: "drop" if path.endswith("phg1.seq.gz") else ""
    settings = Settings(store=tmp_path / "store", source=f"{http_mirror.url} {mirror_273}", requests_per_second=10_000)
    with pytest.raises((ReleaseError, IntegrityError)):
        fetch_division(PartitionKey("genbank", "phg"), settings=settings, progress=quiet, run_id="test")
    assert not list((tmp_path / "store" / "genbank").glob("*/phg/raw_files/manifest.json"))


def test_without_any_mirror_all_reasons_are_reported(tmp_path: Path, limiter: Limiter) -> None:
    (tmp_path / "empty").mkdir()
    with (
        open_source(f"file:///nowhere {(tmp_path / 'empty').as_uri()}", limiter=limiter) as source,
        pytest.raises(SourceError, match=r"none of the sources .* /nowhere; .*empty/ shows no release"),
    ):
        source.read_text("genbank/GB_Release_Number")


def test_a_missing_or_forbidden_bucket_is_reported(tmp_path: Path, limiter: Limiter, s3: S3Server) -> None:
    with (
        open_source(f"s3://no-such-bucket/x?endpoint={s3.endpoint}", limiter=limiter) as source,
        pytest.raises(SourceError, match="s3://no-such-bucket/x"),
    ):
        source.read_text("genbank/GB_Release_Number")
    with pytest.raises(SourceError, match="a bucket is s3://"):
        open_source("s3://bucket/x?secret=1", limiter=limiter)
    with pytest.raises(SettingsError, match="write https://HOST"):
        open_source("s3://bucket/x?endpoint=minio:9000", limiter=limiter)
