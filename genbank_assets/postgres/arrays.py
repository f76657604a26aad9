"""Converts Arrow lists of structs to PostgreSQL columns: flattened rows, search names, and JSON.

Works on Arrow arrays without a Python object per value, except for structured comments. The choice of columns belongs
to ``staging``.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genbank_assets.postgres.ddl import MAX_INDEXED_BYTES
from genbank_assets.postgres.jsonpairs import pairs_json


def flattened(lists: pa.Array, ids: pa.Array) -> tuple[pa.Array, pa.Array, pa.StructArray]:
    """Flatten a list column; return each element's record_id, its position in the list, and the elements."""
    lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    ordinal = pa.array((np.arange(len(starts)) - starts).astype(np.int32))
    return pa.array(np.repeat(ids.to_numpy(), lengths)), ordinal, lists.flatten()


def _with_key(qualifiers: pa.ListArray, key: str) -> tuple[np.ndarray[Any, Any], pa.Array]:
    """Return feature index and value of every qualifier with this name that has a value."""
    flat = qualifiers.flatten()
    mask = pc.and_(pc.equal(flat.field("key"), key), pc.is_valid(flat.field("value")))
    parents = pc.list_parent_indices(qualifiers).filter(mask).to_numpy(zero_copy_only=False)
    return parents, flat.field("value").filter(mask)


def feature_names(qualifiers: pa.ListArray) -> dict[str, pa.Array]:
    """Return the search names of features: the first value of each kind, and further ones as ``gene=dnaA``."""
    columns: dict[str, pa.Array] = {}
    further = []
    for key in ("gene", "locus_tag", "product"):
        parents, values = _with_key(qualifiers, key)
        features, first = np.unique(parents, return_index=True)
        at = np.full(len(qualifiers), -1, dtype=np.int64)
        at[features] = first
        columns[key] = values.take(pa.array(at, mask=at < 0))
        if len(first) < len(parents):
            later = np.ones(len(parents), bool)
            later[first] = False
            short = pc.less_equal(pc.binary_length(values), MAX_INDEXED_BYTES).to_numpy(zero_copy_only=False)
            later &= short
            named = pc.binary_join_element_wise(key, values.filter(pa.array(later)), "=")
            further.append((parents[later], named))
    columns["further_names"] = _lists(further, rows=len(qualifiers))
    return columns


def all_values(qualifiers: pa.ListArray, key: str) -> pa.Array:
    """Return lists of all indexable values of a qualifier; null for features without any."""
    parents, values = _with_key(qualifiers, key)
    short = pc.less_equal(pc.binary_length(values), MAX_INDEXED_BYTES)
    return _lists([(parents[short.to_numpy(zero_copy_only=False)], values.filter(short))], rows=len(qualifiers))


def _lists(parts: list[tuple[np.ndarray[Any, Any], pa.Array]], *, rows: int) -> pa.ListArray:
    """Group values by parent row into lists; null for rows without values."""
    if not parts:
        return pa.nulls(rows, pa.list_(pa.string()))
    parents = np.concatenate([part for part, _ in parts])
    values = pa.concat_arrays([part for _, part in parts])
    if len(parts) > 1:
        order = np.argsort(parents, kind="stable")
        parents, values = parents[order], values.take(pa.array(order))
    counts = np.bincount(parents, minlength=rows) if len(parents) else np.zeros(rows, np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.array(counts == 0))


def as_json(column: pa.Array) -> pa.Array:
    """Convert to JSON ``[[key, value], ...]``, null for null; structured comments are nested one level deeper."""
    fields = [column.type.value_type.field(i).name for i in range(column.type.value_type.num_fields)]
    if fields == ["key", "value"]:
        return pairs_json(column)
    filled = pc.fill_null(pc.greater(pc.list_value_length(column), 0), pa.scalar(value=False))
    texts = [json.dumps([_as_list(entry) for entry in entries]) for entries in column.filter(filled).to_pylist()]
    at = np.zeros(len(column), np.int64)  # most records have none
    at[filled.to_numpy(zero_copy_only=False)] = np.arange(1, len(texts) + 1)
    is_null = column.is_null().to_numpy(zero_copy_only=False)
    return pa.array(["[]", *texts], pa.large_string()).take(pa.array(at, mask=is_null))


def _as_list(entry: dict[str, Any]) -> list[Any]:
    """Return the values of a struct in order, recursively for nested lists of structs."""
    return [[_as_list(one) for one in value] if isinstance(value, list) else value for value in entry.values()]
