"""The features of a batch of records as flat arrays, without a Python object per feature, qualifier or span.

Used by everything that evaluates features (``samples``, ``cds``, extracts); interpreting the values belongs to the
callers.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Ints = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

_ELEMENT = "features.list.element"
KEY_COLUMN = f"{_ELEMENT}.key"
LOCATION_COLUMNS = tuple(
    f"{_ELEMENT}.{name}"
    for name in ("location", "operator", "strand", "partial_start", "partial_end", "spans_origin", "spans")
)
QUALIFIER_COLUMNS = (f"{_ELEMENT}.qualifiers",)


class FeatureArrays:
    """The features of a batch of records that has the column ``features``, or some of its fields."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        column = batch.column("features")
        counts = _lengths(column)
        flat = column.flatten()
        self._fields: dict[str, pa.Array] = dict(
            zip((flat.type.field(i).name for i in range(flat.type.num_fields)), flat.flatten(), strict=True)
        )
        self.count = len(flat)
        #: Row in the batch of each feature's record, (features,).
        self.record: Ints = np.repeat(np.arange(len(column)), counts)
        #: 0-based position of the feature in its record, (features,).
        self.ordinal: Ints = np.arange(self.count) - np.repeat(np.cumsum(counts) - counts, counts)

    def field(self, name: str) -> pa.Array:
        """Return a field of each feature: ``key``, ``location``, ``strand`` …, (features,)."""
        return self._fields[name]

    def flags(self, name: str) -> Flags:
        """Return a boolean field of each feature; null is False, (features,)."""
        found: Flags = self._fields[name].fill_null(False).to_numpy(zero_copy_only=False)  # noqa: FBT003
        return found

    def keyed(self, keys: Iterable[str]) -> Flags:
        """Return whether each feature has one of these keys, (features,)."""
        found: Flags = pc.is_in(self._fields["key"], value_set=pa.array(list(keys), pa.string())).to_numpy(
            zero_copy_only=False
        )
        return found

    # ---- qualifiers ------------------------------------------------------------------------------------------------

    @cached_property
    def qualifiers(self) -> tuple[Ints, Ints, list[str], pa.Array]:
        """Feature index, key number, keys and values of all qualifiers."""
        column = self._fields["qualifiers"]
        feature = np.repeat(np.arange(self.count), _lengths(column))
        keys, values = column.flatten().flatten()
        encoded = keys.dictionary_encode()
        return feature, encoded.indices.to_numpy(zero_copy_only=False), encoded.dictionary.to_pylist(), values

    def qualifier_rows(self, name: str) -> tuple[Ints, pa.Array]:
        """Return the feature indices (ascending) and values (null if none) of all qualifiers with this name."""
        feature, code, keys, values = self.qualifiers
        if name not in keys:
            return np.zeros(0, np.int64), values.slice(0, 0)
        rows = np.flatnonzero(code == keys.index(name))
        return feature[rows], values.take(pa.array(rows))

    def first(self, name: str) -> pa.Array:
        """Return the value of each feature's first qualifier with this name; null if it has none, (features,)."""
        feature, values = self.qualifier_rows(name)
        at = np.full(self.count, -1, np.int64)
        fresh = np.flatnonzero(np.r_[True, feature[1:] != feature[:-1]]) if len(feature) else np.zeros(0, np.int64)
        at[feature[fresh]] = fresh
        return values.take(pa.array(at, mask=at < 0))

    def has(self, name: str) -> Flags:
        """Return whether each feature has a qualifier with this name, even without a value, (features,)."""
        found = np.zeros(self.count, np.bool_)
        found[self.qualifier_rows(name)[0]] = True
        return found

    # ---- spans -----------------------------------------------------------------------------------------------------

    @cached_property
    def span_offsets(self) -> Ints:
        """Index of each feature's first span, and the total number of spans, (features + 1,)."""
        return np.concatenate([[0], np.cumsum(_lengths(self._fields["spans"]))])

    @cached_property
    def _span_fields(self) -> dict[str, pa.Array]:
        flat = self._fields["spans"].flatten()
        return dict(zip((flat.type.field(i).name for i in range(flat.type.num_fields)), flat.flatten(), strict=True))

    def span(self, name: str) -> pa.Array:
        """Return a field of each span: ``accession``, ``start``, ``end``, ``strand``, ``kind`` …, (spans,)."""
        return self._span_fields[name]

    def span_numbers(self, name: str) -> Ints:
        """Return a numeric field of each span; 0 for null, (spans,)."""
        found: Ints = self._span_fields[name].fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        return found

    def any_span(self, flags: Flags) -> Flags:
        """Return whether a flag is set for any span of each feature, (features,)."""
        total = np.concatenate([[0], np.cumsum(flags)])
        found: Flags = total[self.span_offsets[1:]] > total[self.span_offsets[:-1]]
        return found


def _lengths(column: pa.ListArray) -> Ints:
    found: Ints = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return found
