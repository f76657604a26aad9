"""Network namespaces: one with a bridge, and one per host connected to it.

This machine's own network is not touched; everything disappears with the processes that hold it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_CLONE_NEWNET = 0x40000000


class Network:
    """A bridge with the address 10.213.0.1, and the hosts connected to it."""

    address = "10.213.0.1"

    def __init__(self) -> None:
        self._holders: list[subprocess.Popen[bytes]] = []
        self._hub = self._namespace()
        for command in (
            "link set lo up",
            "link add br0 type bridge",
            f"addr add {self.address}/16 dev br0",
            "link set br0 up",
        ):
            self._ip(self._hub, command)

    def host(self) -> tuple[str, list[str]]:
        """Add a host; return its address, and the command prefix that runs a program on it."""
        number, pid = len(self._holders) + 1, self._namespace()
        self._ip(self._hub, f"link add v{number} type veth peer name w{number}")
        self._ip(self._hub, f"link set v{number} master br0 up")
        self._ip(self._hub, f"link set w{number} netns {pid}")
        address = f"10.213.0.{number}"
        for command in ("link set lo up", f"addr add {address}/16 dev w{number}", f"link set w{number} up"):
            self._ip(pid, command)
        return address, _on(pid)

    @property
    def hub(self) -> list[str]:
        """Command prefix that runs a program where the bridge is."""
        return _on(self._hub)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Move this thread, and threads it starts, to the bridge's namespace."""
        with Path("/proc/self/ns/net").open() as before, Path(f"/proc/{self._hub}/ns/net").open() as there:
            _setns(there.fileno())
            try:
                yield
            finally:
                _setns(before.fileno())

    def close(self) -> None:
        """End the processes that hold the namespaces."""
        for holder in self._holders:
            holder.kill()
            holder.wait()

    def _namespace(self) -> int:
        holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self._holders.append(holder)
        ours, theirs = Path("/proc/self/ns/net").readlink(), Path(f"/proc/{holder.pid}/ns/net")
        deadline = time.monotonic() + 10
        while theirs.readlink() == ours:
            if time.monotonic() > deadline:
                raise AssertionError("no network namespace came")
            time.sleep(0.01)
        return holder.pid

    @staticmethod
    def _ip(pid: int, command: str) -> None:
        subprocess.run([*_on(pid), "ip", *command.split()], check=True, capture_output=True)


def _on(pid: int) -> list[str]:
    return ["nsenter", f"--net=/proc/{pid}/ns/net", "--"]


def _setns(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def why_no_networks() -> str:
    """Return why network namespaces are not available; "" if they are."""
    if missing := [program for program in ("unshare", "nsenter", "ip") if shutil.which(program) is None]:
        return f"{', '.join(missing)} is not installed"
    probe = ["unshare", "--net", "ip", "link", "add", "br0", "type", "bridge"]
    if os.geteuid() != 0 or subprocess.run(probe, capture_output=True).returncode != 0:
        return "this machine lets nobody make network namespaces with bridges, or not this user"
    return ""
