"""A pack: many short sequences in one object, each readable by one ranged request.

Each sequence is one zstd frame, so ``zstd -d`` of a whole pack prints all residues. The last frame is a skippable one
(RFC 8878 §3.1.2) with an index, so that a pack explains itself even without the manifest that lists its contents:
entries of digest (32 bytes), molecule class (1 byte: 0 nucleotide, 1 protein), offset, frame bytes and residues (8
bytes each), then the number of entries (8 bytes) and ``GAPK``; all integers little-endian. Sending packs belongs to
``upload``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import struct

import pyarrow as pa

from genbank_assets.errors import IntegrityError
from genbank_assets.objects.keys import MOLECULE_CLASSES

PACK_BYTES = 64 * 1024 * 1024
# Longer sequences are objects of their own: their parts can then be read without inflating the whole.
LONGEST_PACKED_RESIDUES = 1024 * 1024
_LEVEL = 3
_ENTRY = struct.Struct("<32sBQQQ")
_TAIL = struct.Struct("<Q4s")
_SKIPPABLE = 0x184D2A50
_MAGIC = b"GAPK"


@dataclasses.dataclass(frozen=True)
class Packed:
    """Where a sequence lies in its pack: ``bytes`` of the object from ``offset`` on are its frame."""

    digest: bytes
    molecule_class: str
    offset: int
    bytes: int
    length: int


@dataclasses.dataclass(frozen=True)
class Pack:
    """A finished pack."""

    content: bytes
    sha256: bytes
    entries: tuple[Packed, ...]


class PackBuilder:
    """Collects sequences; the same sequences in the same order give the same bytes, and so the same key."""

    def __init__(self) -> None:
        self._codec = pa.Codec("zstd", compression_level=_LEVEL)
        self._frames: list[bytes] = []
        self._entries: list[Packed] = []
        self.bytes = 0

    def add(self, residues: memoryview, *, digest: bytes, molecule_class: str) -> None:
        """Append one sequence."""
        frame = self._codec.compress(residues, asbytes=True)
        self._entries.append(Packed(digest, molecule_class, self.bytes, len(frame), len(residues)))
        self._frames.append(frame)
        self.bytes += len(frame)

    def finish(self) -> Pack:
        """The pack; the builder is empty afterwards."""
        index = b"".join(
            _ENTRY.pack(e.digest, MOLECULE_CLASSES.index(e.molecule_class), e.offset, e.bytes, e.length)
            for e in self._entries
        )
        index += _TAIL.pack(len(self._entries), _MAGIC)
        content = b"".join([*self._frames, struct.pack("<II", _SKIPPABLE, len(index)), index])
        pack = Pack(content, hashlib.sha256(content).digest(), tuple(self._entries))
        self._frames, self._entries, self.bytes = [], [], 0
        return pack

    def __len__(self) -> int:
        return len(self._entries)


def unpacked(frame: bytes, *, length: int) -> bytes:
    """The residues in a sequence's frame.

    Raises:
        IntegrityError: the bytes are no frame, or one of another length.
    """
    try:
        residues = bytes(pa.Codec("zstd").decompress(frame, decompressed_size=length, asbytes=True))
    except (OSError, pa.ArrowException) as error:
        raise IntegrityError(f"a frame of a pack cannot be inflated: {error}") from error
    if len(residues) != length:
        raise IntegrityError(f"a frame of a pack holds {len(residues):,} residues, not {length:,}")
    return residues


def index_of(content: bytes) -> tuple[Packed, ...]:
    """The index at the end of a pack's bytes.

    Raises:
        IntegrityError: there is none.
    """
    count, magic = _TAIL.unpack(content[-_TAIL.size :]) if len(content) >= _TAIL.size else (0, b"")
    end = len(content) - _TAIL.size
    if magic != _MAGIC or count * _ENTRY.size > end:
        raise IntegrityError("these bytes are no pack: its index is missing")
    rows = _ENTRY.iter_unpack(content[end - count * _ENTRY.size : end])
    return tuple(Packed(digest, MOLECULE_CLASSES[kind], *places) for digest, kind, *places in rows)
