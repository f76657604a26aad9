"""Extracts NCBI's text of records from raw files that are published with the tables.

Raw files are not indexed: each one needed is downloaded to a temporary folder, verified, and decompressed once.
Resolving names belongs to ``bucket_lookup``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping

from genbank_assets.catalog.bucket_lookup import Place, There, search
from genbank_assets.errors import GenbankAssetsError, IntegrityError
from genbank_assets.lookup.names import Missing
from genbank_assets.lookup.text import cut
from genbank_assets.lookup.texts import read_spooled, spooled


def published_text(there: There, name: str) -> Iterator[bytes]:
    """Yield the text of a record by name, in pieces; its digest is verified at the end.

    Raises:
        NotFoundError: there is no such record, or its raw file is not published.
        IntegrityError: the raw file or the text does not match its digest.
        ObjectStoreError: the store failed.
    """
    yield from text_of(search(there, name)[0])


def text_of(place: Place) -> Iterator[bytes]:
    """Yield the text of a record in pieces; its digest is verified at the end.

    Raises:
        NotFoundError: its raw file is not published.
        IntegrityError: the raw file or the text does not match its digest.
        ObjectStoreError: the store failed.
    """

    def wrong(_: Place, error: IntegrityError) -> None:
        raise error

    with place.release.raw_file(str(place.row["source_file"])) as path:
        for _, piece in cut(path, [place], wrong=wrong):
            yield piece


def texts(places: Mapping[str, Place], *, missing: Missing) -> Iterator[bytes]:
    """Yield the texts of records in order, downloading each raw file once; texts are spooled to disk until their turn.

    Raises:
        ObjectStoreError: the store kept failing.
    """
    by_file: dict[tuple[int, str], dict[int, Place]] = {}
    for place in places.values():
        of_file = by_file.setdefault((id(place.release), str(place.row["source_file"])), {})
        of_file[int(place.row["record_offset"])] = place
    found: dict[tuple[int, str, int], tuple[int, int] | GenbankAssetsError] = {}
    with tempfile.TemporaryFile() as spool:
        for (release, file), of_file in by_file.items():
            try:
                with next(iter(of_file.values())).release.raw_file(file) as path:
                    told = spooled(path, of_file, spool)
            except GenbankAssetsError as error:
                if error.transient:
                    raise
                told = dict.fromkeys(of_file, error)
            found |= {(release, file, offset): text for offset, text in told.items()}
        for name, place in places.items():
            row = place.row
            key = id(place.release), str(row["source_file"]), int(row["record_offset"])
            yield from read_spooled(name, found[key], spool, missing=missing)
