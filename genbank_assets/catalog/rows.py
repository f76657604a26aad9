"""Reads single records of a division's tables, by name or by condition, with their residues.

A name costs one row group of the memberships and one of the record table. A condition only reads the columns it uses,
and whole rows only from row groups with matches. Choosing the division belongs to ``mirror``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from genbank_assets.catalog.divisions import ReadableRelease
from genbank_assets.catalog.row_groups import groups_with


def rows_named(one: ReadableRelease, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of some accessions, with or without version, in file order."""
    wanted = {name.strip().upper() for name in names} | {name.strip() for name in names}
    primary = sorted({name.partition(".")[0] for name in wanted} | wanted)
    found = (
        one.memberships_named(primary)
        .filter(pl.col("accession").is_in(list(wanted)) | pl.col("accession_version").is_in(list(wanted)))
        .select("source_file", "record_ordinal")
        .collect()
    )
    ordinals = defaultdict(set)
    for name, ordinal in found.iter_rows():
        ordinals[name].add(ordinal)
    for name, path in _by_source(one, "records"):
        if ordinals[name]:
            condition = pl.col("record_ordinal").is_in(sorted(ordinals[name]))
            yield from _whole_rows(one, path, condition, bounds=ordinals[name])


def rows_matching(one: ReadableRelease, condition: pl.Expr | None) -> Iterator[dict[str, Any]]:
    """Yield the rows that satisfy a condition, or all for None, in file order."""
    for _, path in _by_source(one, "records"):
        yield from _whole_rows(one, path, condition)


def residues_of(one: ReadableRelease, wanted: set[tuple[str, int]]) -> Iterator[tuple[tuple[str, int], str]]:
    """Yield (file, record_ordinal) and residues of records, in file order; "" for records without residues."""
    for name, path in _by_source(one, "sequences"):
        for ordinal in sorted(number for source, number in wanted if source == name):
            with one.open(path) as file:
                columns = ["record_ordinal", "chunk_ordinal", "residues"]
                parts = [
                    chunk
                    for group in _groups_with(file, {ordinal})
                    for chunk in _chunks(file.read_row_group(group, columns=columns), ordinal)
                ]
            yield (name, ordinal), "".join(text for _, text in sorted(parts))


def _chunks(table: pa.Table, ordinal: int) -> list[tuple[int, str]]:
    ours = table.filter(pc.equal(table["record_ordinal"], ordinal))
    return list(zip(ours["chunk_ordinal"].to_pylist(), ours["residues"].to_pylist(), strict=True))


def _whole_rows(
    one: ReadableRelease, path: Path, condition: pl.Expr | None, *, bounds: set[int] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield rows as plain values with the partition's names; ``bounds`` are ordinals for skipping row groups."""
    whose = {"collection": one.key.collection, "section": one.key.division, "release": one.release}
    with one.open(path) as file:
        for group in _groups_with(file, bounds) if bounds is not None else range(file.num_row_groups):
            wanted = file.read_row_group(group) if condition is None else _matching(file, group, condition, whose)
            for row in wanted.to_pylist():
                yield row | whose


def _matching(file: pq.ParquetFile, group: int, condition: pl.Expr, whose: dict[str, str]) -> pa.Table:
    """Return the matching rows of a row group; other columns are only read if there are any."""
    named = [name for name in condition.meta.root_names() if name in file.schema_arrow.names]
    columns = sorted({"record_ordinal", *named})
    frame = pl.DataFrame(pl.from_arrow(file.read_row_group(group, columns=columns)))
    frame = frame.with_columns(**{name: pl.lit(value) for name, value in whose.items()}).with_row_index("row_of_group")
    rows = frame.filter(condition)["row_of_group"]
    return file.read_row_group(group).take(rows.to_arrow()) if len(rows) else file.schema_arrow.empty_table()


def _groups_with(file: pq.ParquetFile, ordinals: set[int]) -> list[int]:
    """Return the row groups that may contain one of these records; all if there are no statistics."""
    return groups_with(file.metadata, "record_ordinal", ordinals)


def _by_source(one: ReadableRelease, kind: str) -> Iterator[tuple[str, Path]]:
    """Return raw file → table, for a kind that every file has."""
    for entry, path in zip(one.records.files, one.tables(kind), strict=True):
        yield str(entry["name"]), path
