"""Reads the residues of selected records from a sequence table, one relevant row group at a time.

If a record lies within one row group, its residues are a slice of that group's buffer; longer records are read in
pieces, and ranges of them through a cache of a few row groups. Memory does not depend on the length of a record.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from genbank_assets.errors import IntegrityError
from genbank_assets.tables.residue_text import complemented

Ints = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
MAX_CACHED_GROUPS = 6
_COLUMNS = ["record_ordinal", "chunk_ordinal", "residues"]


@dataclasses.dataclass(frozen=True)
class Chunks:
    """The chunks of selected records in one row group.

    Attributes:
        text: buffer of the group's residues.
        ordinal: record of each chunk, (chunks,).
        start: start of each chunk in the buffer, (chunks,).
        end: end of each chunk in the buffer, (chunks,).
        is_first: whether it is the first chunk of its record, (chunks,).
    """

    text: Any
    ordinal: Ints
    start: Ints
    end: Ints
    is_first: Flags


class ResidueReader:
    """Reads the sequence table of one flat file."""

    def __init__(self, path: Path, *, open_table: Callable[[Path], pq.ParquetFile] = pq.ParquetFile) -> None:
        try:
            self._file = open_table(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise IntegrityError(f"{path} cannot be read ({error}); materialize its division again") from error
        footer = self._file.metadata
        at = footer.schema.names.index("record_ordinal")
        bounds = [footer.row_group(group).column(at).statistics for group in range(footer.num_row_groups)]
        self._first = np.array([bound.min for bound in bounds], np.int64)
        self._last = np.array([bound.max for bound in bounds], np.int64)
        self._cache: OrderedDict[int, Chunks] = OrderedDict()
        self._places: dict[int, list[tuple[int, int, int]]] = {}

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def groups_of(self, ordinals: Ints) -> Ints:
        """Return the row groups that may contain residues of these records (ascending), in order."""
        if not len(ordinals) or not len(self._first):
            return np.zeros(0, np.int64)
        at = np.minimum(np.searchsorted(ordinals, self._first), len(ordinals) - 1)
        return np.flatnonzero((ordinals[at] >= self._first) & (ordinals[at] <= self._last))

    def chunks(self, ordinals: Ints) -> Iterator[Chunks]:
        """Yield the chunks of these records (ascending), row group by row group."""
        for group in self.groups_of(ordinals):
            found = self._read(int(group))
            at = np.minimum(np.searchsorted(ordinals, found.ordinal), len(ordinals) - 1)
            wanted = ordinals[at] == found.ordinal
            if wanted.any():
                yield _filtered(found, wanted)

    def _read(self, group: int) -> Chunks:
        try:
            table = self._file.read_row_group(group, columns=_COLUMNS, use_threads=False)
        except (OSError, pa.ArrowInvalid) as error:
            raise IntegrityError(f"a table of sequences cannot be read ({error}); materialize it again") from error
        column = table.column("residues").combine_chunks()
        column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        width = np.int64 if pa.types.is_large_string(column.type) else np.int32
        offsets = np.frombuffer(column.buffers()[1], width)[column.offset : column.offset + len(column) + 1]
        bounds = offsets.astype(np.int64)
        return Chunks(
            text=column.buffers()[2] or b"",
            ordinal=table.column("record_ordinal").to_numpy(),
            start=bounds[:-1],
            end=bounds[1:],
            is_first=table.column("chunk_ordinal").to_numpy() == 0,
        )

    # ---- ranges of long records -------------------------------------------------------------------------------------

    def _cached(self, group: int) -> Chunks:
        if group not in self._cache:
            self._cache[group] = self._read(group)
            while len(self._cache) > MAX_CACHED_GROUPS:
                self._cache.popitem(last=False)
        self._cache.move_to_end(group)
        return self._cache[group]

    def _groups_with_bounds(self, ordinal: int) -> list[tuple[int, int, int]]:
        """Return (row group, preceding residues, contained residues) for a record; cached."""
        if ordinal not in self._places:
            self._places = {}  # callers process one record after another
            found, before = [], 0
            for group in self.groups_of(np.array([ordinal], np.int64)):
                chunks = self._cached(int(group))
                mine = chunks.ordinal == ordinal
                size = int((chunks.end[mine] - chunks.start[mine]).sum())
                found.append((int(group), before, size))
                before += size
            self._places[ordinal] = found
        return self._places[ordinal]

    def part(self, ordinal: int, *, start: int, end: int, reverse: bool) -> Iterator[bytes]:
        """Yield residues ``start`` to ``end`` (1-based, inclusive) of a record in pieces, complemented if ``reverse``.

        Raises:
            IntegrityError: the table has fewer residues.
        """
        bounds = [
            bound for bound in self._groups_with_bounds(ordinal) if bound[1] < end and bound[1] + bound[2] >= start
        ]
        got = 0
        for group, before, size in reversed(bounds) if reverse else bounds:
            chunks = self._cached(group)
            mine = np.flatnonzero(chunks.ordinal == ordinal)
            text = memoryview(chunks.text)[int(chunks.start[mine[0]]) : int(chunks.end[mine[-1]])]
            piece = text[max(0, start - 1 - before) : min(size, end - before)]
            got += len(piece)
            yield complemented(piece) if reverse else bytes(piece)
        if got != end - start + 1:
            raise IntegrityError(f"the residues {start}..{end} of record {ordinal} are not all in its table")


def _filtered(chunks: Chunks, wanted: Flags) -> Chunks:
    if wanted.all():
        return chunks
    return Chunks(
        chunks.text, chunks.ordinal[wanted], chunks.start[wanted], chunks.end[wanted], chunks.is_first[wanted]
    )
