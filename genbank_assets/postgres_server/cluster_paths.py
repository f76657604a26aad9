"""Paths of an embedded server's files: data, log, locks, socket.

Everything is under ``STORE/postgres`` unless the server's account has no access there (such as a store below /root). In
that case the data have their own folder beside other servers' data, named in a file in the store. Starting the server
belongs to ``server``, cleaning up after deleted stores to ``leftovers``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pwd
import shutil
import tempfile
from pathlib import Path

from genbank_assets.errors import DatabaseError
from genbank_assets.postgres_server.account import run_as, server_account

MAX_SOCKET_PATH_BYTES = 90  # the kernel's limit is 107, including the socket's file name
POINTER = "elsewhere"  # file in STORE/postgres that names the data folder outside of the store
TWIN = "store-file"  # in that data folder: a hard link to the store's file, if on the same file system
OWNER = "store"  # in that data folder: the path of the store it belongs to
PREFIX = "genbank-assets-"
FALLBACKS = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108 -- owners are checked; /var/tmp may be swept
SOCKETS = Path("/tmp")  # noqa: S108 -- owners are checked


@dataclasses.dataclass(frozen=True)
class ClusterPaths:
    """Folders and account of a server.

    Attributes:
        store_file: a file in the store that exists as long as the store does.
        home: folder of everything except the socket.
        data: PostgreSQL's data folder, below ``home``.
        socket_folder: folder of the socket, below ``home`` or, for long or unusual paths, /tmp.
        account: account of the server; None for the current user.
    """

    store_file: Path
    home: Path
    data: Path
    socket_folder: Path
    account: pwd.struct_passwd | None

    def give(self, path: Path) -> None:
        """Make the server's account the owner of a file or folder."""
        if self.account is not None:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def data_version(self) -> str | None:
        """Return the PostgreSQL major version of the data; None if there are no data."""
        try:
            return (self.data / "PG_VERSION").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None


def make_paths(store: Path) -> ClusterPaths:
    """Return the paths of a store's server, creating folders but no data.

    Raises:
        DatabaseError: there is no suitable account, or a folder cannot be created or belongs to another user.
    """
    account = server_account()
    try:
        home = _home(store, account)
        socket_folder = _socket_folder(home, account)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise DatabaseError(f"the embedded PostgreSQL cannot store its files in {store}: {error}") from None
    return ClusterPaths(_store_file(store), home, home / "data", socket_folder, account)


def existing_paths(store: Path) -> ClusterPaths | None:
    """Return the paths of a store's server if it has data; otherwise None, creating nothing."""
    home = elsewhere(store) or store.resolve() / "postgres"
    return make_paths(store) if (home / "data" / "PG_VERSION").is_file() else None


def elsewhere(store: Path) -> Path | None:
    """Return the server's data folder outside of the store, if there is one and it belongs to this store."""
    pointer = store.resolve() / "postgres" / POINTER
    try:
        folder = Path(pointer.read_text(encoding="utf-8").strip())
        owner = Path((folder / OWNER).read_text(encoding="utf-8").strip())
    except (FileNotFoundError, NotADirectoryError):
        return None
    # A copied store must not share the server of the original.
    is_copy = owner != store.resolve() and (owner / "postgres" / POINTER).exists()
    return None if is_copy and not pointer.samefile(owner / "postgres" / POINTER) else folder


def processes_in(folder: Path) -> set[int]:
    """Return processes whose working directory is this folder, even if deleted; PostgreSQL's is its data folder."""
    names = {str(folder), f"{folder} (deleted)"}
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str((entry / "cwd").readlink()) in names:
                found.add(int(entry.name))
        except OSError:  # ended meanwhile, or belongs to another user
            continue
    return found


def postmaster_of(data: Path) -> int | None:
    """Return the process id in ``postmaster.pid``; None without such a file."""
    try:
        return abs(int((data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0]))
    except (OSError, ValueError):
        return None


def _store_file(store: Path) -> Path:
    folder = store.resolve() / "postgres"
    return folder / (POINTER if (folder / POINTER).exists() else "lock")


def _home(store: Path, account: pwd.struct_passwd | None) -> Path:
    """Return ``STORE/postgres``, or, if we are root and the account has no access, a folder beside other servers' data.

    A server keeps its location when permissions change, and a new store at the same path does not reuse the database of
    a previous one.
    """
    home = store.resolve() / "postgres"
    home.mkdir(parents=True, exist_ok=True)
    if account is None:
        return home
    home.chmod(0o711)
    if (found := elsewhere(store)) is not None:
        return _adopted(_own(found), home)
    if run_as(["/bin/sh", "-c", 'cd "$1"', "sh", str(home)], account).returncode == 0:
        return home
    if (home / "data").exists():
        raise DatabaseError(
            f"the account {account.pw_name} can no longer enter {home}: a folder above it was closed (chmod o+x)"
        )
    return _own(_make_elsewhere(home, account))


def _make_elsewhere(home: Path, account: pwd.struct_passwd) -> Path:
    base = next((folder for folder in FALLBACKS if os.access(folder, os.W_OK | os.X_OK)), None)
    if base is None:
        raise DatabaseError(f"the account {account.pw_name} cannot enter {home}; set GENBANK_ASSETS_STORE elsewhere")
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
    (folder / OWNER).write_text(f"{home.parent}\n", encoding="utf-8")
    temporary = home / f".{POINTER}.{os.getpid()}"
    temporary.write_text(f"{folder}\n", encoding="utf-8")
    try:
        os.link(temporary, home / POINTER)
    except FileExistsError:
        if (first := elsewhere(home.parent)) is not None:  # another process was faster
            shutil.rmtree(folder)
            return first
        temporary.replace(home / POINTER)  # replaces a pointer to a missing folder or to another store's
    finally:
        temporary.unlink(missing_ok=True)
    return _adopted(folder, home)


def _adopted(folder: Path, home: Path) -> Path:
    """Record the store as the folder's owner, by path and by a hard link that survives moving the store."""
    if (folder / OWNER).read_text(encoding="utf-8") != f"{home.parent}\n":
        (folder / OWNER).write_text(f"{home.parent}\n", encoding="utf-8")
    twin = folder / TWIN
    try:
        if not twin.exists() or not twin.samefile(home / POINTER):
            twin.unlink(missing_ok=True)
            twin.hardlink_to(home / POINTER)
    except OSError:  # different file system: rely on the path
        pass
    return folder


def _own(folder: Path) -> Path:
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise DatabaseError(f"{folder} belongs to another user; set GENBANK_ASSETS_STORE to another folder")
    folder.chmod(0o711)
    return folder


def _socket_folder(home: Path, account: pwd.struct_passwd | None) -> Path:
    """Return a folder for the socket that only the server's account can enter; under /tmp if the path is too long.

    Paths with quotes, commas or spaces also use /tmp, because PostgreSQL parses its socket folders as a list, and so do
    those with characters that a shell expands, because pg_ctl starts the server with one.
    """
    folder = home / "socket"
    if len(os.fsencode(folder)) > MAX_SOCKET_PATH_BYTES or set(str(folder)) & set("\"'\\, @$`"):
        digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
        folder = SOCKETS / f"{PREFIX}{os.geteuid()}-{digest}"
    owner = account.pw_uid if account else os.geteuid()
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid not in {owner, os.geteuid()}:
        raise DatabaseError(f"{folder} belongs to another user; set GENBANK_ASSETS_STORE to another folder")
    folder.chmod(0o700)
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    return folder
