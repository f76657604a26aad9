"""FTP servers that lack commands, hang up, or say what nobody asked for: right bytes in the end, or a clear error."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from pyftpdlib.handlers import FTPHandler

from genbank_assets.errors import SourceBusyError, SourceError
from genbank_assets.ncbi.catalog import GENBANK
from genbank_assets.ncbi.fetch import fetch_division
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.poll import poll_release
from genbank_assets.ncbi.sources import open_source
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey
from genbank_assets_tests.fix_faults import OldFtp, genbank_release
from genbank_assets_tests.integration.test_ncbi_faults import in_store, left_over

PHG = PartitionKey("genbank", "phg")
pytestmark = pytest.mark.usefixtures("impatient")
SYN = PartitionKey("genbank", "syn")


def fetch(settings: Settings, key: PartitionKey = PHG) -> Manifest:
    return fetch_division(key, settings=settings, progress=lambda line: None, run_id="test")


@pytest.mark.parametrize(
    "without", [{"MLSD"}, {"MLSD", "MLST", "OPTS", "MDTM"}, {"SIZE"}, {"MLSD", "SIZE", "MDTM"}, {"REST"}, {"EPSV"}],
    ids=lambda commands: "+".join(sorted(commands)),
)  # fmt: skip
def test_a_server_that_lacks_commands_is_read_all_the_same(
    from_ftp: Settings, old_ftp: OldFtp, without: set[str]
) -> None:
    old_ftp.without = without
    files = genbank_release(old_ftp.folder, "5.0")
    broken: set[str] = set()

    def breaks(path: str) -> int | None:
        if path.endswith("phg2.seq.gz") and path not in broken:
            broken.add(path)
            return 70_000
        return None

    old_ftp.breaks = breaks
    assert poll_release(GENBANK, settings=from_ftp).complete
    fetch(dataclasses.replace(from_ftp, download_files=1))
    assert in_store(from_ftp) == ("5.0", files)
    assert broken


def test_a_data_connection_that_breaks_costs_no_login_and_no_byte(from_ftp: Settings, old_ftp: OldFtp) -> None:
    files = genbank_release(old_ftp.folder, "5.0")
    breaks_left = dict.fromkeys(files, 2)

    def breaks(path: str) -> int | None:
        name = path.rsplit("/", 1)[-1]
        if not breaks_left.get(name):
            return None
        breaks_left[name] -= 1
        return 70_000

    old_ftp.breaks = breaks
    manifest = fetch(dataclasses.replace(from_ftp, download_files=1))
    assert in_store(from_ftp) == ("5.0", files)
    assert old_ftp.logins == 1
    assert manifest.report.bytes_now == sum(map(len, files.values()))
    assert any(command.startswith("REST") for command in old_ftp.commands)


def test_release_notes_whose_data_connection_breaks_are_not_taken_for_whole(
    from_ftp: Settings, old_ftp: OldFtp
) -> None:
    files = genbank_release(old_ftp.folder, "15.0")
    seen: list[str] = []

    def breaks(path: str) -> int | None:
        seen.append(path)
        if path.endswith("GB_Release_Number") and seen.count(path) == 1:
            return 1  # "1" is a release number too
        return 130 if path.endswith("gbrel.txt") and seen.count(path) == 1 else None

    old_ftp.breaks = breaks
    fetch(from_ftp)
    assert in_store(from_ftp) == ("15.0", files)


def test_a_control_connection_that_is_closed_for_idleness_is_made_anew(from_ftp: Settings, old_ftp: OldFtp) -> None:
    files = genbank_release(old_ftp.folder, "5.0")
    sent: list[str] = []

    def before(handler: FTPHandler, command: str, argument: str) -> bool:
        sent.append(command)
        if command == "NOOP" and sent.count("NOOP") in {3, 6, 9}:
            handler.respond("421 Control connection timed out.")
            handler.close_when_done()
            return True
        return False

    old_ftp.before = before
    fetch(dataclasses.replace(from_ftp, download_files=1))
    assert in_store(from_ftp) == ("5.0", files)
    assert old_ftp.logins == 4


@pytest.mark.parametrize("command", ["SIZE", "MDTM", "NOOP", "MLSD", "RETR", "TYPE"])
@pytest.mark.parametrize("said", ["Your files are being scanned ...", "220 scanner ready", "213 7"])
def test_unexpected_words_do_not_shift_the_answers(
    from_ftp: Settings, old_ftp: OldFtp, command: str, said: str
) -> None:
    files = genbank_release(old_ftp.folder, "5.0")
    sent: list[str] = []

    def before(handler: FTPHandler, asked: str, argument: str) -> bool:
        sent.append(asked)
        if asked == command and sent.count(command) == 2:
            handler.push(f"{said}\r\n")
        return False

    old_ftp.before = before
    try:
        fetch(dataclasses.replace(from_ftp, download_files=1))
    except SourceError:
        return  # clear, and nothing is published
    assert in_store(from_ftp) == ("5.0", files)


def test_a_passive_address_of_another_host_is_not_gone_to(from_ftp: Settings, old_ftp: OldFtp) -> None:
    files = genbank_release(old_ftp.folder, "5.0")
    respond = FTPHandler.respond

    def before(handler: FTPHandler, command: str, argument: str) -> bool:
        def elsewhere(line: str, **options: object) -> None:
            respond(handler, line.replace("(127,0,0,1,", "(192,0,2,7,"), **options)

        handler.respond = elsewhere
        return False

    old_ftp.before = before
    fetch(from_ftp)
    assert in_store(from_ftp) == ("5.0", files)


def test_a_server_that_is_full_is_waited_for_and_then_left_alone(from_ftp: Settings, old_ftp: OldFtp) -> None:
    files = genbank_release(old_ftp.folder, "5.0")
    refused: list[str] = []

    def full(times: int) -> None:
        def before(handler: FTPHandler, command: str, argument: str) -> bool:
            if command == "USER" and len(refused) < times:
                refused.append(command)
                handler.respond("421 Too many connections. Try again later.")
                handler.close_when_done()
                return True
            return False

        old_ftp.before = before

    full(2)
    fetch(dataclasses.replace(from_ftp, download_files=1))
    assert in_store(from_ftp) == ("5.0", files)
    full(99)
    with pytest.raises(SourceBusyError, match="Too many connections"):
        fetch(from_ftp)
    assert len(refused) == 2 + 4


def test_a_reader_that_stops_in_the_middle_leaves_no_answer_behind(old_ftp: OldFtp, tmp_path: Path) -> None:
    genbank_release(old_ftp.folder, "5.0", kilobytes=4000)
    with open_source(old_ftp.url, limiter=Limiter(tmp_path, requests_per_second=10_000)) as source:
        for name in ("gbphg1.seq.gz", "gbphg2.seq.gz", "gbphg1.seq.gz"):
            remote = source.stat(f"genbank/{name}")
            assert remote.bytes == (old_ftp.folder / "genbank" / name).stat().st_size
            pieces = source.stream(f"genbank/{name}", offset=0, expected=remote)
            next(pieces)
            pieces.close()


def test_a_file_that_changes_during_the_transfer_is_restarted(from_ftp: Settings, old_ftp: OldFtp) -> None:
    genbank_release(old_ftp.folder, "5.0", files=1)
    other = genbank_release(old_ftp.folder.parent / "other", "5.0", files=1, seed=2)["gbphg1.seq.gz"]
    path = old_ftp.folder / "genbank" / "gbphg1.seq.gz"

    def breaks(name: str) -> int | None:
        if name.endswith("gbphg1.seq.gz") and path.read_bytes() != other:
            path.write_bytes(other)
            return 50_000
        return None

    old_ftp.breaks = breaks
    fetch(from_ftp)
    assert in_store(from_ftp)[1] == {"gbphg1.seq.gz": other}


@pytest.mark.parametrize("fact", ["size=-5", "size=1e30", "size=99999999999999999999", "size=x"])
def test_a_size_in_a_listing_that_no_file_has_is_refused(from_ftp: Settings, old_ftp: OldFtp, fact: str) -> None:
    genbank_release(old_ftp.folder, "5.0", files=1)

    def before(handler: FTPHandler, command: str, argument: str) -> bool:
        if command != "MLSD":
            return False
        handler.push_dtp_data(f"type=file;{fact};modify=20260815100000; gbphg1.seq.gz\r\n".encode(), cmd="MLSD")
        return True

    old_ftp.before = before
    with pytest.raises(SourceError, match="cannot have a size"):
        fetch(from_ftp)


@pytest.mark.parametrize(
    "line",
    [
        "-rw-r--r-- 1 ftp ftp 7 Aug 15 10:00 ../../gbphg9.seq.gz",
        "-rw-r--r-- 1 ftp ftp -7 Aug 15 10:00 gbphg1.seq.gz",
        "what is this",
    ],
)
def test_lines_of_a_list_that_are_hostile_or_unreadable_are_refused(
    from_ftp: Settings, old_ftp: OldFtp, line: str
) -> None:
    genbank_release(old_ftp.folder, "5.0", files=1)
    old_ftp.without = {"MLSD"}

    def before(handler: FTPHandler, command: str, argument: str) -> bool:
        if command != "LIST":
            return False
        handler.push_dtp_data(f"total 1\r\n{line}\r\n".encode(), cmd="LIST")
        return True

    old_ftp.before = before
    with pytest.raises(SourceError, match=r"contains an invalid name|cannot be read"):
        fetch(from_ftp)


def test_logins_of_two_divisions_are_as_many_as_their_workers(from_ftp: Settings, old_ftp: OldFtp) -> None:
    genbank_release(old_ftp.folder, "5.0", files=6)
    notes = old_ftp.folder / "genbank" / "gbrel.txt"
    notes.write_text(notes.read_text() + "99. gbsyn1.seq - Synthetic and chimeric sequence entries, part 1.\n")
    path = old_ftp.folder / "genbank" / "gbphg1.seq.gz"
    (path.parent / "gbsyn1.seq.gz").write_bytes(path.read_bytes())
    settings = dataclasses.replace(from_ftp, download_files=3)
    fetch(settings)
    fetch(settings, SYN)
    assert old_ftp.logins == 3 + 1
    assert left_over(settings) == []
