"""Single records of a division's tables with their residues: what reading by name or condition costs.

A name costs one row group of the memberships and one of the record table; a condition reads the columns it speaks of,
and whole rows only of row groups where it holds for some. Which division is meant belongs to ``mirror``.
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
    """Yield the rows of these accessions, with or without version, in the order of the files."""
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
    """Yield the rows for which a condition holds, all for None, in the order of the files."""
    for _, path in _by_source(one, "records"):
        yield from _whole_rows(one, path, condition)


def residues_of(one: ReadableRelease, wanted: set[tuple[str, int]]) -> Iterator[tuple[tuple[str, int], str]]:
    """(file, record_ordinal) and residues of records, in the order of the files; "" for a record without residues."""
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
    """Rows as plain values, under the partition's own names; ``bounds`` are ordinals that tell row groups to skip."""
    whose = {"collection": one.key.collection, "section": one.key.division, "release": one.release}
    with one.open(path) as file:
        for group in _groups_with(file, bounds) if bounds is not None else range(file.num_row_groups):
            wanted = file.read_row_group(group) if condition is None else _matching(file, group, condition, whose)
            for row in wanted.to_pylist():
                yield row | whose


def _matching(file: pq.ParquetFile, group: int, condition: pl.Expr, whose: dict[str, str]) -> pa.Table:
    """Return the rows of a row group for which a condition holds; other columns are read only where there are some."""
    named = [name for name in condition.meta.root_names() if name in file.schema_arrow.names]
    columns = sorted({"record_ordinal", *named})
    frame = pl.DataFrame(pl.from_arrow(file.read_row_group(group, columns=columns)))
    frame = frame.with_columns(**{name: pl.lit(value) for name, value in whose.items()}).with_row_index("row_of_group")
    rows = frame.filter(condition)["row_of_group"]
    return file.read_row_group(group).take(rows.to_arrow()) if len(rows) else file.schema_arrow.empty_table()


def _groups_with(file: pq.ParquetFile, ordinals: set[int]) -> list[int]:
    """Return the row groups that can have one of these records, by their statistics; all where there are none."""
    return groups_with(file.metadata, "record_ordinal", ordinals)


def _by_source(one: ReadableRelease, kind: str) -> Iterator[tuple[str, Path]]:
    """(raw file, its table) of a kind that every file has."""
    for entry, path in zip(one.records.files, one.tables(kind), strict=True):
        yield str(entry["name"]), path
