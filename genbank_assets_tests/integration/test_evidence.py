"""NCBI's lists of removed, new and changed records: read with the release, shown with the changes they explain."""

from __future__ import annotations

import dataclasses
import gzip
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from genbank_assets.errors import IntegrityError
from genbank_assets.file_lock import lock_path
from genbank_assets.ncbi import fetch
from genbank_assets.ncbi.evidence import fetch_evidence
from genbank_assets.ncbi.fetch import fetch_division
from genbank_assets.postgres.lookup import changes
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets_tests.fix_faults import Site, is_locked
from genbank_assets_tests.fix_ncbi import HttpMirror
from genbank_assets_tests.integration.test_mirror import mirror
from genbank_assets_tests.paths import MIRROR_273, MIRROR_274, SAMPLE

EXPECTED_LIST = {
    "new": "gbnew: gbnew.txt.gz", "returned": "gbnew: gbnew.txt.gz", "absent": "gbdel: gbdel.txt.gz",
    "sequence_changed": "gbchg: gbchg.txt.gz", "annotation_changed": "gbchg: gbchg.txt.gz",
}  # fmt: skip


def named(name: str) -> set[tuple[str, str]]:
    lines = gzip.decompress((MIRROR_274 / "genbank" / name).read_bytes()).decode().split()
    return {(line.split("|")[0][2:5].lower(), line.split("|")[1]) for line in lines}


@pytest.mark.skipif(not MIRROR_274.is_dir(), reason="the shared mirrors are not here")
def test_changes_carry_what_the_lists_say(settings: Settings, http_mirror: HttpMirror) -> None:
    settings = dataclasses.replace(settings, source=http_mirror.url)
    divisions = ["vrl", "syn", "bct"]
    for release in (MIRROR_273, MIRROR_274):
        shutil.rmtree(http_mirror.folder)
        shutil.copytree(release, http_mirror.folder)
        for division in divisions:
            mirror(PartitionKey("genbank", division), settings)
    seen = 0
    for change in changes(settings, release="274.0"):
        list_ = {"new": "gbnew.txt.gz", "absent": "gbdel.txt.gz"}.get(change["state"], "gbchg.txt.gz")
        if (change["section"], change["accession"]) in named(list_):
            seen += 1
            assert change["evidence"] == EXPECTED_LIST[change["state"]], change
        else:
            assert change["evidence"] is None, change
    assert seen >= 10
    asked = [path for method, path in http_mirror.requests if "gbdel" in path and method == "GET"]
    assert len(asked) == 1  # the divisions of a release share the list


def refseq(folder: Path, *lines: str) -> None:
    shutil.copytree(SAMPLE, folder, dirs_exist_ok=True)
    catalog = folder / "refseq" / "release" / "release-catalog"
    (catalog / "release1.removed-records.gz").write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))


def test_removed_records_of_refseq_say_the_kind_of_removal(settings: Settings, tmp_path: Path) -> None:
    refseq(
        tmp_path / "m",
        "10847\tSomething\tNC_000001.1\tviral|complete\tREVIEWED\t5386\tdead protein",
        "10847\tSomething\tNC_000002.1\tplasmid\tREVIEWED\t5386\tsuppressed",
        "no such line",
    )
    settings = dataclasses.replace(settings, source=(tmp_path / "m").as_uri())
    lines: list[str] = []
    key = PartitionKey("refseq", "viral")
    manifest = fetch_division(key, settings=settings, progress=lines.append, run_id="test")
    path = PartitionRelease(settings.store, key, "1").files_folder("raw_files") / manifest.extra["evidence_file"]
    assert pq.read_table(path).to_pylist() == [
        {
            "accession": "NC_000001",
            "list": "removed-records (dead protein)",
            "source_file": "release1.removed-records.gz",
        }
    ]
    assert any("release1.removed-records.gz, line 3 cannot be read" in line for line in lines)


def test_a_damaged_list_stops_the_division_and_a_missing_one_does_not(settings: Settings, tmp_path: Path) -> None:
    refseq(tmp_path / "m")
    settings = dataclasses.replace(settings, source=(tmp_path / "m").as_uri())
    key = PartitionKey("refseq", "viral")
    assert "evidence_file" not in fetch_division(key, settings=settings, progress=lambda _: None, run_id="t").extra
    broken = tmp_path / "m" / "refseq" / "release" / "release-catalog" / "release1.removed-records.gz"
    broken.write_bytes(gzip.compress(b"x" * 10_000)[:-9])
    with pytest.raises(IntegrityError, match="removed-records"):
        fetch_division(key, settings=settings, progress=lambda _: None, run_id="t")
    broken.unlink()
    fetch_division(key, settings=settings, progress=lambda _: None, run_id="t")


def test_one_run_at_a_time_fetches_the_lists_of_a_release(
    plain_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refseq(tmp_path / "m")
    settings = dataclasses.replace(plain_settings, source=(tmp_path / "m").as_uri())
    locked: list[bool] = []

    def watched(*arguments: Any, **options: Any) -> Any:
        locked.append(is_locked(lock_path(settings.store, "refseq/lists")))
        return fetch_evidence(*arguments, **options)

    monkeypatch.setattr(fetch, "fetch_evidence", watched)
    fetch_division(PartitionKey("refseq", "viral"), settings=settings, progress=lambda _: None, run_id="t")
    assert locked == [True]


GENBANK_LINES = [
    "BCT|AB000001",
    "GBBCT1|AB000002.1",
    "gbbct|ab000003",
    "GBBCT12.SEQ|AB000004",
    "bct | AB000005",
    "PHG|X1",
]


@pytest.mark.parametrize("packed", [True, False])
def test_the_lists_of_genbank_are_read_in_every_spelling(
    plain_settings: Settings, tmp_path: Path, packed: bool
) -> None:
    genbank = tmp_path / "m" / "genbank"
    shutil.copytree(SAMPLE, tmp_path / "m", copy_function=shutil.copyfile)
    text = ("\n".join(GENBANK_LINES) + "\r\n").encode()
    (genbank / "gbdel.txt").write_bytes(text)
    if packed:  # where both are there, one is read
        (genbank / "gbdel.txt.gz").write_bytes(gzip.compress(text))
    settings = dataclasses.replace(plain_settings, source=(tmp_path / "m").as_uri())
    key = PartitionKey("genbank", "bct")
    manifest = fetch_division(key, settings=settings, progress=lambda line: None, run_id="t")
    assert manifest.extra["evidence_rows"] == 5
    path = PartitionRelease(settings.store, key, "1.0").files_folder("raw_files") / manifest.extra["evidence_file"]
    found = pq.read_table(path).to_pylist()
    assert [row["accession"] for row in found] == [f"AB00000{n}" for n in range(1, 6)]
    assert {row["source_file"] for row in found} == {"gbdel.txt.gz" if packed else "gbdel.txt"}


@pytest.mark.parametrize("packed", [True, False])
def test_removed_records_are_read_plain_and_packed_with_and_without_gi(
    plain_settings: Settings, tmp_path: Path, packed: bool
) -> None:
    shutil.copytree(SAMPLE, tmp_path / "m", copy_function=shutil.copyfile)
    lines = [
        "10847\tSomething\tNC_000001.1\tcomplete|viral\tREVIEWED\t5386\tdead protein",
        "10847\tSomething\tNC_000002.1\t9626372\tcomplete|viral\tREVIEWED\t5386\tsuppressed",
        "10847\tSomething\tnz_cp000003.1\tviral\tna\t5386",
        "10847\tSomething\tNC_000004.1\tplasmid\tna\t5386\tdead protein",
    ]
    text = "\n".join(lines).encode()
    path = tmp_path / "m" / "refseq/release/release-catalog/release1.removed-records"
    if packed:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(text))
    else:
        path.write_bytes(text)
    settings = dataclasses.replace(plain_settings, source=(tmp_path / "m").as_uri())
    key = PartitionKey("refseq", "viral")
    manifest = fetch_division(key, settings=settings, progress=lambda line: None, run_id="t")
    found = PartitionRelease(settings.store, key, "1").files_folder("raw_files") / manifest.extra["evidence_file"]
    assert [(row["accession"], row["list"]) for row in pq.read_table(found).to_pylist()] == [
        ("NC_000001", "removed-records (dead protein)"),
        ("NC_000002", "removed-records (suppressed)"),
        ("NZ_CP000003", "removed-records"),
    ]


def test_lists_are_found_where_the_server_shows_no_index(plain_settings: Settings, site: Site) -> None:
    shutil.copytree(SAMPLE, site.folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
    (site.folder / "genbank" / "gbnew.txt").write_text("PHG|AB000001\n")
    site.style = "no"
    settings = dataclasses.replace(plain_settings, source=site.url)
    key = PartitionKey("genbank", "phg")
    assert fetch_division(key, settings=settings, progress=lambda line: None, run_id="t").extra["evidence_rows"] == 1
