"""HTTP servers of many manners, and what goes wrong with them: right bytes in the end, or a clear error."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import hashlib
import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

import httpx
import pytest

from genbank_assets.errors import (
    GenbankAssetsError,
    IntegrityError,
    ReleaseError,
    SourceBusyError,
    SourceError,
    SourceInterruptedError,
)
from genbank_assets.ncbi import download, limiter
from genbank_assets.ncbi.catalog import GENBANK
from genbank_assets.ncbi.fetch import fetch_division
from genbank_assets.ncbi.poll import poll_release
from genbank_assets.ncbi.sources.http import refuse_downgrade
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, current_release
from genbank_assets_tests.fix_faults import Ask, Reply, Site, genbank_release
from genbank_assets_tests.integration.test_ncbi_faults import in_store, left_over

PHG = PartitionKey("genbank", "phg")
pytestmark = pytest.mark.usefixtures("impatient")
STYLES = ["apache", "table", "nginx", "python", "absolute", "dotted"]


def fetch(settings: Settings, lines: list[str] | None = None) -> Manifest:
    told = lines.append if lines is not None else lambda line: None
    return fetch_division(PHG, settings=settings, progress=told, run_id="test")


def nothing_published(settings: Settings) -> bool:
    return current_release(settings.store, key=PHG, stage="raw_files") is None


def only(name: str, *, first: int = 1, method: str = "GET") -> Callable[[Ask], bool]:
    return lambda ask: ask.method == method and ask.path.endswith(name) and ask.times <= first


@pytest.mark.parametrize("style", STYLES)
def test_the_index_of_any_server_is_read(from_site: Settings, site: Site, style: str) -> None:
    site.style = style
    files = genbank_release(site.folder, "5.0")
    state = poll_release(GENBANK, settings=from_site)
    assert (state.complete, state.files) == (True, len(files)), state.reason
    whole = sum(map(len, files.values()))
    assert state.bytes == pytest.approx(whole, rel=0.02), "a size that a listing rounds is still nearly right"
    fetch(from_site)
    assert in_store(from_site) == ("5.0", files)


@pytest.mark.parametrize("style", ["python", "no"])
def test_a_file_replaced_within_a_release_is_seen_where_the_listing_says_no_date(
    from_site: Settings, site: Site, style: str
) -> None:
    site.style = style
    genbank_release(site.folder, "5.0")
    before = poll_release(GENBANK, settings=from_site).fingerprints["phg"]
    assert poll_release(GENBANK, settings=from_site).fingerprints["phg"] == before
    path = site.folder / "genbank" / "gbphg2.seq.gz"
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, (1, 1))
    assert poll_release(GENBANK, settings=from_site).fingerprints["phg"] != before


def test_a_server_that_shows_no_index_is_read_by_the_release_notes(from_site: Settings, site: Site) -> None:
    site.style = "no"
    files = genbank_release(site.folder, "5.0")
    fetch(from_site)
    assert in_store(from_site) == ("5.0", files)
    genbank_release(site.folder, "6.0")
    (site.folder / "genbank" / "gbphg3.seq.gz").unlink()
    with pytest.raises(SourceError, match=r"there is no .*gbphg3\.seq\.gz"):
        fetch(from_site)
    assert in_store(from_site) == ("5.0", files)


@pytest.mark.parametrize(("etags", "dates"), [("no", True), ("weak", True), ("weak", False), ("strong", False)])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_drop_is_resumed_with_any_description_of_the_files(
    from_site: Settings, site: Site, etags: str, dates: bool, ranges: bool
) -> None:
    files = genbank_release(site.folder, "5.0")
    site.etags, site.dates, site.ranges = etags, dates, ranges
    draw = random.Random(7)

    def rule(ask: Ask) -> Reply | None:
        if ask.method == "GET" and ask.path.endswith(".gz") and ask.times <= 3:
            target = site.folder / ask.path
            whole = target.read_bytes()
            head = Reply(200, {"ETag": ""})
            if etags != "no" or dates:
                head = own_reply(site, ask, whole)
            head.break_after = draw.randint(1, len(head.body) - 1)
            return head
        return None

    site.rule = rule
    lines: list[str] = []
    manifest = fetch(from_site, lines)
    assert in_store(from_site) == ("5.0", files)
    assert left_over(from_site) == []
    if ranges:
        assert manifest.report.bytes_now == sum(map(len, files.values())), "no byte is fetched twice"


def own_reply(site: Site, ask: Ask, whole: bytes) -> Reply:
    """What the site itself would answer."""
    tag = f'"{hashlib.md5(whole, usedforsecurity=False).hexdigest()}"'
    headers = {"strong": {"ETag": tag}, "weak": {"ETag": f"W/{tag}"}, "no": {}}[site.etags].copy()
    if site.dates:
        headers["Last-Modified"] = formatdate((site.folder / ask.path).stat().st_mtime, usegmt=True)
    if "Range" in ask.headers and site.ranges:
        start = int(ask.headers["Range"].removeprefix("bytes=").rstrip("-"))
        headers["Content-Range"] = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        return Reply(206, headers, whole[start:])
    return Reply(200, headers, whole)


def test_a_server_that_says_nothing_of_its_files_and_always_drops_is_given_up(from_site: Settings, site: Site) -> None:
    genbank_release(site.folder, "5.0", files=1)
    site.etags, site.dates = "no", False
    site.rule = lambda ask: (
        Reply(body=(site.folder / ask.path).read_bytes(), break_after=1000) if only("1.seq.gz", first=99)(ask) else None
    )
    with pytest.raises(SourceInterruptedError, match=r"gbphg1\.seq\.gz"):
        fetch(from_site)
    assert len(site.gets("gbphg1.seq.gz")) <= download.ATTEMPTS + 1


def test_a_file_that_changes_behind_a_weak_etag_is_not_joined(from_site: Settings, site: Site) -> None:
    genbank_release(site.folder, "5.0", files=1)
    site.etags, site.dates = "weak", False
    path = site.folder / "genbank" / "gbphg1.seq.gz"
    other = genbank_release(site.folder.parent / "other", "5.0", files=1, seed=2)["gbphg1.seq.gz"]

    def rule(ask: Ask) -> Reply | None:
        if only("1.seq.gz")(ask):
            reply = own_reply(site, ask, path.read_bytes())
            reply.break_after = 50_000
            return reply
        if only("1.seq.gz", first=2)(ask):
            path.write_bytes(other)  # after the look that preceded this request
        return None

    site.rule = rule
    fetch(from_site)
    assert in_store(from_site)[1] == {"gbphg1.seq.gz": other}


@pytest.mark.parametrize("content_range", ["bytes 0-10/11", "bytes 99-100/*", "", "nonsense", "bytes 100-1/9999999"])
def test_a_range_that_was_not_asked_for_is_not_joined(from_site: Settings, site: Site, content_range: str) -> None:
    files = genbank_release(site.folder, "5.0", files=1)

    def rule(ask: Ask) -> Reply | None:
        if only("1.seq.gz")(ask):
            reply = own_reply(site, ask, files["gbphg1.seq.gz"])
            reply.break_after = 60_000
            return reply
        if only("1.seq.gz", first=2)(ask):
            return Reply(206, {"Content-Range": content_range}, b"x" * 500)
        return None

    site.rule = rule
    fetch(from_site)
    assert in_store(from_site) == ("5.0", files)


def test_wrong_bytes_under_a_right_range_are_fetched_again(from_site: Settings, site: Site) -> None:
    files = genbank_release(site.folder, "5.0", files=1)
    whole = files["gbphg1.seq.gz"]

    def rule(ask: Ask) -> Reply | None:
        if only("1.seq.gz", first=2)(ask):
            reply = own_reply(site, ask, whole)
            if ask.times == 1:
                reply.break_after = 60_000
            else:
                reply.body = bytes(len(reply.body))
            return reply
        return None

    site.rule = rule
    fetch(from_site)
    assert in_store(from_site) == ("5.0", files)


@pytest.mark.parametrize("status", [500, 502, 504, 408])
def test_a_request_that_fails_on_the_server_is_retried(from_site: Settings, site: Site, status: int) -> None:
    files = genbank_release(site.folder, "5.0")
    site.rule = lambda ask: Reply(status) if ask.times == 1 else None
    fetch(from_site)
    assert in_store(from_site) == ("5.0", files)


def test_a_missing_file_is_requested_once(from_site: Settings, site: Site) -> None:
    genbank_release(site.folder, "5.0")
    site.rule = lambda ask: Reply(404) if ask.path.endswith("gbphg2.seq.gz") else None
    with pytest.raises(SourceError, match=r"there is no .*gbphg2\.seq\.gz: the server answered 404"):
        fetch(from_site)
    assert sum(ask.path.endswith("gbphg2.seq.gz") for ask in site.asked) == 1


@pytest.mark.parametrize("status", [400, 500, 502])
def test_an_unavailable_index_is_not_an_empty_division(from_site: Settings, site: Site, status: int) -> None:
    genbank_release(site.folder, "5.0")
    site.rule = lambda ask: Reply(status, body=b"<html>sorry</html>") if ask.path == "genbank/" else None
    with pytest.raises(SourceError, match=f"answered {status}"):
        fetch(from_site)
    assert nothing_published(from_site)


def test_an_index_that_breaks_off_is_asked_for_again(from_site: Settings, site: Site) -> None:
    files = genbank_release(site.folder, "5.0")
    page = b'<a href="gbphg1.seq.gz">x</a>\n'
    site.rule = lambda ask: (
        Reply(headers={"Content-Length": "9999"}, body=page, break_after=len(page)) if only("genbank/")(ask) else None
    )
    fetch(from_site)
    assert in_store(from_site) == ("5.0", files)


@pytest.mark.parametrize("name", ["gbrel.txt", "GB_Release_Number"])
def test_release_documents_that_break_off_are_asked_for_again(from_site: Settings, site: Site, name: str) -> None:
    files = genbank_release(site.folder, "5.0")
    site.rule = lambda ask: (
        Reply(body=(site.folder / ask.path).read_bytes(), break_after=2) if only(name, first=2)(ask) else None
    )
    fetch(from_site)
    assert in_store(from_site) == ("5.0", files)


def test_a_server_without_head_is_asked_by_get(from_site: Settings, site: Site) -> None:
    files = genbank_release(site.folder, "5.0")
    site.head = False
    fetch(from_site)
    assert in_store(from_site) == ("5.0", files)


@pytest.mark.parametrize("length", ["-1", "1e30", "99999999999999999999999999", "²"])
def test_a_length_that_no_file_has_is_refused(from_site: Settings, site: Site, length: str) -> None:
    genbank_release(site.folder, "5.0")
    site.rule = lambda ask: (
        Reply(headers={"Content-Length": length.encode().decode("latin-1")}) if "gbphg2" in ask.path else None
    )
    with pytest.raises(SourceError, match="gbphg2"):
        fetch(from_site)
    assert nothing_published(from_site)


@pytest.mark.parametrize("row", ["gbphg1.seq.gz</a> 2026-08-15 10:00  -5", "gbphg1.seq.gz</a> 15-Aug-2026 10:00  1e30"])
def test_a_size_in_an_index_that_no_file_has_is_refused(from_site: Settings, site: Site, row: str) -> None:
    genbank_release(site.folder, "5.0", files=1)
    site.rule = lambda ask: Reply(body=f'<a href="gbphg1.seq.gz">{row}\n'.encode()) if ask.path == "genbank/" else None
    with pytest.raises(SourceError, match="cannot have a size"):
        fetch(from_site)


@pytest.mark.parametrize(
    "href", ["../../gbphg9.seq.gz", "gbphg1.seq.gz%00", "gb\tphg1.seq.gz", "gb\\phg1.seq.gz", "sub/gbphg9.seq.gz"]
)
def test_a_link_out_of_the_folder_is_refused(from_site: Settings, site: Site, href: str) -> None:
    genbank_release(site.folder, "5.0", files=1)
    page = f'<a href="gbphg1.seq.gz">x</a><a href="{href}">y</a>'.encode()
    site.rule = lambda ask: Reply(body=page) if ask.path == "genbank/" else None
    with pytest.raises(SourceError, match="contains an invalid name"):
        fetch(from_site)
    assert nothing_published(from_site)


def test_external_links_and_hidden_files_are_not_listed(from_site: Settings, site: Site) -> None:
    files = genbank_release(site.folder, "5.0", files=1)
    (site.folder / "genbank" / ".gbphg7.seq.gz.Xy12").write_bytes(b"a copy on its way")
    site.style = "nginx"
    fetch(from_site)
    assert in_store(from_site) == ("5.0", files)


def test_text_that_is_packed_for_the_way_is_unpacked(from_site: Settings, site: Site) -> None:
    files = genbank_release(site.folder, "5.0")

    def rule(ask: Ask) -> Reply | None:
        target = site.folder / ask.path
        if target.suffix == ".gz":  # what Apache says of .gz files: the packing is the file's own
            reply = own_reply(site, ask, target.read_bytes())
            reply.headers["Content-Encoding"] = "x-gzip"
            return reply
        if target.is_file():
            return Reply(headers={"Content-Encoding": "gzip"}, body=gzip.compress(target.read_bytes()))
        return None

    site.rule = rule
    fetch(from_site)
    assert in_store(from_site) == ("5.0", files)


def test_a_file_that_is_packed_once_more_is_refused(from_site: Settings, site: Site) -> None:
    files = genbank_release(site.folder, "5.0", files=1)
    body = gzip.compress(files["gbphg1.seq.gz"])
    site.rule = lambda ask: Reply(headers={"Content-Encoding": "gzip"}, body=body) if "gbphg1" in ask.path else None
    with pytest.raises(IntegrityError, match="compressed twice"):
        fetch(from_site)


def test_an_index_that_inflates_without_end_is_stopped(
    from_site: Settings, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genbank_assets.ncbi.sources.http.SMALL_FILE_BYTES", 1_000_000)
    genbank_release(site.folder, "5.0", files=1)
    bomb = gzip.compress(bytes(30_000_000))
    site.rule = lambda ask: Reply(headers={"Content-Encoding": "gzip"}, body=bomb) if ask.path == "genbank/" else None
    with pytest.raises(SourceError, match="too large for a listing"):
        fetch(from_site)


def test_redirects_are_followed_to_another_host_and_no_farther_than_five_times(from_site: Settings, site: Site) -> None:
    files = genbank_release(site.folder, "5.0")
    site.rule = lambda ask: (
        Reply(302, {"Location": f"{site.url.replace('127.0.0.1', 'localhost')}/{ask.path}"})
        if "localhost" not in ask.headers["Host"]
        else None
    )
    fetch(from_site)
    assert in_store(from_site) == ("5.0", files)
    site.rule = lambda ask: Reply(302, {"Location": f"/{ask.path}"})
    with pytest.raises(SourceError, match="redirect"):
        fetch(from_site)
    site.rule = lambda ask: Reply(302, {"Location": "file:///etc/passwd"})
    with pytest.raises(SourceError, match="GB_Release_Number"):
        fetch(from_site)


def test_a_redirect_to_an_unencrypted_address_is_refused() -> None:
    def answer(target: str) -> httpx.Response:
        request = httpx.Request("GET", "https://ftp.example.org/genbank/gbrel.txt")
        return httpx.Response(301, headers={"Location": target}, request=request)

    refuse_downgrade(answer("https://mirror.example.org/genbank/gbrel.txt"))
    refuse_downgrade(answer("/elsewhere"))
    with pytest.raises(SourceError, match="not encrypted"):
        refuse_downgrade(answer("http://mirror.example.org/genbank/gbrel.txt"))


def test_the_password_of_a_source_is_sent_but_not_shown(from_site: Settings, site: Site) -> None:
    genbank_release(site.folder, "5.0")
    url = site.url.replace("http://", "http://user:s3cret@")
    site.rule = lambda ask: None if ask.headers.get("Authorization", "").startswith("Basic ") else Reply(401)
    lines: list[str] = []
    manifest = fetch(dataclasses.replace(from_site, source=url), lines)
    assert "s3cret" not in manifest.to_json() + str(lines)
    site.rule = lambda ask: Reply(400)
    with pytest.raises(SourceError) as failure:
        fetch(dataclasses.replace(from_site, source=url))
    assert "s3cret" not in str(failure.value)


@pytest.mark.parametrize("status", [429, 503])
def test_a_storm_that_outlasts_the_patience_leaves_the_release_before(
    from_site: Settings, site: Site, status: int
) -> None:
    before = genbank_release(site.folder, "5.0")
    fetch(from_site)
    genbank_release(site.folder, "6.0")
    site.asked.clear()
    site.rule = lambda ask: Reply(status, {"Retry-After": "0"}) if ask.path.endswith(".gz") else None
    with pytest.raises(SourceBusyError, match="slow down 4 times"):
        fetch(from_site)
    assert in_store(from_site) == ("5.0", before)
    site.rule = lambda ask: None
    fetch(from_site)
    assert in_store(from_site)[0] == "6.0"


@pytest.mark.parametrize("date", [False, True])
def test_a_pause_longer_than_is_waited_for_is_honoured_by_staying_away(
    from_site: Settings, site: Site, date: bool
) -> None:
    genbank_release(site.folder, "5.0")
    wait = formatdate(time.time() + 3600, usegmt=True) if date else "3600"
    site.rule = lambda ask: Reply(503, {"Retry-After": wait})
    with pytest.raises(SourceBusyError, match="no requests until"):
        fetch(from_site)
    asked = len(site.asked)
    with pytest.raises(SourceBusyError, match="no requests until"):
        fetch(from_site)
    assert len(site.asked) == asked == 1


def test_files_at_a_time_are_those_of_the_machine(from_site: Settings, site: Site) -> None:
    genbank_release(site.folder, "5.0", files=6)
    slow = {"gz": 0.15}
    site.rule = lambda ask: (
        dataclasses.replace(own_reply(site, ask, (site.folder / ask.path).read_bytes()), wait_seconds=slow["gz"])
        if ask.method == "GET" and ask.path.endswith(".seq.gz")
        else None
    )
    machine = dataclasses.replace(from_site, download_files=2)
    syn = PartitionKey("genbank", "syn")
    for path in sorted((site.folder / "genbank").glob("gbphg*")):
        (path.parent / path.name.replace("phg", "syn")).write_bytes(path.read_bytes())
    notes = site.folder / "genbank" / "gbrel.txt"
    notes.write_text(notes.read_text() + "".join(f"{n + 9}. gbsyn{n}.seq - Synthetic.\n" for n in range(1, 7)))
    with ThreadPoolExecutor(2) as pool:
        options = {"settings": machine, "progress": lambda line: None, "run_id": "t"}
        for done in [pool.submit(fetch_division, key, **options) for key in (PHG, syn)]:
            assert len(done.result().files) == 6
    assert site.max_open_files == 2


def test_neither_a_file_list_nor_a_listing_is_not_an_empty_division(from_site: Settings, site: Site) -> None:
    genbank_release(site.folder, "5.0")
    notes = site.folder / "genbank" / "gbrel.txt"
    notes.write_text(notes.read_text().split("1. gbphg1")[0])
    site.style = "no"
    with pytest.raises(ReleaseError, match="lists no files"):
        fetch(from_site)
    assert nothing_published(from_site)


def any_fault(draw: random.Random, whole: bytes) -> Reply:
    """An answer that no good server gives."""
    headers = draw.choice(
        [
            {}, {"ETag": '"x"'}, {"ETag": ""}, {"Last-Modified": "yesterday"}, {"Content-Encoding": "gzip"},
            {"Content-Length": str(draw.choice([0, 7, 10**6, 10**12]))}, {"Content-Length": draw.choice(["x", ""])},
            {"Content-Range": f"bytes {draw.randint(0, 9)}-9/10"}, {"Transfer-Encoding": "chunked"},
            {"Location": draw.choice(["/", "http://[", "x:y", ""])},
            {"Retry-After": draw.choice(["0", "-1", "soon", "Tue, 31 Feb 2026 99:00:00 GMT", "9" * 40])},
        ]
    )  # fmt: skip
    status = draw.choice([200, 200, 200, 206, 204, 301, 302, 304, 400, 404, 416, 418, 429, 500, 502, 503])
    cut = draw.randint(0, len(whole))
    body = draw.choice([whole, whole[:cut], whole[cut:], whole + b"x", b"<html>no</html>", b"", draw.randbytes(50)])
    return Reply(status, headers, body, break_after=draw.choice([None, None, draw.randint(0, len(body) or 1)]))


@pytest.mark.parametrize("seed", range(12))
def test_any_server_response_gives_correct_files_or_a_clear_error(
    from_site: Settings, site: Site, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limiter, "FIRST_PAUSE_SECONDS", 0.01)
    draw = random.Random(seed)
    before = genbank_release(site.folder, "5.0", files=2, kilobytes=20)
    fetch(from_site)
    files = genbank_release(site.folder, "6.0", files=3, kilobytes=20)
    share = draw.choice([0.05, 0.2, 0.6])

    def rule(ask: Ask) -> Reply | None:
        target = site.folder / ask.path
        if draw.random() > share:
            return None
        return any_fault(draw, target.read_bytes() if target.is_file() else b'<a href="gbphg1.seq.gz">x</a>')

    site.rule = rule
    for _ in range(3):
        (from_site.store / "source-limits.json").unlink(missing_ok=True)
        with contextlib.suppress(GenbankAssetsError):
            fetch(dataclasses.replace(from_site, download_files=1))
        release, found = in_store(from_site)
        assert found == {"5.0": before, "6.0": files}[release]
    (from_site.store / "source-limits.json").unlink(missing_ok=True)
    site.rule = lambda ask: None
    fetch(from_site)
    assert in_store(from_site) == ("6.0", files)
    assert left_over(from_site) == []
