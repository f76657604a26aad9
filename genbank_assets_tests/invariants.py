"""Invariants of the scanner for any input, checked by the fuzzer and by tests.

Expected values are computed independently of the scanner (split, hashlib). The meaning of fields is not checked here,
but by the differential tests.
"""

from __future__ import annotations

import dataclasses
import hashlib
import zlib
from itertools import pairwise
from typing import Any

import pyarrow as pa

from genbank_assets.flatfile.scanner import LIMITS, Scanner

# Small, so that a few kilobytes give several chunks and batches; two sequence lines fill a chunk.
CHUNK_BYTES = 120
SIZES = {"chunk_bytes": CHUNK_BYTES, "sequence_batch_bytes": 300, "batch_bytes": 1000}
BUFFER_SIZES = (1, 2, 7, 61, 100, 333, 4096)
MARK = b"\xef\xbb\xbf"  # UTF-8 byte order mark, which may precede a line
FRAGMENT = "a LOCUS line without length inside a record"


@dataclasses.dataclass(frozen=True)
class Reading:
    """Everything one pass of the scanner returns."""

    batches: list[tuple[str, pa.RecordBatch]]
    totals: dict[str, Any]
    quarantine: list[tuple[int, int, int, int, str | None, str, bytes]]
    preamble: list[str]
    orphans: list[int]

    def column(self, name: str, *, table: str = "records") -> list[Any]:
        """Return the values of a column over all batches of a table."""
        return [value for kind, batch in self.batches if kind == table for value in batch.column(name).to_pylist()]


def read(data: bytes, *, buffer_bytes: int, abandon_at: int | None = None, **sizes: int) -> Reading:
    """Scan in buffers of ``buffer_bytes``; with ``abandon_at``, the stream breaks off there."""
    scanner = Scanner(source_file="case.seq", **(SIZES | sizes))
    batches = []
    upto = len(data) if abandon_at is None else abandon_at
    for start in range(0, upto, buffer_bytes):
        # Copy the slice, so that the sanitizer detects reads beyond the buffer.
        batches += scanner.feed(data[start : min(start + buffer_bytes, upto)])
    batches += scanner.finish() if abandon_at is None else scanner.abandon("broken off")
    return Reading(batches, scanner.totals, scanner.quarantine, scanner.preamble, scanner.orphans)


def check_all(data: bytes) -> None:
    """Check all buffer sizes, and streams broken off at several offsets."""
    whole = check_reading(data)
    for size in BUFFER_SIZES:
        check_same(whole, read(data, buffer_bytes=size), what=f"buffers of {size} bytes")
    for part in range(1, 8):
        check_broken_off(data, at=len(data) * part // 8)
    check_annotation_limit(data, buffer_bytes=50)


def check_some(data: bytes) -> None:
    """Check one buffer size and offset, chosen from the data itself so that failures are reproducible."""
    chance = zlib.crc32(data)
    size = BUFFER_SIZES[chance % len(BUFFER_SIZES)]
    check_same(check_reading(data), read(data, buffer_bytes=size), what=f"buffers of {size} bytes")
    if chance % 8 == 0:
        check_broken_off(data, at=chance // 8 % (len(data) + 1))
    elif chance % 8 == 1:
        check_annotation_limit(data, buffer_bytes=50)


def check_same(whole: Reading, pieces: Reading, *, what: str) -> None:
    """Check that the buffer size does not affect the result."""
    for name in ("totals", "quarantine", "preamble", "orphans"):
        ours, theirs = getattr(whole, name), getattr(pieces, name)
        assert theirs == ours, f"{what}: other {name}: {theirs} / {ours}"
    assert [kind for kind, _ in pieces.batches] == [kind for kind, _ in whole.batches], f"{what}: other batches"
    for (kind, ours), (_, theirs) in zip(whole.batches, pieces.batches, strict=True):
        assert ours.equals(theirs), f"{what}: other {kind}: {theirs.to_pylist()} / {ours.to_pylist()}"


def check_reading(data: bytes) -> Reading:
    """Check that every LOCUS line is accounted for, and that offsets and digests match the text."""
    reading = read(data, buffer_bytes=max(1, len(data)))
    for _, batch in reading.batches:
        batch.validate(full=True)
    totals = reading.totals
    end = line_end(data)
    lines = data.split(end)
    found = sum(len(line) <= LIMITS["line_bytes"] and line.removeprefix(MARK).startswith(b"LOCUS") for line in lines)
    assert totals["locus_lines"] == found, (totals, found)
    assert totals["records"] + totals["quarantined"] == found, totals
    assert totals["records"] == len(reading.column("record_offset")), totals
    assert totals["quarantined"] == len(reading.quarantine), totals
    assert totals["lines"] == len(lines) - (lines[-1] == b""), totals
    assert totals["text_bytes"] == len(data), totals
    check_blocks(data, reading)
    check_sequences(reading)
    return reading


def line_end(data: bytes) -> bytes:
    """Return the line end: a bare carriage return (old Macs) only if the file starts without a line feed."""
    head = data[: LIMITS["first_line_bytes"]]
    return b"\r" if b"\r" in head and b"\n" not in head else b"\n"


def check_blocks(data: bytes, reading: Reading) -> None:
    """Check that rows and quarantined blocks are disjoint, ordered parts of the text with unique ordinals."""
    blocks, ordinals = [], []
    offsets, sizes = reading.column("record_offset"), reading.column("record_bytes")
    for offset, size, digest in zip(offsets, sizes, reading.column("record_sha256"), strict=True):
        text = data[offset : offset + size]
        assert len(text) == size, f"a record of {size} bytes at {offset} ends behind the file"
        assert hashlib.sha256(text).digest() == digest, f"record_sha256 at {offset}"
        blocks.append((offset, size))
    ordinals += reading.column("record_ordinal")
    for offset, size, ordinal, line, _, reason, raw in reading.quarantine:
        text = data[offset : offset + size]
        assert len(text) == size, f"a quarantined block of {size} bytes at {offset} ends behind the file"
        assert raw == text[: LIMITS["raw_bytes"]], f"{reason}: raw text {raw!r} of {text!r}"
        assert line >= 1
        ordinals.append(ordinal)
        if reason != FRAGMENT:
            blocks.append((offset, size))
    blocks.sort()
    assert all(data.startswith(b"LOCUS", offset) for offset, _ in blocks), blocks
    assert all(offset + size <= after for (offset, size), (after, _) in pairwise(blocks)), blocks
    assert sorted(ordinals) == list(range(len(ordinals))), ordinals


def check_sequences(reading: Reading) -> None:
    """Check that chunks are numbered, full except for the last, and match the record's digest and length."""
    chunks: dict[int, list[str]] = {}
    ordinals = reading.column("record_ordinal", table="sequences")
    numbers = reading.column("chunk_ordinal", table="sequences")
    for ordinal, number, residues in zip(ordinals, numbers, reading.column("residues", table="sequences"), strict=True):
        assert number == len(chunks.setdefault(ordinal, [])), (ordinal, number)
        assert 0 < len(residues) <= CHUNK_BYTES
        chunks[ordinal].append(residues)
    columns = (reading.column(name) for name in ("record_ordinal", "length", "length_unit", "sequence_sha256"))
    rows = {ordinal: rest for ordinal, *rest in zip(*columns, strict=True)}
    assert set(chunks) <= set(rows) | set(reading.orphans), (set(chunks), set(rows), reading.orphans)
    for ordinal, (length, unit, digest) in rows.items():
        parts = chunks.get(ordinal, [])
        assert all(len(part) == CHUNK_BYTES for part in parts[:-1]), ordinal
        text = "".join(parts).encode()
        assert digest == (hashlib.sha256(text).digest() if text else None), f"sequence_sha256 of record {ordinal}"
        assert not text or unit == "rc" or len(text) == length, (ordinal, length, len(text))


def check_broken_off(data: bytes, *, at: int) -> None:
    """Check that a stream that breaks off leaves nothing uncounted."""
    reading = read(data, buffer_bytes=100, abandon_at=at)
    assert reading.totals["records"] + reading.totals["quarantined"] == reading.totals["locus_lines"], reading.totals
    assert reading.totals["text_bytes"] == at, reading.totals
    check_blocks(data[:at], reading)
    check_sequences(reading)


def check_annotation_limit(data: bytes, *, buffer_bytes: int) -> None:
    """Check that records rejected for the size of their annotation do not affect others."""
    reading = read(data, buffer_bytes=buffer_bytes, annotation_limit=600)
    for _, batch in reading.batches:
        batch.validate(full=True)
    assert reading.totals["records"] + reading.totals["quarantined"] == reading.totals["locus_lines"], reading.totals
    check_blocks(data, reading)
    check_sequences(reading)
