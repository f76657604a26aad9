"""Published tables read where they lie: ``s3://bucket/prefix`` or ``file:///folder``, without a store, read-only.

``?endpoint=…``, ``&region=…`` and ``&unsigned=true`` say where a bucket is and that no key is to be shown; what is left
out comes from AWS's own variables, profiles and roles, and without any keys requests are not signed. A query reads the
index, the manifests, footers, and of row groups the columns it speaks of. Which tables count belongs to
``table_layout``; that what is sent is whole, to ``table_set``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import obstore
import polars as pl
import pyarrow.parquet as pq
from obstore.store import ObjectStore
from polars.io.plugins import register_io_source

from genbank_assets.catalog.address import open_address
from genbank_assets.catalog.bundle_layout import BUNDLE_MANIFEST, LATEST, Bundle, bundle_folder, is_bundle_name
from genbank_assets.catalog.divisions import ReadableRelease
from genbank_assets.catalog.range_file import RangeFile
from genbank_assets.catalog.table_layout import (
    INDEX_KEY,
    RAW_FILES,
    PublishedTaxonomy,
    TableObject,
    TablesManifest,
    read_index,
    read_taxonomies,
    taxonomy_key,
)
from genbank_assets.durable import file_sha256
from genbank_assets.errors import IntegrityError, NotFoundError, ObjectStoreError
from genbank_assets.objects.requests import copy_object
from genbank_assets.objects.retry import retried
from genbank_assets.store import FURTHER_STAGES as DERIVED
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, Stage
from genbank_assets.tables.clades import Taxonomy
from genbank_assets.tables.taxonomy import TaxonomyManifest

# Row groups on their way at a time: a request takes longer than what is done with the answer.
_AHEAD = 4


class TableBucket:
    """A bucket of published tables, opened for reading.

    Args:
        url: ``s3://bucket/prefix?endpoint=…&region=…&unsigned=true`` or ``file:///folder``; ``bundle=2026-11-26`` or
            ``bundle=latest`` reads what that bundle lists instead of what is newest.
        store: the place, where it is open already.

    Raises:
        ObjectStoreError: the URL cannot be used, or the store does not answer.
        NotFoundError: the folder is not there.
    """

    def __init__(self, url: str, *, store: ObjectStore | None = None) -> None:
        self.address = url
        self.url = url.partition("?")[0].rstrip("/")
        self._bundle = parse_qs(urlsplit(url).query).get("bundle", [""])[-1]
        if self._bundle and not is_bundle_name(self._bundle):
            raise ObjectStoreError(
                f"a bundle is named by its date, such as 2026-11-26, or latest, not {self._bundle!r}"
            )
        self._store = store or open_address(url)
        self._metadata = functools.lru_cache(maxsize=4096)(self._read_metadata)

    def releases(self) -> dict[PartitionKey, list[ReadableRelease]]:
        """Every division that the index lists with its releases, oldest first.

        Raises:
            NotFoundError: there is no index: nothing was published there.
            IntegrityError: the index or a manifest cannot be read.
            ObjectStoreError: the store failed.
        """
        found: dict[PartitionKey, list[ReadableRelease]] = {}
        bundle = self.bundle(self._bundle) if self._bundle else None
        index = read_index(self._read(INDEX_KEY)) if bundle is None else bundle.divisions
        keys = [one.manifest if bundle is None else bundle.copy_of(one) for one in index]
        with ThreadPoolExecutor(_AHEAD * 2) as pool:
            for one, key, text in zip(index, keys, pool.map(self._read_if_there, keys), strict=True):
                if text is None and bundle is None:
                    continue  # it was removed since the index was read
                if text is None or (bundle is not None and not bundle.has(key, text)):
                    raise IntegrityError(f"{key} in {self.url} is not what its bundle lists")
                release = self.release_of(TablesManifest.from_json(text, key=one.manifest))
                found.setdefault(release.key, []).append(release)
        return found

    def release_of(self, manifest: TablesManifest) -> BucketRelease:
        """The release that a manifest describes."""
        key = PartitionKey(manifest.collection, manifest.section)
        return BucketRelease(
            partition=PartitionRelease(Path(), key, manifest.release),
            records=manifest.stages["records"],
            unique=manifest.stages["unique_records"],
            derived={name: one for name, one in manifest.stages.items() if name in DERIVED},
            bucket=self,
            published=manifest,
        )

    def bundle(self, name: str = LATEST) -> Bundle:
        """What a bundle lists.

        Raises:
            NotFoundError: there is no such bundle.
            IntegrityError: its manifest cannot be read.
            ObjectStoreError: the store failed.
        """
        key = f"{bundle_folder(name)}/{BUNDLE_MANIFEST}"
        return Bundle.from_json(self._read(key), key=key)

    def read_listed(self, bundle: Bundle, name: str) -> bytes:
        """One of a bundle's own files, compared with its digest.

        Raises:
            IntegrityError: it has another.
            NotFoundError: it is not there.
            ObjectStoreError: the store failed.
        """
        key = f"{bundle_folder(bundle.name)}/{name}"
        content = self._read(key)
        if not bundle.has(key, content):
            raise IntegrityError(f"{key} in {self.url} is not what its bundle lists")
        return content

    def location(self, key: str) -> str:
        """An object as SQL names it: its address, or a path."""
        root = self.url if self.url.startswith("s3:") else unquote(urlsplit(self.url).path)
        return f"{root}/{key}"

    def taxonomy(self) -> Taxonomy:
        """The newest taxonomy that is published.

        Raises:
            NotFoundError: there is none.
            IntegrityError: its manifest cannot be read.
            ObjectStoreError: the store failed.
        """
        dates = self.bundle(self._bundle).taxonomies if self._bundle else read_taxonomies(self._read(INDEX_KEY))
        if not dates:
            raise NotFoundError(
                f"no taxonomy is published at {self.url}: run genbank-assets taxonomy --update, then tables publish, "
                "where the store is"
            )
        key = taxonomy_key(dates[-1])
        copy = f"{bundle_folder(self._bundle)}/{key}" if self._bundle else key
        found = PublishedTaxonomy.from_json(self._read(copy), key=key)
        files = tuple(found.manifest["files"])
        manifest = TaxonomyManifest(**(found.manifest | {"files": files}))
        return Taxonomy(manifest, scan=lambda table: self.scan([found.tables[table].key]))

    def size(self, key: str) -> int:
        """Bytes of an object.

        Raises:
            NotFoundError: it is not there.
            ObjectStoreError: the store failed.
        """
        return int(self._asked(lambda: obstore.head(self._store, key)["size"], key))

    def file(self, key: str) -> RangeFile:
        """An object as a file that can be read anywhere.

        Raises:
            NotFoundError: it is not there.
            ObjectStoreError: the store failed.
        """
        return RangeFile(self._store, key, size=self.size(key))

    def download(self, one: TableObject, path: Path) -> None:
        """A whole object into a file, compared with its digest.

        Raises:
            NotFoundError: it is not there.
            IntegrityError: it has other bytes.
            ObjectStoreError: the store failed.
        """
        self._asked(lambda: copy_object(self._store, one.key, path), one.key)
        if file_sha256(path) != one.sha256:
            raise IntegrityError(f"{one.key} in {self.url} is not what its manifest says")

    def open(self, key: str) -> pq.ParquetFile:
        """A table for reading; its footer is read once.

        Raises:
            NotFoundError: it is not there.
            ObjectStoreError: the store failed.
        """
        size, metadata = self._metadata(key)
        return pq.ParquetFile(RangeFile(self._store, key, size=size), metadata=metadata, pre_buffer=True)

    def _read_metadata(self, key: str) -> tuple[int, pq.FileMetaData]:
        size = self.size(key)
        with pq.ParquetFile(RangeFile(self._store, key, size=size)) as file:
            return size, file.metadata

    def scan(self, keys: Sequence[str]) -> pl.LazyFrame:
        """Tables of one schema as one frame that reads the columns it needs, a few row groups ahead."""
        with self.open(keys[0]) as first:
            empty = pl.from_arrow(first.schema_arrow.empty_table())
        assert isinstance(empty, pl.DataFrame)

        def source(
            with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
        ) -> Iterator[pl.DataFrame]:
            wanted = None if with_columns is None else list(with_columns)
            left = n_rows
            for frame in self._groups(keys, wanted):
                part = frame if left is None else frame.head(left)
                left = None if left is None else left - len(part)
                yield part if predicate is None else part.filter(predicate)
                if left == 0:
                    return

        return register_io_source(source, schema=empty.schema)

    def _groups(self, keys: Sequence[str], columns: list[str] | None) -> Iterator[pl.DataFrame]:
        groups_of_keys = ((key, group) for key in keys for group in range(self._metadata(key)[1].num_row_groups))
        with ThreadPoolExecutor(_AHEAD, thread_name_prefix="tables") as pool:
            waiting: list[Future[pl.DataFrame]] = []
            try:
                for key, group in groups_of_keys:
                    waiting.append(pool.submit(self._group, key, group, columns))
                    if len(waiting) == _AHEAD:
                        yield waiting.pop(0).result()
                while waiting:
                    yield waiting.pop(0).result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _group(self, key: str, group: int, columns: list[str] | None) -> pl.DataFrame:
        with self.open(key) as file:
            if columns == []:
                return pl.DataFrame(height=file.metadata.row_group(group).num_rows)
            frame = pl.DataFrame(pl.from_arrow(file.read_row_group(group, columns=columns)))
            return frame if columns is None else frame.select(columns)

    def _read(self, key: str) -> bytes:
        content: bytes = self._asked(lambda: bytes(obstore.get(self._store, key).bytes()), key)
        return content

    def _read_if_there(self, key: str) -> bytes | None:
        try:
            return self._read(key)
        except NotFoundError:
            return None

    def _asked(self, request: Any, key: str) -> Any:
        try:
            return retried(request, doing=f"read {key} in {self.url}", may_be_absent=True)
        except FileNotFoundError:
            why = "no tables are published there" if key == INDEX_KEY else "it was replaced; open the mirror again"
            why = "no such bundle was made" if key.endswith(f"/{BUNDLE_MANIFEST}") else why
            raise NotFoundError(f"there is no {key} in {self.url}: {why}") from None


@dataclasses.dataclass(frozen=True, kw_only=True)
class BucketRelease(ReadableRelease):
    """One release of one division whose tables lie in a bucket; their paths are keys.

    Attributes:
        bucket: where they lie.
        published: what says which of them count.
    """

    bucket: TableBucket = dataclasses.field(repr=False, compare=False)
    published: TablesManifest = dataclasses.field(repr=False)

    @property
    def memberships(self) -> Path:
        return self.tables("memberships")[0]

    @property
    def place(self) -> str:
        return self.memberships.parent.parent.as_posix()

    @contextlib.contextmanager
    def raw_file(self, name: str) -> Iterator[Path]:
        found = next((one for one in self.published.of_kind(RAW_FILES) if one.key.endswith(f"/{name}")), None)
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

    def open(self, table: Path, *, footer: pq.FileMetaData | None = None) -> pq.ParquetFile:
        return self.bucket.open(table.as_posix())  # which keeps footers itself

    def size(self, table: Path) -> int:
        return self.object_of(table).bytes

    def location(self, table: Path) -> str:
        return self.bucket.location(table.as_posix())

    def object_of(self, table: Path) -> TableObject:
        """What the manifest says of a table."""
        return next(one for one in self.published.tables if one.key == table.as_posix())
