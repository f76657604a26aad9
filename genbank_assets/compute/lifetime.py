"""Ends a worker when the process that started it has ended, however that happened: SIGKILL and OOM included.

A worker that outlived its parent would go on writing without the lock its parent held. Nothing here knows what workers
do or how they are started; it is enough that ``multiprocessing`` did it.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator

_PR_SET_PDEATHSIG = 1


def end_with_parent(*, by_kernel: bool = True) -> None:
    """To be called in a worker before its first task; returns at once.

    On Linux the kernel kills the worker when the thread that started it ends, whatever the worker is doing. Everywhere
    a thread waits for the end of the parent as well.

    Args:
        by_kernel: whether the kernel is asked, where it can be.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return  # not a worker
    if by_kernel and sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if not parent.is_alive():  # it ended before it could be watched
        _die()

    def watch() -> None:
        parent.join()
        _die()

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


@contextlib.contextmanager
def without_terminal_signals() -> Iterator[None]:
    """Processes that are started in the block never get the terminal's Ctrl-C or its end: their parent ends them.

    They inherit the calling thread's mask, from their first instruction on. What came meanwhile is delivered here after
    the block.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
