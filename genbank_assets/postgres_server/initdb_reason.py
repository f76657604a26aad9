"""Extracts the cause of an initdb failure from its output. Running it belongs to ``server``."""

from __future__ import annotations

import re


def reason_of_initdb(said: str) -> str:
    """Return the line of the output that names the cause, with advice for common ones."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"FATAL|PANIC|error:", line)] or lines[-1:]
    reason = re.sub(r"^.*?(FATAL|PANIC|error): +", "", telling[0]) if telling else "initdb failed without a word"
    if "shared memory" in reason:
        reason += "; give the machine or container more of /dev/shm (docker run --shm-size=256m)"
    elif "does not exist" in reason and "user" in reason:
        reason += "; give the user an entry in /etc/passwd, or set GENBANK_ASSETS_POSTGRES_URL to a server of yours"
    return reason[:400]
