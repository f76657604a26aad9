"""Ends a worker when its parent process has ended for any reason, including SIGKILL and out of memory.

A worker that outlived its parent would continue to write without the lock its parent held. Independent of what workers
do, as long as ``multiprocessing`` started them.
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
    """Arrange that this worker ends with its parent; call it before the first task. Returns immediately.

    On Linux the kernel kills the worker when the thread that started it ends. On all platforms, a thread also waits for
    the end of the parent.

    Args:
        by_kernel: whether to ask the kernel, where supported.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return  # not a worker
    if by_kernel and sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if not parent.is_alive():  # it ended before the watch began
        _die()

    def watch() -> None:
        parent.join()
        _die()

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


@contextlib.contextmanager
def without_terminal_signals() -> Iterator[None]:
    """Shield processes started in the block from the terminal's Ctrl-C and hang-up: their parent ends them.

    They inherit the calling thread's signal mask from the start. Signals received meanwhile are delivered after the
    block.
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
