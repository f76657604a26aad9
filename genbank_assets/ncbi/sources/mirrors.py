"""Several sources of the same files, in order of preference: for example a local copy first, and NCBI if it fails.

The first source that shows a release is used. If it keeps failing, the next one takes over permanently. No source is
trusted more for that: release number and notes are compared with those at the start, bytes of two servers are never
combined, and every file is verified. A missing file is not a failure of the source.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from genbank_assets.errors import RemoteFileChangedError, RemoteFileMissingError, SourceError
from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.sources.base import TIMEOUT_SECONDS, RemoteFile, Source

_T = TypeVar("_T")


class MirrorsSource(Source):
    """A list of sources with failover."""

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        opened: Callable[[str], Source],
        limiter: Limiter,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        super().__init__(addresses[0], limiter=limiter, timeout_seconds=timeout_seconds)
        self._address = " ".join(addresses)
        self._waiting = list(addresses)
        self._opened = opened
        self._current: Source | None = None

    def url(self, path: str) -> str:
        return self._source().url(path)

    def close(self) -> None:
        if self._current is not None:
            self._current.close()

    def listing(self, folder: str) -> list[RemoteFile]:
        return self._ask(lambda source: source.listing(folder))

    def _listed(self, folder: str) -> list[RemoteFile]:
        return self.listing(folder)

    def stat(self, path: str) -> RemoteFile:
        return self._ask(lambda source: source.stat(path))

    def look_up(self, path: str) -> RemoteFile:
        return self._ask(lambda source: source.look_up(path))

    def read_text(self, path: str) -> str:
        return self._ask(lambda source: source.read_text(path))

    def stream(self, path: str, *, offset: int, expected: RemoteFile) -> Iterator[bytes]:
        source = self._source()
        try:
            yield from source.stream(path, offset=offset, expected=expected)
        except (RemoteFileMissingError, RemoteFileChangedError):
            raise
        except SourceError as error:
            # The next server may have another version of the file: the caller must start over with its size and date.
            self._go_on(source, error)
            raise RemoteFileChangedError(str(error)) from error

    def _ask(self, question: Callable[[Source], _T]) -> _T:
        while True:
            source = self._source()
            try:
                return question(source)
            except (RemoteFileMissingError, RemoteFileChangedError):
                raise
            except SourceError as error:
                self._go_on(source, error)

    def _source(self) -> Source:
        """Return the source in use, choosing the first one that can be opened and shows a release.

        Raises:
            SourceError: no source is left.
        """
        reasons: list[str] = []
        while self._current is None:
            if not self._waiting:
                raise SourceError(f"none of the sources can be used: {'; '.join(reasons)}")
            address = self._waiting.pop(0)
            try:
                source = self._opened(address)
                source.progress = self.progress
                if any(source.exists(f"{c.path}/{c.number_file}") for c in COLLECTIONS.values()):
                    self._current = source
                    break
                reason = f"{source.url('')} shows no release"
                source.close()
            except SourceError as error:
                reason = str(error)
            reasons.append(reason)
            if self._waiting:
                self.progress(f"{reason}; trying the next source")
        return self._current

    def _go_on(self, failed: Source, error: SourceError) -> None:
        """Switch to the next source.

        Raises:
            SourceError: no source is left.
        """
        if failed is not self._current:
            return
        if not self._waiting:
            raise error
        self.progress(f"{error}; switching to the next source")
        with contextlib.suppress(Exception):
            failed.close()
        self._current = None
