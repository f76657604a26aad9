"""Lists the bucket range by range, in parallel with the tables that describe it.

Comparisons process both sides in the same key ranges, so memory does not depend on the size of the set. Acting on
differences belongs to ``verify`` and ``prune``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
import polars as pl
from obstore.store import ObjectStore

from genbank_assets.objects.keys import MOLECULE_CLASSES, is_content_key, is_manifest_key
from genbank_assets.objects.retry import no_progress, retried

if TYPE_CHECKING:
    from obstore import ObjectMeta

# Sets up to this size are compared in one range per kind, larger ones in ranges by the first two digits of the digest.
MAX_KEYS_IN_MEMORY = 1_000_000
_LISTED: dict[str, Any] = {
    "key": pl.String,
    "size": pl.Int64,
    "modified": pl.Datetime("us", "UTC"),
    "etag_now": pl.String,
}


@dataclasses.dataclass(frozen=True)
class Range:
    """A range of keys: objects of one kind, or those whose digest starts with ``byte``.

    Attributes:
        kind: a molecule class, or ``packs``.
    """

    kind: str
    byte: int | None

    @property
    def prefix(self) -> str:
        """Common prefix of the keys."""
        return f"{self.kind}/" if self.byte is None else f"{self.kind}/{self.byte:02x}/"

    def listed(self, table: Path) -> pl.DataFrame:
        """Return the objects in this range listed by a table, which is sorted by digest."""
        rows = pl.scan_parquet(table)
        if self.kind == "packs":
            rows = rows.filter(pl.col("encoding") == "zstd", pl.col("key").str.starts_with(self.prefix))
        else:
            rows = rows.filter(pl.col("encoding") == "identity", pl.col("molecule_class") == self.kind)
            if self.byte is not None:
                low, high = bytes([self.byte]) + b"\x00" * 31, bytes([self.byte]) + b"\xff" * 31
                rows = rows.filter(pl.col("sequence_sha256").is_between(low, high))
        columns = ["key", "object_bytes", "object_sha256", "etag"]
        return rows.select(columns).unique("key").collect(engine="streaming")


def ranges(rows: int) -> list[Range]:
    """Return ranges that together cover all residue objects of a set with this many listed sequences."""
    bytes_ = range(256) if rows > MAX_KEYS_IN_MEMORY else (None,)
    return [Range(kind, byte) for kind in MOLECULE_CLASSES for byte in bytes_] + [Range("packs", None)]


def objects_under(store: ObjectStore, prefix: str, *, progress: Callable[[str], None] = no_progress) -> pl.DataFrame:
    """Yield key, size, time and ETag of the residue objects below a prefix.

    Raises:
        ObjectStoreError: the store failed.
    """
    found = [
        (meta["path"], meta["size"], meta["last_modified"], (meta["e_tag"] or "").strip('"') or None)
        for meta in listed(store, prefix, progress=progress)
        if is_content_key(meta["path"])
    ]
    return pl.DataFrame(found, schema=_LISTED, orient="row")


def manifest_objects(store: ObjectStore, *, progress: Callable[[str], None] = no_progress) -> list[ObjectMeta]:
    """Return the manifests in the set, from any store.

    Raises:
        ObjectStoreError: the store failed.
    """
    return [meta for meta in listed(store, "manifests/", progress=progress) if is_manifest_key(meta["path"])]


def listed(store: ObjectStore, prefix: str, *, progress: Callable[[str], None] = no_progress) -> list[ObjectMeta]:
    """Everything below a prefix; a listing that breaks off goes on where it was.

    Raises:
        ObjectStoreError: the store failed.
    """
    found: list[ObjectMeta] = []

    def more() -> None:
        for batch in obstore.list(store, prefix=prefix, offset=found[-1]["path"] if found else None, chunk_size=10_000):
            found.extend(batch)

    retried(more, doing=f"list {prefix}", progress=progress)
    return found
