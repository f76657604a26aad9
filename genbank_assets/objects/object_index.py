"""What is in the object set already: the object tables of the divisions, read in ranges of digests.

A division's table lists every distinct sequence with its place. Tables of all divisions of the store count, and of
the releases that are kept, as long as their manifest object is still in the set. Writing tables belongs to
``publish``.
"""

from __future__ import annotations

import contextlib
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
from genbank_assets.objects.requests import is_transient
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
    return partition.files_folder("object_set") / TABLE


def published_tables(settings: Settings, store: ObjectStore) -> list[Path]:
    """Tables whose manifest object is in the set with the same size; one request each.

    Raises:
        ObjectStoreError: the store cannot be asked.
    """
    found = []
    for partition, manifest in published(settings):
        if is_published(store, manifest):
            found.append(table_path(partition))
    return found


def is_published(store: ObjectStore, manifest: Manifest) -> bool:
    """Whether a division's manifest object is in the set.

    Raises:
        ObjectStoreError: the store cannot be asked.
    """
    try:
        size = obstore.head(store, manifest.extra["manifest_key"])["size"]
    except FileNotFoundError:
        return False
    except BaseError as error:
        raise ObjectStoreError(
            f"cannot ask the object store: {reason_of(error)}", transient=is_transient(error)
        ) from error
    return bool(size == manifest.files[0]["bytes"])


class _Table:
    """An object table that is open, and the digests of its row groups."""

    def __init__(self, file: pq.ParquetFile) -> None:
        self._file = file
        spans = [file.metadata.row_group(group).column(0).statistics for group in range(file.num_row_groups)]
        self._spans = [(span.min, span.max) for span in spans]

    def rows_of(self, wanted: pl.DataFrame) -> Iterator[pa.Table]:
        """The rows of sequences.

        However many rows of a large division lie between two digests of a small one, memory holds a row group and
        those that were asked for. Arrow copies what is taken; Polars would keep the row group for its sake.
        """
        first, last = wanted["sequence_sha256"].min(), wanted["sequence_sha256"].max()
        for group, (low, high) in enumerate(self._spans):
            if low > last or high < first:
                continue
            keys = pl.DataFrame(pl.from_arrow(self._file.read_row_group(group, columns=IDENTITY)))
            rows = keys.with_row_index("row").join(wanted, on=IDENTITY, how="semi", maintain_order="left")["row"]
            if len(rows):
                yield self._file.read_row_group(group).take(rows.to_arrow())


def split_known(sequences: Path, tables: Sequence[Path]) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """For each row group of a division's sequences: (rows of the object table, sequences that are not in the set).

    A sequence that several tables list gets the row of the first.
    """
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(pq.ParquetFile(sequences))
        opened = [_Table(stack.enter_context(pq.ParquetFile(table))) for table in tables]
        for group in range(file.num_row_groups):
            frame = pl.DataFrame(pl.from_arrow(pa.Table.from_batches(file.read_row_group(group).to_batches())))
            rows = [row for table in opened for row in table.rows_of(frame.select(IDENTITY))]
            found = pl.DataFrame(pl.from_arrow(pa.concat_tables(rows))) if rows else EMPTY
            known = found.unique(IDENTITY, keep="first", maintain_order=True)
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
