"""Finds records in the store by name: accession, with or without version, in the releases and days that are in it.

A division's membership table is sorted by accession, so that footers and one row group tell. What is done with a record
that was found belongs to ``fetch`` and ``lineage``.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from genbank_assets.errors import IntegrityError, NotFoundError
from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.ncbi.daily import DAILY, day_of
from genbank_assets.ncbi.releases import release_date
from genbank_assets.settings import Settings
from genbank_assets.store import STAGES, PartitionKey, PartitionRelease, current_release, releases_in_store
from genbank_assets.tables.unique_tables import memberships_table


@dataclasses.dataclass(frozen=True)
class Found:
    """A record in the store: its partition and its row of the membership table."""

    partition: PartitionRelease
    row: dict[str, Any]


def find_record(settings: Settings, accession: str, *, in_kept_releases: bool = False) -> list[Found]:
    """The record named ``ACCESSION`` or ``ACCESSION.VERSION`` in every division's current release that has it.

    A daily update that is later than a division's release comes before it. Reads footers and one row group per
    division at most: the tables are sorted by accession.

    Args:
        settings: where the store is.
        accession: primary accession, with or without version.
        in_kept_releases: whether a version that no current release has is looked for in the earlier releases that
            are still in the store.

    Raises:
        NotFoundError: no division has it; the message says which were searched, and which version was there before.
    """
    found, searched = [], []
    for collection in COLLECTIONS.values():
        keys = [PartitionKey(collection.name, division) for division in collection.divisions]
        current = [current_release(settings.store, key=key, stage="unique_records") for key in keys]
        partitions = [partition for partition in current if partition is not None]
        in_divisions = [row for partition in partitions for row in rows_named(partition, accession)]
        if partitions:
            releases = ", ".join(sorted({partition.release for partition in partitions}))
            searched.append(f"{len(partitions)} division(s) of {collection.title} {releases}")
        days = releases_in_store(settings.store, key=PartitionKey(collection.name, DAILY), stage="unique_records")
        for day in reversed(days):
            in_day = rows_named(day, accession)[-1:]
            if in_day:
                in_divisions = [row for row in in_divisions if _is_later(row.partition, day)] or in_day
                break
        found += in_divisions
    if found:
        return found
    earlier = _in_earlier_releases(settings, accession)
    if in_kept_releases and "." in accession and earlier:
        return earlier
    where = ", ".join(searched) if searched else "no division is materialized yet"
    before = "".join(f"; {f.partition.key} {f.partition.release} had {f.row['accession_version']}" for f in earlier)
    raise NotFoundError(f"no record {accession} in the store (searched: {where}{before})")


def _in_earlier_releases(settings: Settings, accession: str) -> list[Found]:
    """The record in the newest of a division's earlier releases that has it."""
    found = []
    for collection in COLLECTIONS.values():
        for division in collection.divisions:
            key = PartitionKey(collection.name, division)
            for partition in reversed(releases_in_store(settings.store, key=key, stage="unique_records")[:-1]):
                rows = rows_named(partition, accession)
                if rows:
                    found += rows
                    break
    return found


def rows_named(partition: PartitionRelease, accession: str) -> list[Found]:
    """A partition's rows of an accession, with or without version; upper case may be left out."""
    name = accession.strip()
    names = [name] if name == name.upper() else [name, name.upper()]
    primary = [name.partition(".")[0] for name in names]
    path = memberships_table(partition)
    if not _may_have(path, primary):
        return []
    rows = rows_where(path, pl.col("accession").is_in(primary))
    if "." in name:
        rows = rows.filter(pl.col("accession_version").is_in(names))
    return [Found(partition, row) for row in rows.iter_rows(named=True)]


def _may_have(path: Path, accessions: list[str]) -> bool:
    """Whether a row group of a membership table spans one of the accessions: a name is in one division of many."""
    try:
        footer = pq.read_metadata(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise _unreadable(path, error) from error
    for group in range(footer.num_row_groups):
        bounds = footer.row_group(group).column(0).statistics
        if bounds is None or not bounds.has_min_max or any(bounds.min <= name <= bounds.max for name in accessions):
            return True
    return False


def _unreadable(path: Path, error: Exception) -> IntegrityError:
    stage = next((folder.name for folder in path.parents if folder.name in STAGES), "its stage")
    return IntegrityError(f"{path} cannot be read ({error}); remove it and materialize {stage}")


def rows_where(
    path: Path, condition: pl.Expr, *, columns: tuple[str, ...] = (), most: int | None = None
) -> pl.DataFrame:
    """Rows of a table of the store; of a sorted one only the row groups that can have them are read.

    Raises:
        IntegrityError: the file is not there, or is damaged.
    """
    try:
        rows = pl.scan_parquet(path).filter(condition)
        rows = rows.select(columns) if columns else rows
        return (rows if most is None else rows.head(most)).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _unreadable(path, error) from error


def _is_later(release: PartitionRelease, day: PartitionRelease) -> bool:
    """Whether a release supersedes a day: by its date, or where it has none by when it was fetched."""
    date = release_date(release)
    if date is not None:
        return date >= day_of(day)
    return release.manifest_path("raw_files").stat().st_mtime > day.manifest_path("raw_files").stat().st_mtime
