"""Sources that break: whatever happens on the way, the bytes are right in the end or the release before stays."""

from __future__ import annotations

import dataclasses
import gzip
import random
import shutil
from pathlib import Path

import pytest

from genbank_assets.errors import IntegrityError, ReleaseFlippedError, SourceError
from genbank_assets.ncbi import limiter
from genbank_assets.ncbi.fetch import fetch_division
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.sources import open_source
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, current_release
from genbank_assets_tests.fix_ncbi import FtpMirror, HttpMirror

pytestmark = pytest.mark.usefixtures("impatient")
PHG = PartitionKey("genbank", "phg")
FILES = 6


def release(folder: Path, number: str, *, seed: int = 1) -> dict[str, bytes]:
    """A release of six incompressible files in NCBI's layout; returns them."""
    draw = random.Random(seed)
    genbank = folder / "genbank"
    shutil.rmtree(genbank, ignore_errors=True)
    genbank.mkdir(parents=True)
    files = {}
    lines = [f"                NCBI-GenBank Flat File Release {number}", ""]
    for part in range(1, FILES + 1):
        name = f"gbphg{part}.seq.gz"
        files[name] = gzip.compress(draw.randbytes(200_000 + 100_000 * part), mtime=0)
        (genbank / name).write_bytes(files[name])
        lines.append(f"{part}. gbphg{part}.seq - Phage Sequences, part {part}.")
    (genbank / "gbrel.txt").write_text("\n".join(lines) + "\n")
    (genbank / "GB_Release_Number").write_text(f"{number}\n")
    return files


def fetch(settings: Settings) -> Manifest:
    return fetch_division(PHG, settings=settings, progress=lambda line: None, run_id="test")


def in_store(settings: Settings) -> tuple[str, dict[str, bytes]]:
    partition = current_release(settings.store, key=PHG, stage="raw_files")
    assert partition is not None
    manifest = partition.manifest("raw_files")
    assert manifest is not None
    folder = partition.files_folder("raw_files")
    return partition.release, {entry["name"]: (folder / entry["name"]).read_bytes() for entry in manifest.files}


def left_over(settings: Settings) -> list[str]:
    return [path.name for path in settings.store.rglob("*") if path.suffix in {".part", ".journal", ".tmp"}]


@pytest.fixture
def over_http(settings: Settings, http_mirror: HttpMirror) -> Settings:
    return dataclasses.replace(settings, source=http_mirror.url)


@pytest.fixture
def over_ftp(settings: Settings, ftp_mirror: FtpMirror) -> Settings:
    return dataclasses.replace(settings, source=ftp_mirror.url)


@pytest.mark.parametrize("seed", range(4))
def test_http_that_drops_at_random_bytes(over_http: Settings, http_mirror: HttpMirror, seed: int) -> None:
    files = release(http_mirror.folder, "1.0")
    draw = random.Random(seed)
    http_mirror.fault = lambda method, path, times: (
        draw.choice(["drop", "truncate", ""]) if method == "GET" and path.endswith(".gz") and times < 8 else ""
    )
    fetch(over_http)
    assert in_store(over_http) == ("1.0", files)
    assert left_over(over_http) == []


@pytest.mark.parametrize("seed", range(4))
def test_ftp_that_drops_at_random_bytes(over_ftp: Settings, ftp_mirror: FtpMirror, seed: int) -> None:
    files = release(ftp_mirror.folder, "1.0")
    draw = random.Random(seed)
    drops: dict[str, int] = {}

    def fault(path: str) -> int | None:
        drops[path] = drops.get(path, 0) + 1
        return draw.randint(1, 300_000) if path.endswith(".gz") and drops[path] <= 3 else None

    ftp_mirror.fault = fault
    fetch(over_ftp)
    assert in_store(over_ftp) == ("1.0", files)
    assert left_over(over_ftp) == []
    assert max(drops.values()) > 1


@pytest.mark.parametrize("workers", [1, 3])
def test_ftp_logins_are_as_many_as_workers(over_ftp: Settings, ftp_mirror: FtpMirror, workers: int) -> None:
    release(ftp_mirror.folder, "1.0")
    manifest = fetch(dataclasses.replace(over_ftp, download_files=workers))
    assert len(manifest.files) == FILES
    assert len(ftp_mirror.logins) == workers


def test_a_release_that_flips_over_http_leaves_the_one_before(over_http: Settings, http_mirror: HttpMirror) -> None:
    before = release(http_mirror.folder, "1.0")
    fetch(over_http)
    release(http_mirror.folder, "2.0", seed=2)

    def fault(method: str, path: str, times: int) -> str:
        if method == "GET" and path.endswith("gbphg4.seq.gz"):
            (http_mirror.folder / "genbank" / "GB_Release_Number").write_text("3.0\n")
        return ""

    http_mirror.fault = fault
    with pytest.raises(ReleaseFlippedError, match=r"replaced by 3\.0"):
        fetch(over_http)
    assert in_store(over_http) == ("1.0", before)


def test_a_release_that_flips_over_ftp_leaves_the_one_before(over_ftp: Settings, ftp_mirror: FtpMirror) -> None:
    before = release(ftp_mirror.folder, "1.0")
    fetch(over_ftp)
    release(ftp_mirror.folder, "2.0", seed=2)

    def fault(path: str) -> int | None:
        if path.endswith("gbphg4.seq.gz"):
            (ftp_mirror.folder / "genbank" / "GB_Release_Number").write_text("3.0\n")
        return None

    ftp_mirror.fault = fault
    with pytest.raises(ReleaseFlippedError, match=r"replaced by 3\.0"):
        fetch(over_ftp)
    assert in_store(over_ftp) == ("1.0", before)


def test_a_file_that_changes_between_drop_and_resume_is_restarted(over_http: Settings, http_mirror: HttpMirror) -> None:
    release(http_mirror.folder, "1.0")
    changed = gzip.compress(random.Random(9).randbytes(400_000), mtime=0)

    def fault(method: str, path: str, times: int) -> str:
        if method == "GET" and path.endswith("gbphg2.seq.gz") and times == 1:
            return "drop"
        if method == "HEAD" and path.endswith("gbphg2.seq.gz") and times == 2:
            (http_mirror.folder / "genbank" / "gbphg2.seq.gz").write_bytes(changed)
        return ""

    http_mirror.fault = fault
    fetch(over_http)
    assert in_store(over_http)[1]["gbphg2.seq.gz"] == changed


def test_a_storm_of_503_passes(over_http: Settings, http_mirror: HttpMirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, "FIRST_PAUSE_SECONDS", 0.1)
    files = release(http_mirror.folder, "1.0")
    http_mirror.fault = lambda method, path, times: "503" if path.endswith(".gz") and times <= 2 else ""
    fetch(over_http)
    assert in_store(over_http) == ("1.0", files)


@pytest.mark.parametrize(
    "name",
    ["..%2F..%2Fetc%2Fgbphg1.seq.gz", "gb%5Cphg1.seq.gz", "gbphg1.seq.gz%0A", "%00gbphg1.seq.gz", "gb..phg1.seq.gz"],
)  # fmt: skip
def test_hostile_names_in_an_index_are_refused(http_mirror: HttpMirror, tmp_path: Path, name: str) -> None:
    release(http_mirror.folder, "1.0")
    http_mirror.page = f'<pre><a href="{name}">x</a> 2026-08-15 10:00 1K\n</pre>'
    with (
        open_source(http_mirror.url, limiter=Limiter(tmp_path, requests_per_second=1000)) as source,
        pytest.raises(SourceError, match="contains an invalid name"),
    ):
        source.listing("genbank")


ODD = ["-rf", "gbphg 1.seq.gz", "gbphg1*.gz", "gbphg1;rm.seq.gz", "nötes.txt", "copy (1).txt", "a" * 200 + ".seq.gz"]


@pytest.mark.parametrize("scheme", ["file", "http", "ftp"])
def test_names_that_ncbi_does_not_give_are_passed_over(
    http_mirror: HttpMirror, ftp_mirror: FtpMirror, tmp_path: Path, scheme: str
) -> None:
    mirror = {"http": http_mirror, "ftp": ftp_mirror, "file": http_mirror}[scheme]
    files = release(mirror.folder, "1.0")
    for name in ODD:
        (mirror.folder / "genbank" / name).write_bytes(b"of a person")
    source = mirror.folder.as_uri() if scheme == "file" else mirror.url
    settings = Settings(store=tmp_path / "store", source=source, requests_per_second=1000)
    fetch(settings)
    assert in_store(settings) == ("1.0", files)


@pytest.mark.parametrize("name", ["gb..phg1.seq.gz"])
def test_hostile_names_over_ftp_are_refused(ftp_mirror: FtpMirror, tmp_path: Path, name: str) -> None:
    release(ftp_mirror.folder, "1.0")
    (ftp_mirror.folder / "genbank" / name).write_bytes(b"")
    with (
        open_source(ftp_mirror.url, limiter=Limiter(tmp_path, requests_per_second=1000)) as source,
        pytest.raises(SourceError),
    ):
        source.listing("genbank")


def test_a_gzip_that_never_ends_is_stopped(over_http: Settings, http_mirror: HttpMirror) -> None:
    release(http_mirror.folder, "1.0")
    bomb = gzip.compress(bytes(400_000_000), compresslevel=9)
    (http_mirror.folder / "genbank" / "gbphg3.seq.gz").write_bytes(bomb)
    with pytest.raises(IntegrityError, match="expands more than"):
        fetch(over_http)
    assert current_release(over_http.store, key=PHG, stage="raw_files") is None


def test_a_file_too_large_for_the_disk_is_not_started(over_http: Settings, http_mirror: HttpMirror) -> None:
    release(http_mirror.folder, "1.0")
    http_mirror.lengths["genbank/gbphg5.seq.gz"] = 10**18
    with pytest.raises(SourceError, match="needs 1,000,000,0"):
        fetch(over_http)
    assert ("GET", "genbank/gbphg5.seq.gz") not in http_mirror.requests


def test_a_body_longer_than_promised_is_refused(over_http: Settings, http_mirror: HttpMirror) -> None:
    release(http_mirror.folder, "1.0")
    http_mirror.lengths["genbank/gbphg5.seq.gz"] = 1000
    with pytest.raises((IntegrityError, SourceError), match=r"gbphg5\.seq\.gz"):
        fetch(over_http)
    assert current_release(over_http.store, key=PHG, stage="raw_files") is None
