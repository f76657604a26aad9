"""Reads residues from the object set, completely or in part, given a row of the object table.

Finding the row for a name belongs to ``object_index`` and ``lookup``, writing to ``publish``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from genbank_assets.errors import IntegrityError, NotFoundError, ObjectStoreError
from genbank_assets.objects.packs import unpacked
from genbank_assets.objects.requests import is_transient
from genbank_assets.objects.store import open_objects, read_range, reason_of
from genbank_assets.settings import Settings

READ_BYTES = 8 * 1024 * 1024


def residues(
    settings: Settings,
    row: dict[str, Any],
    *,
    start: int = 1,
    end: int | None = None,
    store: ObjectStore | None = None,
) -> Iterator[bytes]:
    """Yield residues ``start`` to ``end`` (1-based, inclusive) of a sequence, in pieces.

    A sequence with its own object takes one request, or one per 8 MiB of a partial read; a packed one takes a single
    ranged request. A complete sequence is verified against its digest, after the last piece.

    Args:
        settings: name the object set.
        row: the sequence's row of the object table (``object_index.locate``).
        start: first residue, 1-based.
        end: last residue; None for the end of the sequence.
        store: the object store, if already open.

    Raises:
        NotFoundError: the range is outside of the sequence.
        ObjectStoreError: the object does not exist, or the store failed.
        IntegrityError: the object does not match the table.
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
        raise ObjectStoreError(f"cannot read {key}: {reason_of(error)}", transient=is_transient(error)) from error
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
