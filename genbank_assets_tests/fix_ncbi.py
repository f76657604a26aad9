"""NCBI's servers on loopback: HTTP with ranges, ETags and injected faults, and FTP that counts logins."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import DTPHandler, FTPHandler
from pyftpdlib.servers import ThreadedFTPServer


@dataclasses.dataclass
class HttpMirror:
    """A folder served over HTTP; ``fault`` may break a response."""

    url: str
    folder: Path
    requests: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    # Called with (method, path, number of requests for this path): returns "503", "drop", "truncate" or "".
    fault: Callable[[str, str, int], str] = lambda method, path, times: ""
    page: str = ""  # replaces the generated index page
    lengths: dict[str, int] = dataclasses.field(default_factory=dict)  # path → Content-Length of responses to HEAD


@dataclasses.dataclass
class FtpMirror:
    """A folder served over FTP."""

    url: str
    folder: Path
    logins: list[str] = dataclasses.field(default_factory=list)
    # Called with the path of a file that is asked for; what it returns is the number of bytes after which the
    # connection breaks, or None.
    fault: Callable[[str], int | None] = lambda path: None


@pytest.fixture
def http_mirror(tmp_path: Path) -> Iterator[HttpMirror]:
    """An empty folder served over HTTP; add files to ``folder``."""
    folder = tmp_path / "http"
    folder.mkdir()
    mirror = HttpMirror("", folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            path = unquote(self.path).strip("/")
            mirror.requests.append((self.command, path))
            times = sum(1 for method, p in mirror.requests if (method, p) == (self.command, path))
            fault = mirror.fault(self.command, path, times)
            if fault == "503":
                self.send_response(503)
                self.send_header("Retry-After", "0")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return None
            target = mirror.folder / path
            if target.is_dir():
                return self._listing(target, body=body)
            if not target.is_file():
                self.send_error(404)
                return None
            return self._file(target, fault, body=body)

        def _listing(self, target: Path, *, body: bool) -> None:
            rows = "".join(
                f'<a href="{p.name}{"/" if p.is_dir() else ""}">{p.name}</a>  2026-08-15 10:00  {p.stat().st_size}\n'
                for p in sorted(target.iterdir())
            )
            own = f'<html><pre><a href="../">Parent Directory</a>\n{rows}</pre></html>'
            page = (mirror.page or own).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            if body:
                self.wfile.write(page)

        def _file(self, target: Path, fault: str, *, body: bool) -> None:
            content = target.read_bytes()
            etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
            start = 0
            wanted = self.headers.get("Range")
            if wanted and self.headers.get("If-Range", etag) == etag:
                start = int(wanted.removeprefix("bytes=").split("-")[0])
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            self.send_header("ETag", etag)
            length = mirror.lengths.get(str(target.relative_to(mirror.folder)), len(content) - start)
            self.send_header("Content-Length", str(len(content) - start if body else length))
            self.end_headers()
            if not body:
                return
            piece = content[start:]
            if fault in {"drop", "truncate"}:
                self.wfile.write(piece[: max(1, len(piece) // 2)])
                self.wfile.flush()
                self.close_connection = True
                self.connection.close()
                return
            self.wfile.write(piece)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    mirror.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield mirror
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def ftp_mirror(tmp_path: Path) -> Iterator[FtpMirror]:
    """An empty folder served over FTP; add files to ``folder``."""
    folder = tmp_path / "ftp"
    folder.mkdir()
    mirror = FtpMirror("", folder)

    class Transfer(DTPHandler):
        left: int | None = None

        def send(self, data: bytes) -> int:
            if self.left is None:
                return super().send(data)
            piece = data[: self.left]
            sent = super().send(piece) if piece else 0
            self.left -= sent
            if self.left <= 0:
                self.left = None
                self.close()
                self.cmd_channel.close()
            return sent

    class Handler(FTPHandler):
        dtp_handler = Transfer
        use_sendfile = False

        def ftp_RETR(self, file: str) -> object:  # noqa: N802 - pyftpdlib's name
            self.break_after = mirror.fault(file)
            return super().ftp_RETR(file)

        def _on_dtp_connection(self) -> None:
            if self.data_channel is not None:
                self.data_channel.left = getattr(self, "break_after", None)
            self.break_after = None
            super()._on_dtp_connection()

        def on_login(self, username: str) -> None:
            mirror.logins.append(username)

    with serving_ftp(folder, Handler) as mirror.url:
        yield mirror


@contextlib.contextmanager
def serving_ftp(folder: Path, handler: type[FTPHandler]) -> Iterator[str]:
    """Serve a folder to anonymous users during the block; gives the URL."""
    authorizer = DummyAuthorizer()
    authorizer.add_anonymous(str(folder))
    handler.authorizer = authorizer
    server = ThreadedFTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"timeout": 0.05, "handle_exit": False}, daemon=True)
    thread.start()
    yield f"ftp://127.0.0.1:{server.socket.getsockname()[1]}"
    server.close_all()
    thread.join(5)
