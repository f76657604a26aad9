"""Determines which releases of which divisions can be read, and which ones a reader refers to.

A release of a division is readable if its record tables, and the memberships made from them, are published. Reading
belongs to ``frames`` and ``mirror``, manifests to ``store``.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow.parquet as pq

from genbank_assets.catalog.row_groups import groups_with
from genbank_assets.errors import NotFoundError
from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.release_facts import release_sort_key
from genbank_assets.store import (
    FURTHER_STAGES as DERIVED,
)
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, Stage, releases_in_store
from genbank_assets.tables.unique_tables import memberships_table

if TYPE_CHECKING:
    import polars as pl


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReadableRelease:
    """A readable release of a division.

    Attributes:
        partition: the division and release.
        records: manifest of its record tables.
        unique: manifest of its deduplicated tables.
        derived: manifests of ``samples`` and ``cds``, if derived from these record tables.
    """

    partition: PartitionRelease
    records: Manifest
    unique: Manifest
    derived: Mapping[str, Manifest]

    @property
    def key(self) -> PartitionKey:
        """The division."""
        return self.partition.key

    @property
    def release(self) -> str:
        """The release as NCBI writes it."""
        return self.partition.release

    @property
    def memberships(self) -> Path:
        """Table of all records of the division, sorted by accession."""
        return memberships_table(self.partition, self.unique)

    @property
    def place(self) -> str:
        """Location of its record tables, which is different for every generation."""
        return str(self.partition.folder_of(self.records))

    @contextlib.contextmanager
    def raw_file(self, name: str) -> Iterator[Path]:
        """Give the path of a flat file on this machine, valid during the block.

        Raises:
            NotFoundError: it was pruned, or is not published.
        """
        path = self._raw_folder / name
        if not path.is_file():  # the files may have been fetched again since
            path = self._raw_folder_now() / name
        if not path.is_file():
            raise NotFoundError(f"the raw file {name} of release {self.release} is not in the store any more")
        yield path

    @cached_property
    def _raw_folder(self) -> Path:
        """The folder of the raw files, so that the manifest is not read once a file."""
        return self._raw_folder_now()

    def _raw_folder_now(self) -> Path:
        raw = self.partition.manifest("raw_files")
        return self.partition.folder_of(raw) if raw is not None else self.partition.stage_folder("raw_files")

    def manifest(self, stage: Stage) -> Manifest | None:
        """Return the manifest of a stage; None if it is not published."""
        return self.partition.manifest(stage)

    def tables(self, kind: str) -> list[Path]:
        """Return the tables of a kind in the order of the raw files; empty if the kind was not built.

        Args:
            kind: ``records``, ``sequences``, ``quarantine``, ``samples`` or ``cds``.
        """
        if kind in DERIVED:
            manifest = self.derived.get(kind)
            return [self.partition.folder_of(manifest) / entry["name"] for entry in manifest.files] if manifest else []
        folder = self.partition.folder_of(self.records)
        names = [entry[f"{kind}_file"] for entry in self.records.files]
        return [folder / name for name in names if name is not None]

    @cached_property
    def sequences_of(self) -> Mapping[str, Path]:
        """The table of residues of each raw file, by file name."""
        names = (str(entry["name"]) for entry in self.records.files)
        return dict(zip(names, self.tables("sequences"), strict=True))

    def scan(self, tables: Sequence[Path]) -> pl.LazyFrame:
        """Scan several tables of one kind as one LazyFrame."""
        import polars as pl

        return pl.scan_parquet(tables, glob=False)  # type: ignore[arg-type]

    def memberships_named(self, accessions: Sequence[str]) -> pl.LazyFrame:
        """Return the memberships of these accessions (without version)."""
        import polars as pl

        return self.scan([self.memberships]).filter(pl.col("accession").is_in(list(accessions)))

    def rows_where(self, table: Path, column: str, values: Sequence[Any]) -> pl.DataFrame:
        """Return the rows of all row groups that may have one of these values in a column, with all columns."""
        import polars as pl

        with self.open(table) as file:
            groups = groups_with(file.metadata, column, values)
            return pl.DataFrame(pl.from_arrow(file.read_row_groups(groups)))

    def open(self, table: Path, *, footer: pq.FileMetaData | None = None) -> pq.ParquetFile:
        """Open a table for reading parts of it; a known footer is not read again."""
        return pq.ParquetFile(table, metadata=footer)

    def size(self, table: Path) -> int:
        """Return the size of a table in bytes."""
        return table.stat().st_size

    def location(self, table: Path) -> str:
        """Return the location of a table for SQL."""
        return str(table.resolve())


class Published(Protocol):
    """Tables published outside of a store, such as in a bucket."""

    def releases(self) -> dict[PartitionKey, list[ReadableRelease]]:
        """Return the same as :func:`readable_releases`."""
        ...


def readable_releases(store: Path | Published) -> dict[PartitionKey, list[ReadableRelease]]:
    """Return divisions with their readable releases, oldest first; divisions without any are omitted.

    Args:
        store: the store's folder, or published tables.

    Raises:
        NotFoundError: the folder does not exist.
    """
    if not isinstance(store, Path):
        return store.releases()
    if not store.is_dir():
        raise NotFoundError(f"there is no store at {store}: name the folder that GENBANK_ASSETS_STORE names")
    found = {}
    for collection in COLLECTIONS.values():
        for section in collection.divisions:
            key = PartitionKey(collection.name, section)
            releases = [_readable(p) for p in releases_in_store(store, key=key, stage="unique_records")]
            if readable := [release for release in releases if release is not None]:
                found[key] = readable
    return found


def _readable(partition: PartitionRelease) -> ReadableRelease | None:
    records, unique = partition.manifest("records"), partition.manifest("unique_records")
    if records is None or unique is None or unique.input_digest != records.digest:
        return None
    made = {stage: partition.manifest(stage) for stage in DERIVED}
    derived: dict[str, Manifest] = {
        stage: m for stage, m in made.items() if m is not None and m.input_digest == records.digest
    }
    return ReadableRelease(partition=partition, records=records, unique=unique, derived=derived)


def choose(
    there: dict[PartitionKey, list[ReadableRelease]], *, partitions: str | Iterable[str] | None, release: str | None
) -> list[ReadableRelease]:
    """Return one release for each requested division, in catalogue order.

    Args:
        there: the readable releases.
        partitions: ``genbank/phg``, ``refseq`` (all its divisions), several of these, or None for everything.
        release: the requested release (``273`` equals ``273.0``); None for the newest of each division.

    Raises:
        NotFoundError: nothing is readable, a name is unknown, or a requested division does not have the release.
    """
    if not there:
        raise NotFoundError("no division of the store can be read yet: materialize records and unique_records first")
    keys = _keys(there, partitions)
    if release is None:
        return [there[key][-1] for key in keys]
    wanted = release_sort_key(release)
    kept = {key: [one for one in there[key] if release_sort_key(one.release) == wanted] for key in keys}
    with_it = {key.collection for key in keys if kept[key]}
    if not with_it:
        numbers = sorted(sorted({one.release for key in keys for one in there[key]}), key=release_sort_key)
        raise NotFoundError(f"release {release} is not kept; these are: {', '.join(numbers)}")
    if lacking := [key for key in keys if key.collection in with_it and not kept[key]]:
        names = ", ".join(f"{key} ({', '.join(one.release for one in there[key])})" for key in lacking)
        raise NotFoundError(f"release {release} is not kept of {names}: name the partitions to read")
    return [kept[key][-1] for key in keys if kept[key]]


def _keys(
    there: dict[PartitionKey, list[ReadableRelease]], partitions: str | Iterable[str] | None
) -> Sequence[PartitionKey]:
    if partitions is None:
        return list(there)
    names = [partitions] if isinstance(partitions, str) else list(partitions)
    wanted = set()
    for name in names:
        matching = {key for key in there if name.lower() in {str(key), key.collection}}
        if not matching:
            raise NotFoundError(f"{name} is not in the store; these can be read: {', '.join(map(str, there))}")
        wanted |= matching
    return [key for key in there if key in wanted]
