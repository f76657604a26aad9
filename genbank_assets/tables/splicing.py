"""Determines which residues a feature covers, and which features cannot be extracted.

Equivalent to Biopython's ``extract``: spans in reading order, reverse-strand spans complemented, fuzzy ends at their
outermost positions, ``a^b`` empty. Reading residues belongs to ``residues``.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pyarrow.compute as pc

from genbank_assets.tables.feature_arrays import FeatureArrays, Flags, Ints

#: Reasons why a feature cannot be extracted; number 0 means it can.
REASONS = (
    "",
    "a span lies in another record",
    "the location cannot be read",
    "the location leaves the choice open (one-of, bond)",
    "a span is a gap of unknown length",
    "a span lies outside of the record",
    "the record has no residues of its own",
)
_REMOTE, _UNREADABLE, _OPEN, _GAP, _OUTSIDE, NO_RESIDUES = range(1, 7)


@dataclasses.dataclass(frozen=True)
class Spans:
    """The spans of some features, ready for extraction.

    Attributes:
        offsets: index of each feature's first span, and the total number, (features + 1,).
        start: first residue, 1-based, (spans,).
        end: last residue; less than ``start`` for an empty span, (spans,).
        reverse: whether the span is on the reverse strand, (spans,).
        refused: index in :data:`REASONS` for each feature; spans of refused features are invalid, (features,).
    """

    offsets: Ints
    start: Ints
    end: Ints
    reverse: Flags
    refused: Ints

    @property
    def lengths(self) -> Ints:
        """Number of residues of each feature, (features,)."""
        sizes = np.concatenate([[0], np.cumsum(np.maximum(self.end - self.start + 1, 0))])
        found: Ints = sizes[self.offsets[1:]] - sizes[self.offsets[:-1]]
        return found

    def take(self, features: Ints) -> Spans:
        """Return the spans of some features, in the given order, (n,)."""
        counts = self.offsets[features + 1] - self.offsets[features]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        rows = np.repeat(self.offsets[features] - offsets[:-1], counts) + np.arange(offsets[-1])
        return Spans(offsets, self.start[rows], self.end[rows], self.reverse[rows], self.refused[features])


def spans_of(features: FeatureArrays, *, record_length: Ints, is_circular: Flags) -> Spans:
    """Return the spans of all features of a batch.

    Args:
        features: features with the columns ``feature_arrays.LOCATION_COLUMNS``.
        record_length: number of residues of each record in the batch, (records,).
        is_circular: whether each record is circular, so that spans may cross its origin, (records,).
    """
    offsets, kind = features.span_offsets, features.span("kind")
    start, end = features.span_numbers("start"), features.span_numbers("end")
    reverse = features.span_numbers("strand") < 0
    owner = np.repeat(np.arange(features.count), np.diff(offsets))
    length = record_length[features.record][owner] if len(owner) else np.zeros(0, np.int64)
    circular = is_circular[features.record][owner] if len(owner) else np.zeros(0, np.bool_)
    is_empty = _equal(kind, "between")
    is_gap = _equal(kind, "gap")
    remote: Flags = features.span("accession").is_valid().to_numpy(zero_copy_only=False)
    over_origin = (start > end) & circular & ~is_empty & ~is_gap
    outside = (start < 1) | (end > length) | (start > length) | ((start > end) & ~over_origin)
    outside &= ~is_gap & ~remote & ~is_empty
    refused = np.zeros(features.count, np.int64)
    operator = features.field("operator")
    for number, flags in (
        (_OUTSIDE, features.any_span(outside)),
        (_GAP, features.any_span(is_gap)),
        (_OPEN, _is_in(operator, ("one-of", "bond"))),
        (_UNREADABLE, (np.diff(offsets) == 0) | features.any_span(_equal(kind, "unparsed"))),
        (_REMOTE, features.any_span(remote)),
    ):
        refused[flags] = number
    end = np.where(is_empty, start - 1, end)
    return _over_origin(offsets, start, end, reverse, refused, over_origin=over_origin, length=length)


def _over_origin(
    offsets: Ints, start: Ints, end: Ints, reverse: Flags, refused: Ints, *, over_origin: Flags, length: Ints
) -> Spans:
    """Split spans that cross the origin into two, in reading order."""
    if not over_origin.any():
        return Spans(offsets, start, end, reverse, refused)
    copies = np.where(over_origin, 2, 1)
    rows = np.repeat(np.arange(len(start)), copies)
    second = np.r_[False, rows[1:] == rows[:-1]]
    split = over_origin[rows]
    upper = split & (second == reverse[rows])  # on the forward strand, the part before the origin comes first
    lower = split & ~upper
    new_offsets = np.concatenate([[0], np.cumsum(copies)])[offsets]
    return Spans(
        new_offsets,
        np.where(lower, 1, start[rows]),
        np.where(upper, length[rows], end[rows]),
        reverse[rows],
        refused,
    )


def _equal(values: Any, text: str) -> Flags:
    found: Flags = pc.equal(values, text).fill_null(False).to_numpy(zero_copy_only=False)  # noqa: FBT003
    return found


def _is_in(values: Any, texts: tuple[str, ...]) -> Flags:
    flags = np.zeros(len(values), np.bool_)
    for text in texts:
        flags |= _equal(values, text)
    return flags
