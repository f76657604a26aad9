"""A division's release whose tables are in a bucket, with the interface of releases in a store.

Listing releases belongs to ``bucket``, reading objects to ``bucket_objects``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from genbank_assets.catalog.bucket_objects import BucketObjects
from genbank_assets.catalog.divisions import ReadableRelease
from genbank_assets.catalog.table_layout import RAW_FILES, TableObject, TablesManifest
from genbank_assets.errors import NotFoundError
from genbank_assets.store import FURTHER_STAGES as DERIVED
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, Stage


@dataclasses.dataclass(frozen=True, kw_only=True)
class BucketRelease(ReadableRelease):
    """A division's release whose tables are in a bucket; their paths are keys.

    Attributes:
        bucket: the bucket.
        published: the manifest that lists its tables.
    """

    bucket: BucketObjects = dataclasses.field(repr=False, compare=False)
    published: TablesManifest = dataclasses.field(repr=False)

    @classmethod
    def of(cls, published: TablesManifest, *, bucket: BucketObjects) -> BucketRelease:
        """Return the release that a manifest describes."""
        key = PartitionKey(published.collection, published.section)
        return cls(
            partition=PartitionRelease(Path(), key, published.release),
            records=published.stages["records"],
            unique=published.stages["unique_records"],
            derived={name: one for name, one in published.stages.items() if name in DERIVED},
            bucket=bucket,
            published=published,
        )

    @property
    def memberships(self) -> Path:
        return self.tables("memberships")[0]

    @property
    def place(self) -> str:
        return self.memberships.parent.parent.as_posix()

    @contextlib.contextmanager
    def raw_file(self, name: str) -> Iterator[Path]:
        found = self._raw_files.get(name)
        if found is None:
            raw = self.manifest("raw_files")
            url = next((entry["url"] for entry in raw.files if entry["name"] == name), "") if raw else ""
            raise NotFoundError(
                f"NCBI's own text is cut from raw files, which are not published beside these tables: ask a store for "
                f"it, or whoever publishes to set GENBANK_ASSETS_PUBLISH_RAW_FILES; {name} of release {self.release} "
                f"came from {url or 'NCBI'}"
            )
        with tempfile.TemporaryDirectory(prefix="genbank-assets-") as folder:
            path = Path(folder) / name
            self.bucket.download(found, path)
            yield path

    def manifest(self, stage: Stage) -> Manifest | None:
        return self.published.stages.get(stage)

    def tables(self, kind: str) -> list[Path]:
        return [Path(one.key) for one in self.published.of_kind(kind)]

    def scan(self, tables: Sequence[Path]) -> pl.LazyFrame:
        return self.bucket.scan([table.as_posix() for table in tables])

    def memberships_named(self, accessions: Sequence[str]) -> pl.LazyFrame:
        found = self.rows_where(self.memberships, "accession", list(accessions))
        return found.lazy().filter(pl.col("accession").is_in(list(accessions)))

    def rows_where(self, table: Path, column: str, values: Sequence[Any]) -> pl.DataFrame:
        with self.bucket.reading(table.as_posix()):
            return super().rows_where(table, column, values)

    def open(self, table: Path, *, footer: pq.FileMetaData | None = None) -> pq.ParquetFile:
        return self.bucket.open(table.as_posix())  # which caches footers

    def size(self, table: Path) -> int:
        return self.object_of(table).bytes

    def location(self, table: Path) -> str:
        return self.bucket.location(table.as_posix())

    def object_of(self, table: Path) -> TableObject:
        """Return the manifest entry of a table."""
        return self._objects[table.as_posix()]

    @cached_property
    def _objects(self) -> Mapping[str, TableObject]:
        return {one.key: one for one in self.published.tables}

    @cached_property
    def _raw_files(self) -> Mapping[str, TableObject]:
        return {one.key.rpartition("/")[2]: one for one in self.published.of_kind(RAW_FILES)}
