"""Writing files so that readers see all of them or none, and what a file system refuses in a sentence.

A file is written under a hidden name of this process alone, brought to the disk, and renamed. Where files lie belongs
to ``store``.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import os
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from genbank_assets.errors import StoreError
from genbank_assets.processes import is_running, space_digest

DAY_SECONDS = 86_400


def write_atomically(path: Path, content: bytes) -> None:
    """Write a small file by temporary name, fsync and rename; readers see all of it or the old one.

    Raises:
        StoreError: the file system refuses.
    """
    with temporary_beside(path) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that becomes ``path`` when the block ends well.

    The temporary file is removed when the block raises. Its name is of this host and process alone. Left-overs of
    killed processes have names that start with a dot and end in ``.tmp``; nothing reads them.

    Raises:
        StoreError: the file system refuses.
    """
    temporary = path.with_name(hidden_name(path.name, suffix=".tmp"))
    with store_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
        finally:
            with contextlib.suppress(OSError):  # what went wrong before says more
                temporary.unlink(missing_ok=True)


def hidden_name(name: str, *, suffix: str) -> str:
    """Return a name that no other process of any host that shares the store uses, and no reader looks at."""
    return f".{name}.{socket.gethostname()}-{space_digest()}-{os.getpid()}-{secrets.token_hex(4)}{suffix}"


def sweep_temporaries(folder: Path, *, name: str | None = None) -> None:
    """Delete half-written files of processes that are gone; another host's, or container's, when they are a day old.

    Args:
        folder: where they lie.
        name: only those that were to become a file of this name, in a folder that others use too.
    """
    pattern = ".*.tmp" if name is None else f".{glob.escape(name)}.*-*-*-????????.tmp"
    for path in folder.glob(pattern):
        host, _, pid = path.name.removesuffix(".tmp").rpartition("-")[0].rpartition("-")
        is_here = host.endswith(f".{socket.gethostname()}-{space_digest()}") and pid.isdigit()
        with contextlib.suppress(OSError):
            if (is_here and not is_running(int(pid))) or time.time() - path.stat().st_mtime > DAY_SECONDS:
                path.unlink()


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk, so that a rename outlives a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some network file systems cannot
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def store_errors(path: Path, *, what: str = "the store cannot go on at") -> Iterator[None]:
    """Say in a sentence what a file system refused, and where.

    Raises:
        StoreError: instead of an OSError that is of a disk, not of a network.
    """
    try:
        yield
    except OSError as error:
        reason = _REFUSALS.get(error.errno or 0)
        if reason is None:
            raise
        raise StoreError(f"{what} {error.filename or path}: {reason}") from error


_REFUSALS = {
    errno.ENOSPC: "the disk is full; make room and run it again",
    errno.EDQUOT: "the disk quota is used up; make room and run it again",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "this user may not write there",
    errno.EPERM: "this user may not write there",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EEXIST: "a part of the path is a file, not a folder",
    errno.EIO: "the disk failed (input/output error)",
    errno.ENAMETOOLONG: "the name is too long for the file system",
}


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
