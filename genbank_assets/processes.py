"""Which process this is, among those of all hosts that share a store, and whether another of this host has ended.

A process id means nothing on another host, in another container of this host, or after a restart. What a process may
do, and what becomes of what it left, belongs to the callers.
"""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path


def process_space() -> str:
    """What processes share that see each other by number: a boot of a machine and a process namespace; "" elsewhere."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:  # no Linux
        return ""


def space_digest() -> str:
    """Eight hex digits for names of files, of this host's name and :func:`process_space`."""
    return hashlib.sha256(f"{platform.node()}/{process_space()}".encode()).hexdigest()[:8]


def started(pid: int) -> str:
    """When a process began, in clock ticks since the boot; "" where there is none, or none that can still act."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def is_running(pid: int) -> bool:
    """Return whether a process of that number is there, in this process's space."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
