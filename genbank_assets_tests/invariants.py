"""What must hold for every input of the scanner, whatever its bytes: asserted by the fuzzing target and by tests.

The expected figures are taken from the bytes by other means than the scanner's (split, hashlib). What a field of a
record means is not looked at here; that is what the differential tests are for.
"""

from __future__ import annotations

import dataclasses
import hashlib
import zlib
from itertools import pairwise
from typing import Any

import pyarrow as pa

from genbank_assets.flatfile.scanner import LIMITS, Scanner

# Small, so that inputs of a few kilobytes make several chunks and batches; two whole sequence lines fill a chunk.
CHUNK_BYTES = 120
SIZES = {"chunk_bytes": CHUNK_BYTES, "sequence_batch_bytes": 300, "batch_bytes": 1000}
BUFFER_SIZES = (1, 2, 7, 61, 100, 333, 4096)
MARK = b"\xef\xbb\xbf"  # the byte order mark of UTF-8, which may stand before a line
FRAGMENT = "a LOCUS line without length inside a record"


@dataclasses.dataclass(frozen=True)
class Reading:
    """All that one pass of the scanner gives."""

    batches: list[tuple[str, pa.RecordBatch]]
    totals: dict[str, Any]
    quarantine: list[tuple[int, int, int, int, str | None, str, bytes]]
    preamble: list[str]
    orphans: list[int]

    def column(self, name: str, *, table: str = "records") -> list[Any]:
        """A column's values over all batches of a table."""
        return [value for kind, batch in self.batches if kind == table for value in batch.column(name).to_pylist()]


def read(data: bytes, *, buffer_bytes: int, abandon_at: int | None = None, **sizes: int) -> Reading:
    """One pass in buffers of ``buffer_bytes``; with ``abandon_at`` the stream breaks off there."""
    scanner = Scanner(source_file="case.seq", **(SIZES | sizes))
    batches = []
    upto = len(data) if abandon_at is None else abandon_at
    for start in range(0, upto, buffer_bytes):
        # A copy of the slice: a read behind the buffer is behind a block of the heap, where the sanitizer sees it.
        batches += scanner.feed(data[start : min(start + buffer_bytes, upto)])
    batches += scanner.finish() if abandon_at is None else scanner.abandon("broken off")
    return Reading(batches, scanner.totals, scanner.quarantine, scanner.preamble, scanner.orphans)


def check_all(data: bytes) -> None:
    """Every buffer size, and the stream broken off at several places."""
    whole = check_reading(data)
    for size in BUFFER_SIZES:
        check_same(whole, read(data, buffer_bytes=size), what=f"buffers of {size} bytes")
    for part in range(1, 8):
        check_broken_off(data, at=len(data) * part // 8)
    check_annotation_limit(data, buffer_bytes=50)


def check_some(data: bytes) -> None:
    """The same in a few milliseconds: which size and place is the data's own choice, so that a find can be repeated."""
    chance = zlib.crc32(data)
    size = BUFFER_SIZES[chance % len(BUFFER_SIZES)]
    check_same(check_reading(data), read(data, buffer_bytes=size), what=f"buffers of {size} bytes")
    if chance % 8 == 0:
        check_broken_off(data, at=chance // 8 % (len(data) + 1))
    elif chance % 8 == 1:
        check_annotation_limit(data, buffer_bytes=50)


def check_same(whole: Reading, pieces: Reading, *, what: str) -> None:
    """Another size of buffers changes nothing that comes out."""
    for name in ("totals", "quarantine", "preamble", "orphans"):
        ours, theirs = getattr(whole, name), getattr(pieces, name)
        assert theirs == ours, f"{what}: other {name}: {theirs} / {ours}"
    assert [kind for kind, _ in pieces.batches] == [kind for kind, _ in whole.batches], f"{what}: other batches"
    for (kind, ours), (_, theirs) in zip(whole.batches, pieces.batches, strict=True):
        assert ours.equals(theirs), f"{what}: other {kind}: {theirs.to_pylist()} / {ours.to_pylist()}"


def check_reading(data: bytes) -> Reading:
    """Fed whole: every LOCUS line is accounted for, and offsets and digests lead back to the text."""
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
    """What ends lines: a bare carriage return (old Macs) only where the beginning of the file has no line feed."""
    head = data[: LIMITS["first_line_bytes"]]
    return b"\r" if b"\r" in head and b"\n" not in head else b"\n"


def check_blocks(data: bytes, reading: Reading) -> None:
    """Rows and quarantined blocks are stretches of the text, in order and apart; each has its own ordinal."""
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
    """A record's chunks are numbered, full but for the last, and are what its digest and its length are of."""
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
    """A stream that breaks off leaves nothing uncounted."""
    reading = read(data, buffer_bytes=100, abandon_at=at)
    assert reading.totals["records"] + reading.totals["quarantined"] == reading.totals["locus_lines"], reading.totals
    assert reading.totals["text_bytes"] == at, reading.totals
    check_blocks(data[:at], reading)
    check_sequences(reading)


def check_annotation_limit(data: bytes, *, buffer_bytes: int) -> None:
    """Records given up for their size, which is looked at after each buffer, leave the others whole."""
    reading = read(data, buffer_bytes=buffer_bytes, annotation_limit=600)
    for _, batch in reading.batches:
        batch.validate(full=True)
    assert reading.totals["records"] + reading.totals["quarantined"] == reading.totals["locus_lines"], reading.totals
    check_blocks(data, reading)
    check_sequences(reading)
