"""Sends the sequences of one file: reads chunks, verifies digests, and sends packs or single objects.

Memory holds a row group of the chunk table, the packs in flight, and a few columns of this file's sequences. Selecting
sequences belongs to ``object_index``, requests to ``upload``.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from genbank_assets.errors import IntegrityError
from genbank_assets.objects.keys import pack_key, sequence_key
from genbank_assets.objects.object_index import EMPTY, IDENTITY
from genbank_assets.objects.packs import MAX_PACKED_RESIDUES, PACK_BYTES, Pack, PackBuilder
from genbank_assets.objects.requests import Outgoing, Stored
from genbank_assets.objects.upload import Uploader

BATCH_ROWS = 20_000
# Columns of a sequence to send: the location of its residues, and their expected digest and length.
WANTED = {
    "record_ordinal": pl.Int64,
    "sequence_sha256": pl.Binary,
    "molecule_class": pl.String,
    "length": pl.Int64,
    "in_set": pl.Boolean,  # read only to compute its refget digest
}
_SENT = {"position": pl.Int64, "refget": pl.String} | {
    name: type_ for name, type_ in EMPTY.schema.items() if name not in {*IDENTITY, "length", "refget"}
}


class _Target(NamedTuple):
    """A row of the sequences to send."""

    position: int
    digest: bytes
    molecule_class: str
    length: int
    in_set: bool


def chunks(path: Path, ordinals: np.ndarray[Any, np.dtype[np.int64]]) -> Iterator[tuple[int, memoryview]]:
    """Yield (index in ``ordinals``, residues) of each chunk of some records, in order; one row group in memory.

    ``ordinals`` must be sorted.
    """
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            span = file.metadata.row_group(group).column(0).statistics
            if span is not None and np.searchsorted(ordinals, span.min) == np.searchsorted(ordinals, span.max, "right"):
                continue
            for batch in file.read_row_group(group).to_batches():
                found = batch["record_ordinal"].to_numpy()
                positions = np.minimum(np.searchsorted(ordinals, found), len(ordinals) - 1)
                rows = np.flatnonzero(ordinals[positions] == found)
                if not len(rows):
                    continue
                residues = batch["residues"].cast("large_string")
                _, offsets, letters = residues.buffers()
                begins = np.frombuffer(offsets, np.int64, count=len(residues) + 1, offset=residues.offset * 8)
                text = memoryview(letters).cast("B")
                for position, begin, end in zip(
                    positions[rows].tolist(), begins[rows].tolist(), begins[rows + 1].tolist(), strict=True
                ):
                    yield position, text[begin:end]


class FileSender:
    """Sends the selected sequences of one file and collects their rows of the object table."""

    def __init__(self, uploader: Uploader, *, packing: bool, refget: bool) -> None:
        self._uploader = uploader
        self._builder = PackBuilder() if packing else None
        self._packed: list[tuple[int, str | None]] = []
        self._refget = refget
        self._lock = threading.Lock()  # rows are added by all sending threads
        self._rows: list[tuple[Any, ...]] = []
        self._frames: list[pl.DataFrame] = []

    def send(self, path: Path, wanted: pl.DataFrame) -> pl.DataFrame:
        """Read a file's chunk table and send the selected sequences; returns once all of them are in the store.

        Args:
            path: the chunk table.
            wanted: rows with the columns :data:`WANTED`.

        Returns:
            Rows of the object table; for sequences already in the set, only identity and refget digest.

        Raises:
            IntegrityError: residues are missing or do not match their digest.
            ObjectStoreError: the store failed permanently.
        """
        wanted = wanted.sort("record_ordinal")
        self._uploader.send_all(self._outgoing(path, wanted))
        self._frames.append(_frame(self._rows))
        sent = pl.concat(self._frames)
        if len(sent) != len(wanted):
            raise IntegrityError(f"{path.name} holds {len(sent):,} of {len(wanted):,} sequences that are to be sent")
        identity = wanted.with_row_index("position").select(pl.col("position").cast(pl.Int64), *IDENTITY, "length")
        return sent.join(identity, on="position", how="inner").select(EMPTY.columns)

    def _outgoing(self, path: Path, wanted: pl.DataFrame) -> Iterator[Outgoing]:
        """Yield objects as they become ready; long sequences are sent directly."""
        if not len(wanted):
            return
        stream = chunks(path, wanted["record_ordinal"].to_numpy())
        targets: list[_Target] = []
        for position, first in stream:
            if not targets or position > targets[-1].position:
                rows = wanted.slice(position, BATCH_ROWS).select(list(WANTED)[1:]).iter_rows()
                targets = [_Target(number, *row) for number, row in enumerate(rows, position)]
            target = targets[position - targets[0].position]
            if len(first) < target.length:
                self._long(target, first, stream)
                continue
            _check_digest(target, hashlib.sha256(first).digest(), len(first))
            refget = _refget(hashlib.sha512(first)) if self._refget else None
            if target.in_set:
                self._add((position, refget, *[None] * (len(_SENT) - 2)))
            elif self._builder is not None and target.length <= MAX_PACKED_RESIDUES:
                self._builder.add(first, digest=target.digest, molecule_class=target.molecule_class)
                self._packed.append((position, refget))
                if self._builder.frames_bytes >= PACK_BYTES:
                    yield self._pack()
            else:
                key = sequence_key(target.digest.hex(), molecule_class=target.molecule_class)
                yield Outgoing(key, first, target.digest, lambda s, t=target, r=refget: self._whole(t, s, r))  # type: ignore[misc]
        if self._builder is not None and len(self._builder):
            yield self._pack()

    def _pack(self) -> Outgoing:
        assert self._builder is not None
        pack, members = self._builder.finish(), self._packed
        self._packed = []
        return Outgoing(
            pack_key(pack.sha256.hex()),
            pack.content,
            pack.sha256,
            lambda stored: self._sent_pack(pack, members, stored),
        )

    def _sent_pack(self, pack: Pack, members: list[tuple[int, str | None]], stored: Stored) -> None:
        positions, refgets = zip(*members, strict=True)
        columns = {"position": positions, "refget": refgets, "offset": pack.offsets, "bytes": pack.sizes}
        schema = {name: _SENT[name] for name in columns}
        frame = pl.DataFrame(columns, schema=schema).with_columns(
            pl.lit(stored.key).alias("key"),
            pl.lit("zstd").alias("encoding"),
            pl.lit(stored.bytes, pl.Int64).alias("object_bytes"),
            pl.lit(pack.sha256, pl.Binary).alias("object_sha256"),
            pl.lit(stored.etag, pl.String).alias("etag"),
        )
        with self._lock:
            self._frames.append(frame.select(list(_SENT)))

    def _whole(self, target: _Target, stored: Stored, refget: str | None) -> None:
        size = stored.bytes
        self._add((target.position, refget, stored.key, 0, size, "identity", size, target.digest, stored.etag))

    def _add(self, row: tuple[Any, ...]) -> None:
        """Add a row in compact form, a tenth of the size of a dictionary."""
        with self._lock:
            self._rows.append(row)
            if len(self._rows) >= BATCH_ROWS:
                self._frames.append(_frame(self._rows))
                self._rows = []

    def _long(self, target: _Target, first: memoryview, stream: Iterator[tuple[int, memoryview]]) -> None:
        """Send a sequence of several chunks in parts, verifying it meanwhile; a wrong one is never completed."""
        sha256, sha512 = hashlib.sha256(), hashlib.sha512()

        def parts() -> Iterator[bytes]:
            length, piece = 0, first
            while True:
                sha256.update(piece)
                if self._refget:
                    sha512.update(piece)
                length += len(piece)
                yield bytes(piece)
                if length >= target.length:
                    break
                position, piece = next(stream, (None, memoryview(b"")))
                if position != target.position:
                    break
            _check_digest(target, sha256.digest(), length)

        if target.in_set:
            for _ in parts():
                pass
            self._add((target.position, _refget(sha512), *[None] * (len(_SENT) - 2)))
            return
        key = sequence_key(target.digest.hex(), molecule_class=target.molecule_class)
        stored = self._uploader.send_long(key, parts(), length=target.length, sha256=target.digest)
        self._whole(target, stored, _refget(sha512) if self._refget else None)


def _frame(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=_SENT, orient="row")


def _check_digest(target: _Target, digest: bytes, length: int) -> None:
    if digest != target.digest or length != target.length:
        raise IntegrityError(f"the residues of sequence {target.digest.hex()} do not have their digest")


def _refget(sha512: Any) -> str:
    """Return the GA4GH sha512t24u digest: the first 24 bytes of SHA-512 in base64url (refget v2, "SQ." identifiers)."""
    return "SQ." + base64.urlsafe_b64encode(sha512.digest()[:24]).decode()
