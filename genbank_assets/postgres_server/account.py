"""The account of the embedded server, and running programs as that account.

PostgreSQL refuses to run as root; if this process is root, its programs run as ``postgres`` or ``nobody``. The files
that account needs belong to ``cluster_paths`` and ``programs``.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from pathlib import Path

from genbank_assets.errors import DatabaseError

CANNOT_EXECUTE = 126  # exit code of a shell for a program that cannot be executed


def server_account() -> pwd.struct_passwd | None:
    """Return the account of the server; None means the current user.

    Raises:
        DatabaseError: the current user is root, and there is no other account to use.
    """
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise DatabaseError("PostgreSQL does not run as root, and there is no account postgres or nobody to run it under")


def run_as(
    command: list[str], account: pwd.struct_passwd | None, *, keep: Sequence[int] = (), folder: Path = Path("/")
) -> subprocess.CompletedProcess[str]:
    """Run a program as an account in a folder, without the PG* environment variables of this process.

    If the account cannot access or start the program, the exit code is 126, as in a shell; nothing is raised.

    Args:
        command: program and arguments.
        account: the account; None for the current user.
        keep: open files inherited by the program and its children.
        folder: its working directory.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    environment |= {"LC_ALL": "C", "TZ": "UTC"}
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd=folder,
            pass_fds=keep,
            env=environment,
            start_new_session=True,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )
    except OSError as error:  # no access to the folder, or a missing ELF loader
        return subprocess.CompletedProcess(command, CANNOT_EXECUTE, "", f"{command[0]}: {error.strerror}")
