"""What ``genbank-assets fetch`` prints: residues by accession or digest, as FASTA or as they are, and original texts.

Names are looked up some thousand at a time, short sequences are read a few ahead of what is printed. Finding a record
belongs to ``records``, its text to ``text``, reading residues to ``objects.read``.
"""

from __future__ import annotations

import collections
import itertools
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import polars as pl

from genbank_assets.errors import GenbankAssetsError, IntegrityError, NotFoundError
from genbank_assets.lookup.records import Found, Lookup, not_found
from genbank_assets.lookup.text import HasRow, cut, original_text, raw_file
from genbank_assets.objects.contact import open_met_objects
from genbank_assets.objects.keys import MOLECULE_CLASSES
from genbank_assets.objects.object_index import locate, locate_all, locate_refget
from genbank_assets.objects.read import READ_BYTES, residues
from genbank_assets.settings import Settings

LINE_RESIDUES = 60
BATCH_NAMES = 5000
# Shorter sequences are read whole, several at a time, before they are printed.
MAX_READ_AHEAD_RESIDUES = 1024 * 1024
_OF_RESIDUES = ("sequence_sha256", "molecule_class")
_OF_TEXTS = ("source_file", "record_offset", "record_bytes", "record_sha256")
Missing = Callable[[str, GenbankAssetsError], None]
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
_REFGET = re.compile(r"(?:ga4gh:)?(SQ\.[A-Za-z0-9_-]{32})")


def as_fasta(name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Residues as FASTA with lines of sixty; no title before there are residues."""
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


def fetch(
    settings: Settings, name: str, *, format_: str = "fasta", start: int = 1, end: int | None = None
) -> Iterator[bytes]:
    """An accession's or digest's residues, or an accession's text.

    Args:
        settings: where the store and the object set are.
        name: ``ACCESSION``, ``ACCESSION.VERSION``, a SHA-256 in hex, or a refget digest (``SQ.…``).
        format_: ``fasta``, ``raw`` (residues without line breaks), or ``genbank`` (the original text).
        start: first residue, from 1.
        end: last residue; None for all.

    Raises:
        GenbankAssetsError: no such record or residues, or not what was parsed, or the store failed.
    """

    def missing(_: str, error: GenbankAssetsError) -> None:
        raise error

    yield from fetch_all(settings, [name], format_=format_, start=start, end=end, missing=missing)


def fetch_all(
    settings: Settings,
    names: Iterable[str],
    *,
    missing: Missing,
    format_: str = "fasta",
    start: int = 1,
    end: int | None = None,
) -> Iterator[bytes]:
    """What :func:`fetch` gives, for many names, in their order; a name that comes twice in a batch is given once.

    Args:
        settings: where the store and the object set are.
        names: as of :func:`fetch`; any number.
        missing: called, instead of an error, with a sentence for each name that has no record or no right residues.
        format_: as of :func:`fetch`.
        start: first residue of each.
        end: last residue of each; None for all.

    Raises:
        NotFoundError: a range was asked of texts.
        IntegrityError: a long sequence, of which a part was given already, does not have its digest.
        ObjectStoreError: the store failed for longer than is waited for.
    """
    if format_ == "genbank" and (start, end) != (1, None):
        raise NotFoundError("a range selects residues: use --format fasta or raw")
    lookup = Lookup(settings)
    waiting = iter(names)
    while batch := list(dict.fromkeys(itertools.islice(waiting, BATCH_NAMES))):
        if format_ == "genbank":
            yield from _texts(list(_records(lookup, batch, missing, columns=_OF_TEXTS)), missing)
        elif wanted := _objects(settings, lookup, batch, missing):
            yield from _Reader(settings, missing, is_fasta=format_ == "fasta", start=start, end=end).read(wanted)


def _records(
    lookup: Lookup, names: list[str], missing: Missing, *, columns: Sequence[str]
) -> Iterator[tuple[str, Found]]:
    """The record of each name; a version that only an earlier release has comes from there."""
    for name in names:
        if _is_digest(name):
            missing(name, NotFoundError("a digest names residues, not a record: ask for an accession"))
    accessions = [name for name in names if not _is_digest(name)]
    found = lookup.find_each(accessions, columns=columns)
    absent = [name for name in accessions if name not in found]
    earlier = lookup.find_earlier(absent) if absent else {}
    for name in accessions:
        if name in found:
            yield name, found[name]
        elif "." in name and name in earlier:
            yield name, earlier[name][0]
        else:
            missing(name, NotFoundError(not_found(lookup, name, earlier.get(name, []))))


def _texts(records: list[tuple[str, Found]], missing: Missing) -> Iterator[bytes]:
    """The records' texts in their order, each raw file inflated once; texts wait for their turn on disk."""
    if len(records) == 1:
        yield from original_text(records[0][1])
        return
    by_file: dict[Path, dict[int, Found]] = {}
    keys: list[tuple[str, tuple[Path, int]]] = []
    for name, found in records:
        try:
            key = raw_file(found), int(found.row["record_offset"])
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
    """A text that :func:`spooled` wrote, in pieces."""
    if isinstance(text, GenbankAssetsError):
        missing(name, text)
        return
    spool.seek(text[0])
    for size in range(text[1], 0, -READ_BYTES):
        yield spool.read(min(size, READ_BYTES))


def spooled(
    path: Path, records: Mapping[int, HasRow], spool: IO[bytes]
) -> dict[int, tuple[int, int] | GenbankAssetsError]:
    """Write the texts of a raw file's records one behind the other; says where each is, or why it is not."""
    texts: dict[int, tuple[int, int] | GenbankAssetsError] = {}

    def wrong(found: HasRow, error: IntegrityError) -> None:
        texts[int(found.row["record_offset"])] = error

    try:
        for found, piece in cut(path, [records[offset] for offset in sorted(records)], wrong=wrong):
            text = texts.get(int(found.row["record_offset"]), (spool.tell(), 0))
            assert isinstance(text, tuple)
            spool.write(piece)
            texts[int(found.row["record_offset"])] = (text[0], text[1] + len(piece))
    except GenbankAssetsError as error:  # the file cannot be read to its end
        for offset, found in records.items():
            before = texts.get(offset)
            if before is None or (isinstance(before, tuple) and before[1] < found.row["record_bytes"]):
                texts[offset] = error
    return texts


def _objects(
    settings: Settings, lookup: Lookup, names: list[str], missing: Missing
) -> list[tuple[str, str, dict[str, Any]]]:
    """Name, title and row of the object table of each name that has residues in the set, in order."""
    titles: dict[str, str] = {}
    identities: dict[str, list[tuple[bytes, str]]] = {}
    rows: dict[str, dict[str, Any]] = {}
    for name in names:
        if refget := _REFGET.fullmatch(name):
            titles[name] = refget[1]
            if (row := locate_refget(settings, refget[1])) is not None:
                rows[name] = row
            else:
                hint = "" if settings.refget else " (GENBANK_ASSETS_REFGET is off: few or none are known)"
                missing(name, NotFoundError(f"the object set has no sequence {name}{hint}"))
        elif _SHA256.fullmatch(name):
            titles[name] = name.lower()
            identities[name] = [(bytes.fromhex(name), kind) for kind in MOLECULE_CLASSES]
    partitions = []
    for name, found in _records(
        lookup, [name for name in names if not _is_digest(name)], missing, columns=_OF_RESIDUES
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
    located = {
        (row["sequence_sha256"], row["molecule_class"]): row
        for row in locate_all(settings, frame, first=partitions).iter_rows(named=True)
    }
    for name, pairs in identities.items():
        row = next((located[pair] for pair in pairs if pair in located), None)
        if row is not None:
            rows[name] = row
        elif _SHA256.fullmatch(name):
            missing(name, NotFoundError(f"the object set has no sequence {name}"))
        else:
            where = f"the residues of {titles[name]} are not in the object set yet: materialize object_set"
            missing(name, NotFoundError(where))
    return [(name, titles[name], rows[name]) for name in names if name in rows]


class _Reader:
    """Reads sequences and writes them one behind the other, short ones several at a time."""

    def __init__(self, settings: Settings, missing: Missing, *, is_fasta: bool, start: int, end: int | None) -> None:
        self._settings = settings
        self._missing = missing
        self._is_fasta = is_fasta
        self._start = start
        self._end = end
        self._store = open_met_objects(settings)

    def read(self, wanted: list[tuple[str, str, dict[str, Any]]]) -> Iterator[bytes]:
        """The sequences in their order, formatted."""
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
        begun = False
        try:
            pieces = self._pieces(row) if read is None else iter([read.result()])
            if self._is_fasta:
                end = row["length"] if self._end is None else self._end
                part = "" if (self._start, self._end) == (1, None) else f":{self._start}-{end}"
                pieces = as_fasta(f"{title}{part}", pieces)
            for piece in pieces:
                begun = True
                yield piece
        except GenbankAssetsError as error:
            if begun or error.transient:
                raise
            self._missing(name, error)


def object_row(settings: Settings, found: Found) -> dict[str, Any] | None:
    """Where a record's residues are in the object set; None when they are not in it.

    Raises:
        NotFoundError: the record has no residues of its own.
    """
    digest = found.row["sequence_sha256"]
    if digest is None:
        raise _without_residues(found)
    return locate(settings, digest=digest, molecule_class=found.row["molecule_class"], partition=found.partition)


def _without_residues(found: Found) -> NotFoundError:
    name = found.row["accession_version"]
    return NotFoundError(f"{name} has no residues of its own: it is built from others (see --format genbank)")


def _is_digest(name: str) -> bool:
    return bool(_REFGET.fullmatch(name) or _SHA256.fullmatch(name))
