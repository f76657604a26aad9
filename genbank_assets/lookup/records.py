"""Finds records in the store by accession, with or without version, in its releases and daily updates.

Membership tables are sorted by accession, so footers tell which row groups may contain a name. Many names are looked up
together; the cost then depends on the tables rather than on the number of names. Using the records found belongs to
``fetch``, ``text`` and ``lineage``.
"""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from genbank_assets.errors import IntegrityError, NotFoundError
from genbank_assets.ncbi.catalog import COLLECTIONS, Collection
from genbank_assets.ncbi.daily import DAILY, day_of
from genbank_assets.release_facts import release_date
from genbank_assets.settings import Settings
from genbank_assets.store import STAGES, PartitionKey, PartitionRelease, current_release, releases_in_store
from genbank_assets.tables.unique_tables import memberships_table


@dataclasses.dataclass(frozen=True)
class Found:
    """A record in the store.

    Attributes:
        partition: the division and release in which it was found.
        row: its row of the membership table, by column.
    """

    partition: PartitionRelease
    row: dict[str, Any]


class Lookup:
    """Looks up records in the current state of a store; footers are cached in memory.

    Args:
        settings: name the store.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tables: dict[PartitionRelease, _Memberships] = {}
        self._current: dict[str, list[PartitionRelease]] = {}
        self._days: dict[str, list[PartitionRelease]] = {}
        self._likely: list[PartitionRelease] = []
        for collection in COLLECTIONS.values():
            keys = _divisions(collection)
            current = [current_release(settings.store, key=key, stage="unique_records") for key in keys]
            self._current[collection.name] = [partition for partition in current if partition is not None]
            day = PartitionKey(collection.name, DAILY)
            self._likely += self._current[collection.name]
            self._days[collection.name] = releases_in_store(settings.store, key=day, stage="unique_records")[::-1]

    def find(self, names: Sequence[str]) -> dict[str, list[Found]]:
        """Find the records named ``ACCESSION`` or ``ACCESSION.VERSION`` in the current release of every division.

        A daily update later than a division's release takes precedence over it.

        Returns:
            Name → records, in the order of the names; empty for unknown names.

        Raises:
            IntegrityError: a membership table cannot be read.
        """
        found: dict[str, list[Found]] = {name: [] for name in names}
        for collection in COLLECTIONS.values():
            divisions = self._rows(self._current[collection.name], names)
            wanted = list(found)
            for day in self._days[collection.name]:
                in_day = self._rows([day], wanted)
                for name, rows in in_day.items():
                    kept = [row for row in divisions.get(name, []) if _is_later(row.partition, day)]
                    divisions[name] = kept or rows[-1:]
                wanted = [name for name in wanted if name not in in_day]
            for name, rows in divisions.items():
                found[name] += rows
        return found

    def find_each(self, names: Sequence[str], *, columns: Sequence[str]) -> dict[str, Found]:
        """Find one record for each name, in its newest state; unknown names are omitted.

        Unlike :meth:`find`, it stops at the first match, and starts with the divisions of earlier matches, because the
        names of a list often belong to few divisions.

        Args:
            names: names as in :meth:`find`.
            columns: columns of the membership table to read besides ``accession`` and ``accession_version``.

        Raises:
            IntegrityError: a membership table cannot be read.
        """
        found: dict[str, Found] = {}
        for some in (names[:1], names[1:]):
            for partition in list(self._likely):
                wanted = [name for name in some if name not in found]
                if not wanted:
                    break
                here = self._rows([partition], wanted, columns=columns)
                found |= {name: rows[0] for name, rows in here.items()}
                if here:
                    self._likely.remove(partition)
                    self._likely.insert(0, partition)
        for days in self._days.values():
            wanted = list(names)
            for day in days:
                if not wanted:
                    break
                in_day = self._rows([day], wanted, columns=columns)
                for name, rows in in_day.items():
                    if name not in found or not _is_later(found[name].partition, day):
                        found[name] = rows[-1]
                wanted = [name for name in wanted if name not in in_day]
        return found

    def find_earlier(self, names: Sequence[str]) -> dict[str, list[Found]]:
        """Find records in each division's newest earlier release that has them.

        Releases that are just being deleted are skipped.
        """
        found: dict[str, list[Found]] = {}
        for collection in COLLECTIONS.values():
            for key in _divisions(collection):
                wanted = list(names)
                for partition in releases_in_store(self._settings.store, key=key, stage="unique_records")[-2::-1]:
                    try:
                        rows = self._rows([partition], wanted)
                    except IntegrityError:
                        continue
                    for name, of_name in rows.items():
                        found.setdefault(name, []).extend(of_name)
                    wanted = [name for name in wanted if name not in rows]
        return found

    def searched(self) -> str:
        """Describe where :meth:`find` looked, for error messages."""
        places = []
        for collection in COLLECTIONS.values():
            partitions = self._current[collection.name]
            if partitions:
                releases = ", ".join(sorted({partition.release for partition in partitions}))
                places.append(f"{len(partitions)} division(s) of {collection.title} {releases}")
        return ", ".join(places) if places else "no division is materialized yet"

    def _rows(
        self, partitions: Iterable[PartitionRelease], names: Sequence[str], *, columns: Sequence[str] | None = None
    ) -> dict[str, list[Found]]:
        """Return the names found in some partitions, with some or all columns of their rows."""
        found: dict[str, list[Found]] = {}
        of_primary: dict[str, list[str]] = {}
        for name in names:
            for primary in {form.partition(".")[0] for form in _forms(name)}:
                of_primary.setdefault(primary, []).append(name)
        primaries = sorted(of_primary)
        for partition in partitions:
            if partition not in self._tables:
                self._tables[partition] = _Memberships(memberships_table(partition))
            for row in self._tables[partition].rows_of(primaries, columns=columns):
                for name in of_primary[row["accession"]]:
                    if "." not in name or row["accession_version"] in _forms(name):
                        found.setdefault(name, []).append(Found(partition, row))
        return found


class _Memberships:
    """A membership table and the accession ranges of its row groups; the file is only open while it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._footer = pq.read_metadata(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise _unreadable(path, error) from error
        self._spans = []
        for group in range(self._footer.num_row_groups):
            bounds = self._footer.row_group(group).column(0).statistics
            has_bounds = bounds is not None and bounds.has_min_max
            self._spans.append((bounds.min, bounds.max) if has_bounds else ("", "\U0010ffff"))

    def rows_of(self, accessions: list[str], *, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return the rows of some accessions, which must be sorted, in the order of the table.

        Args:
            accessions: the accessions.
            columns: columns to read besides the names; None for all.

        Raises:
            IntegrityError: the table cannot be read.
        """
        found: list[dict[str, Any]] = []
        read = None if columns is None else ["accession", "accession_version", *columns]
        spans = [
            (group, bisect.bisect_left(accessions, low), bisect.bisect_right(accessions, high))
            for group, (low, high) in enumerate(self._spans)
        ]
        spans = [span for span in spans if span[1] < span[2]]
        if not spans:
            return found
        try:
            with pq.ParquetFile(self._path, metadata=self._footer) as file:
                for group, begin, end in spans:
                    names = pl.Series(pl.from_arrow(file.read_row_group(group, columns=["accession"])["accession"]))
                    rows = names.is_in(pl.Series(accessions[begin:end]).implode()).arg_true()
                    if len(rows):
                        found += file.read_row_group(group, columns=read).take(rows.to_arrow()).to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(self._path, error) from error
        return found


def find_record(settings: Settings, accession: str, *, in_kept_releases: bool = False) -> list[Found]:
    """Find the record named ``ACCESSION`` or ``ACCESSION.VERSION`` in the current release of every division.

    A daily update later than a division's release takes precedence over it.

    Args:
        settings: name the store.
        accession: primary accession, with or without version, in upper or lower case.
        in_kept_releases: whether to search earlier releases in the store if no current release has this version.

    Raises:
        NotFoundError: no division has it; the message names those searched, and any earlier version.
        IntegrityError: a membership table cannot be read.
    """
    lookup = Lookup(settings)
    found = lookup.find([accession])[accession]
    if found:
        return found
    earlier = lookup.find_earlier([accession]).get(accession, [])
    if in_kept_releases and "." in accession and earlier:
        return earlier
    raise NotFoundError(not_found(lookup, accession, earlier))


def not_found(lookup: Lookup, accession: str, earlier: Sequence[Found]) -> str:
    """Return the message for a name that no current release has."""
    before = "".join(f"; {f.partition.key} {f.partition.release} had {f.row['accession_version']}" for f in earlier)
    return f"no record {accession} in the store (searched: {lookup.searched()}{before})"


def rows_named(partition: PartitionRelease, accession: str) -> list[Found]:
    """Return a partition's rows for an accession, with or without version, in upper or lower case."""
    forms = _forms(accession)
    rows = _Memberships(memberships_table(partition)).rows_of(sorted({form.partition(".")[0] for form in forms}))
    return [Found(partition, row) for row in rows if "." not in accession or row["accession_version"] in forms]


def _divisions(collection: Collection) -> list[PartitionKey]:
    return [PartitionKey(collection.name, division) for division in collection.divisions]


def _forms(name: str) -> set[str]:
    """Return a name as given and in upper case."""
    return {name.strip(), name.strip().upper()}


def _unreadable(path: Path, error: Exception) -> IntegrityError:
    stage = next((folder.name for folder in path.parents if folder.name in STAGES), "its stage")
    return IntegrityError(f"{path} cannot be read ({error}); remove it and materialize {stage}")


def rows_where(
    path: Path, condition: pl.Expr, *, columns: tuple[str, ...] = (), limit: int | None = None
) -> pl.DataFrame:
    """Return the rows of a table that satisfy a condition, skipping row groups by their statistics.

    Raises:
        IntegrityError: the file is missing or damaged.
    """
    try:
        rows = pl.scan_parquet(path).filter(condition)
        rows = rows.select(columns) if columns else rows
        return (rows if limit is None else rows.head(limit)).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _unreadable(path, error) from error


def _is_later(release: PartitionRelease, day: PartitionRelease) -> bool:
    """Return whether a release supersedes a day, by release date or else by the date it was first fetched."""
    date = release_date(release)
    if date is not None:
        return date >= day_of(day)
    return release.manifest_path("raw_files").stat().st_mtime > day.manifest_path("raw_files").stat().st_mtime
