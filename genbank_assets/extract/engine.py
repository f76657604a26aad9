"""Runs a format over stretches: several at a time, results in order, memory bounded by the queues between.

Stretches run in threads: what costs is native and leaves Python alone. A thread that is far ahead waits until its
blocks are taken. What blocks are belongs to ``formats``, where they go to ``output``.
"""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from genbank_assets.extract.conditions import Condition
from genbank_assets.extract.formats import Block, Format
from genbank_assets.extract.scan import Scan, Stretch

BLOCKS_AHEAD = 3  # of one stretch; each has a few MiB


@dataclasses.dataclass(frozen=True)
class Done:
    """The end of a stretch: what was left out of it, by reason.

    Attributes:
        stretch: the stretch that is finished.
        counts: records left out, by reason.
    """

    stretch: Stretch
    counts: Counter[str]


def run_stretches(
    stretches: Iterable[Stretch], *, format_: Format, conditions: Sequence[Condition], workers: int
) -> Iterator[Block | Done]:
    """Yield the blocks of all stretches in order, each stretch followed by its :class:`Done`.

    An error in a stretch is raised when its turn comes; whoever stops reading stops the threads.
    """
    stop = threading.Event()
    waiting: deque[queue.Queue[Block | Done | BaseException]] = deque()
    left = iter(stretches)
    with ThreadPoolExecutor(workers, thread_name_prefix="extract") as pool:
        try:
            while True:
                while len(waiting) <= workers and (stretch := next(left, None)) is not None:
                    blocks: queue.Queue[Block | Done | BaseException] = queue.Queue(BLOCKS_AHEAD)
                    waiting.append(blocks)
                    pool.submit(_run, stretch, format_, conditions, _put_or_stop(blocks, stop))
                if not waiting:
                    return
                current = waiting.popleft()
                while not isinstance(item := current.get(), Done):
                    if isinstance(item, BaseException):
                        raise item
                    yield item
                yield item
        finally:
            stop.set()


def _put_or_stop(blocks: queue.Queue[Block | Done | BaseException], stop: threading.Event) -> Callable[[object], bool]:
    """Puts an item; False once nobody takes them any more."""

    def put(item: object) -> bool:
        while not stop.is_set():
            try:
                blocks.put(item, timeout=0.2)  # type: ignore[arg-type]
            except queue.Full:
                continue
            return True
        return False

    return put


def _run(stretch: Stretch, format_: Format, conditions: Sequence[Condition], put: Callable[[object], bool]) -> None:
    scan = Scan(stretch, conditions)
    try:
        for block in format_.blocks(scan):
            if not put(block):
                return
        put(Done(stretch, scan.counts))
    except BaseException as error:
        put(error)
    finally:
        scan.close()
