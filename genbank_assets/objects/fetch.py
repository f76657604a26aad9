"""Reads from the object set: residues by digest or accession, and a record's original text.

A digest is a key by itself; an accession is looked up by ``find``. The original text is cut from the raw file. Writing
belongs to ``publish``.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from genbank_assets.errors import IntegrityError, NotFoundError, ObjectStoreError
from genbank_assets.flatfile.inflate import inflated
from genbank_assets.objects.contents import locate, locate_refget
from genbank_assets.objects.find import Found, find_record
from genbank_assets.objects.packs import unpacked
from genbank_assets.objects.requests import may_pass
from genbank_assets.objects.store import open_objects, read_range, reason_of
from genbank_assets.settings import Settings

LINE_RESIDUES = 60
READ_BYTES = 8 * 1024 * 1024
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
_REFGET = re.compile(r"(?:ga4gh:)?(SQ\.[A-Za-z0-9_-]{32})")


def residues(
    settings: Settings,
    row: dict[str, Any],
    *,
    start: int = 1,
    end: int | None = None,
    store: ObjectStore | None = None,
) -> Iterator[bytes]:
    """Residues ``start`` to ``end`` (1-based, inclusive) of a sequence, in pieces.

    A sequence that is its own object costs one request, or one per 8 MiB of a part; one in a pack costs a single
    ranged request. A whole sequence is checked against its digest; the error then comes after the last piece.

    Args:
        settings: where the object set is.
        row: the sequence's row of the object table (``contents.locate``).
        start: first residue, from 1.
        end: last residue; None for all.
        store: the object store, if it is open already.

    Raises:
        NotFoundError: the range is not in the sequence.
        ObjectStoreError: there is no such object, or the store failed.
        IntegrityError: the object is not what the table says.
    """
    length, key = int(row["length"]), str(row["key"])
    end = length if end is None else end
    if not 1 <= start <= end <= length:
        raise NotFoundError(f"{start}..{end} is not within the {length:,} residues of {row['sequence_sha256'].hex()}")
    hasher = hashlib.sha256()
    try:
        for piece in _pieces(store or open_objects(settings), row, start=start, end=end):
            hasher.update(piece)
            yield piece
    except FileNotFoundError:
        raise ObjectStoreError(f"the object set has no {key}") from None
    except BaseError as error:
        raise ObjectStoreError(f"cannot read {key}: {reason_of(error)}", transient=may_pass(error)) from error
    if (start, end) == (1, length) and hasher.digest() != row["sequence_sha256"]:
        raise IntegrityError(f"the residues in {key} do not have their digest")


def _pieces(store: ObjectStore, row: dict[str, Any], *, start: int, end: int) -> Iterator[bytes]:
    key, offset = row["key"], row["offset"]
    if row["encoding"] == "zstd":
        frame = read_range(store, key, start=offset, end=offset + row["bytes"])
        whole = unpacked(frame, length=row["length"])
        if hashlib.sha256(whole).digest() != row["sequence_sha256"]:
            raise IntegrityError(f"the residues at byte {offset:,} of {key} do not have their digest")
        yield whole[start - 1 : end]
        return
    if (start, end) == (1, row["object_bytes"]):
        for piece in obstore.get(store, key).stream(min_chunk_size=READ_BYTES):
            yield bytes(piece)
        return
    for at in range(start - 1, end, READ_BYTES):
        yield read_range(store, key, start=offset + at, end=offset + min(end, at + READ_BYTES))


def original_text(found: Found) -> Iterator[bytes]:
    """The record's text, byte for byte, cut from the raw file; checked against its digest at the end, if it has one.

    Raises:
        NotFoundError: the raw file is no longer in the store.
        IntegrityError: the text is not what was parsed.
    """
    path = found.partition.files_folder("raw_files") / str(found.row["source_file"])
    if not path.is_file():
        raise NotFoundError(f"the raw file {path.name} of release {found.partition.release} is not in the store")
    begin = int(found.row["record_offset"])
    end = begin + int(found.row["record_bytes"])
    at = 0
    hasher = hashlib.sha256()
    for piece in inflated(path):
        if at + len(piece) > begin:
            cut = bytes(piece[max(0, begin - at) : end - at])
            hasher.update(cut)
            yield cut
        at += len(piece)
        if at >= end:
            break
    if hasher.digest() != (found.row["record_sha256"] or hasher.digest()):
        raise IntegrityError(f"the text of {found.row['accession_version']} in {path.name} is not what was parsed")


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
    """What ``genbank-assets fetch`` prints: an accession's or digest's residues, or an accession's text.

    Args:
        settings: where the store and the object set are.
        name: ``ACCESSION``, ``ACCESSION.VERSION``, a SHA-256 in hex, or a refget digest (``SQ.…``).
        format_: ``fasta``, ``raw`` (residues without line breaks), or ``genbank`` (the original text).
        start: first residue, from 1.
        end: last residue; None for all.

    Raises:
        NotFoundError: no such record, or no such residues.
    """
    refget, sha256 = _REFGET.fullmatch(name), _SHA256.fullmatch(name)
    if refget or sha256:
        if format_ == "genbank":
            raise NotFoundError("a digest names residues, not a record: ask for an accession")
        title = refget[1] if refget else name.lower()
        row = locate_refget(settings, title) if refget else locate(settings, digest=bytes.fromhex(title))
        if row is None:
            known = "" if sha256 or settings.refget else " (GENBANK_ASSETS_REFGET is off: few or none are known)"
            raise NotFoundError(f"the object set has no sequence {name}{known}")
    else:
        found = find_record(settings, name, in_kept_releases=True)[0]
        if format_ == "genbank":
            if (start, end) != (1, None):
                raise NotFoundError("a range is one of residues: ask for fasta or raw")
            yield from original_text(found)
            return
        title = found.row["accession_version"]
        row = object_row(settings, found)
        if row is None:
            raise NotFoundError(f"the residues of {title} are not in the object set yet: materialize object_set")
    pieces = residues(settings, row, start=start, end=end)
    if format_ == "raw":
        yield from pieces
        return
    part = "" if start == 1 and end is None else f":{start}-{row['length'] if end is None else end}"
    yield from as_fasta(f"{title}{part}", pieces)


def object_row(settings: Settings, found: Found) -> dict[str, Any] | None:
    """Where a record's residues are in the object set; None when they are not in it.

    Raises:
        NotFoundError: the record has no residues of its own.
    """
    digest = found.row["sequence_sha256"]
    if digest is None:
        name = found.row["accession_version"]
        raise NotFoundError(f"{name} has no residues of its own: it is built from others (see --format genbank)")
    return locate(settings, digest=digest, molecule_class=found.row["molecule_class"], partition=found.partition)
