"""The tables that a query reads: of each partition, those of its newest readable release or of the one that is named.

Which releases can be read belongs to ``catalog.divisions``; what is read in them, to ``plan``.
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
        name: the flat file's name, as NCBI has it.
        records: table of records.
        sequences: table of residues.
        rows: records.
    """

    name: str
    records: Path
    sequences: Path
    rows: int


@dataclasses.dataclass(frozen=True)
class Input:
    """A partition's release and its files.

    Attributes:
        tables: the release of the partition that is read.
        kept: all its releases that can be read, oldest first.
    """

    tables: ReadableRelease
    kept: tuple[ReadableRelease, ...] = ()

    @property
    def partition(self) -> PartitionRelease:
        """The division and the release."""
        return self.tables.partition

    @property
    def memberships(self) -> Path:
        """The table of memberships, sorted by accession."""
        return self.tables.memberships

    @cached_property
    def files(self) -> tuple[SourceFile, ...]:
        """Its files, in NCBI's order."""
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
        """The tables of coding sequences by flat file, where they were made of these very records; else none."""
        made = self.tables.derived.get("cds")
        if made is None:
            return {}
        return {entry["flat_file"]: path for entry, path in zip(made.files, self.tables.tables("cds"), strict=True)}

    def as_dict(self) -> dict[str, Any]:
        """Return what a manifest says of it: equal digests, equal tables."""
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
    """Return the inputs of some partitions, or of all that are in the store or published, in order of the catalog.

    Raises:
        NotFoundError: a partition that was named is not in the store, or not in that release; or nothing is.
    """
    there = readable_releases(store)
    chosen = choose(there, partitions=partitions or None, release=release)
    return [Input(one, tuple(there[one.key])) for one in chosen]


def earlier_input(one: Input, *, release: str) -> Input | None:
    """Return the same partition in another release, or None where it is not in the store."""
    wanted = release_sort_key(release)
    same = [found for found in one.kept if release_sort_key(found.release) == wanted]
    return Input(same[-1], one.kept) if same else None
