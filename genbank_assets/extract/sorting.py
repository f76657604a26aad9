"""Sorts entries by accession: they are written to scratch files by range of accessions, which are sorted one at a time.

The ranges come from the footers of the membership tables. While a range is sorted, memory holds the location of its
entries, but not their text.
"""

from __future__ import annotations

import bisect
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from genbank_assets.extract.formats import Block
from genbank_assets.extract.output import Output, WrittenFile
from genbank_assets.extract.plan import Plan

MAX_RANGES = 200
COPY_BYTES = 4 * 1024 * 1024


class SortedOutput(Output):
    """Passes entries to another output in order of accession; entries of the same record keep their order."""

    def __init__(self, output: Output, *, plan: Plan) -> None:
        self._output = output
        self._folder = Path(tempfile.mkdtemp(prefix="genbank-assets-"))
        self._splits = _splits(plan)
        self._files: dict[int, tuple[BinaryIO, BinaryIO]] = {}
        self._current: BinaryIO | None = None  # destination of the current entry

    def _range(self, number: int) -> tuple[BinaryIO, BinaryIO]:
        if number not in self._files:
            self._files[number] = (
                (self._folder / f"{number}.text").open("w+b"),
                (self._folder / f"{number}.index").open("w+b"),
            )
        return self._files[number]

    def write(self, block: Block) -> None:
        data, starts = memoryview(block.data), block.starts.tolist()
        if self._current is not None and (not starts or starts[0] > 0):
            self._current.write(data[: starts[0] if starts else len(data)])
        if not starts:
            return
        for name, start, end in zip(block.names.to_pylist(), starts, [*starts[1:], len(data)], strict=True):
            text, index = self._range(bisect.bisect_right(self._splits, name))
            index.write(f"{name}\t{text.tell()}\n".encode())
            text.write(data[start:end])
            self._current = text

    def finish(self) -> tuple[WrittenFile, ...]:
        for number in sorted(self._files):
            text, index = self._files.pop(number)
            with text, index:
                self._hand_over(text, index)
            for suffix in ("text", "index"):
                (self._folder / f"{number}.{suffix}").unlink()
        shutil.rmtree(self._folder, ignore_errors=True)
        return self._output.finish()

    def _hand_over(self, text: BinaryIO, index: BinaryIO) -> None:
        size = text.tell()
        index.seek(0)
        lines = [line.rstrip(b"\n").rpartition(b"\t") for line in index]
        offsets = [int(offset) for _, _, offset in lines]
        ends = [*offsets[1:], size]
        for entry in sorted(range(len(lines)), key=lambda n: (lines[n][0], n)):
            text.seek(offsets[entry])
            left, first = ends[entry] - offsets[entry], True
            while left:
                piece = text.read(min(left, COPY_BYTES))
                left -= len(piece)
                starts = np.zeros(1 if first else 0, np.int64)
                self._output.write(Block(piece, starts, None))
                first = False

    def abandon(self) -> None:
        for files in self._files.values():
            for file in files:
                file.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._output.abandon()


def _splits(plan: Plan) -> list[str]:
    """Return ascending accessions that separate the ranges."""
    firsts: set[str] = set()
    for one in {one.input.memberships: one.input for one in plan.files}.values():
        with one.tables.open(one.memberships) as file:
            footer = file.metadata
        for group in range(footer.num_row_groups):
            bounds = footer.row_group(group).column(0).statistics
            if bounds is not None and bounds.has_min_max:
                firsts.add(bounds.min)
    ordered = sorted(firsts)
    step = max(1, -(-len(ordered) // MAX_RANGES))
    return ordered[::step][1:]
