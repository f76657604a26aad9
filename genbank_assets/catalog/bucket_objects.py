"""Reads objects of a bucket, or files of a folder, completely, in part, or as tables.

Footers are cached, and only the required columns of row groups are read. Selecting objects belongs to ``bucket``.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from obstore.store import ObjectStore
from polars.io.plugins import register_io_source

from genbank_assets.catalog.address import open_address
from genbank_assets.catalog.bundle_layout import BUNDLE_MANIFEST
from genbank_assets.catalog.range_file import RangeFile
from genbank_assets.catalog.table_layout import INDEX_KEY, TableObject
from genbank_assets.durable import file_sha256
from genbank_assets.errors import IntegrityError, NotFoundError
from genbank_assets.objects.requests import copy_object
from genbank_assets.objects.retry import retried

# Number of concurrent requests for row groups: a request takes longer than processing its response.
ROW_GROUPS_AHEAD = 4


class BucketObjects:
    """Reads the objects of a bucket or the files of a folder.

    Args:
        url: the address, whose query parameters configure access.
        store: the object store, if already open.

    Attributes:
        address: the complete address.
        url: the address without query parameters.

    Raises:
        ObjectStoreError: the URL cannot be used, or the store does not respond.
        NotFoundError: the folder does not exist.
    """

    def __init__(self, url: str, *, store: ObjectStore | None = None) -> None:
        self.address = url
        self.url = url.partition("?")[0].rstrip("/")
        self._store = store or open_address(url)
        self._metadata = functools.lru_cache(maxsize=4096)(self._read_metadata)

    def location(self, key: str) -> str:
        """Return the address or path by which SQL names an object."""
        root = self.url if self.url.startswith("s3:") else unquote(urlsplit(self.url).path)
        return f"{root}/{key}"

    def read(self, key: str) -> bytes:
        """Return a whole small object.

        Raises:
            NotFoundError: it is not there.
            ObjectStoreError: the store failed.
        """
        content: bytes = self._asked(lambda: bytes(obstore.get(self._store, key).bytes()), key)
        return content

    def read_if_there(self, key: str) -> bytes | None:
        """Return a whole small object, or None if it does not exist.

        Raises:
            ObjectStoreError: the store failed.
        """
        try:
            return self.read(key)
        except NotFoundError:
            return None

    def _asked(self, request: Any, key: str) -> Any:
        try:
            return retried(request, doing=f"read {key} in {self.url}", may_be_absent=True)
        except FileNotFoundError:
            why = (
                "no tables are published there"
                if key == INDEX_KEY
                else "it was replaced: open the mirror again; or it is lost: genbank-assets tables verify tells"
            )
            why = "no such bundle was made" if key.endswith(f"/{BUNDLE_MANIFEST}") else why
            raise NotFoundError(f"there is no {key} in {self.url}: {why}") from None

    def size(self, key: str) -> int:
        """Return the size of an object in bytes.

        Raises:
            NotFoundError: it is not there.
            ObjectStoreError: the store failed.
        """
        return int(self._asked(lambda: obstore.head(self._store, key)["size"], key))

    def file(self, key: str) -> RangeFile:
        """Return an object as a seekable file.

        Raises:
            NotFoundError: it is not there.
            ObjectStoreError: the store failed.
        """
        return RangeFile(self._store, key, size=self.size(key))

    def download(self, one: TableObject, path: Path) -> None:
        """Download a whole object into a file and compare it with its digest.

        Raises:
            NotFoundError: it is not there.
            IntegrityError: it has other bytes.
            ObjectStoreError: the store failed.
        """
        self._asked(lambda: copy_object(self._store, one.key, path), one.key)
        if file_sha256(path) != one.sha256:
            raise IntegrityError(f"{one.key} in {self.url} is not what its manifest says")

    def open(self, key: str) -> pq.ParquetFile:
        """Open a table for reading; its footer is read once.

        Raises:
            NotFoundError: it is not there.
            ObjectStoreError: the store failed.
        """
        size, metadata = self._metadata(key)
        return pq.ParquetFile(RangeFile(self._store, key, size=size), metadata=metadata, pre_buffer=True)

    def _read_metadata(self, key: str) -> tuple[int, pq.FileMetaData]:
        size = self.size(key)
        with self.reading(key), pq.ParquetFile(RangeFile(self._store, key, size=size)) as file:
            return size, file.metadata

    @contextlib.contextmanager
    def reading(self, key: str) -> Iterator[None]:
        """Name the table that turns out to be damaged while the block reads it.

        Raises:
            IntegrityError: instead of what Arrow or Polars say of its bytes.
        """
        try:
            yield
        except (OSError, pa.ArrowException, pl.exceptions.PolarsError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise IntegrityError(
                f"{key} in {self.url} cannot be read ({reason}): genbank-assets tables verify says what is damaged"
            ) from error

    def scan(self, keys: Sequence[str]) -> pl.LazyFrame:
        """Return tables of one schema as one lazy frame that reads the needed columns, a few row groups ahead."""
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
        with ThreadPoolExecutor(ROW_GROUPS_AHEAD, thread_name_prefix="tables") as pool:
            waiting: list[Future[pl.DataFrame]] = []
            try:
                for key, group in groups_of_keys:
                    waiting.append(pool.submit(self._group, key, group, columns))
                    if len(waiting) == ROW_GROUPS_AHEAD:
                        yield waiting.pop(0).result()
                while waiting:
                    yield waiting.pop(0).result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _group(self, key: str, group: int, columns: list[str] | None) -> pl.DataFrame:
        with self.reading(key), self.open(key) as file:
            if columns == []:
                return pl.DataFrame(height=file.metadata.row_group(group).num_rows)
            frame = pl.DataFrame(pl.from_arrow(file.read_row_group(group, columns=columns)))
            return frame if columns is None else frame.select(columns)
