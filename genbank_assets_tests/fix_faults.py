"""Misbehaving servers: HTTP with replaceable responses and different index styles, and FTP with missing features."""

from __future__ import annotations

import dataclasses
import fcntl
import gzip
import hashlib
import logging
import random
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from pyftpdlib.handlers import DTPHandler, FTPHandler

from genbank_assets.ncbi import download, limiter
from genbank_assets.ncbi.sources import base
from genbank_assets.settings import Settings
from genbank_assets_tests.fix_ncbi import serving_ftp

REFSEQ_FOLDER = "refseq/release"


@dataclasses.dataclass
class Ask:
    """A request, and how often this path was requested with this method, including this one."""

    method: str
    path: str
    headers: dict[str, str]
    times: int


@dataclasses.dataclass
class Reply:
    """A replacement response: status, headers, body, and the number of bytes after which the connection breaks."""

    status: int = 200
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    break_after: int | None = None
    wait_seconds: float = 0.0


@dataclasses.dataclass
class Site:
    """A folder served over HTTP, in the style of some web server."""

    url: str
    folder: Path
    asked: list[Ask] = dataclasses.field(default_factory=list)
    rule: Callable[[Ask], Reply | None] = lambda ask: None
    style: str = "apache"
    ranges: bool = True
    etags: str = "strong"  # "weak", "no"
    dates: bool = True
    head: bool = True
    open_files: int = 0
    max_open_files: int = 0
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def gets(self, name: str) -> list[Ask]:
        return [ask for ask in self.asked if ask.method == "GET" and ask.path.endswith(name)]


def index(folder: Path, path: str, style: str) -> str:
    """Format an index page in the style of a server."""
    rows = []
    for entry in sorted(folder.iterdir()):
        name = entry.name + ("/" if entry.is_dir() else "")
        stat = entry.stat()
        size = "-" if entry.is_dir() else str(stat.st_size)
        when = time.gmtime(stat.st_mtime)
        rows.append(
            {
                "apache": f'<img src="/icons/x.gif" alt="[   ]"> <a href="{name}">{name[:23]}</a> '
                f"{time.strftime('%Y-%m-%d %H:%M', when)}  {_rounded(stat.st_size)}  ",
                "table": f'<tr><td><a href="{name}"><img src="/i.gif"></a></td><td><a href="{name}">{name}</a>'
                f'</td><td align="right">{time.strftime("%Y-%m-%d %H:%M", when)}  </td><td align="right">'
                f"{_rounded(stat.st_size)}</td><td>&nbsp;</td></tr>",
                "nginx": f'<a href="{name}">{name[:20]}</a>   {time.strftime("%d-%b-%Y %H:%M", when)}   {size}',
                "python": f'<li><a href="{name}">{name}</a></li>',
                "absolute": f"<A HREF='/{path}{name}'>{name}</A><br>",
                "dotted": f'<tr><td><a class="n" href="./{name}"><span>{name}</span></a></td></tr>',
            }[style]
        )
    top = '<a href="?C=N;O=D">Name</a> <a href="/">Parent Directory</a> <a href="../">..</a>\n'
    foot = '\n<a href="https://www.hhs.gov/policy.html">Policy</a> <a href="mailto:x@example.org">us</a> Port 80</html>'
    return f"<html><body><pre>{top}" + "\n".join(rows) + foot


def _rounded(size: int) -> str:
    return f"{size / 2**20:.1f}M" if size >= 2**20 else f"{size / 1024:.1f}K" if size >= 1024 else str(size)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that disconnect."""


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def answer(self) -> None:
            path = unquote(self.path).lstrip("/")
            with site.lock:
                times = 1 + sum((ask.method, ask.path) == (self.command, path) for ask in site.asked)
                ask = Ask(self.command, path, dict(self.headers.items()), times)
                site.asked.append(ask)
            self.send(site.rule(ask) or self.own(ask))

        def send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            headers = {"Content-Length": str(len(reply.body))} | reply.headers
            for name, value in headers.items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            with site.lock:
                site.open_files += self.path.endswith(".seq.gz")
                site.max_open_files = max(site.max_open_files, site.open_files)
            time.sleep(reply.wait_seconds)
            self.wfile.write(reply.body[: reply.break_after])
            self.wfile.flush()
            with site.lock:
                site.open_files -= self.path.endswith(".seq.gz")
            if reply.break_after is not None or not headers["Content-Length"]:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

        def own(self, ask: Ask) -> Reply:
            target = site.folder / ask.path
            if target.is_dir() and site.style != "no":
                return Reply(body=index(target, ask.path, site.style).encode())
            if target.is_dir() or not target.is_file():
                return Reply(403 if target.is_dir() else 404)
            if ask.method == "HEAD" and not site.head:
                return Reply(405)
            return self.file(target, ask)

        def file(self, target: Path, ask: Ask) -> Reply:
            body = target.read_bytes()
            tag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
            headers = {"strong": {"ETag": tag}, "weak": {"ETag": f"W/{tag}"}, "no": {}}[site.etags].copy()
            if site.dates:
                headers["Last-Modified"] = formatdate(target.stat().st_mtime, usegmt=True)
            wanted = ask.headers.get("Range", "")
            guard = ask.headers.get("If-Range")
            if site.ranges and wanted and guard in {None, headers.get("ETag"), headers.get("Last-Modified")}:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
                return Reply(206, headers, body[start:])
            return Reply(200, headers, body)

    return Handler


def is_locked(path: Path, *, alone: bool = True) -> bool:
    """Return whether a file is locked by another process, exclusively or, with ``alone``, in any way."""
    if not path.exists():
        return False
    with path.open("a+") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.fixture
def plain_settings(tmp_path: Path) -> Settings:
    """Settings of a store without a database."""
    return Settings(store=tmp_path / "store", workers=1, requests_per_second=10_000)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten retries and pauses."""
    monkeypatch.setattr(download, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(base, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(limiter, "FIRST_PAUSE_SECONDS", 0.05)


@pytest.fixture
def from_site(plain_settings: Settings, site: Site) -> Settings:
    """Settings with ``site`` as the source."""
    return dataclasses.replace(plain_settings, source=site.url)


@pytest.fixture
def from_ftp(plain_settings: Settings, old_ftp: OldFtp) -> Settings:
    """Settings with ``old_ftp`` as the source."""
    return dataclasses.replace(plain_settings, source=old_ftp.url)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """An empty folder served over HTTP; add files to ``folder`` and set ``rule``."""
    made = Site("", tmp_path / "site")
    made.folder.mkdir()
    server = _Server(("127.0.0.1", 0), _handler(made))
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@dataclasses.dataclass
class OldFtp:
    """A folder served over FTP without the features ``without``; ``before`` is called for each command."""

    url: str
    folder: Path
    commands: list[str] = dataclasses.field(default_factory=list)
    logins: int = 0
    without: set[str] = dataclasses.field(default_factory=set)
    before: Callable[[FTPHandler, str, str], bool] = lambda handler, command, argument: False
    breaks: Callable[[str], int | None] = lambda path: None


@pytest.fixture
def old_ftp(tmp_path: Path) -> Iterator[OldFtp]:
    """An empty folder served over FTP; add files to ``folder``. If ``before`` returns True, the command is skipped."""
    made = OldFtp("", tmp_path / "old-ftp")
    made.folder.mkdir()

    class Transfer(DTPHandler):
        left: int | None = None

        def send(self, data: bytes) -> int:
            if self.left is None:
                return super().send(data)
            sent = super().send(data[: self.left]) if self.left else 0
            self.left -= sent
            if self.left <= 0:
                self.left = None
                self._resp = ("426 Connection closed; transfer aborted.", logging.getLogger("pyftpdlib").debug)
                self.close()
            return sent

    class Handler(FTPHandler):
        dtp_handler = Transfer
        use_sendfile = False

        def process_command(self, cmd: str, *args: object, **kwargs: object) -> None:
            made.commands.append(f"{cmd} {args[0] if args else ''}".strip())
            if cmd in made.without:
                self.respond(f'500 Command "{cmd}" not understood.')
            elif not made.before(self, cmd, str(args[0]) if args else ""):
                super().process_command(cmd, *args, **kwargs)

        def ftp_RETR(self, file: str) -> object:  # noqa: N802 - pyftpdlib's name
            self.break_after = made.breaks(file)
            return super().ftp_RETR(file)

        def _on_dtp_connection(self) -> None:
            if self.data_channel is not None:
                self.data_channel.left = getattr(self, "break_after", None)
            self.break_after = None
            super()._on_dtp_connection()

        def on_login(self, username: str) -> None:
            made.logins += 1

    with serving_ftp(made.folder, Handler) as made.url:
        yield made


def genbank_release(
    folder: Path, number: str, *, files: int = 4, seed: int = 1, kilobytes: int = 200
) -> dict[str, bytes]:
    """Write a GenBank release with incompressible phage files that contain its number; return them."""
    draw = random.Random(f"{number} {seed}")
    genbank = folder / "genbank"
    shutil.rmtree(genbank, ignore_errors=True)
    genbank.mkdir(parents=True)
    made = {}
    lines = [f"{'':25}August 15 2026", "", f"                NCBI-GenBank Flat File Release {number}", ""]
    for part in range(1, files + 1):
        name = f"gbphg{part}.seq.gz"
        head = f"GBPHG{part}.SEQ\n\n                NCBI-GenBank Flat File Release {number}\n".encode()
        made[name] = gzip.compress(head + draw.randbytes(kilobytes * 1000 + 10_000 * part), mtime=0)
        (genbank / name).write_bytes(made[name])
        lines.append(f"{part}. gbphg{part}.seq - Phage sequence entries, part {part}.")
    (genbank / "gbrel.txt").write_text("\n".join(lines) + "\n")
    (genbank / "GB_Release_Number").write_text(f"{number}\n")
    return made


def refseq_release(folder: Path, number: str, *, files: int = 3, seed: int = 1) -> dict[str, bytes]:
    """Write a release of RefSeq's viral section with a checksum for every file; return its files."""
    draw = random.Random(f"refseq {number} {seed}")
    top = folder / REFSEQ_FOLDER
    shutil.rmtree(top, ignore_errors=True)
    (top / "viral").mkdir(parents=True)
    (top / "release-catalog").mkdir()
    made, lines = {}, []
    for part in range(1, files + 1):
        name = f"viral.{part}.genomic.gbff.gz"
        made[name] = gzip.compress(draw.randbytes(100_000 + 10_000 * part), mtime=0)
        (top / "viral" / name).write_bytes(made[name])
        lines.append(f"{hashlib.md5(made[name], usedforsecurity=False).hexdigest()}\t{name}")
    (top / "release-catalog" / f"release{number}.files.installed").write_text("\n".join(lines) + "\n")
    (top / "RELEASE_NUMBER").write_text(f"{number}\n")
    return made
