"""Reads a sequence's residues from the object set, whole or in part, by its row of the object table.

Which row belongs to a name is found by ``object_index`` and ``lookup``; writing belongs to ``publish``.
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
    """Residues ``start`` to ``end`` (1-based, inclusive) of a sequence, in pieces.

    A sequence that is its own object costs one request, or one per 8 MiB of a part; one in a pack costs a single
    ranged request. A whole sequence is checked against its digest; the error then comes after the last piece.

    Args:
        settings: where the object set is.
        row: the sequence's row of the object table (``object_index.locate``).
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
