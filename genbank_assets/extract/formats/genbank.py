"""NCBI's original text: records cut from the raw files and verified against their digests.

A raw file is decompressed once, up to its last selected record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from genbank_assets.errors import IntegrityError
from genbank_assets.extract.formats.base import Block, Format
from genbank_assets.extract.scan import Scan
from genbank_assets.flatfile.inflate import inflated

_GATHERED_BYTES = 4 * 1024 * 1024
_COLUMNS = ("accession_version", "record_offset", "record_bytes", "record_sha256")


class Genbank(Format):
    """The text of records, from LOCUS to ``//``."""

    name = "genbank"
    suffix = "gb"
    whole_files = True

    def blocks(self, scan: Scan) -> Iterator[Block]:
        wanted = ((batch, row) for batch in scan.batches(_COLUMNS) for row in range(batch.num_rows))
        first = next(wanted, None)
        if first is None:
            return
        with scan.plan.input.tables.raw_file(scan.plan.file.name) as path:
            yield from _cut(inflated(path), first, wanted, file=path.name)


def _cut(
    pieces: Iterator[memoryview],
    first: tuple[pa.RecordBatch, int],
    rest: Iterator[tuple[pa.RecordBatch, int]],
    *,
    file: str,
) -> Iterator[Block]:
    """Yield the selected parts of a text; a long record takes several blocks."""
    gathered = _Gathered()
    record = _Record(*first)
    at = 0
    for piece in pieces:
        while record.offset < at + len(piece):
            low, high = max(record.offset, at) - at, min(record.end - at, len(piece))
            part = bytes(piece[low:high])
            gathered.add(part, name=record.name if record.offset >= at else None)
            record.hasher.update(part)
            if record.end > at + len(piece):
                break
            if record.hasher.digest() != record.sha256:
                raise IntegrityError(f"the text of {record.name} in {file} is not what was parsed")
            following = next(rest, None)
            if following is None:
                yield gathered.block()
                return
            record = _Record(*following)
        at += len(piece)
        if gathered.size > _GATHERED_BYTES:
            yield gathered.block()
            gathered = _Gathered()
    raise IntegrityError(f"{file} ends before the text of {record.name} does")


class _Record:
    def __init__(self, batch: pa.RecordBatch, row: int) -> None:
        name, offset, size, digest = (batch.column(column)[row].as_py() for column in _COLUMNS)
        self.name: str = name
        self.offset: int = offset
        self.end: int = offset + size
        self.sha256: bytes = digest
        self.hasher = hashlib.sha256()


class _Gathered:
    """Text collected for a block."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._starts: list[int] = []
        self._names: list[str] = []
        self.size = 0

    def add(self, part: bytes, *, name: str | None) -> None:
        if name is not None:
            self._starts.append(self.size)
            self._names.append(name)
        self._parts.append(part)
        self.size += len(part)

    def block(self) -> Block:
        return Block(b"".join(self._parts), np.array(self._starts, np.int64), pa.array(self._names, pa.string()))
