"""Cleans up after deleted stores: stops the server and removes data outside of the store.

While a server runs, a small watcher process (``python -m genbank_assets.postgres_server.leftovers``) checks the store's
file every two seconds. If the server was down when the store was deleted, its data are removed when the next server
starts. A store that is merely unavailable (unmounted or moved) does not count as deleted: the file must have no links
left in the store, rather than a missing path.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from genbank_assets.postgres_server.cluster_paths import (
    FALLBACKS,
    OWNER,
    PREFIX,
    TWIN,
    ClusterPaths,
    postmaster_of,
    processes_in,
)

POLL_SECONDS = 2.0
SHUTDOWN_TIMEOUT_SECONDS = 10.0
_LOCK = "watcher.lock"


def ensure_watcher(paths: ClusterPaths) -> None:
    """Start the watcher of a running server unless there is one; the caller holds the lock on the home."""
    with (paths.home / _LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        arguments = [file.fileno(), paths.store_file, paths.home, paths.data, paths.socket_folder]
        subprocess.run(
            # The shell detaches the watcher; it inherits the lock, which is therefore held without interruption.
            ["/bin/sh", "-c", '"$@" &', "sh", sys.executable, "-m", __spec__.name, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[file.fileno()],
            start_new_session=True,
            cwd="/",
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            check=False,
        )


def sweep_leftovers() -> None:
    """Remove data outside of stores whose store was deleted while the server was down.

    Deleted and moved stores can only be distinguished if folder and store are on the same file system; other folders
    are kept.
    """
    for base in FALLBACKS:
        for folder in base.glob(f"{PREFIX}*"):
            twin = folder / TWIN
            with contextlib.suppress(OSError):  # belongs to another user, or is being removed by another process
                ours = not folder.is_symlink() and folder.stat().st_uid == os.geteuid() and (folder / OWNER).is_file()
                if ours and twin.stat().st_nlink == 1 and not processes_in(folder / "data"):
                    shutil.rmtree(folder)


class StoreFile:
    """The file whose deletion means that the store was deleted."""

    def __init__(self, path: Path, *, twin: Path) -> None:
        self._path = path
        self._twin = twin
        # An open file can still be examined after its deletion. With a hard link that is unnecessary.
        self._descriptor = None if twin.exists() and twin.samefile(path) else os.open(path, os.O_RDONLY)
        found = path.stat()
        self._identity = (found.st_dev, found.st_ino)

    def is_deleted(self) -> bool:
        """Return whether the file has no name left in any store, as opposed to having been moved."""
        with contextlib.suppress(OSError):
            found = self._path.stat()
            if (found.st_dev, found.st_ino) == self._identity:
                return False
        try:
            if self._descriptor is not None:
                return os.fstat(self._descriptor).st_nlink == 0
            return self._twin.stat().st_nlink == 1
        except OSError:  # an unavailable file server proves nothing
            return False


def watch(store_file: Path, home: Path, data: Path, socket_folder: Path, *, watcher_lock: int) -> None:
    """Wait until the server ends or the store is deleted; then stop the server or remove what is left."""
    file = StoreFile(store_file, twin=home / TWIN)
    is_outside = store_file.parent != home
    postmaster = postmaster_of(data)
    try:
        home_lock = (home / "lock").open("r+")  # not created: the folder may be in the middle of its removal
    except FileNotFoundError:
        return
    with home_lock:
        while True:
            time.sleep(POLL_SECONDS)
            if file.is_deleted():
                _end(postmaster, data)
                if is_outside:
                    shutil.rmtree(home, ignore_errors=True)
                if is_outside or not store_file.exists():  # otherwise a new store has this path and socket
                    shutil.rmtree(socket_folder, ignore_errors=True)
                return
            if not processes_in(data):
                # While the lock is held no server can start; a later one will find no watcher and start one.
                fcntl.flock(home_lock, fcntl.LOCK_EX)
                if not processes_in(data):
                    os.close(watcher_lock)
                    return
                fcntl.flock(home_lock, fcntl.LOCK_UN)
            postmaster = postmaster_of(data) or postmaster


def _end(postmaster: int | None, data: Path) -> None:
    """End the server of deleted data immediately; its children end with it."""
    begun = time.monotonic()
    while postmaster is not None and postmaster in processes_in(data):
        with contextlib.suppress(ProcessLookupError):
            os.kill(
                postmaster, signal.SIGQUIT if time.monotonic() - begun < SHUTDOWN_TIMEOUT_SECONDS else signal.SIGKILL
            )
        time.sleep(0.2)


if __name__ == "__main__":
    watch(*map(Path, sys.argv[2:]), watcher_lock=int(sys.argv[1]))
