"""Determines which sequences are already in the object set, from the divisions' object tables.

A division's table lists every distinct sequence with its location. The tables of all divisions and kept releases in the
store are used, provided that their manifest object is still in the set. Writing tables belongs to ``publish``.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import obstore
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from obstore.store import ObjectStore

from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.ncbi.daily import DAILY
from genbank_assets.objects.keys import MOLECULE_CLASSES
from genbank_assets.objects.listing import manifest_objects
from genbank_assets.objects.retry import no_progress, retried
from genbank_assets.objects.store import read_range
from genbank_assets.schema.tables import OBJECT_SCHEMA
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, releases_in_store

CODE_VERSION = "3"
_READABLE_VERSIONS = {"2", CODE_VERSION}  # version 0.1.0 ("2") had no memberships in the bucket
_TAIL_BYTES = 64 * 1024
TABLE = "objects.parquet"
PREFIXES = "objects.prefixes"  # beside the table: the first eight bytes of each row's digest, as little-endian integers
_DIGEST_BYTES = 32
IDENTITY = ["sequence_sha256", "molecule_class"]
EMPTY = pl.DataFrame(pl.from_arrow(OBJECT_SCHEMA.empty_table()))


def published(
    settings: Settings, *, first: PartitionKey | None = None, lost: bool = False
) -> Iterator[tuple[PartitionRelease, Manifest]]:
    """Yield every division and release of the store with a table of this set, newest release of each division first.

    Divisions are in catalogue order, except that ``first`` precede all others; with ``lost``, those with a missing
    table are included.
    """
    keys = [
        PartitionKey(collection.name, division)
        for collection in COLLECTIONS.values()
        for division in (*collection.divisions, DAILY)
    ]
    for key in sorted(keys, key=lambda key: key != first):
        for partition in reversed(releases_in_store(settings.store, key=key, stage="object_set")):
            manifest = partition.manifest("object_set")
            if _is_of_set(manifest, settings=settings) and (lost or is_readable(settings, partition, manifest)):
                yield partition, manifest


def is_readable(settings: Settings, partition: PartitionRelease, manifest: Manifest | None) -> bool:
    """Return whether a division's table exists and belongs to the configured set."""
    return _is_of_set(manifest, settings=settings) and (partition.folder_of(manifest) / TABLE).is_file()


def _is_of_set(manifest: Manifest | None, *, settings: Settings) -> TypeGuard[Manifest]:
    if manifest is None or manifest.code_version not in _READABLE_VERSIONS:
        return False
    return settings.has_objects_of(str(manifest.extra["url"]))


def table_path(partition: PartitionRelease) -> Path:
    """Return the path of the division's object table in the store, a copy of the manifest object."""
    return partition.files_folder("object_set") / TABLE


def published_tables(
    settings: Settings,
    store: ObjectStore,
    *,
    first: PartitionKey | None = None,
    progress: Callable[[str], None] = no_progress,
) -> list[Path]:
    """Return the tables whose manifest object in the set is the one this store published, using a single listing.

    Raises:
        ObjectStoreError: the store failed.
    """
    there = {meta["path"]: meta for meta in manifest_objects(store, progress=progress)}
    found = []
    for partition, manifest in published(settings, first=first):
        meta = there.get(manifest.extra["manifest_key"])
        if meta is None or meta["size"] != manifest.files[0]["bytes"]:
            continue
        # A manifest object written after this store published its own may be another store's, of the same size.
        since = dt.datetime.fromisoformat(manifest.published_at) if manifest.published_at else None
        if (since is not None and meta["last_modified"] <= since) or is_published(store, partition, manifest):
            found.append(table_path(partition))
    return found


def is_published(
    store: ObjectStore,
    partition: PartitionRelease,
    manifest: Manifest,
    *,
    progress: Callable[[str], None] = no_progress,
) -> bool:
    """Return whether a division's manifest object is in the set, by its size and its Parquet footer.

    Raises:
        ObjectStoreError: the store failed.
    """
    key, size, path = manifest.extra["manifest_key"], int(manifest.files[0]["bytes"]), table_path(partition)
    start = max(0, size - _TAIL_BYTES)

    def asked() -> bytes | None:
        if obstore.head(store, key)["size"] != size:
            return None
        return read_range(store, key, start=start, end=size)

    try:
        tail = retried(asked, doing=f"read {key}", progress=progress, may_be_absent=True)
    except FileNotFoundError:
        return False
    if tail is None or not path.is_file():
        return False
    with path.open("rb") as table:
        table.seek(start)
        return table.read() == tail


@dataclasses.dataclass(frozen=True)
class Compared:
    """Differences between the set and its manifests.

    Attributes:
        tables: object tables that are readable.
        broken: keys of objects that are missing or differ from their table.
    """

    tables: list[Path]
    broken: pl.Series


class _Table:
    """An object table and the digests of its row groups; the file is only open while it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._footer = pq.read_metadata(path)
        groups = range(self._footer.num_row_groups)
        spans = [self._footer.row_group(group).column(0).statistics for group in groups]
        self._spans = [(span.min, span.max) for span in spans]
        self._ends = np.cumsum([self._footer.row_group(group).num_rows for group in groups], dtype=np.int64)

    def rows_of(self, wanted: pl.DataFrame) -> Iterator[pa.Table]:
        """Yield the rows of some sequences.

        Memory holds one row group and the matching rows, however large the division. Arrow copies selected rows; Polars
        would keep the whole row group alive.
        """
        groups = self._groups_of(wanted["sequence_sha256"].sort())
        if not len(groups):
            return
        with pq.ParquetFile(self._path, metadata=self._footer) as file:
            for group in groups:
                keys = pl.DataFrame(pl.from_arrow(file.read_row_group(group, columns=IDENTITY)))
                rows = keys.with_row_index("row").join(wanted, on=IDENTITY, how="semi", maintain_order="left")["row"]
                if len(rows):
                    yield file.read_row_group(group).take(rows.to_arrow())

    def _groups_of(self, digests: pl.Series) -> Sequence[int]:
        """Return the row groups that may contain one of these sorted digests.

        With prefixes, these are exactly the groups that contain one. Tables of earlier versions only have the first and
        last digest of each group.
        """
        if not len(digests) or not len(self._ends):
            return []
        path = self._path.with_name(PREFIXES)
        rows = int(self._ends[-1])
        if path.is_file() and path.stat().st_size == 8 * rows:
            prefixes = np.memmap(path, "<u8", "r")
            asked = _prefixes(b"".join(digests.to_list()))
            begins = np.searchsorted(prefixes, asked, side="left")
            ends = np.searchsorted(prefixes, asked, side="right")
            found = begins < ends
            # Rows with the same prefix may be in two adjacent groups.
            first = np.searchsorted(self._ends, begins[found], side="right")
            last = np.searchsorted(self._ends, ends[found] - 1, side="right")
            spans = [np.arange(low, high + 1) for low, high in zip(first, last, strict=True) if high > low]
            return [int(group) for group in np.unique(np.concatenate([first, *spans]))]
        lows = digests.search_sorted(pl.Series([low for low, _ in self._spans], dtype=pl.Binary), side="left")
        highs = digests.search_sorted(pl.Series([high for _, high in self._spans], dtype=pl.Binary), side="right")
        return [group for group, (low, high) in enumerate(zip(lows, highs, strict=True)) if low < high]


def write_prefixes(table: Path) -> None:
    """Write the prefixes of an object table beside it, before a manifest names the table."""
    temporary = table.with_name(f".{PREFIXES}.{os.getpid()}")
    with pq.ParquetFile(table) as file, temporary.open("wb") as out:
        for group in range(file.num_row_groups):
            digests = file.read_row_group(group, columns=IDENTITY[:1])[0].combine_chunks()
            out.write(_prefixes(b"".join(digests.to_pylist())).tobytes())
    temporary.replace(table.with_name(PREFIXES))


def _prefixes(digests: bytes) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return the first eight bytes of each digest as integers that sort like the digests."""
    every_eight = np.frombuffer(digests, ">u8")
    return every_eight[:: _DIGEST_BYTES // 8].astype("<u8")


def rows_in(tables: Sequence[_Table], wanted: pl.DataFrame, *, broken: pl.Series | None = None) -> pl.DataFrame:
    """Return the first row of each sequence in some tables; a table is only read for those not found before."""
    found = EMPTY
    for table in tables:
        if not len(wanted):
            break
        taken = list(table.rows_of(wanted))
        if not taken:
            continue
        rows = pl.DataFrame(pl.from_arrow(pa.concat_tables(taken))).unique(IDENTITY, keep="first", maintain_order=True)
        if broken is not None:
            rows = rows.filter(~pl.col("key").is_in(broken.implode()))
        found = pl.concat([found, rows])
        wanted = wanted.join(rows, on=IDENTITY, how="anti", maintain_order="left")
    return found


def split_known(
    sequences: Path, tables: Sequence[Path], *, broken: pl.Series | None = None
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Yield, for each row group of a division's sequences, their known rows and the sequences not in the set.

    Args:
        sequences: the division's table of distinct sequences.
        tables: object tables to search; the first one with an intact object is used.
        broken: keys of missing or damaged objects, which are ignored.
    """
    opened = [_Table(table) for table in tables]
    with pq.ParquetFile(sequences) as file:
        for group in range(file.num_row_groups):
            frame = pl.DataFrame(pl.from_arrow(pa.Table.from_batches(file.read_row_group(group).to_batches())))
            known = rows_in(opened, frame.select(IDENTITY), broken=broken)
            yield known, frame.join(known, on=IDENTITY, how="anti", maintain_order="left")


def locate_all(settings: Settings, wanted: pl.DataFrame, *, first: Sequence[PartitionRelease] = ()) -> pl.DataFrame:
    """Return the rows of object tables for some sequences; unlisted ones are omitted.

    Args:
        settings: name the store.
        wanted: ``sequence_sha256`` and ``molecule_class``, without duplicates.
        first: divisions to search first; others are only read for the remaining sequences.
    """
    found = [EMPTY]
    mine = list(dict.fromkeys(first))
    for listed in itertools.chain(_published_of(settings, mine), (p for p, _ in published(settings) if p not in mine)):
        if not len(wanted):
            break
        rows = rows_in([_Table(table_path(listed))], wanted)
        if len(rows):
            found.append(rows)
            wanted = wanted.join(rows, on=IDENTITY, how="anti", maintain_order="left")
    return pl.concat(found)


def _published_of(settings: Settings, partitions: Iterable[PartitionRelease]) -> Iterator[PartitionRelease]:
    for partition in partitions:
        if is_readable(settings, partition, partition.manifest("object_set")):
            yield partition


def locate(
    settings: Settings, *, digest: bytes, molecule_class: str | None = None, partition: PartitionRelease | None = None
) -> dict[str, Any] | None:
    """Return the object table's row for a sequence, from its own division or else any other; None if there is none."""
    classes = [molecule_class] if molecule_class is not None else list(MOLECULE_CLASSES)
    for kind in classes:
        wanted = pl.DataFrame({"sequence_sha256": [digest], "molecule_class": [kind]})
        rows = locate_all(settings, wanted, first=[partition] if partition is not None else [])
        if len(rows):
            return rows.row(0, named=True)
    return None


def locate_refgets(settings: Settings, identifiers: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the rows with some refget digests (``SQ.…``) by digest, reading that column of every table once."""
    found: dict[str, dict[str, Any]] = {}
    for listed, _ in published(settings):
        if wanted := [one for one in identifiers if one not in found]:
            rows = pl.scan_parquet(table_path(listed)).filter(pl.col("refget").is_in(wanted)).collect()
            found |= {row["refget"]: row for row in rows.iter_rows(named=True)}
    return found
