"""What is in the object set already: the object tables of the divisions, read in ranges of digests.

A division's table lists every distinct sequence with its place. Tables of all divisions of the store count, and of
the releases that are kept, as long as their manifest object is still in the set. Writing tables belongs to
``publish``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import obstore
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from genbank_assets.errors import ObjectStoreError
from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.ncbi.daily import DAILY
from genbank_assets.objects.store import reason_of
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, releases_in_store
from genbank_assets.tables.schema import OBJECT_SCHEMA

CODE_VERSION = "2"
TABLE = "objects.parquet"
IDENTITY = ["sequence_sha256", "molecule_class"]
EMPTY = pl.DataFrame(pl.from_arrow(OBJECT_SCHEMA.empty_table()))


def published(settings: Settings, *, first: PartitionKey | None = None) -> Iterator[tuple[PartitionRelease, Manifest]]:
    """Every division and release of the store with a table of this set, newest release of each division first.

    Divisions come in the catalogue's order, ``first`` before all others; one is looked at when it is its turn.
    """
    keys = [
        PartitionKey(collection.name, division)
        for collection in COLLECTIONS.values()
        for division in (*collection.divisions, DAILY)
    ]
    for key in sorted(keys, key=lambda key: key != first):
        for partition in reversed(releases_in_store(settings.store, key=key, stage="object_set")):
            manifest = partition.manifest("object_set")
            if (
                manifest is not None
                and manifest.code_version == CODE_VERSION
                and manifest.extra["url"] == settings.objects_url
                and table_path(partition).is_file()
            ):
                yield partition, manifest


def table_path(partition: PartitionRelease) -> Path:
    """The division's object table in the store folder: a copy of the manifest object."""
    return partition.stage_folder("object_set") / TABLE


def tables_in_force(settings: Settings, store: ObjectStore) -> list[Path]:
    """Tables whose manifest object is in the set with the same size; one request each.

    Raises:
        ObjectStoreError: the store cannot be asked.
    """
    found = []
    for partition, manifest in published(settings):
        if in_force(store, manifest):
            found.append(table_path(partition))
    return found


def in_force(store: ObjectStore, manifest: Manifest) -> bool:
    """Whether a division's manifest object is in the set.

    Raises:
        ObjectStoreError: the store cannot be asked.
    """
    try:
        size = obstore.head(store, manifest.extra["manifest_key"])["size"]
    except FileNotFoundError:
        return False
    except BaseError as error:
        raise ObjectStoreError(f"cannot ask the object store: {reason_of(error)}") from error
    return bool(size == manifest.files[0]["bytes"])


def rows_between(paths: Sequence[Path], low: bytes, high: bytes) -> pl.DataFrame:
    """Rows of the tables with digests from ``low`` to ``high``, each sequence once; reads those row groups only."""
    if not paths:
        return EMPTY
    inside = pl.col("sequence_sha256").is_between(low, high)
    frames = [pl.scan_parquet(path).filter(inside).collect() for path in paths]
    return pl.concat(frames).unique(IDENTITY, keep="first", maintain_order=True)


def split_known(sequences: Path, tables: Sequence[Path]) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """For each row group of a division's sequences: (rows of the object table, sequences that are not in the set)."""
    with pq.ParquetFile(sequences) as file:
        for group in range(file.num_row_groups):
            frame = pl.DataFrame(pl.from_arrow(pa.Table.from_batches(file.read_row_group(group).to_batches())))
            low, high = frame["sequence_sha256"][0], frame["sequence_sha256"][-1]
            known = rows_between(tables, low, high).join(frame, on=IDENTITY, how="semi")
            yield known, frame.join(known, on=IDENTITY, how="anti", maintain_order="left")


def locate(
    settings: Settings, *, digest: bytes, molecule_class: str | None = None, partition: PartitionRelease | None = None
) -> dict[str, Any] | None:
    """The row of the object table for a sequence: the division's own table first, then any other; None if none."""
    same = pl.col("sequence_sha256") == digest
    if molecule_class is not None:
        same &= pl.col("molecule_class") == molecule_class
    return _first(settings, same, partition)


def locate_refget(settings: Settings, identifier: str) -> dict[str, Any] | None:
    """The row with a refget digest (``SQ.…``); reads that column of every table."""
    return _first(settings, pl.col("refget") == identifier, None)


def _first(settings: Settings, same: pl.Expr, partition: PartitionRelease | None) -> dict[str, Any] | None:
    for listed, _ in published(settings, first=partition.key if partition is not None else None):
        rows = pl.scan_parquet(table_path(listed)).filter(same).head(1).collect()
        if len(rows):
            return rows.row(0, named=True)
    return None
