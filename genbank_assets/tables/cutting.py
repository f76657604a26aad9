"""Extracts the residues of features: whole row groups at once, long records feature by feature.

Features are processed in the order of their records. Which spans can be extracted belongs to ``splicing``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from genbank_assets.errors import IntegrityError
from genbank_assets.tables.feature_arrays import Ints
from genbank_assets.tables.residue_text import spliced
from genbank_assets.tables.residues import Chunks, ResidueReader
from genbank_assets.tables.splicing import Spans

# Features of long records are combined up to this many residues; longer ones are returned in pieces.
GATHERED_RESIDUES = 4 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Cut:
    """Residues of some features.

    Attributes:
        features: indices among the requested features, (n,).
        residues: buffer of all residues.
        offsets: offsets of the features in the buffer, (n + 1,).
        pieces: the residues of a single long feature, in pieces; ``residues`` and ``offsets`` are then empty.
    """

    features: Ints
    residues: Any
    offsets: Ints
    pieces: Iterator[bytes] | None = None


def cut(spans: Spans, *, ordinals: Ints, lengths: Ints, reader: ResidueReader) -> Iterator[Cut]:
    """Extract features in order; none of them may be refused.

    Args:
        spans: spans of the features.
        ordinals: record of each feature, ascending, (features,).
        lengths: number of residues of that record, (features,).
        reader: table with the records' residues.

    Raises:
        IntegrityError: the table lacks residues of a record.
    """
    done = 0
    for chunks in reader.chunks(np.unique(ordinals)):
        whole, bases, begun = _records(chunks)
        if not len(begun):
            continue
        at = np.minimum(np.searchsorted(begun, ordinals), len(begun) - 1)
        mine = np.flatnonzero(begun[at] == ordinals)
        if not len(mine):
            continue
        in_whole = whole[at[mine]] == lengths[mine]  # the whole record is in this row group
        features = mine[in_whole]
        if len(features):
            part = spans.take(features)
            residues, offsets = spliced(
                chunks.text, bases[at[features]], part.offsets, part.start, part.end, part.reverse
            )
            yield Cut(features, residues, offsets)
        yield from _long(spans, mine[~in_whole], ordinals, reader)
        done += len(mine)
    if done != len(ordinals):
        raise IntegrityError(f"the residues of {len(ordinals) - done:,} features are not in the table of sequences")


def _records(chunks: Chunks) -> tuple[Ints, Ints, Ints]:
    """Return length in this row group, offset in the buffer and ordinal of each record that begins in a row group."""
    begun = np.flatnonzero(chunks.is_first)
    if not len(begun):
        empty = np.zeros(0, np.int64)
        return empty, empty, empty
    ends = np.r_[begun[1:], len(chunks.ordinal)] - 1
    return chunks.end[ends] - chunks.start[begun], chunks.start[begun], chunks.ordinal[begun]


def _long(spans: Spans, features: Ints, ordinals: Ints, reader: ResidueReader) -> Iterator[Cut]:
    held: list[int] = []
    texts: list[bytes] = []
    size = 0
    lengths = spans.lengths
    for feature in features.tolist():
        if lengths[feature] > GATHERED_RESIDUES:
            if held:
                yield _gathered(held, texts)
                held, texts, size = [], [], 0
            yield Cut(np.array([feature]), b"", np.zeros(2, np.int64), _pieces(spans, feature, ordinals, reader))
            continue
        held.append(feature)
        texts.append(b"".join(_pieces(spans, feature, ordinals, reader)))
        size += len(texts[-1])
        if size > GATHERED_RESIDUES:
            yield _gathered(held, texts)
            held, texts, size = [], [], 0
    if held:
        yield _gathered(held, texts)


def _gathered(features: list[int], texts: list[bytes]) -> Cut:
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])])
    return Cut(np.array(features), b"".join(texts), offsets)


def _pieces(spans: Spans, feature: int, ordinals: Ints, reader: ResidueReader) -> Iterator[bytes]:
    for span in range(int(spans.offsets[feature]), int(spans.offsets[feature + 1])):
        start, end = int(spans.start[span]), int(spans.end[span])
        if end >= start:
            yield from reader.part(int(ordinals[feature]), start=start, end=end, reverse=bool(spans.reverse[span]))
