"""The account that the embedded server runs under, and programs run as that account.

PostgreSQL refuses to run as root; as root its programs run under ``postgres`` or ``nobody``. Which files that account
needs belongs to ``cluster_paths`` and ``programs``.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence

from genbank_assets.errors import DatabaseError

CANNOT_EXECUTE = 126  # a shell's exit code for a program that is there and may not be run


def server_account() -> pwd.struct_passwd | None:
    """Return the account the server runs under; None means our own.

    Raises:
        DatabaseError: we are root, and there is no other account to run it under.
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
    command: list[str], account: pwd.struct_passwd | None, *, keep: Sequence[int] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a program under the account, without PG* variables of ours.

    ``keep`` are open files that the program, and what it starts, have as well.

    A program that the account cannot reach or start gives the exit code 126, as a shell has it, and raises nothing.
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
            cwd="/",
            pass_fds=keep,
            env=environment,
            start_new_session=True,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )
    except OSError as error:  # PermissionError below a closed folder; FileNotFoundError without the program's loader
        return subprocess.CompletedProcess(command, CANNOT_EXECUTE, "", f"{command[0]}: {error.strerror}")
