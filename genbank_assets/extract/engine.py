"""Runs a format on stretches in parallel, with results in order and memory bounded by queues.

Stretches run in threads, because the expensive work is native and releases the GIL. A thread that is ahead waits until
its blocks are consumed. Producing blocks belongs to ``formats``, writing them to ``output``.
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

BLOCKS_AHEAD = 3  # per stretch; a block has a few MiB


@dataclasses.dataclass(frozen=True)
class Done:
    """Marks the end of a stretch.

    Attributes:
        stretch: the stretch that is finished.
        counts: numbers of excluded records by reason.
    """

    stretch: Stretch
    counts: Counter[str]


def run_stretches(
    stretches: Iterable[Stretch], *, format_: Format, conditions: Sequence[Condition], workers: int
) -> Iterator[Block | Done]:
    """Yield the blocks of all stretches in order, each stretch followed by a :class:`Done`.

    An error in a stretch is raised at its position; closing the iterator stops the threads.
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
    """Put an item; return False once the consumer has stopped."""

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
