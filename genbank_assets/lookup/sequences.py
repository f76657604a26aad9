"""Reads the residues of many records from the object set, in the order of their names.

Locations are looked up together; short sequences are read a few ahead. Resolving names belongs to ``names``, reading
one object to ``objects.read``.
"""

from __future__ import annotations

import collections
import itertools
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import polars as pl

from genbank_assets.errors import GenbankAssetsError, NotFoundError
from genbank_assets.lookup.names import Missing, is_digest, is_sha256, named_records, refget_of
from genbank_assets.lookup.records import Found, Lookup
from genbank_assets.objects.contact import open_required_objects
from genbank_assets.objects.keys import MOLECULE_CLASSES
from genbank_assets.objects.object_index import locate, locate_all, locate_refgets
from genbank_assets.objects.read import residues
from genbank_assets.settings import Settings

LINE_RESIDUES = 60
# Shorter sequences are read completely, several in parallel, before they are yielded.
MAX_READ_AHEAD_RESIDUES = 1024 * 1024
_COLUMNS = ("sequence_sha256", "molecule_class")


def as_fasta(name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Format residues as FASTA with lines of sixty; the header is only written once there are residues."""
    first = next(pieces, b"")
    yield f">{name}\n".encode()
    rest = b""
    for piece in itertools.chain([first], pieces):
        rest += piece
        whole = len(rest) - len(rest) % LINE_RESIDUES
        yield re.sub(rb"(.{60})", rb"\1\n", rest[:whole])
        rest = rest[whole:]
    if rest:
        yield rest + b"\n"


def ranged_title(title: str, *, start: int, end: int | None, length: int) -> str:
    """Return a FASTA header's first word: the title, followed by the range unless all residues are meant."""
    return title if (start, end) == (1, None) else f"{title}:{start}-{length if end is None else end}"


def formatted(name: str, pieces: Iterator[bytes], *, title: str | None, missing: Missing) -> Iterator[bytes]:
    """Yield a sequence as FASTA, or without a header if there is no title.

    An error before anything was yielded is passed to ``missing`` with the name, unless it is transient.
    """
    begun = False
    try:
        for piece in pieces if title is None else as_fasta(title, pieces):
            begun = True
            yield piece
    except GenbankAssetsError as error:
        if begun or error.transient:
            raise
        missing(name, error)


def located(
    settings: Settings, lookup: Lookup, names: list[str], missing: Missing
) -> list[tuple[str, str, dict[str, Any]]]:
    """Yield name, title and object-table row of each name with residues in the set, in order."""
    titles: dict[str, str] = {}
    identities: dict[str, list[tuple[bytes, str]]] = {}
    rows: dict[str, dict[str, Any]] = {}
    refgets = {name: refget for name in names if (refget := refget_of(name))}
    by_refget = locate_refgets(settings, refgets.values()) if refgets else {}
    for name in names:
        if refget := refgets.get(name):
            titles[name] = refget
            if refget in by_refget:
                rows[name] = by_refget[refget]
            else:
                hint = "" if settings.refget else " (GENBANK_ASSETS_REFGET is off: few or none are known)"
                missing(name, NotFoundError(f"the object set has no sequence {name}{hint}"))
        elif is_sha256(name):
            titles[name] = name.lower()
            identities[name] = [(bytes.fromhex(name), kind) for kind in MOLECULE_CLASSES]
    partitions = []
    for name, found in named_records(
        lookup, [name for name in names if not is_digest(name)], missing, columns=_COLUMNS
    ):
        titles[name] = found.row["accession_version"]
        if found.row["sequence_sha256"] is None:
            missing(name, _without_residues(found))
            continue
        identities[name] = [(found.row["sequence_sha256"], found.row["molecule_class"])]
        partitions.append(found.partition)
    frame = pl.DataFrame(
        [pair for pairs in identities.values() for pair in pairs],
        schema={"sequence_sha256": pl.Binary, "molecule_class": pl.String},
        orient="row",
    ).unique()
    places = {
        (row["sequence_sha256"], row["molecule_class"]): row
        for row in locate_all(settings, frame, first=partitions).iter_rows(named=True)
    }
    for name, pairs in identities.items():
        row = next((places[pair] for pair in pairs if pair in places), None)
        if row is not None:
            rows[name] = row
        elif is_sha256(name):
            missing(name, NotFoundError(f"the object set has no sequence {name}"))
        else:
            where = f"the residues of {titles[name]} are not in the object set yet: materialize object_set"
            missing(name, NotFoundError(where))
    return [(name, titles[name], rows[name]) for name in names if name in rows]


class SequenceReader:
    """Reads sequences in order, short ones several in parallel."""

    def __init__(self, settings: Settings, missing: Missing, *, is_fasta: bool, start: int, end: int | None) -> None:
        self._settings = settings
        self._missing = missing
        self._is_fasta = is_fasta
        self._start = start
        self._end = end
        self._store = open_required_objects(settings)

    def read(self, wanted: list[tuple[str, str, dict[str, Any]]]) -> Iterator[bytes]:
        """Yield the formatted sequences in order."""
        ahead: collections.deque[tuple[str, str, dict[str, Any], Future[bytes] | None]] = collections.deque()
        with ThreadPoolExecutor(self._settings.upload_concurrency, thread_name_prefix="fetch") as pool:
            try:
                for name, title, row in wanted:
                    is_short = row["length"] <= MAX_READ_AHEAD_RESIDUES and len(wanted) > 1
                    ahead.append((name, title, row, pool.submit(self._whole, row) if is_short else None))
                    if len(ahead) > 2 * self._settings.upload_concurrency:
                        yield from self._formatted(*ahead.popleft())
                while ahead:
                    yield from self._formatted(*ahead.popleft())
            finally:
                pool.shutdown(cancel_futures=True)

    def _pieces(self, row: dict[str, Any]) -> Iterator[bytes]:
        return residues(self._settings, row, start=self._start, end=self._end, store=self._store)

    def _whole(self, row: dict[str, Any]) -> bytes:
        return b"".join(self._pieces(row))

    def _formatted(self, name: str, title: str, row: dict[str, Any], read: Future[bytes] | None) -> Iterator[bytes]:
        pieces = self._pieces(row) if read is None else (future.result() for future in [read])
        heading = (
            ranged_title(title, start=self._start, end=self._end, length=row["length"]) if self._is_fasta else None
        )
        return formatted(name, pieces, title=heading, missing=self._missing)


def object_row(settings: Settings, found: Found) -> dict[str, Any] | None:
    """Return the object-table row of a record's residues; None if they are not in the object set.

    Raises:
        NotFoundError: the record has no residues.
    """
    digest = found.row["sequence_sha256"]
    if digest is None:
        raise _without_residues(found)
    return locate(settings, digest=digest, molecule_class=found.row["molecule_class"], partition=found.partition)


def _without_residues(found: Found) -> NotFoundError:
    name = found.row["accession_version"]
    return NotFoundError(f"{name} has no residues of its own: it is built from others (see --format genbank)")
