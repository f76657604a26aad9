"""Lets DuckDB open published tables: ``s3://bucket/prefix/KEY`` is read by this package's client.

DuckDB's own S3 client is an extension that would be downloaded; this one uses the same credentials (or none) and
retries as the rest of the package. Which files a catalog lists belongs to ``ducklake``.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from fsspec.spec import AbstractFileSystem

from genbank_assets.catalog.bucket import TableBucket
from genbank_assets.catalog.range_file import RangeFile
from genbank_assets.errors import NotFoundError

# Tables are immutable, so DuckDB may assume the same modification time for all of them.
_UNCHANGED_SINCE = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


class BucketFiles(AbstractFileSystem):  # type: ignore[misc]
    """The objects of a bucket as a read-only file system.

    Args:
        bucket: the bucket with published tables.
    """

    protocol = "s3"
    cachable = False

    def __init__(self, bucket: TableBucket) -> None:
        super().__init__()
        self._bucket = bucket

    def _key(self, path: str) -> str:
        key = self._strip_protocol(path)
        root = self._strip_protocol(self._bucket.url)
        if not key.startswith(f"{root}/"):
            raise FileNotFoundError(f"{path} is not in {self._bucket.url}")
        return str(key[len(root) + 1 :])

    def open(self, path: str, mode: str = "rb", **_: Any) -> RangeFile:
        """Open an object as a file.

        Raises:
            FileNotFoundError: it does not exist.
            PermissionError: it was to be opened for writing.
        """
        if mode != "rb":
            raise PermissionError("published tables are only read")
        try:
            return self._bucket.file(self._key(path))
        except NotFoundError as error:
            raise FileNotFoundError(str(error)) from None

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Return name, size and type of an object."""
        try:
            return {"name": path, "size": self._bucket.size(self._key(path)), "type": "file"}
        except NotFoundError as error:
            raise FileNotFoundError(str(error)) from None

    def exists(self, path: str, **_: Any) -> bool:
        """Return whether an object exists."""
        try:
            self.info(path)
        except FileNotFoundError:
            return False
        return True

    def glob(self, path: str, **_: Any) -> list[str]:
        """Return the path itself, because catalogs list keys rather than patterns."""
        return [path]

    def modified(self, path: str) -> dt.datetime:
        """Return the same time for all objects."""
        return _UNCHANGED_SINCE
