"""Packs: many short sequences in one object, each readable by one ranged request.

Each sequence is a zstd frame, so ``zstd -d`` of a whole pack prints all residues. The last frame is a skippable frame
(RFC 8878 §3.1.2) with an index, so a pack is self-describing even without the manifest that lists its content: entries
of digest (32 bytes), molecule class (1 byte: 0 nucleotide, 1 protein), offset, frame bytes and residues (8 bytes each),
followed by the number of entries (8 bytes) and ``GAPK``; all integers are little-endian. Sending packs belongs to
``upload``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import zstandard

from genbank_assets.errors import IntegrityError
from genbank_assets.objects.keys import MOLECULE_CLASSES
from genbank_assets.tables.sequence_file import LETTERS
from genbank_assets.tables.twobit import two_bit_frame

PACK_BYTES = 64 * 1024 * 1024
# "auto" packs divisions with more sequences than this and a mean length below a hundredth of a pack's size.
MIN_SEQUENCES_TO_PACK = 10_000
MAX_MEAN_RESIDUES_TO_PACK = 64 * 1024
# Longer sequences are separate objects, so that parts of them can be read without decompressing the whole.
MAX_PACKED_RESIDUES = 1024 * 1024
_THREADS = min(4, os.cpu_count() or 1)
# Two bits per residue compress 25 times as fast; for shorter sequences the code table outweighs the savings.
_TWO_BITS_FROM = 4096
_COMPRESS_AT_ONCE_RESIDUES = 4 * 1024 * 1024
_ENTRY = np.dtype([("digest", "V32"), ("molecule_class", "u1"), ("offset", "<u8"), ("bytes", "<u8"), ("length", "<u8")])
_TAIL = np.dtype([("entries", "<u8"), ("magic", "S4")])
_SKIPPABLE = 0x184D2A50
_MAGIC = b"GAPK"


def is_packed(layout: str, *, rows: int, residues: int) -> bool:
    """Return whether to pack new short sequences of a division with this many sequences and residues."""
    if layout != "auto":
        return layout == "pack"
    return rows > MIN_SEQUENCES_TO_PACK and residues / max(rows, 1) < MAX_MEAN_RESIDUES_TO_PACK


@dataclasses.dataclass(frozen=True)
class Packed:
    """Location of a sequence in its pack: its frame is ``bytes`` bytes from ``offset``.

    Attributes:
        digest: SHA-256 of the residues, 32 bytes.
        molecule_class: ``nucleotide`` or ``protein``.
        length: number of residues.
    """

    digest: bytes
    molecule_class: str
    offset: int
    bytes: int
    length: int


@dataclasses.dataclass(frozen=True)
class Pack:
    """A finished pack.

    Attributes:
        content: the object's bytes.
        sha256: SHA-256 of ``content``, 32 bytes.
        offsets: offset of each frame, in order of addition.
        sizes: size of each frame in bytes.
    """

    content: bytearray
    sha256: bytes
    offsets: Sequence[int]
    sizes: Sequence[int]


class PackBuilder:
    """Builds packs; the same sequences in the same order give the same bytes and therefore the same key.

    A few MiB are compressed at a time, short sequences in several threads.
    """

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(compression_params=LETTERS)
        self._clear()

    def _clear(self) -> None:
        self._content = bytearray()
        self._sizes: list[int] = []
        self._heads: list[tuple[bytes, int, int]] = []
        self._waiting: list[bytes | bytearray | memoryview] = []
        self._waiting_residues = 0

    @property
    def frames_bytes(self) -> int:
        """Size of the finished frames, without sequences still to be compressed."""
        return len(self._content)

    def add(self, residues: memoryview, *, digest: bytes, molecule_class: str) -> None:
        """Append one sequence."""
        self._heads.append((digest, MOLECULE_CLASSES.index(molecule_class), len(residues)))
        self._waiting.append(residues)
        self._waiting_residues += len(residues)
        if self._waiting_residues >= _COMPRESS_AT_ONCE_RESIDUES:
            self._compress()

    def _compress(self) -> None:
        frames = [two_bit_frame(residues) if len(residues) >= _TWO_BITS_FROM else None for residues in self._waiting]
        others = [residues for residues, frame in zip(self._waiting, frames, strict=True) if frame is None]
        compressed = iter(self._compressor.multi_compress_to_buffer(others, threads=_THREADS) if others else ())
        for frame in frames:
            piece = next(compressed).tobytes() if frame is None else frame
            self._sizes.append(len(piece))
            self._content += piece
        self._waiting, self._waiting_residues = [], 0

    def finish(self) -> Pack:
        """Return the pack and reset the builder."""
        self._compress()
        offsets = list(itertools.accumulate(self._sizes, initial=0))[:-1]
        index = np.empty(len(offsets), _ENTRY)
        index["digest"] = np.frombuffer(b"".join(digest for digest, _, _ in self._heads), "V32")
        index["molecule_class"] = [number for _, number, _ in self._heads]
        index["offset"], index["bytes"] = offsets, self._sizes
        index["length"] = [length for _, _, length in self._heads]
        tail = np.array([(len(index), _MAGIC)], _TAIL).tobytes()
        content = self._content
        content += np.array([_SKIPPABLE, index.nbytes + len(tail)], "<u4").tobytes() + index.tobytes() + tail
        pack = Pack(content, hashlib.sha256(content).digest(), offsets, self._sizes)
        self._clear()
        return pack

    def __len__(self) -> int:
        return len(self._heads)


def unpacked(frame: bytes, *, length: int) -> bytes:
    """Decompress a sequence's frame.

    Raises:
        IntegrityError: the bytes are not a frame, or have a different length.
    """
    try:
        residues = bytes(pa.Codec("zstd").decompress(frame, decompressed_size=length, asbytes=True))
    except (OSError, pa.ArrowException) as error:
        raise IntegrityError(f"a frame of a pack cannot be inflated: {error}") from error
    if len(residues) != length:
        raise IntegrityError(f"a frame of a pack holds {len(residues):,} residues, not {length:,}")
    return residues


def index_of(content: Any) -> tuple[Packed, ...]:
    """Parse the index at the end of a pack.

    Raises:
        IntegrityError: there is none.
    """
    end = len(content) - _TAIL.itemsize
    count, magic = np.frombuffer(content, _TAIL, offset=end)[0] if end >= 0 else (0, b"")
    if magic != _MAGIC or count * _ENTRY.itemsize > end:
        raise IntegrityError("these bytes are not a pack: the index is missing")
    rows = np.frombuffer(content, _ENTRY, count=int(count), offset=end - int(count) * _ENTRY.itemsize)
    return tuple(Packed(bytes(digest), MOLECULE_CLASSES[kind], *places) for digest, kind, *places in rows.tolist())
