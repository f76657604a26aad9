"""Extracts the original text of many records, in the order of their names, decompressing each raw file once.

Texts that are extracted before their turn are spooled to disk. Extraction belongs to ``text``, resolving names to
``names``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from genbank_assets.errors import GenbankAssetsError, IntegrityError, NotFoundError
from genbank_assets.lookup.names import Missing, named_records
from genbank_assets.lookup.records import Found, Lookup
from genbank_assets.lookup.text import HasRow, RawFiles, cut, original_text
from genbank_assets.objects.read import READ_BYTES

_COLUMNS = ("source_file", "record_offset", "record_bytes", "record_sha256")


def texts_of(lookup: Lookup, names: list[str], missing: Missing) -> Iterator[bytes]:
    """Yield the texts of named records in the order of the names, reading each raw file once.

    Raises:
        IntegrityError: for a single name, the text differs from the one that was parsed.
        NotFoundError: for a single name, its raw file is no longer in the store.
    """
    records = list(named_records(lookup, names, missing, columns=_COLUMNS))
    if len(records) == 1:
        yield from original_text(records[0][1])
        return
    by_file: dict[Path, dict[int, Found]] = {}
    keys: list[tuple[str, tuple[Path, int]]] = []
    raw_files = RawFiles()
    for name, found in records:
        try:
            key = raw_files.path(found), int(found.row["record_offset"])
        except NotFoundError as error:
            missing(name, error)
            continue
        by_file.setdefault(key[0], {})[key[1]] = found
        keys.append((name, key))
    with tempfile.TemporaryFile() as spool:
        texts: dict[tuple[Path, int], tuple[int, int] | GenbankAssetsError] = {}
        for path, of_file in by_file.items():
            texts |= {(path, offset): text for offset, text in spooled(path, of_file, spool).items()}
        for name, key in keys:
            yield from read_spooled(name, texts[key], spool, missing=missing)


def read_spooled(
    name: str, text: tuple[int, int] | GenbankAssetsError, spool: IO[bytes], *, missing: Missing
) -> Iterator[bytes]:
    """Yield a text written by :func:`spooled`, in pieces."""
    if isinstance(text, GenbankAssetsError):
        missing(name, text)
        return
    spool.seek(text[0])
    for size in range(text[1], 0, -READ_BYTES):
        yield spool.read(min(size, READ_BYTES))


def spooled(
    path: Path, records: Mapping[int, HasRow], spool: IO[bytes]
) -> dict[int, tuple[int, int] | GenbankAssetsError]:
    """Write the texts of a raw file's records to the spool; return the location of each, or why it failed."""
    texts: dict[int, tuple[int, int] | GenbankAssetsError] = {}

    def wrong(found: HasRow, error: IntegrityError) -> None:
        texts[int(found.row["record_offset"])] = error

    try:
        for found, piece in cut(path, [records[offset] for offset in sorted(records)], wrong=wrong):
            text = texts.get(int(found.row["record_offset"]), (spool.tell(), 0))
            assert isinstance(text, tuple)
            spool.write(piece)
            texts[int(found.row["record_offset"])] = (text[0], text[1] + len(piece))
    except GenbankAssetsError as error:  # the file is damaged
        for offset, found in records.items():
            before = texts.get(offset)
            if before is None or (isinstance(before, tuple) and before[1] < found.row["record_bytes"]):
                texts[offset] = error
    return texts
