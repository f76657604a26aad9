"""Compares the object set with its manifests, to find missing or damaged objects.

Checks that every manifest object equals the local table, that every listed object exists with its size and ETag, and
that a sample of sequences has its digest. Unlisted objects are counted; removing them belongs to ``prune``, sending
objects again to ``repair``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import obstore
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from obstore.store import ObjectStore

from genbank_assets.errors import GenbankAssetsError
from genbank_assets.objects.etags import Etags
from genbank_assets.objects.listing import manifest_objects, objects_under, ranges
from genbank_assets.objects.memberships import memberships_of
from genbank_assets.objects.object_index import published, table_path
from genbank_assets.objects.read import residues
from genbank_assets.objects.requests import stored_as
from genbank_assets.objects.retry import no_progress, retried
from genbank_assets.objects.store import open_objects
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease
from genbank_assets.tables.writer import file_sha256

# Limit for listing problems individually: if a whole bucket is missing, a thousand lines are enough.
MAX_LISTED_PROBLEMS = 100_000


@dataclasses.dataclass(frozen=True)
class Problem:
    """A problem with an object.

    Attributes:
        key: the object's key.
        what: what is wrong with it.
        partition: a division that needs it, ``COLLECTION/SECTION``.
    """

    key: str
    what: str
    partition: str


@dataclasses.dataclass(frozen=True)
class Verification:
    """Result of a verification.

    Attributes:
        partitions: number of divisions and releases examined.
        objects: number of objects listed by their manifests.
        sequences: number of sequences listed by their manifests.
        rehashed: number of sequences that were read again.
        problem_count: number of problems.
        problems: the first :data:`MAX_LISTED_PROBLEMS` problems.
        unlisted: number of residue objects in the set that no manifest lists; None if the set has manifests of other
            stores, which only ``prune`` reads.
    """

    partitions: int
    objects: int
    sequences: int
    rehashed: int
    problem_count: int
    problems: tuple[Problem, ...]
    unlisted: int | None


class Comparison:
    """Compares the set with the manifests of this store, and keeps the keys of broken objects for ``repair``.

    Args:
        settings: name the store and the object set.
        partitions: divisions to examine; empty means all.
        progress: called with messages for the user.

    Attributes:
        chosen: the divisions and releases examined.
        readable: those whose local table matches its manifest.
        broken: keys of missing or damaged objects, per division.
        problems: the first problems, as sentences.
        problem_count: number of problems.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        partitions: Sequence[PartitionKey] = (),
        progress: Callable[[str], None] = no_progress,
    ) -> None:
        self._settings = settings
        self._progress = progress
        self._store = open_objects(settings, retries=0)
        self._reading = open_objects(settings)
        self._everything = list(published(settings, lost=True))
        self.chosen = [(p, m) for p, m in self._everything if not partitions or p.key in partitions]
        self.readable: list[PartitionRelease] = []
        self.broken: dict[PartitionRelease, list[str]] = {partition: [] for partition, _ in self.chosen}
        self.problems: list[Problem] = []
        self.problem_count = self.objects = self.rehashed = 0
        self.unlisted: int | None = 0

    def run(self, *, sample: int) -> None:
        """Compare everything, and read a sample of each division's sequences.

        Raises:
            ObjectStoreError: the store failed.
        """
        self.readable = [p for p, m in self.chosen if self._tables_are_right(p, m)]
        self._compare_objects(set(self.readable))
        self._progress(
            f"{self.objects:,} objects of {len(self.chosen)} division(s) compared, {self.problem_count:,} problems"
        )
        for partition in self.readable:
            self._read_sample(partition, sample)
        self._progress(f"{self.rehashed:,} sequences read again")

    def _wrong(self, partition: PartitionRelease, key: str, what: str) -> None:
        self.broken[partition].append(key)
        self.problem_count += 1
        if len(self.problems) < MAX_LISTED_PROBLEMS:
            self.problems.append(Problem(key, what, f"{partition.key} {partition.release}"))

    def _tables_are_right(self, partition: PartitionRelease, manifest: Manifest) -> bool:
        """Compare a division's tables; return whether the local object table is readable."""
        key, entry, path = manifest.extra["manifest_key"], manifest.files[0], table_path(partition)
        is_there = path.is_file()
        is_same = is_there and bool(file_sha256(path) == entry["sha256"])
        if not is_same:
            how = "has another digest than its manifest says" if is_there else "is gone"
            self._wrong(partition, key, f"the local table {path} {how}")
        problem = self._other_than(key, entry["sha256"])
        if problem:
            self._wrong(partition, key, problem)
        try:
            pq.read_metadata(path)
            named = memberships_of(path)
        except (OSError, ValueError, pa.ArrowException):
            return False
        if named is not None and is_same:
            there = retried(
                lambda: stored_as(self._store, named["key"]), doing=f"read {named['key']}", progress=self._progress
            )
            if there is None:
                self._wrong(partition, named["key"], "missing")
            elif there.bytes != named["bytes"]:
                what = f"has {there.bytes:,} bytes, not {named['bytes']:,}"
                self._wrong(partition, named["key"], what)
            elif self._other_than(named["key"], named["sha256"]):
                self._wrong(partition, named["key"], "has different bytes of the same number: its digest has changed")
        return is_same

    def _other_than(self, key: str, sha256: str) -> str:
        """Describe how a table in the set differs from its expected digest; "" if it does not."""
        try:
            found = retried(
                lambda: _digest(self._store, key), doing=f"read {key}", progress=self._progress, may_be_absent=True
            )
        except FileNotFoundError:
            return "the manifest object is missing"
        return "" if found == sha256 else "the manifest object is not the local table"

    def _compare_objects(self, readable: set[PartitionRelease]) -> None:
        tables = {partition: table_path(partition) for partition, _ in self._everything}
        rows = sum(manifest.files[0]["rows"] for _, manifest in self._everything)
        unlisted = 0
        for span in ranges(rows):
            there = objects_under(self._store, span.prefixes, progress=self._progress)
            nobodys = there.select("key")
            for partition, table in tables.items():
                if (partition in self.broken and partition not in readable) or not table.is_file():
                    continue
                listed = span.listed(table)
                nobodys = nobodys.join(listed, on="key", how="anti")
                if partition in self.broken:
                    self.objects += len(listed)
                    for key, what in self._compare(listed, there):
                        self._wrong(partition, key, what)
            unlisted += len(nobodys)
        listed_here = {manifest.extra["manifest_key"] for _, manifest in self._everything}
        others = {meta["path"] for meta in manifest_objects(self._store, progress=self._progress)} - listed_here
        unread = len(readable) < len(self.chosen) or not all(table.is_file() for table in tables.values())
        self.unlisted = None if others or unread else unlisted

    def _compare(self, listed: pl.DataFrame, there: pl.DataFrame) -> Iterator[tuple[str, str]]:
        """Yield problems of listed objects; an object whose ETag has changed is read."""
        rows = listed.join(there, on="key", how="left").with_columns(pl.col("etag").str.strip_chars('"'))
        same = (pl.col("size") == pl.col("object_bytes")) & (
            pl.col("etag").is_null() | pl.col("etag_now").is_null() | (pl.col("etag") == pl.col("etag_now"))
        )
        for key, promised, sha256, _, size, _, _ in rows.filter(~same.fill_null(value=False)).iter_rows():
            if size is None:
                yield key, "missing"
            elif size != promised:
                yield key, f"has {size:,} bytes, not {promised:,}"
            elif self._sha256_of(key) != sha256:
                yield key, "has different bytes of the same number: its digest has changed"

    def _sha256_of(self, key: str) -> bytes | None:
        try:
            return retried(
                lambda: Etags(self._reading).read(key),
                doing=f"read {key}",
                progress=self._progress,
                may_be_absent=True,
            )
        except FileNotFoundError:
            return None

    def _read_sample(self, partition: PartitionRelease, count: int) -> None:
        for row in _sample(table_path(partition), count):
            self.rehashed += 1
            try:
                for _ in residues(self._settings, row, store=self._reading):
                    pass
            except GenbankAssetsError as error:
                if error.transient:
                    raise
                self._wrong(partition, row["key"], str(error))


def verify_objects(
    settings: Settings,
    *,
    partitions: Sequence[PartitionKey] = (),
    sample: int = 100,
    progress: Callable[[str], None] = no_progress,
) -> Verification:
    """Compare the bucket with the manifests of divisions, and read a sample of sequences.

    Args:
        settings: name the store and the object set.
        partitions: divisions to examine; empty means all.
        sample: number of random sequences per division to read; 0 for none.
        progress: called with messages for the user.

    Raises:
        ObjectStoreError: the store failed.
    """
    found = Comparison(settings, partitions=partitions, progress=progress)
    found.run(sample=sample)
    return Verification(
        partitions=len(found.chosen),
        objects=found.objects,
        sequences=sum(manifest.files[0]["rows"] for _, manifest in found.chosen),
        rehashed=found.rehashed,
        problem_count=found.problem_count,
        problems=tuple(found.problems),
        unlisted=found.unlisted,
    )


def _sample(table: Path, count: int) -> Iterator[dict[str, Any]]:
    """Yield random rows of a table, reading each row group at most once."""
    with pq.ParquetFile(table) as file:
        rows = file.metadata.num_rows
        chosen = sorted(random.sample(range(rows), min(count, rows)))
        begin = 0
        for group in range(file.num_row_groups):
            end = begin + file.metadata.row_group(group).num_rows
            here = [index - begin for index in chosen if begin <= index < end]
            if here:
                yield from file.read_row_group(group).take(here).to_pylist()
            begin = end


def _digest(store: ObjectStore, key: str) -> str:
    hasher = hashlib.sha256()
    for piece in obstore.get(store, key).stream():
        hasher.update(piece)
    return hasher.hexdigest()
