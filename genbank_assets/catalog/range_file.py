"""Presents an object as a Python file, for libraries that read tables in place. Used by ``bucket``."""

from __future__ import annotations

import io
from typing import Any

from obstore.store import ObjectStore

from genbank_assets.objects.retry import retried
from genbank_assets.objects.store import read_range


class RangeFile(io.RawIOBase):
    """A seekable read-only file over an object, with one request per read."""

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
        """Read up to ``size`` bytes.

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
