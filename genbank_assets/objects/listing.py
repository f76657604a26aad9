"""Lists the bucket range by range, in parallel with the tables that describe it.

Comparisons process both sides in the same key ranges, so memory does not depend on the size of the set. Acting on
differences belongs to ``verify`` and ``prune``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
import polars as pl
from obstore.store import ObjectStore

from genbank_assets.objects.etags import bare_etag
from genbank_assets.objects.keys import MOLECULE_CLASSES, PACKS, is_content_key, is_manifest_key
from genbank_assets.objects.retry import no_progress, retried

if TYPE_CHECKING:
    from obstore import ObjectMeta

# A range holds about this many listed sequences of each digest byte range. Fewer, larger ranges would take more memory;
# more of them would decode the row group at either end of a range, which it shares with its neighbours, more often.
MAX_KEYS_IN_MEMORY = 1_000_000
_LISTED: dict[str, Any] = {
    "key": pl.String,
    "size": pl.Int64,
    "modified": pl.Datetime("us", "UTC"),
    "etag_now": pl.String,
}


@dataclasses.dataclass(frozen=True)
class Range:
    """A range of keys: all packs, or the sequences of every kind whose digests start with one of some adjacent bytes.

    Attributes:
        prefixes: prefixes of the keys, which together cover the range.
        digests: first and last digest; None for packs.
    """

    prefixes: tuple[str, ...]
    digests: tuple[bytes, bytes] | None

    def listed(self, table: Path) -> pl.DataFrame:
        """Return the objects in this range listed by a table, which is sorted by digest."""
        rows = pl.scan_parquet(table)
        if self.digests is None:
            rows = rows.filter(pl.col("encoding") == "zstd", pl.col("key").str.starts_with(PACKS))
        else:
            rows = rows.filter(pl.col("encoding") == "identity", pl.col("sequence_sha256").is_between(*self.digests))
        columns = ["key", "object_bytes", "object_sha256", "etag"]
        return rows.select(columns).unique("key").collect(engine="streaming")


def ranges(rows: int) -> list[Range]:
    """Return ranges that together cover all residue objects of a set with this many listed sequences.

    Their number is proportional to the set, so each table is read about once whatever its size, and memory holds about
    :data:`MAX_KEYS_IN_MEMORY` keys; above 256 times that, a range is one byte, and memory grows with the set.
    """
    packs = Range((PACKS,), None)
    wanted = -(-rows // MAX_KEYS_IN_MEMORY)
    if wanted <= 1:
        return [Range(tuple(f"{kind}/" for kind in MOLECULE_CLASSES), (bytes(32), b"\xff" * 32)), packs]
    bytes_ = 256 // min(256, 1 << (wanted - 1).bit_length())
    spans = [range(first, first + bytes_) for first in range(0, 256, bytes_)]
    return [
        Range(
            tuple(f"{kind}/{byte:02x}/" for kind in MOLECULE_CLASSES for byte in span),
            (bytes([span[0]]) + bytes(31), bytes([span[-1]]) + b"\xff" * 31),
        )
        for span in spans
    ] + [packs]


def objects_under(
    store: ObjectStore, prefixes: Sequence[str], *, progress: Callable[[str], None] = no_progress
) -> pl.DataFrame:
    """Return key, size, time and ETag of the residue objects below some prefixes.

    Raises:
        ObjectStoreError: the store failed.
    """
    frames = [pl.DataFrame(schema=_LISTED)]

    def keep(batch: Sequence[ObjectMeta]) -> None:
        found = [
            (meta["path"], meta["size"], meta["last_modified"], bare_etag(meta["e_tag"]) or None)
            for meta in batch
            if is_content_key(meta["path"])
        ]
        frames.append(pl.DataFrame(found, schema=_LISTED, orient="row"))

    for prefix in prefixes:
        _list(store, prefix, keep, progress=progress)
    return pl.concat(frames)


def manifest_objects(store: ObjectStore, *, progress: Callable[[str], None] = no_progress) -> list[ObjectMeta]:
    """Return the manifests in the set, from any store.

    Raises:
        ObjectStoreError: the store failed.
    """
    return [meta for meta in listed(store, "manifests/", progress=progress) if is_manifest_key(meta["path"])]


def listed(store: ObjectStore, prefix: str, *, progress: Callable[[str], None] = no_progress) -> list[ObjectMeta]:
    """Return everything below a prefix.

    Raises:
        ObjectStoreError: the store failed.
    """
    found: list[ObjectMeta] = []
    _list(store, prefix, found.extend, progress=progress)
    return found


def _list(
    store: ObjectStore,
    prefix: str,
    keep: Callable[[Sequence[ObjectMeta]], None],
    *,
    progress: Callable[[str], None],
) -> None:
    """Pass everything below a prefix on, batch by batch; a listing that breaks off goes on where it was."""
    last: str | None = None

    def more() -> None:
        nonlocal last
        for batch in obstore.list(store, prefix=prefix, offset=last, chunk_size=10_000):
            keep(batch)
            last = batch[-1]["path"] if batch else last

    retried(more, doing=f"list {prefix}", progress=progress)
