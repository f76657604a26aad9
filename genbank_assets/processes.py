"""Identifies processes across the hosts that share a store, and checks whether a local process is still running.

A process id is meaningless on another host, in another container of the same host, or after a reboot. Cleaning up
after dead processes belongs to the callers.
"""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path


def process_space() -> str:
    """Return the boot id and PID namespace within which process ids are comparable; "" if not on Linux."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:  # not Linux
        return ""


def space_digest() -> str:
    """Return eight hex digits of the host name and :func:`process_space`, for use in file names."""
    return hashlib.sha256(f"{platform.node()}/{process_space()}".encode()).hexdigest()[:8]


def started(pid: int) -> str:
    """Return the start time of a process in clock ticks since boot; "" if there is none, or only a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def is_running(pid: int) -> bool:
    """Return whether a process with this id exists in this PID namespace."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
