"""Releases that are not whole, flip, or are left by a killed process: one coherent release or the one before."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from genbank_assets.errors import (
    IntegrityError,
    ReleaseError,
    ReleaseFlippedError,
    SourceBusyError,
    SourceError,
)
from genbank_assets.ncbi import download, poll
from genbank_assets.ncbi.catalog import GENBANK, REFSEQ
from genbank_assets.ncbi.fetch import fetch_division
from genbank_assets.ncbi.poll import poll_release
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, current_release
from genbank_assets_tests.fix_faults import REFSEQ_FOLDER, Ask, Reply, Site, genbank_release, refseq_release
from genbank_assets_tests.integration.test_ncbi_http_faults import own_reply

PHG = PartitionKey("genbank", "phg")
pytestmark = pytest.mark.usefixtures("impatient")
VIRAL = PartitionKey("refseq", "viral")
CATALOG = f"{REFSEQ_FOLDER}/release-catalog"


def fetch(settings: Settings, key: PartitionKey = PHG) -> Manifest:
    return fetch_division(key, settings=settings, progress=lambda line: None, run_id="test")


def in_store(settings: Settings, key: PartitionKey = PHG) -> tuple[str, dict[str, bytes]]:
    """The newest release, its files compared with their digests in the manifest."""
    partition = current_release(settings.store, key=key, stage="raw_files")
    assert partition is not None
    manifest = partition.manifest("raw_files")
    assert manifest is not None
    found = {e["name"]: (partition.files_folder("raw_files") / e["name"]).read_bytes() for e in manifest.files}
    for entry in manifest.files:
        assert hashlib.sha256(found[entry["name"]]).hexdigest() == entry["sha256"], entry["name"]
    return partition.release, found


def incoming(settings: Settings) -> list[str]:
    return [path.name for path in settings.store.glob("*/*/*/raw_files/incoming/*")]


SCRIPT = """
import sys
from pathlib import Path
from genbank_assets.ncbi.fetch import fetch_division
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey
settings = Settings(source=sys.argv[1], store=Path(sys.argv[2]), requests_per_second=10_000, download_files=1)
fetch_division(PartitionKey("genbank", "phg"), settings=settings, progress=print, run_id="killed")
"""


def test_a_killed_fetch_is_followed_by_one_that_asks_only_for_the_rest(from_site: Settings, site: Site) -> None:
    files = genbank_release(site.folder, "5.0", files=4)
    arrived = 50_000

    def rule(ask: Ask) -> Reply | None:
        if ask.method == "GET" and ask.path.endswith("gbphg3.seq.gz") and ask.times == 1:
            reply = own_reply(site, ask, files["gbphg3.seq.gz"][:arrived])
            whole = own_reply(site, ask, files["gbphg3.seq.gz"])
            reply.headers = whole.headers | {"Content-Length": str(len(whole.body))}
            return reply  # and then silence: the connection stays open
        return None

    site.rule = rule
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, site.url, str(from_site.store)])
    part = from_site.store / "genbank/5.0/phg/raw_files/incoming/gbphg3.seq.gz.part"
    deadline = time.monotonic() + 60
    while not (part.is_file() and part.stat().st_size == arrived):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert current_release(from_site.store, key=PHG, stage="raw_files") is None
    site.rule = lambda ask: None
    site.asked.clear()
    manifest = fetch(from_site)
    assert in_store(from_site) == ("5.0", files)
    gets = {ask.path.rsplit("/")[-1]: ask.headers.get("Range") for ask in site.asked if ask.method == "GET"}
    assert gets.keys() & files.keys() == {"gbphg3.seq.gz", "gbphg4.seq.gz"}
    assert gets["gbphg3.seq.gz"] == f"bytes={arrived}-"
    assert manifest.report.bytes_now == len(files["gbphg3.seq.gz"]) - arrived + len(files["gbphg4.seq.gz"])
    assert incoming(from_site) == []


def test_a_file_of_the_next_release_under_the_old_number_leaves_the_files_in_place(
    from_site: Settings, site: Site
) -> None:
    files = genbank_release(site.folder, "5.0")
    fetch(from_site)
    path = site.folder / "genbank" / "gbphg2.seq.gz"
    path.write_bytes(genbank_release(site.folder.parent / "next", "6.0")["gbphg2.seq.gz"])
    with pytest.raises(ReleaseError, match=r"gbphg2\.seq\.gz is of release 6\.0, not 5\.0"):
        fetch(from_site)
    assert in_store(from_site) == ("5.0", files)


@pytest.mark.parametrize("name", ["gbphg1.seq.gz", "gbphg4.seq.gz"])
def test_a_flip_within_a_release_in_place_leaves_its_files(from_site: Settings, site: Site, name: str) -> None:
    files = genbank_release(site.folder, "5.0")
    fetch(from_site)
    changed = genbank_release(site.folder.parent / "again", "5.0", seed=2)
    for one, content in changed.items():
        (site.folder / "genbank" / one).write_bytes(content)

    def rule(ask: Ask) -> None:
        if ask.method == "GET" and ask.path.endswith(name):
            (site.folder / "genbank" / "GB_Release_Number").write_text("6.0\n")

    site.rule = rule
    with pytest.raises(ReleaseFlippedError, match=r"replaced by 6\.0 .* previous release stays"):
        fetch(from_site)
    assert in_store(from_site) == ("5.0", files)
    assert incoming(from_site) == []


def test_a_release_that_flips_between_the_listing_and_the_first_file(from_site: Settings, site: Site) -> None:
    before = genbank_release(site.folder, "5.0")
    fetch(from_site)
    genbank_release(site.folder, "6.0")
    flipped: list[dict[str, bytes]] = []

    def rule(ask: Ask) -> None:
        if ask.path.endswith(".seq.gz") and not flipped:
            flipped.append(genbank_release(site.folder, "7.0"))

    site.rule = rule
    with pytest.raises(ReleaseError, match=r"is of release 7\.0|replaced by 7\.0"):
        fetch(dataclasses.replace(from_site, download_files=1))
    assert in_store(from_site) == ("5.0", before)
    fetch(from_site)
    assert in_store(from_site) == ("7.0", flipped[0])
    assert incoming(from_site) == [], "what came of the release that went is thrown away"


def test_notes_that_are_replaced_while_files_travel_are_a_flip(from_site: Settings, site: Site) -> None:
    genbank_release(site.folder, "5.0")
    notes = site.folder / "genbank" / "gbrel.txt"

    def rule(ask: Ask) -> None:
        if ask.method == "GET" and ask.path.endswith("gbphg4.seq.gz"):
            notes.write_text(notes.read_text().replace("Release 5.0", "Release 6.0"))

    site.rule = rule
    with pytest.raises(ReleaseFlippedError, match="is being replaced"):
        fetch(from_site)
    assert current_release(from_site.store, key=PHG, stage="raw_files") is None


def test_refseq_that_flips_leaves_the_release_before(from_site: Settings, site: Site) -> None:
    before = refseq_release(site.folder, "237")
    fetch(from_site, VIRAL)
    refseq_release(site.folder, "238", seed=2)

    def rule(ask: Ask) -> None:
        if ask.method == "GET" and ask.path.endswith("viral.3.genomic.gbff.gz"):
            (site.folder / REFSEQ_FOLDER / "RELEASE_NUMBER").write_text("239\n")

    site.rule = rule
    with pytest.raises(ReleaseFlippedError, match="replaced by 239"):
        fetch(from_site, VIRAL)
    assert in_store(from_site, VIRAL) == ("237", before)


def test_refseq_whose_checksums_change_while_files_travel_is_a_flip(from_site: Settings, site: Site) -> None:
    refseq_release(site.folder, "238")
    installed = site.folder / CATALOG / "release238.files.installed"

    def rule(ask: Ask) -> None:
        if ask.method == "GET" and ask.path.endswith("viral.3.genomic.gbff.gz"):
            installed.write_text(installed.read_text().replace("\tviral.1.", "0\tviral.1.").replace("0\t", "\t"))
            installed.write_text("0" * 32 + installed.read_text()[32:])

    site.rule = rule
    with pytest.raises(ReleaseFlippedError, match=r"viral\.1\.genomic\.gbff\.gz was changed"):
        fetch(from_site, VIRAL)


def test_refseq_that_lacks_a_file_of_its_list_is_not_whole(from_site: Settings, site: Site) -> None:
    refseq_release(site.folder, "237")
    (site.folder / REFSEQ_FOLDER / "viral" / "viral.2.genomic.gbff.gz").unlink()
    with pytest.raises(ReleaseError, match=r"missing: viral\.2\.genomic\.gbff\.gz"):
        fetch(from_site, VIRAL)
    state = poll_release(REFSEQ, settings=from_site)
    assert not state.complete
    assert "viral.2.genomic.gbff.gz" in state.reason


def test_names_without_a_checksum_are_fetched_and_hostile_ones_do_no_harm(from_site: Settings, site: Site) -> None:
    files = refseq_release(site.folder, "237", files=4)
    installed = site.folder / CATALOG / "release237.files.installed"
    lines = installed.read_text().splitlines()
    lines[0] = "viral.1.genomic.gbff.gz"  # two in a row without
    lines[1] = "\tviral.2.genomic.gbff.gz"
    lines[2] = "-\tviral.3.genomic.gbff.gz"
    installed.write_text(
        "\n".join([*lines, f"{'0' * 32}\t../../../etc/passwd", f"{'0' * 32}\tviral.9.genomic.gbff.gz/x"])
    )
    (site.folder / REFSEQ_FOLDER / "viral" / "viral.5.genomic.gbff.gz").write_bytes(files["viral.1.genomic.gbff.gz"])
    manifest = fetch(from_site, VIRAL)
    assert [bool(entry["checksum"]) for entry in manifest.files] == [False, False, False, True, False]


def test_checksums_of_cksum_with_and_without_the_size(from_site: Settings, site: Site) -> None:
    files = refseq_release(site.folder, "100")
    lines = []
    for number, (name, content) in enumerate(files.items()):
        said = subprocess.run(["cksum"], input=content, capture_output=True, check=True).stdout.decode().split()
        lines.append(f"{said[0]}\t{name}" if number else f"{said[0]} {said[1]} {name}")
    installed = site.folder / CATALOG / "release100.files.installed"
    installed.write_text("\n".join(lines) + "\n")
    assert all(entry["checksum"].isdigit() for entry in fetch(from_site, VIRAL).files)
    installed.write_text("\n".join(f"1{line}" if number else "7" + line[1:] for number, line in enumerate(lines)))
    shutil.rmtree(from_site.store)
    with pytest.raises(IntegrityError, match="checksum"):
        fetch(from_site, VIRAL)


def test_a_file_whose_published_checksum_changed_is_fetched_again(from_site: Settings, site: Site) -> None:
    refseq_release(site.folder, "237")
    site.etags, site.dates = "no", False
    fetch(from_site, VIRAL)
    again = refseq_release(site.folder, "237", seed=2)  # of equal sizes, and the server says nothing of its files
    fetch(from_site, VIRAL)
    assert in_store(from_site, VIRAL) == ("237", again)


def test_refseq_has_the_date_of_its_notes(from_site: Settings, site: Site) -> None:
    refseq_release(site.folder, "237")
    assert poll_release(REFSEQ, settings=from_site).date == ""
    notes = site.folder / REFSEQ_FOLDER / "release-notes"
    notes.mkdir()
    text = f"{'':20}NCBI Reference Sequence (RefSeq) Database\n\n{'':24}Release 237\n{'':22}August 31, 2026\n"
    (notes / "RefSeq-release237.txt").write_text(text)
    assert poll_release(REFSEQ, settings=from_site).date == "August 31, 2026"
    (notes / "RefSeq-release237.txt").write_text(text.replace("237", "236"))
    assert poll_release(REFSEQ, settings=from_site).date == ""


@pytest.mark.parametrize(
    ("number", "notes", "whole"),
    [("260", "260.0", True), ("273.0", "273.0", True), ("273.0", "273", True), ("273.0", "274.0", False),
     ("273.1", "273.0", False), ("2730", "273.0", False)],
)  # fmt: skip
def test_number_and_notes_agree_in_either_spelling(
    from_site: Settings, site: Site, number: str, notes: str, whole: bool
) -> None:
    genbank_release(site.folder, notes)
    (site.folder / "genbank" / "GB_Release_Number").write_text(number)
    assert poll_release(GENBANK, settings=from_site).complete == whole


def test_names_that_the_notes_cut_off_are_read(from_site: Settings, site: Site) -> None:
    files = genbank_release(site.folder, "5.0")
    notes = site.folder / "genbank" / "gbrel.txt"
    other = "1. gbacc.idx - Index of the entries.\n2. gbchg.txt - Accession numbers of entries updated.\n"
    cut = notes.read_text().replace("gbphg3.seq", "gbphg3.se").replace("gbphg4.seq", "gbphg4.s")
    notes.write_text(cut + other)
    fetch(from_site)
    assert in_store(from_site) == ("5.0", files)


def test_leftovers_of_the_previous_release_are_ignored(from_site: Settings, site: Site) -> None:
    genbank_release(site.folder, "5.0")
    shutil.copy(site.folder / "genbank" / "gbphg1.seq.gz", site.folder / "genbank" / "gbphg5.seq.gz")
    with pytest.raises(ReleaseError, match=r"extra: gbphg5\.seq\.gz"):
        fetch(from_site)
    state = poll_release(GENBANK, settings=from_site)
    assert (state.complete, "gbphg5" in state.reason) == (False, True)


def test_a_disk_too_small_for_all_files_is_reported_before_the_first(from_site: Settings, site: Site) -> None:
    genbank_release(site.folder, "5.0")
    names = "".join(f'<a href="gbphg{n}.seq.gz">x</a> 2026-08-15 10:00 900000G\n' for n in range(1, 5))
    site.rule = lambda ask: Reply(body=names.encode()) if ask.path == "genbank/" else None
    with pytest.raises(SourceError, match=r"genbank/phg 5\.0 needs 3,865,470"):
        fetch(from_site)
    assert site.gets(".seq.gz") == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True)
    if made.returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_fills_up_is_reported_and_received_bytes_are_kept(
    from_site: Settings, site: Site, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "SPARE_BYTES", 0)
    files = genbank_release(site.folder, "5.0", files=4, kilobytes=300)
    site.style = "no"  # so that only each file by itself is seen to fit
    settings = dataclasses.replace(from_site, store=small_disk, download_files=4)

    def rule(ask: Ask) -> Reply | None:
        if ask.method == "GET" and ask.path.endswith(".seq.gz"):
            reply = own_reply(site, ask, files[ask.path.rsplit("/")[-1]])
            reply.wait_seconds = 0.5  # all are let in before the first has come
            return reply
        return None

    site.rule = rule
    with pytest.raises(SourceError, match=r"disk of .* is full|GB of disk"):
        fetch(settings)
    assert current_release(small_disk, key=PHG, stage="raw_files") is None
    site.asked.clear()
    shutil.copytree(small_disk, from_site.store, dirs_exist_ok=True)
    fetch(from_site)
    assert in_store(from_site) == ("5.0", files)
    assert any("Range" in ask.headers for ask in site.asked) or len(site.gets(".seq.gz")) < len(files)


def test_a_look_ends_with_a_sentence_before_its_time_is_up(
    from_site: Settings, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    genbank_release(site.folder, "5.0")
    monkeypatch.setattr(poll, "TIME_LIMIT_SECONDS", 1.0)
    monkeypatch.setattr(poll, "TIMEOUT_SECONDS", 1.0)
    site.rule = lambda ask: Reply(body=b"5.0", wait_seconds=30) if ask.method == "GET" else None
    begun = time.monotonic()
    with pytest.raises(SourceError):
        poll_release(GENBANK, settings=from_site)
    assert time.monotonic() - begun < 10
    limits = from_site.store / "source-limits.json"
    limits.write_text(json.dumps({"paused_until": time.time() + 100, "paused_at": time.time()}))
    begun = time.monotonic()
    with pytest.raises(SourceBusyError, match="slow down"):
        poll_release(GENBANK, settings=from_site)
    assert time.monotonic() - begun < 1


def test_damaged_files_cancel_the_others_and_are_reported_first(from_site: Settings, site: Site) -> None:
    files = genbank_release(site.folder, "5.0")
    site.rule = lambda ask: (
        Reply(body=files["gbphg4.seq.gz"][:-20]) if ask.method == "GET" and "gbphg4" in ask.path else None
    )
    (site.folder / "genbank" / "gbphg4.seq.gz").write_bytes(files["gbphg4.seq.gz"][:-20])
    with pytest.raises(IntegrityError, match=r"gbphg4\.seq\.gz ends before"):
        fetch(from_site)
    arrived = {path.name.removesuffix(".entry.json") for path in from_site.store.rglob("*.entry.json")}
    assert "gbphg4.seq.gz" not in arrived
    (site.folder / "genbank" / "gbphg4.seq.gz").write_bytes(files["gbphg4.seq.gz"])
    site.rule = lambda ask: None
    site.asked.clear()
    fetch(from_site)
    assert in_store(from_site) == ("5.0", files)
    asked = [ask.path.removeprefix("genbank/") for ask in site.gets(".seq.gz")]
    assert sorted(asked) == sorted(files.keys() - arrived)


def test_a_process_killed_between_rename_and_manifest_fetches_nothing_again(from_site: Settings, site: Site) -> None:
    files = genbank_release(site.folder, "5.0")
    fetch(from_site)
    changed = genbank_release(site.folder, "5.0", seed=2)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genbank_assets.ncbi.incoming.publish_manifest", killed)
        with pytest.raises(KeyboardInterrupt):
            fetch(from_site)
    assert in_store(from_site) == ("5.0", files)
    site.asked.clear()
    fetch(dataclasses.replace(from_site, keep_replaced_seconds=0))
    assert in_store(from_site) == ("5.0", changed)
    assert site.gets(".seq.gz") == []
    partition = PartitionRelease(from_site.store, PHG, "5.0")
    left = {path.name for path in partition.stage_folder("raw_files").iterdir()}
    assert left == {"manifest.json", partition.files_folder("raw_files").name}
    assert {path.name for path in partition.files_folder("raw_files").iterdir()} == {"manifest.json", *changed}


def test_a_source_with_an_older_release_is_recognised_before_anything_is_fetched(
    from_site: Settings, site: Site
) -> None:
    files = genbank_release(site.folder, "274.0")
    fetch(from_site)
    genbank_release(site.folder, "273.0")
    asked = len(site.asked)
    with pytest.raises(
        ReleaseError, match=r"offers GenBank 273\.0, and 274\.0 of phg is here already: nothing was"
    ) as told:
        fetch(from_site)
    assert not told.value.transient
    assert [ask.path for ask in site.asked[asked:] if ask.path.endswith(".gz")] == []
    assert in_store(from_site) == ("274.0", files)
    assert not (from_site.store / "genbank" / "273.0").exists()


@pytest.mark.parametrize(
    ("wanted", "told"), [("273.0", ""), ("273", ""), ("272.0", "272.0 was requested"), ("274", "274 was")]
)
def test_only_the_release_that_is_wanted_is_fetched(from_site: Settings, site: Site, wanted: str, told: str) -> None:
    genbank_release(site.folder, "273.0")
    if not told:
        assert fetch_division(PHG, settings=from_site, progress=print, run_id="x", release=wanted).release == "273.0"
        return
    with pytest.raises(ReleaseError, match=told):
        fetch_division(PHG, settings=from_site, progress=print, run_id="x", release=wanted)
    assert current_release(from_site.store, key=PHG, stage="raw_files") is None


def test_a_division_is_empty_by_the_word_of_the_notes_alone(from_site: Settings, site: Site) -> None:
    genbank_release(site.folder, "273.0")
    said: list[str] = []
    manifest = fetch_division(PartitionKey("genbank", "htc"), settings=from_site, progress=said.append, run_id="x")
    assert manifest.files == ()
    assert "GenBank 273.0: its release notes list no file of htc: it is empty" in said
    refseq_release(site.folder, "237")
    with pytest.raises(ReleaseError, match="the source has no plasmid of RefSeq 237: its folder shows no file and"):
        fetch(from_site, PartitionKey("refseq", "plasmid"))
    assert current_release(from_site.store, key=PartitionKey("refseq", "plasmid"), stage="raw_files") is None


def test_a_division_that_ncbi_adds_is_a_warning(from_site: Settings, site: Site) -> None:
    genbank_release(site.folder, "273.0")
    for name in (
        "gbxyz1.seq.gz",
        "gbxyz2.seq.gz",
        "gbphg1.seq.zst",
        "gbphg1.fsa_nt.gz",
        "gb_notes.txt",
    ):
        (site.folder / "genbank" / name).write_bytes(b"new")
    said: list[str] = []
    fetch_division(PHG, settings=from_site, progress=said.append, run_id="x")
    (warning,) = [line for line in said if line.startswith("warning: ")]
    assert warning == (
        "warning: GenBank contains parts that this version does not know and does not mirror: "
        "division xyz (2 files, such as "
        "gbxyz1.seq.gz); files of kind seq.zst (1 file, such as gbphg1.seq.zst). Look for a newer version of "
        "genbank-assets."
    )
    state = poll_release(GENBANK, settings=from_site)
    assert (len(state.unknown), state.complete) == (2, True)


def test_a_section_that_refseq_adds_is_a_warning_too(from_site: Settings, site: Site) -> None:
    refseq_release(site.folder, "237")
    assert poll_release(REFSEQ, settings=from_site).unknown == ()
    installed = site.folder / "refseq/release/release-catalog/release237.files.installed"
    more = [
        "complete.1.genomic.gbff.gz",
        "giant_viruses.1.genomic.gbff.gz",
        "viral.1.genomic.fna.gz",
        "viral.1.rna.cram",
    ]
    installed.write_text(installed.read_text() + "".join(f"{'0' * 32}\t{name}\n" for name in more))
    assert poll_release(REFSEQ, settings=from_site).unknown == (
        "files of kind rna.cram (1 file, such as viral.1.rna.cram)",
        "section giant_viruses (1 file, such as giant_viruses.1.genomic.gbff.gz)",
    )


def test_what_is_here_is_recognised_in_any_listing(from_site: Settings, site: Site) -> None:
    genbank_release(site.folder, "273.0")
    manifest = fetch(from_site)
    for style in ("nginx", "python", "apache"):
        site.style = style
        state = poll_release(GENBANK, settings=from_site)
        assert poll.is_fetched(manifest, state.listed["phg"], checksums=state.checksums), style
    genbank_release(site.folder, "273.0", seed=2, kilobytes=201)
    for path in (site.folder / "genbank").glob("*.gz"):
        os.utime(path, (1_780_000_000, 1_780_000_000))
    state = poll_release(GENBANK, settings=from_site)
    assert not poll.is_fetched(manifest, state.listed["phg"], checksums=state.checksums)
    assert not poll.is_fetched(manifest, state.listed["phg"][:-1], checksums={})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Sat, 15 Aug 2026 14:00:31 GMT", "2026-08-15 10:00", True),  # NCBI's pages are in its own time
        ("Sat, 15 Aug 2026 14:00:31 GMT", "2026-08-15 10:07", False),
        ("Sat, 15 Aug 2026 14:00:31 GMT", "2026-08-17 10:00", False),
        ("20260815140031", "15-Aug-2026 14:00", True),
        ("2026-08-15T14:00:31+00:00", "2026-08-15T14:00:31+00:00", True),
        ("2026-08-15T14:00:31+00:00", "2026-08-15T14:02:31+00:00", False),
        ("Aug 15 14:00", "2026-08-15 14:00", True),  # a form that says too little
        (None, "2026-08-15 14:00", True),
    ],
)
def test_whether_two_texts_may_mean_one_moment(one: str | None, other: str, same: bool) -> None:
    assert poll.may_be_same_moment(one, other) is same


def test_a_checksum_of_version_0_1_is_read_and_means_the_same_file(from_site: Settings, site: Site) -> None:
    refseq_release(site.folder, "237")
    partition = PartitionRelease(from_site.store, VIRAL, fetch(from_site, VIRAL).release)
    path = partition.manifest_path("raw_files")
    old = json.loads(path.read_text())
    for entry in old["files"]:
        entry["md5"] = entry.pop("checksum")
        assert entry.pop("checksum_algorithm") == "md5"
    path.write_text(json.dumps(old))
    again = fetch(from_site, VIRAL)
    assert again.report.files_now == 0
    assert again.digest == (partition.manifest("raw_files") or again).digest
