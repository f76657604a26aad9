"""Atomic, durable file writes, and readable errors for what the file system refuses.

A file is written under a hidden name unique to this process, fsynced, and renamed. The store's layout belongs to
``store``.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import os
import secrets
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from genbank_assets.errors import StoreError
from genbank_assets.processes import is_running, space_digest

DAY_SECONDS = 86_400


def write_atomically(path: Path, content: bytes) -> None:
    """Write a small file via temporary name, fsync and rename; readers see either the old or the new content.

    Raises:
        StoreError: the file system refuses the write.
    """
    with temporary_beside(path) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``, and rename it to ``path`` when the block succeeds.

    The temporary file is removed when the block raises. Its name is unique to this host and process. Leftovers of
    killed processes start with a dot and end in ``.tmp``; no reader looks at them.

    Raises:
        StoreError: the file system refuses the write, or the path is a device or a pipe.
    """
    if is_special(path) and path.exists():
        raise StoreError(f"cannot write {path}: it is a device or a pipe, and would be replaced; name a file")
    temporary = path.with_name(hidden_name(path.name, suffix=".tmp"))
    with store_errors(path, what="cannot write"):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
        finally:
            with contextlib.suppress(OSError):  # must not mask the original error
                temporary.unlink(missing_ok=True)


def is_special(path: Path) -> bool:
    """Return whether a path is a device, pipe, socket or open file (``/dev/stdout``), which is written in place.

    Renaming a file to such a name would replace it: ``/dev/null`` for the whole machine.
    """
    if path.parent.resolve().is_relative_to("/proc"):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    in_devices = path.absolute().parent == Path("/dev")  # /dev/stdout may lead to an ordinary file
    return not stat.S_ISDIR(mode) and (in_devices or not stat.S_ISREG(mode))


def hidden_name(name: str, *, suffix: str) -> str:
    """Return a hidden file name that is unique among all processes on all hosts sharing the store."""
    return f".{name}.{socket.gethostname()}-{space_digest()}-{os.getpid()}-{secrets.token_hex(4)}{suffix}"


def sweep_temporaries(folder: Path, *, name: str | None = None) -> None:
    """Delete partially written files of dead processes; those of other hosts or containers once they are a day old.

    Args:
        folder: the folder to clean.
        name: restricts deletion to temporaries of this file name, for folders that other code shares.
    """
    pattern = ".*.tmp" if name is None else f".{glob.escape(name)}.*-*-*-????????.tmp"
    for path in folder.glob(pattern):
        host, _, pid = path.name.removesuffix(".tmp").rpartition("-")[0].rpartition("-")
        is_here = host.endswith(f".{socket.gethostname()}-{space_digest()}") and pid.isdigit()
        with contextlib.suppress(OSError):
            if (is_here and not is_running(int(pid))) or time.time() - path.stat().st_mtime > DAY_SECONDS:
                path.unlink()


def sync_folder(folder: Path) -> None:
    """Fsync a folder, so that renames in it survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # unsupported on some network file systems
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def store_errors(path: Path, *, what: str = "the store cannot continue at") -> Iterator[None]:
    """Translate file-system errors into a sentence naming the path and the reason.

    Raises:
        StoreError: in place of an OSError with a disk-related errno; other errors propagate unchanged.
    """
    try:
        yield
    except OSError as error:
        reason = _REFUSALS.get(error.errno or 0)
        if reason is None:
            raise
        raise StoreError(f"{what} {error.filename2 or error.filename or path}: {reason}") from error


_REFUSALS = {
    errno.ENOSPC: "the disk is full; make room and run it again",
    errno.EDQUOT: "the disk quota is used up; make room and run it again",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "this user may not write there",
    errno.EPERM: "this user may not write there",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EEXIST: "a part of the path is a file, not a folder",
    errno.EISDIR: "it is a folder",
    errno.EIO: "the disk failed (input/output error)",
    errno.ENAMETOOLONG: "the name is too long for the file system",
}


def file_sha256(path: Path) -> str:
    """Return the hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
