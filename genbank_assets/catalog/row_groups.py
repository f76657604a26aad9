"""Selects row groups of a table by the statistics in its footer.

Reading them belongs to ``rows`` and ``bucket``.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pyarrow.parquet as pq


def groups_with(metadata: pq.FileMetaData, column: str, values: Collection[Any]) -> list[int]:
    """Return the row groups that may contain one of these values in a column; all if there are no statistics."""
    index = next(i for i in range(metadata.num_columns) if metadata.schema.column(i).path == column)
    groups = []
    for group in range(metadata.num_row_groups):
        span = metadata.row_group(group).column(index).statistics
        if span is None or not span.has_min_max or any(span.min <= value <= span.max for value in values):
            groups.append(group)
    return groups
