"""One file's sequences on their way to the store: read in chunks, proved, packed or sent as they are.

Memory holds a row group of the chunk table, the packs in flight, and a row per sequence of this one file. Which
sequences are wanted belongs to ``contents``; requests belong to ``upload``.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from genbank_assets.errors import IntegrityError
from genbank_assets.objects.contents import EMPTY
from genbank_assets.objects.keys import pack_key, sequence_key
from genbank_assets.objects.packs import LONGEST_PACKED_RESIDUES, PACK_BYTES, Pack, PackBuilder
from genbank_assets.objects.upload import Stored, Uploader

ROWS_AS_OBJECTS = 20_000


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A sequence to read: what it has to be, and its row if it is in the store already (without refget digest)."""

    digest: bytes
    molecule_class: str
    length: int
    known: dict[str, Any] | None


def chunks(path: Path, wanted: set[int]) -> Iterator[tuple[int, memoryview]]:
    """(record_ordinal, residues) of each chunk of the wanted records, in order; one row group in memory."""
    ordinals = pa.array(sorted(wanted), pa.int64())
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            span = file.metadata.row_group(group).column(0).statistics
            if (
                span is not None
                and not pc.any(pc.and_(pc.greater_equal(ordinals, span.min), pc.less_equal(ordinals, span.max))).as_py()
            ):
                continue
            for batch in file.read_row_group(group).to_batches():
                mask = pc.is_in(batch["record_ordinal"], value_set=ordinals)
                if not pc.all(mask).as_py():
                    batch = batch.filter(mask)
                residues = batch["residues"].cast("binary")
                for ordinal, value in zip(batch["record_ordinal"].to_pylist(), residues, strict=True):
                    yield ordinal, memoryview(value.as_buffer())


class FileSender:
    """Sends the wanted sequences of one file and collects their rows of the object table."""

    def __init__(self, uploader: Uploader, *, packing: bool, refget: bool) -> None:
        self._rows: list[dict[str, Any]] = []
        self._frames: list[pl.DataFrame] = []
        self._uploader = uploader
        self._builder = PackBuilder() if packing else None
        self._refget = refget
        self._refget_of: dict[tuple[bytes, str], str] = {}

    async def send(self, path: Path, wanted: dict[int, Wanted]) -> None:
        """Read the file's chunk table and send what is wanted; returns when all of it is in the store.

        Raises:
            IntegrityError: residues do not have their digest, or are not there.
            ObjectStoreError: the store failed for good.
        """
        stream = chunks(path, set(wanted))
        read = 0
        for ordinal, first in stream:
            target = wanted[ordinal]
            read += 1
            if len(first) < target.length:
                await asyncio.to_thread(self._long, target, first, stream)
                continue
            _prove(target, hashlib.sha256(first).digest(), len(first))
            refget = _refget(hashlib.sha512(first)) if self._refget else None
            if target.known is not None:
                self._add(target.known | {"refget": refget})
            elif self._builder is not None and target.length <= LONGEST_PACKED_RESIDUES:
                await self._pack(target, first, refget)
            else:
                key = sequence_key(target.digest.hex(), molecule_class=target.molecule_class)
                await self._uploader.start(key, bytes(first), then=lambda s, t=target, r=refget: self._whole(t, s, r))  # type: ignore[misc]
        await self._send_pack()
        await self._uploader.settle()
        if read != len(wanted) or self._collected() != len(wanted):
            raise IntegrityError(f"{path.name} holds {read:,} of {len(wanted):,} sequences that are to be sent")

    def table(self) -> pl.DataFrame:
        """The rows of the object table for what was sent."""
        self._collected()
        return pl.concat([EMPTY, *self._frames])

    def _add(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        if len(self._rows) >= ROWS_AS_OBJECTS:
            self._collected()

    def _collected(self) -> int:
        """Turn rows into a frame, a tenth of their size; returns the number of all rows."""
        if self._rows:
            self._frames.append(pl.DataFrame(self._rows, schema=EMPTY.schema))
            self._rows = []
        return sum(len(frame) for frame in self._frames)

    async def _pack(self, target: Wanted, residues: memoryview, refget: str | None) -> None:
        assert self._builder is not None
        self._builder.add(residues, digest=target.digest, molecule_class=target.molecule_class)
        if refget is not None:
            self._refget_of[target.digest, target.molecule_class] = refget
        if self._builder.bytes >= PACK_BYTES:
            await self._send_pack()

    async def _send_pack(self) -> None:
        if self._builder is not None and len(self._builder):
            pack = self._builder.finish()
            await self._uploader.start(pack_key(pack.sha256.hex()), pack.content, then=lambda s: self._packed(pack, s))

    def _packed(self, pack: Pack, stored: Stored) -> None:
        for entry in pack.entries:
            refget = self._refget_of.pop((entry.digest, entry.molecule_class), None)
            self._add(
                _row(entry.digest, entry.molecule_class, entry.length, stored, sha256=pack.sha256, refget=refget)
                | {"offset": entry.offset, "bytes": entry.bytes, "encoding": "zstd"}
            )

    def _whole(self, target: Wanted, stored: Stored, refget: str | None) -> None:
        self._add(
            _row(target.digest, target.molecule_class, target.length, stored, sha256=target.digest, refget=refget)
        )

    def _long(self, target: Wanted, first: memoryview, stream: Iterator[tuple[int, memoryview]]) -> None:
        """A sequence of several chunks: proved while it is sent in parts; a wrong one is never completed."""
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
                _, piece = next(stream)
            _prove(target, sha256.digest(), length)

        if target.known is not None:
            for _ in parts():
                pass
            self._add(target.known | {"refget": _refget(sha512)})
            return
        key = sequence_key(target.digest.hex(), molecule_class=target.molecule_class)
        stored = self._uploader.send_long(key, parts(), length=target.length)
        self._whole(target, stored, _refget(sha512) if self._refget else None)


def _prove(target: Wanted, digest: bytes, length: int) -> None:
    if digest != target.digest or length != target.length:
        raise IntegrityError(f"the residues of sequence {target.digest.hex()} do not have their digest")


def _refget(sha512: Any) -> str:
    """GA4GH sha512t24u: the first 24 bytes of SHA-512 in base64url (refget v2, "SQ." identifiers)."""
    return "SQ." + base64.urlsafe_b64encode(sha512.digest()[:24]).decode()


def _row(
    digest: bytes, molecule_class: str, length: int, stored: Stored, *, sha256: bytes, refget: str | None
) -> dict[str, Any]:
    return {
        "sequence_sha256": digest,
        "molecule_class": molecule_class,
        "length": length,
        "key": stored.key,
        "offset": 0,
        "bytes": stored.bytes,
        "encoding": "identity",
        "object_bytes": stored.bytes,
        "object_sha256": sha256,
        "etag": stored.etag,
        "refget": refget,
    }
