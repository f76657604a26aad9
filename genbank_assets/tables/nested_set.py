"""Encodes a tree as nested intervals: the interval of a node encloses those of its descendants.

A clade is then a single range, which an index can answer. Everything is computed on arrays, one level of the tree at a
time: three million taxa take one second. The meaning of the nodes belongs to ``taxonomy``.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from genbank_assets.errors import IntegrityError

Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclasses.dataclass(frozen=True)
class NestedSet:
    """Values of each node, in the order of the input.

    Attributes:
        left: start of the interval, from 1, (n,).
        right: end of the interval, (n,).
        depth: distance from the root, (n,).
    """

    left: Ints
    right: Ints
    depth: Ints


def nested_set(ids: Ints, parents: Ints) -> NestedSet:
    """Compute the intervals of a tree; children are ordered by id, so equal trees give equal values.

    Args:
        ids: ids of the nodes, ascending, (n,).
        parents: id of each node's parent, (n,); the root is its own parent.

    Raises:
        IntegrityError: the input is not a tree: duplicate ids, missing parents, no root or several, or cycles.
    """
    if not len(ids):
        raise IntegrityError("the taxonomy has no nodes")
    if (np.diff(ids) <= 0).any():
        raise IntegrityError(f"the taxonomy holds taxon {ids[1:][np.diff(ids) <= 0][0]} twice")
    at = np.minimum(np.searchsorted(ids, parents), len(ids) - 1)
    if (missing := ids[at] != parents).any():
        raise IntegrityError(f"the taxonomy has no taxon {parents[missing][0]}, the parent of {ids[missing][0]}")
    roots = np.flatnonzero(at == np.arange(len(ids)))
    if len(roots) != 1:
        raise IntegrityError(f"the taxonomy has {len(roots)} roots")
    levels = _levels(at, root=int(roots[0]))
    if sum(len(level) for level in levels) != len(ids):
        raise IntegrityError("the taxonomy holds taxa whose parents form a cycle")
    return _intervals(at, levels)


def _levels(at: Ints, *, root: int) -> list[Ints]:
    """Return the nodes of each depth, with the children of a node adjacent and in order."""
    by_parent = np.argsort(at, kind="stable")
    begins = np.searchsorted(at[by_parent], np.arange(len(at) + 1))
    levels = [np.array([root], np.int64)]
    while len(levels[-1]):
        starts, ends = begins[levels[-1]], begins[levels[-1] + 1]
        counts = ends - starts
        offsets = np.repeat(starts - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
        children = by_parent[offsets + np.arange(counts.sum())]
        levels.append(children[children != root])
        if len(levels) > len(at) + 1:
            break
    return levels[:-1]


def _intervals(at: Ints, levels: list[Ints]) -> NestedSet:
    size = np.ones(len(at), np.int64)
    depth = np.zeros(len(at), np.int64)
    for number, level in reversed(list(enumerate(levels))):
        depth[level] = number
        if number:
            np.add.at(size, at[level], size[level])
    order = np.zeros(len(at), np.int64)  # position in pre-order traversal
    for level in levels[1:]:
        before = np.cumsum(size[level]) - size[level]
        first = np.r_[True, at[level][1:] != at[level][:-1]]
        group_start = np.maximum.accumulate(np.where(first, np.arange(len(level)), 0))
        order[level] = order[at[level]] + 1 + before - before[group_start]
    left = 2 * order - depth + 1
    return NestedSet(left=left, right=left + 2 * size - 1, depth=depth)
