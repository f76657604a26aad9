"""Extracts the original text of records from raw files, byte for byte.

The membership row of a record, found by ``records``, has its location. Raw files are not indexed and must be
decompressed from the start, so the texts of several records of a file are extracted in one pass.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from genbank_assets.errors import IntegrityError, NotFoundError
from genbank_assets.flatfile.inflate import inflated
from genbank_assets.lookup.records import Found


class HasRow(Protocol):
    """Anything with a record's row of the membership table."""

    @property
    def row(self) -> dict[str, Any]:
        """The row, by column."""


R = TypeVar("R", bound=HasRow)


def original_text(found: Found) -> Iterator[bytes]:
    """Yield the text of a record from the raw file in pieces; its digest, if known, is verified at the end.

    Raises:
        NotFoundError: the raw file is no longer in the store.
        IntegrityError: the text differs from the one that was parsed.
    """

    def wrong(_: Found, error: IntegrityError) -> None:
        raise error

    for _, piece in cut(RawFiles().path(found), [found], wrong=wrong):
        yield piece


class RawFiles:
    """Locates raw files, reading the manifest of a release once for all of its files."""

    def __init__(self) -> None:
        self._folder = functools.cache(lambda partition: partition.files_folder("raw_files"))

    def path(self, found: Found) -> Path:
        """Return the path of a record's raw file.

        Raises:
            NotFoundError: it is no longer in the store.
        """
        path: Path = self._folder(found.partition) / str(found.row["source_file"])
        if not path.is_file():
            raise NotFoundError(f"the raw file {path.name} of release {found.partition.release} is not in the store")
        return path


def cut(path: Path, records: Sequence[R], *, wrong: Callable[[R, IntegrityError], None]) -> Iterator[tuple[R, bytes]]:
    """Yield the texts of records of one raw file, ordered by their position in it, in pieces.

    Args:
        path: the raw file.
        records: the records.
        wrong: called with a message after the last piece of a text that differs from the one that was parsed.

    Raises:
        CorruptGzipError: the file is damaged before the end of the last record.
    """
    at = 0
    waiting = list(records[::-1])
    hasher = hashlib.sha256()
    for piece in inflated(path):
        while waiting:
            begin = int(waiting[-1].row["record_offset"])
            end = begin + int(waiting[-1].row["record_bytes"])
            if begin >= at + len(piece):
                break
            part = bytes(piece[max(0, begin - at) : end - at])
            hasher.update(part)
            yield waiting[-1], part
            if end > at + len(piece):
                break
            _check(waiting.pop(), hasher.digest(), path, wrong)
            hasher = hashlib.sha256()
        at += len(piece)
        if not waiting:
            return
    for found in waiting[::-1]:
        _check(found, hasher.digest(), path, wrong)
        hasher = hashlib.sha256()


def _check(found: R, digest: bytes, path: Path, wrong: Callable[[R, IntegrityError], None]) -> None:
    if digest != (found.row["record_sha256"] or digest):
        name = found.row["accession_version"]
        wrong(found, IntegrityError(f"the text of {name} in {path.name} is not what was parsed"))
