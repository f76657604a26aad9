"""What becomes of a server whose store was deleted: it is stopped, and data outside of the store are removed.

While a server runs, a small process of its own (``python -m genbank_assets.postgres_server.leftovers``) looks at the
store's file every two seconds. Data of a server that was down when its store was deleted are swept when the next server
starts. A store that merely is not there (its disk is not mounted, it was moved) is not taken for deleted: the file must
have lost its name in the store, not only its path.
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
    """Start the process that looks after the store of a running server, unless it is there; with the home locked."""
    with (paths.home / _LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        arguments = [file.fileno(), paths.store_file, paths.home, paths.data, paths.socket_folder]
        subprocess.run(
            # The shell leaves it to itself; the lock is handed over, so that it is held at every moment.
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
    """Remove data outside of any store whose store was deleted while their server was down.

    Only where the folder and the store's file are in one file system can a deleted store be distinguished from one that
    is elsewhere now; other folders stay.
    """
    for base in FALLBACKS:
        for folder in base.glob(f"{PREFIX}*"):
            twin = folder / TWIN
            with contextlib.suppress(OSError):  # somebody else's, or swept at the same time
                ours = not folder.is_symlink() and folder.stat().st_uid == os.geteuid() and (folder / OWNER).is_file()
                if ours and twin.stat().st_nlink == 1 and not processes_in(folder / "data"):
                    shutil.rmtree(folder)


class StoreFile:
    """The file in the store whose end is the store's end."""

    def __init__(self, path: Path, *, twin: Path) -> None:
        self._path = path
        self._twin = twin
        # Open, it can still be asked when it has no name any more. Where a second name serves, no disk is kept busy.
        self._descriptor = None if twin.exists() and twin.samefile(path) else os.open(path, os.O_RDONLY)
        found = path.stat()
        self._identity = (found.st_dev, found.st_ino)

    def is_deleted(self) -> bool:
        """Return whether the file has no name in any store: not just not under its old path."""
        with contextlib.suppress(OSError):
            found = self._path.stat()
            if (found.st_dev, found.st_ino) == self._identity:
                return False
        try:
            if self._descriptor is not None:
                return os.fstat(self._descriptor).st_nlink == 0
            return self._twin.stat().st_nlink == 1
        except OSError:  # a file server that is away says nothing about the file
            return False


def watch(store_file: Path, home: Path, data: Path, socket_folder: Path, *, watcher_lock: int) -> None:
    """Look until the server ends or the store is deleted; then stop the one and remove what is left of the other."""
    file = StoreFile(store_file, twin=home / TWIN)
    is_outside = store_file.parent != home
    postmaster = postmaster_of(data)
    with (home / "lock").open("a") as home_lock:
        while True:
            time.sleep(POLL_SECONDS)
            if file.is_deleted():
                _end(postmaster, data)
                if is_outside:
                    shutil.rmtree(home, ignore_errors=True)
                if is_outside or not store_file.exists():  # else a new store has the old one's path, and its socket
                    shutil.rmtree(socket_folder, ignore_errors=True)
                return
            if not processes_in(data):
                # Under the lock nobody starts a server: one that comes later finds that there is no watcher.
                fcntl.flock(home_lock, fcntl.LOCK_EX)
                if not processes_in(data):
                    os.close(watcher_lock)
                    return
                fcntl.flock(home_lock, fcntl.LOCK_UN)
            postmaster = postmaster_of(data) or postmaster


def _end(postmaster: int | None, data: Path) -> None:
    """End, at once, the server of data that nobody will read again; its children end with it."""
    begun = time.monotonic()
    while postmaster is not None and postmaster in processes_in(data):
        with contextlib.suppress(ProcessLookupError):
            os.kill(
                postmaster, signal.SIGQUIT if time.monotonic() - begun < SHUTDOWN_TIMEOUT_SECONDS else signal.SIGKILL
            )
        time.sleep(0.2)


if __name__ == "__main__":
    watch(*map(Path, sys.argv[2:]), watcher_lock=int(sys.argv[1]))
