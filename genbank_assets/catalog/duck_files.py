"""Published tables as files that DuckDB opens: ``s3://bucket/prefix/KEY`` is read by our own client.

DuckDB has an S3 client of its own, an extension that is fetched from the network; with this one a catalog is read with
the credentials, or without any, and with the patience of everything else here. Which files a catalog lists belongs to
``ducklake``.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from fsspec.spec import AbstractFileSystem

from genbank_assets.catalog.bucket import TableBucket
from genbank_assets.catalog.range_file import RangeFile
from genbank_assets.errors import NotFoundError

# Tables never change under their keys: DuckDB may take them all for equally old.
_UNCHANGED_SINCE = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


class BucketFiles(AbstractFileSystem):  # type: ignore[misc]
    """The objects of a bucket for reading.

    Args:
        bucket: where tables are published.
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
        """Return an object as a file.

        Raises:
            FileNotFoundError: it is not there.
            PermissionError: it was to be written.
        """
        if mode != "rb":
            raise PermissionError("published tables are only read")
        try:
            return self._bucket.file(self._key(path))
        except NotFoundError as error:
            raise FileNotFoundError(str(error)) from None

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Name, size and kind of an object."""
        try:
            return {"name": path, "size": self._bucket.size(self._key(path)), "type": "file"}
        except NotFoundError as error:
            raise FileNotFoundError(str(error)) from None

    def exists(self, path: str, **_: Any) -> bool:
        """Return whether there is such an object."""
        try:
            self.info(path)
        except FileNotFoundError:
            return False
        return True

    def glob(self, path: str, **_: Any) -> list[str]:
        """Return the path itself: keys are listed by catalogs, not by patterns."""
        return [path]

    def modified(self, path: str) -> dt.datetime:
        """One moment for all of them."""
        return _UNCHANGED_SINCE
