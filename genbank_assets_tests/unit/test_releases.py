"""What release documents say, what a listing shows of a release, and what is new in it: texts in, facts out."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import pytest

from genbank_assets.errors import ReleaseError, SourceError
from genbank_assets.ncbi.catalog import GENBANK, REFSEQ
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.listing import folder_of, listed_division, listed_release
from genbank_assets.ncbi.poll import ReleaseState, is_fetched, may_be_same_moment, poll_release
from genbank_assets.ncbi.releases import disagreement, promised_files, read_number, read_release
from genbank_assets.ncbi.sources import RemoteFile, Source, open_source
from genbank_assets.ncbi.unknown import note_unknown, read_unknown, unknown_parts, unknown_sentence
from genbank_assets.release_facts import date_of, same_number
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest

NOTES = """GBREL.TXT          Genetic Sequence Data Bank
                         August 15 2026

                NCBI-GenBank Flat File Release 273.0

2.2.1 Contents
1. gbphg1.seq - Phage sequence entries, part 1.
2. gbphg2.seq - Phage sequence entries, part 2.
3. gbvrl1000.se - Viral sequence entries, part 1000.
Division     Entries    Bases
PHG1         1,234      5,678,901
PHG2         7          8
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """GenBank 273.0 with two phage files and a viral one, and RefSeq 237 with two."""
    folder = tmp_path / "root"
    (folder / "genbank").mkdir(parents=True)
    (folder / "genbank" / "GB_Release_Number").write_text("273.0\n")
    (folder / "genbank" / "gbrel.txt").write_text(NOTES)
    for name in ("gbphg1.seq.gz", "gbphg2.seq.gz", "gbvrl1000.seq.gz"):
        (folder / "genbank" / name).write_bytes(name.encode())
    release = folder / "refseq" / "release"
    (release / "viral").mkdir(parents=True)
    (release / "release-catalog").mkdir()
    (release / "release-notes").mkdir()
    (release / "RELEASE_NUMBER").write_text("237")
    (release / "release-notes" / "RefSeq-release237.txt").write_text(f"Release 237\n{'':20}August 31, 2026\n")
    (release / "release-catalog" / "release237.files.installed").write_text(
        f"{'A' * 32}\tviral.1.genomic.gbff.gz\n\n123456 42 viral.2.genomic.gbff.gz\nviral.2.protein.gpff.gz\n"
    )
    for name in ("viral.1.genomic.gbff.gz", "viral.2.genomic.gbff.gz", "viral.2.protein.gpff.gz"):
        (release / "viral" / name).write_bytes(name.encode())
    return folder


@pytest.fixture
def source(root: Path, tmp_path: Path) -> Source:
    return open_source(root.as_uri(), limiter=Limiter(tmp_path / "store", requests_per_second=10_000))


def test_genbank_by_its_notes(source: Source) -> None:
    release = read_release(source, collection=GENBANK)
    assert dataclasses.astuple(release)[:3] == ("genbank", "273.0", "August 15 2026")
    assert release.files == {"gbphg1.seq.gz", "gbphg2.seq.gz", "gbvrl1000.seq.gz"}
    assert release.lists_all
    assert release.entries == {"gbphg1.seq.gz": (1234, 5678901), "gbphg2.seq.gz": (7, 8)}
    assert release.checksums == {}
    assert promised_files(release, collection=GENBANK, division="phg") == {"gbphg1.seq.gz", "gbphg2.seq.gz"}


def test_refseq_by_its_list(source: Source) -> None:
    release = read_release(source, collection=REFSEQ)
    assert dataclasses.astuple(release)[:3] == ("refseq", "237", "August 31, 2026")
    assert len(release.files) == 3
    assert not release.lists_all
    assert release.checksums == {"viral.1.genomic.gbff.gz": "a" * 32, "viral.2.genomic.gbff.gz": "123456"}


def test_refseq_without_notes_or_with_those_of_another_release_has_no_date(source: Source, root: Path) -> None:
    notes = root / "refseq/release/release-notes/RefSeq-release237.txt"
    notes.write_text(notes.read_text().replace("237", "2370"))
    assert read_release(source, collection=REFSEQ).date == ""
    notes.unlink()
    assert read_release(source, collection=REFSEQ).date == ""


def test_documents_that_disagree(source: Source, root: Path) -> None:
    (root / "genbank" / "GB_Release_Number").write_text("274.0\n")
    with pytest.raises(ReleaseError, match=r"GB_Release_Number says 274\.0, gbrel\.txt says 273\.0") as told:
        read_release(source, collection=GENBANK)
    assert told.value.transient
    (root / "genbank" / "gbrel.txt").write_text("nothing\n")
    with pytest.raises(ReleaseError, match="names no release") as told:
        read_release(source, collection=GENBANK)
    assert not told.value.transient
    (root / "refseq/release/RELEASE_NUMBER").write_text("238")
    with pytest.raises(ReleaseError, match=r"RefSeq says release 238, but .* is not there yet") as told:
        read_release(source, collection=REFSEQ)
    assert told.value.transient


@pytest.mark.parametrize("text", ["", "<html>", "273.0.1", "1234567", "273.0 274.0", "x273"])
def test_invalid_release_numbers(source: Source, root: Path, text: str) -> None:
    (root / "genbank" / "GB_Release_Number").write_text(text)
    with pytest.raises(SourceError, match="contains no release number, but"):
        read_number(source, collection=GENBANK)


@pytest.mark.parametrize("text", ["273.0", " 273.0\n", "260", "260.1"])
def test_what_is_one(source: Source, root: Path, text: str) -> None:
    (root / "genbank" / "GB_Release_Number").write_text(text)
    assert read_number(source, collection=GENBANK) == text.strip()


def test_numbers_and_dates() -> None:
    assert same_number("260", "260.0")
    assert not same_number("260", "260.1")
    assert date_of("August 15 2026") == date_of("August 15, 2026") == dt.date(2026, 8, 15)
    assert date_of("soon") is date_of("") is None


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        (["gbphg1.seq.gz", "gbphg2.seq.gz"], ""),
        (["gbphg1.seq.gz"], "promise 2 files, 1 are listed (missing: gbphg2.seq.gz; extra: none)"),
        (
            ["gbphg1.seq.gz", "gbphg2.seq.gz", "gbphg3.seq.gz"],
            "promise 2 files, 3 are listed (missing: none; extra: gbphg3.seq.gz)",
        ),
    ],
)
def test_how_a_listing_of_genbank_differs_from_the_notes(source: Source, listed: list[str], said: str) -> None:
    release = read_release(source, collection=GENBANK)
    found = disagreement(release, listed, collection=GENBANK, division="phg")
    assert found == (f"phg: the release notes {said}" if said else "")


def test_a_file_beyond_refseqs_list_is_not_a_disagreement(source: Source) -> None:
    release = read_release(source, collection=REFSEQ)
    names = [*release.files, "viral.9.genomic.gbff.gz"]
    assert disagreement(release, names, collection=REFSEQ, division="viral") == ""
    assert "files.installed promises 3 files, 2 are listed (missing: viral.1" in disagreement(
        release, sorted(release.files)[1:], collection=REFSEQ, division="viral"
    )


def test_files_of_a_division_in_order_of_number(source: Source, root: Path) -> None:
    (root / "genbank" / "gbphg10.seq.gz").write_bytes(b"x")
    release = read_release(source, collection=GENBANK)
    found = listed_division(source, release=release, collection=GENBANK, division="phg")
    assert [remote.name for remote in found.files["phg"]] == ["gbphg1.seq.gz", "gbphg2.seq.gz", "gbphg10.seq.gz"]
    assert found.unknown == ()
    everything = listed_release(source, release=release, collection=GENBANK)
    assert set(everything.files) == set(GENBANK.divisions)
    assert sum(map(len, everything.files.values())) == 4


def test_where_a_source_shows_nothing_the_promise_counts(source: Source, root: Path) -> None:
    release = read_release(source, collection=REFSEQ)
    for path in (root / "refseq/release/viral").iterdir():
        path.unlink()
    found = listed_division(source, release=release, collection=REFSEQ, division="viral")
    assert [(remote.name, remote.bytes) for remote in found.files["viral"]] == [
        ("viral.1.genomic.gbff.gz", None), ("viral.2.genomic.gbff.gz", None), ("viral.2.protein.gpff.gz", None),
    ]  # fmt: skip
    assert (folder_of(REFSEQ, "viral"), folder_of(GENBANK, "phg")) == ("refseq/release/viral", "genbank")


def look(root: Path, tmp_path: Path, *, collection=GENBANK) -> ReleaseState:
    return poll_release(collection, settings=Settings(source=root.as_uri(), store=tmp_path / "store"))


def test_a_look_at_a_whole_release(root: Path, tmp_path: Path) -> None:
    state = look(root, tmp_path)
    assert (state.number, state.complete, state.reason, state.files, state.unknown) == ("273.0", True, "", 3, ())
    assert state.bytes == sum(len(name) for name in ("gbphg1.seq.gz", "gbphg2.seq.gz", "gbvrl1000.seq.gz"))
    assert {division for division, mark in state.fingerprints.items() if mark} == {"phg", "vrl"}
    assert state.fingerprint == look(root, tmp_path).fingerprint
    (root / "genbank" / "gbphg1.seq.gz").write_bytes(b"longer than before")
    assert look(root, tmp_path).fingerprint != state.fingerprint
    assert look(root, tmp_path).fingerprints["vrl"] == state.fingerprints["vrl"]


def test_a_look_at_one_that_is_not(root: Path, tmp_path: Path) -> None:
    (root / "genbank" / "gbphg1.seq.gz").unlink()
    state = look(root, tmp_path)
    assert not state.complete
    assert state.reason.startswith("phg: the release notes promise 2 files, 1 are listed")
    (root / "genbank" / "GB_Release_Number").write_text("274.0")
    state = look(root, tmp_path)
    assert (state.number, state.complete, state.fingerprints) == ("", False, {})
    (root / "genbank" / "GB_Release_Number").write_text("273.0")
    (root / "genbank" / "gbrel.txt").write_text(NOTES.split("2.2.1", maxsplit=1)[0])
    for path in (root / "genbank").glob("*.gz"):
        path.unlink()
    state = look(root, tmp_path)
    assert (state.complete, state.reason) == (False, "no flat files are listed")


ENTRY = {"name": "gbphg1.seq.gz", "bytes": 1000, "modified": "Sat, 15 Aug 2026 14:00:31 GMT", "checksum": "b" * 32}


def manifest_of(*entries: dict[str, object]) -> Manifest:
    return Manifest(
        stage="raw_files", code_version="1", collection="genbank", release="273.0", division="phg", input_digest="",
        files=entries,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("remote", "checksum", "same"),
    [
        (RemoteFile("gbphg1.seq.gz", 1000, "2026-08-15 10:00"), "b" * 32, True),
        (RemoteFile("gbphg1.seq.gz", None), None, True),
        (RemoteFile("gbphg1.seq.gz", 1001), None, False),
        (RemoteFile("gbphg1.seq.gz", 1001, rounded=True), None, True),
        (RemoteFile("gbphg1.seq.gz", 1000), "c" * 32, False),
        (RemoteFile("gbphg1.seq.gz", 1000, "2026-08-15 10:01"), None, False),
        (RemoteFile("gbphg2.seq.gz", 1000), None, False),
    ],
)
def test_whether_what_is_listed_is_here(remote: RemoteFile, checksum: str | None, same: bool) -> None:
    checksums = {remote.name: checksum} if checksum else {}
    assert is_fetched(manifest_of(ENTRY), [remote], checksums=checksums) is same


def test_a_file_more_or_less_is_another_state() -> None:
    assert is_fetched(manifest_of(), [], checksums={})
    assert not is_fetched(manifest_of(ENTRY), [], checksums={})
    assert not is_fetched(manifest_of(), [RemoteFile("gbphg1.seq.gz", 1)], checksums={})


@pytest.mark.parametrize("hours", [0, 5, 14, 15])
def test_zones_apart(hours: int) -> None:
    one = dt.datetime(2026, 8, 15, 14, 7)
    other = one - dt.timedelta(hours=hours)
    assert may_be_same_moment(one.isoformat(), other.strftime("%d-%b-%Y %H:%M"))
    assert not may_be_same_moment(one.isoformat(), (other - dt.timedelta(minutes=7)).isoformat())
    assert not may_be_same_moment(one.isoformat(), (one - dt.timedelta(hours=16)).strftime("%Y-%m-%d %H:%M"))


@pytest.mark.parametrize("text", ["08-15-26 02:07PM", "20260815140731.250", "Sat, 15 Aug 2026 14:07:59 +0000"])
def test_forms_of_a_time(text: str) -> None:
    assert may_be_same_moment(text, "2026-08-15T14:07:00")
    assert not may_be_same_moment(text, "2026-08-15T14:09:00")


@pytest.mark.parametrize("pair", [("soon", "2026-08-15T14:07:00"), ("2026-08-15T14:07:00", "soon"), ("soon", "later")])
def test_a_time_that_cannot_be_read_says_nothing(pair: tuple[str, str]) -> None:
    assert may_be_same_moment(*pair)


class Bare:
    """A source whose listing says names alone; counts what it is asked about one by one."""

    def __init__(self, files: int) -> None:
        self.names = [f"gbphg{number}.seq.gz" for number in range(1, files + 1)]
        self.looked_up = 0

    def listing(self, folder: str) -> list[RemoteFile]:
        return [RemoteFile(name, None) for name in self.names]

    def look_up(self, path: str) -> RemoteFile:
        self.looked_up += 1
        return RemoteFile(path.rsplit("/", 1)[-1], 1)


@pytest.mark.parametrize(("files", "looked_up"), [(1, 1), (64, 64), (65, 0)])
def test_few_files_without_size_and_date_are_asked_about_one_by_one(source: Source, files: int, looked_up: int) -> None:
    bare = Bare(files)
    found = listed_release(bare, release=read_release(source, collection=GENBANK), collection=GENBANK)  # type: ignore[arg-type]
    assert (len(found.files["phg"]), bare.looked_up) == (files, looked_up)


def test_what_is_unknown_is_counted_with_an_example() -> None:
    names = [
        "gbxyz10.seq.gz",
        "gbxyz9.seq.gz",
        "gbphg1.seq.gz",
        "gbphg1.seq.bz2",
        "README",
        "gbrel.txt",
        "gbdel.txt.gz",
    ]
    assert unknown_parts(names, collection=GENBANK) == (
        "division xyz (2 files, such as gbxyz9.seq.gz)", "files of kind seq.bz2 (1 file, such as gbphg1.seq.bz2)",
    )  # fmt: skip
    assert unknown_parts(["gbphg1.aso.gz", "gbvrl2.fsa_nt.gz"], collection=GENBANK) == ()
    known = ["viral.1.genomic.gbff.gz", "viral.1.1.genomic.fna.gz", "archaea.wp_protein.3.protein.gpff.gz",
             "complete.7.rna.gbff.gz", "bacteria.nonredundant_protein.2.protein.faa.gz", "viral.1.protein.bna.gz",
             "release237.files.installed"]  # fmt: skip
    assert unknown_parts(known, collection=REFSEQ) == ()
    assert unknown_parts(["viral.1.protein.gbff.gz"], collection=REFSEQ) == (
        "files of kind protein.gbff.gz (1 file, such as viral.1.protein.gbff.gz)",
    )
    for section in REFSEQ.divisions:
        assert unknown_parts([f"{section}.1.rna.cram"], collection=REFSEQ), section
    assert unknown_sentence([], collection=REFSEQ) == ""


def test_what_is_unknown_is_kept_until_it_is_gone(tmp_path: Path) -> None:
    assert read_unknown(tmp_path, collection=GENBANK) == ()
    note_unknown(tmp_path, [], collection=GENBANK)
    assert not (tmp_path / "genbank").exists(), "nothing to keep"
    note_unknown(tmp_path, ["division xyz"], collection=GENBANK)
    assert read_unknown(tmp_path, collection=GENBANK) == ("division xyz",)
    assert read_unknown(tmp_path, collection=REFSEQ) == ()
    note_unknown(tmp_path, [], collection=GENBANK)
    assert read_unknown(tmp_path, collection=GENBANK) == ()
    (tmp_path / "genbank" / "unknown.json").write_text("{")
    assert read_unknown(tmp_path, collection=GENBANK) == ()
