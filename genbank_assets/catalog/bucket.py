"""Published tables read where they lie: ``s3://bucket/prefix`` or ``file:///folder``, without a store, read-only.

``?endpoint=…``, ``&region=…`` and ``&unsigned=true`` say where a bucket is and that no key is to be shown; what is left
out comes from AWS's own variables, profiles and roles, and without any keys requests are not signed. A query reads the
index, the manifests, footers, and of row groups the columns it speaks of. Which tables count belongs to
``table_layout``; that what is sent is whole, to ``table_set``.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import os
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

from genbank_assets.catalog.divisions import ReadableRelease
from genbank_assets.catalog.row_groups import groups_with
from genbank_assets.catalog.table_layout import INDEX_KEY, TablesManifest, read_index
from genbank_assets.errors import NotFoundError, ObjectStoreError
from genbank_assets.objects.retry import retried
from genbank_assets.objects.store import open_objects, read_range
from genbank_assets.settings import Settings
from genbank_assets.store import FURTHER_STAGES as DERIVED
from genbank_assets.store import PartitionKey, PartitionRelease

SCHEMES = ("s3", "file")
_OPTIONS = {"endpoint", "region", "unsigned"}
# Row groups on their way at a time: a request takes longer than what is done with the answer.
_AHEAD = 4


class TableBucket:
    """A bucket of published tables, opened for reading.

    Args:
        url: ``s3://bucket/prefix?endpoint=…&region=…&unsigned=true`` or ``file:///folder``.

    Raises:
        ObjectStoreError: the URL cannot be used.
        NotFoundError: the folder is not there.
    """

    def __init__(self, url: str) -> None:
        self.url = url.partition("?")[0]
        self._store = _opened(url)
        self._metadata = functools.lru_cache(maxsize=4096)(self._read_metadata)

    def releases(self) -> dict[PartitionKey, list[ReadableRelease]]:
        """Every division that the index lists with its releases, oldest first.

        Raises:
            NotFoundError: there is no index: nothing was published there.
            IntegrityError: the index or a manifest cannot be read.
            ObjectStoreError: the store failed.
        """
        found: dict[PartitionKey, list[ReadableRelease]] = {}
        index = read_index(self._read(INDEX_KEY))
        with ThreadPoolExecutor(_AHEAD * 2) as pool:
            texts = pool.map(self._read_if_there, [one.manifest for one in index])
            for one, text in zip(index, texts, strict=True):
                if text is not None:  # None: it was removed since the index was read
                    release = _release(self, TablesManifest.from_json(text, key=one.manifest))
                    found.setdefault(release.key, []).append(release)
        return found

    def open(self, key: str) -> pq.ParquetFile:
        """A table for reading; its footer is read once.

        Raises:
            NotFoundError: it is not there.
            ObjectStoreError: the store failed.
        """
        size, metadata = self._metadata(key)
        return pq.ParquetFile(RangeFile(self._store, key, size=size), metadata=metadata, pre_buffer=True)

    def _read_metadata(self, key: str) -> tuple[int, pq.FileMetaData]:
        size = int(self._asked(lambda: obstore.head(self._store, key)["size"], key))
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

    def read_where(self, key: str, column: str, values: list[str]) -> pl.DataFrame:
        """The row groups of a table that can have one of these values in a column."""
        groups = groups_with(self._metadata(key)[1], column, values)
        with self.open(key) as file:
            return pl.DataFrame(pl.from_arrow(file.read_row_groups(groups)))

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

    def tables(self, kind: str) -> list[Path]:
        return [Path(one.key) for one in self.published.of_kind(kind)]

    def scan(self, tables: Sequence[Path]) -> pl.LazyFrame:
        return self.bucket.scan([table.as_posix() for table in tables])

    def memberships_named(self, accessions: Sequence[str]) -> pl.LazyFrame:
        found = self.bucket.read_where(self.memberships.as_posix(), "accession", list(accessions))
        return found.lazy().filter(pl.col("accession").is_in(list(accessions)))

    def open(self, table: Path) -> pq.ParquetFile:
        return self.bucket.open(table.as_posix())


def _release(bucket: TableBucket, manifest: TablesManifest) -> BucketRelease:
    """The release that a manifest describes."""
    key = PartitionKey(manifest.collection, manifest.section)
    return BucketRelease(
        partition=PartitionRelease(Path(), key, manifest.release),
        records=manifest.stages["records"],
        unique=manifest.stages["unique_records"],
        derived={name: one for name, one in manifest.stages.items() if name in DERIVED},
        bucket=bucket,
        published=manifest,
    )


class RangeFile(io.RawIOBase):
    """An object as a file that can be read anywhere, a request per read."""

    def __init__(self, store: ObjectStore, key: str, *, size: int) -> None:
        self._store, self._key, self._size, self._position = store, key, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes.

        Raises:
            ObjectStoreError: the store failed.
        """
        start = self._position
        end = self._size if size is None or size < 0 else min(self._size, start + size)
        if start >= end:
            return b""
        content = retried(lambda: read_range(self._store, self._key, start=start, end=end), doing=f"read {self._key}")
        self._position = end
        return content

    def readall(self) -> bytes:
        return self.read()

    def readinto(self, buffer: Any) -> int:
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def is_bucket_url(text: str) -> bool:
    """Whether this is the address of published tables rather than a folder's path."""
    return text.partition("://")[0].lower() in SCHEMES and "://" in text


def _opened(url: str) -> ObjectStore:
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    is_wrong = bool(options) if parts.scheme == "file" else not parts.netloc
    if set(options) - _OPTIONS or parts.fragment or is_wrong:
        raise ObjectStoreError(
            f"tables are at s3://bucket/prefix, with ?endpoint=, &region= and &unsigned=true behind it, or at "
            f"file:///folder, not at {url}"
        )
    address = url.partition("?")[0]
    if parts.scheme == "file":
        if not Path(unquote(parts.path)).is_dir():
            raise NotFoundError(f"there is no folder {unquote(parts.path)}")
        return open_objects(Settings(objects=address))
    chosen: dict[str, str] = {name: options[name] for name in sorted(options.keys() & {"endpoint", "region"})}
    credentials = None
    if options.get("unsigned", "").lower() in {"1", "true", "yes"}:
        chosen["skip_signature"] = "true"
    elif not os.environ.get("AWS_ACCESS_KEY_ID"):
        import boto3  # slow to import, and only wanted without keys in the environment

        credentials = boto3.Session().get_credentials()
        if credentials is None:
            chosen["skip_signature"] = "true"
    return open_objects(Settings(objects=address), options=chosen, credentials=credentials)
