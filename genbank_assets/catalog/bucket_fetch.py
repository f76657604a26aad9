"""Fetches residues by name from published tables, for ``genbank-assets fetch`` without a store.

Names are looked up in batches of thousands. Short sequences are read file by file, each row group once, and spooled to
disk until it is their turn; long ones are then read in pieces. Resolving names belongs to ``bucket_lookup``.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO

import numpy as np

from genbank_assets.catalog.bucket_lookup import Place, There, find, find_digest, not_found
from genbank_assets.catalog.bucket_text import texts
from genbank_assets.catalog.divisions import ReadableRelease
from genbank_assets.errors import IntegrityError, NotFoundError
from genbank_assets.lookup.fetch import BATCH_NAMES
from genbank_assets.lookup.names import Missing, is_digest
from genbank_assets.lookup.sequences import formatted, ranged_title
from genbank_assets.tables.residues import ResidueReader

MAX_GATHERED_RESIDUES = 1024 * 1024
_FILES_AT_ONCE = 4
_File = tuple[ReadableRelease, str]


def fetch_published(
    there: There,
    names: Iterable[str],
    *,
    missing: Missing,
    format_: str = "fasta",
    start: int = 1,
    end: int | None = None,
) -> Iterator[bytes]:
    """Yield the residues of records, in the order of the names; a name repeated within a batch is given once.

    Args:
        there: the published tables.
        names: any number of ``ACCESSION``, ``ACCESSION.VERSION``, hex SHA-256 or refget digests.
        missing: called with a message for each name without a record or with damaged residues, instead of raising.
        format_: ``fasta``, ``raw``, or ``genbank`` (NCBI's text, if raw files are published).
        start: first residue of each, 1-based.
        end: last residue of each; None for all.

    Raises:
        NotFoundError: a range was requested for texts.
        IntegrityError: a long sequence does not match its digest, after part of it was already yielded.
        ObjectStoreError: the store kept failing.
    """
    if format_ == "genbank" and (start, end) != (1, None):
        raise NotFoundError("a range selects residues: use --format fasta or raw")
    waiting = iter(names)
    while batch := list(dict.fromkeys(itertools.islice(waiting, BATCH_NAMES))):
        if format_ == "genbank":
            yield from texts(dict(_named(there, batch, missing=missing)), missing=missing)
            continue
        wanted = dict(_places(there, batch, missing=missing, start=start, end=end))
        with tempfile.TemporaryFile() as spool:
            gathered = _gathered(list(wanted.values()), spool)
            for name, place in wanted.items():
                yield from _given(name, place, gathered, spool, missing, format_=format_, start=start, end=end)


def residues_in_pieces(place: Place, *, start: int = 1, end: int | None = None) -> Iterator[bytes]:
    """Yield residues ``start`` to ``end`` (1-based, inclusive) of a record; a complete sequence is verified.

    Raises:
        IntegrityError: the digest does not match; raised after the last piece.
        ObjectStoreError: the store failed.
    """
    length, one = int(place.row["length"]), place.release
    end = length if end is None else end
    table = one.sequences_of[place.row["source_file"]]
    hasher = hashlib.sha256()
    with contextlib.closing(ResidueReader(table, open_table=one.open)) as reader:
        for piece in reader.part(int(place.row["record_ordinal"]), start=start, end=end, reverse=False):
            hasher.update(piece)
            yield piece
    if (start, end) == (1, length) and hasher.digest() != place.row["sequence_sha256"]:
        raise IntegrityError(f"the residues of {place.row['accession_version']} in {table.as_posix()} are not its own")


def _places(
    there: There, names: Sequence[str], *, missing: Missing, start: int, end: int | None
) -> Iterator[tuple[str, Place]]:
    """Yield records with residues in the range, in order."""
    for name, place in _named(there, names, missing=missing):
        if place.row["sequence_sha256"] is None:
            missing(name, NotFoundError(f"{place.row['accession_version']} has no residues of its own"))
        elif not 1 <= start <= (place.row["length"] if end is None else end) <= place.row["length"]:
            what = f"{start}..{'' if end is None else end}"
            missing(name, NotFoundError(f"{what} is not within the {place.row['length']:,} residues of {name}"))
        else:
            yield name, place


def _named(there: There, names: Sequence[str], *, missing: Missing) -> Iterator[tuple[str, Place]]:
    """Resolve names in order; for versions that only an earlier release has, that release is used."""
    accessions = [name for name in names if not is_digest(name)]
    found = find([releases[-1] for releases in there.values()], accessions)
    absent = [name for name in accessions if name not in found and "." in name]
    for releases in there.values() if absent else ():
        for one in reversed(releases[:-1]):
            found |= {n: p for n, p in find([one], absent).items() if n not in found}
    for name in names:
        place = find_digest(there, name) if is_digest(name) else next(iter(found.get(name, ())), None)
        if place is None:
            missing(name, NotFoundError(not_found(there, name)))
        else:
            yield name, place


def _gathered(places: list[Place], spool: IO[bytes]) -> dict[tuple[int, str, int], int]:
    """Write short sequences of several records to the spool; return their offsets."""
    by_file: defaultdict[tuple[int, str], list[Place]] = defaultdict(list)
    for place in places:
        if place.row["length"] <= MAX_GATHERED_RESIDUES and len(places) > 1:
            by_file[id(place.release), place.row["source_file"]].append(place)
    at = {}
    with ThreadPoolExecutor(_FILES_AT_ONCE, thread_name_prefix="fetch") as pool:
        for (release, file), texts in zip(by_file, pool.map(_of_file, by_file.values()), strict=True):
            for ordinal, text in texts.items():
                at[release, file, ordinal] = spool.tell()
                spool.write(text)
    return at


def _of_file(places: list[Place]) -> dict[int, bytes]:
    """Return the residues of records of one file, reading each row group once."""
    one = places[0].release
    table = one.sequences_of[places[0].row["source_file"]]
    texts: defaultdict[int, bytearray] = defaultdict(bytearray)
    ordinals = np.unique(np.array([place.row["record_ordinal"] for place in places], np.int64))
    with contextlib.closing(ResidueReader(table, open_table=one.open)) as reader:
        for chunks in reader.chunks(ordinals):
            text = memoryview(chunks.text)
            for ordinal, begin, end in zip(chunks.ordinal.tolist(), chunks.start, chunks.end, strict=True):
                texts[ordinal] += text[begin:end]
    return {ordinal: bytes(text) for ordinal, text in texts.items()}


def _given(
    name: str,
    place: Place,
    gathered: dict[tuple[int, str, int], int],
    spool: IO[bytes],
    missing: Missing,
    *,
    format_: str,
    start: int,
    end: int | None,
) -> Iterator[bytes]:
    """Return the pieces of one sequence in its format, from the spool or from its table."""
    row = place.row
    key = id(place.release), row["source_file"], row["record_ordinal"]
    if key in gathered:
        pieces = _from_spool(place, spool, at=gathered[key], start=start, end=end)
    else:
        pieces = residues_in_pieces(place, start=start, end=end)
    heading = None
    if format_ == "fasta":
        title = name if is_digest(name) else row["accession_version"]
        heading = ranged_title(title, start=start, end=end, length=row["length"])
    return formatted(name, pieces, title=heading, missing=missing)


def _from_spool(place: Place, spool: IO[bytes], *, at: int, start: int, end: int | None) -> Iterator[bytes]:
    """Yield a range of a sequence in the spool after verifying all of it."""
    spool.seek(at)
    text = spool.read(int(place.row["length"]))
    if hashlib.sha256(text).digest() != place.row["sequence_sha256"]:
        raise IntegrityError(f"the residues of {place.row['accession_version']} are not those of its digest")
    yield text[start - 1 : end]
