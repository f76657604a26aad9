"""Finds the tables a query reads: for each partition those of its newest readable release, or of a given one.

Which releases are readable belongs to ``catalog.divisions``, selecting records to ``plan``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from genbank_assets.catalog.divisions import Published, ReadableRelease, choose, readable_releases
from genbank_assets.release_facts import first_fetched, release_date, release_sort_key
from genbank_assets.store import PartitionRelease


@dataclasses.dataclass(frozen=True)
class SourceFile:
    """The tables of one flat file.

    Attributes:
        name: NCBI's name of the flat file.
        records: record table.
        sequences: sequence table.
        rows: number of records.
    """

    name: str
    records: Path
    sequences: Path
    rows: int


@dataclasses.dataclass(frozen=True)
class Input:
    """A partition's release and its files.

    Attributes:
        tables: the release to read.
        kept: all readable releases of the partition, oldest first.
    """

    tables: ReadableRelease
    kept: tuple[ReadableRelease, ...] = ()

    @property
    def partition(self) -> PartitionRelease:
        """Division and release."""
        return self.tables.partition

    @property
    def memberships(self) -> Path:
        """Memberships table, sorted by accession."""
        return self.tables.memberships

    @cached_property
    def files(self) -> tuple[SourceFile, ...]:
        """The files, in NCBI's order."""
        tables = zip(
            self.tables.records.files, self.tables.tables("records"), self.tables.tables("sequences"), strict=True
        )
        return tuple(
            SourceFile(
                name=entry["name"],
                records=records,
                sequences=sequences,
                rows=entry["records"],
            )
            for entry, records, sequences in tables
        )

    @cached_property
    def coding_sequences(self) -> dict[str, Path]:
        """Tables of coding sequences by flat file, if they were derived from these records."""
        made = self.tables.derived.get("cds")
        if made is None:
            return {}
        return {entry["flat_file"]: path for entry, path in zip(made.files, self.tables.tables("cds"), strict=True)}

    def as_dict(self) -> dict[str, Any]:
        """Return the manifest entry: equal digests mean equal tables."""
        raw = self.tables.manifest("raw_files")
        dated = release_date(self.tables) is not None
        return {
            "partition": str(self.partition.key),
            "release": self.partition.release,
            "release_date": raw.extra.get("release_date") if raw else None,
            **({} if dated or raw is None else {"first_fetched": first_fetched(self.tables).isoformat()}),
            "records": sum(file.rows for file in self.files),
            "records_digest": self.tables.records.digest,
            "unique_records_digest": self.tables.unique.digest,
            "files": [
                {"name": entry["name"], "raw_sha256": entry["raw_sha256"]} for entry in self.tables.records.files
            ],
        }


def find_inputs(store: Path | Published, *, partitions: Sequence[str], release: str | None) -> list[Input]:
    """Return the inputs for some partitions, or for all in the store or bucket, in catalogue order.

    Raises:
        NotFoundError: a partition or release does not exist, or there are none at all.
    """
    there = readable_releases(store)
    chosen = choose(there, partitions=partitions or None, release=release)
    return [Input(one, tuple(there[one.key])) for one in chosen]


def earlier_input(one: Input, *, release: str) -> Input | None:
    """Return the same partition in another release, or None if that does not exist."""
    wanted = release_sort_key(release)
    same = [found for found in one.kept if release_sort_key(found.release) == wanted]
    return Input(same[-1], one.kept) if same else None
