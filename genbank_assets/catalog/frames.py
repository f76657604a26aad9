"""Combines the tables of several divisions into one polars LazyFrame per kind.

Every row has ``collection``, ``section`` (the partition) and ``release``, so rows of different divisions can be
distinguished and joined: (collection, section, accession_version) identifies a record. For tables of version 0.1.0,
missing columns are added here. Choosing divisions belongs to ``divisions``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from genbank_assets.catalog.divisions import ReadableRelease
from genbank_assets.errors import NotFoundError
from genbank_assets.schema.derived import CDS_SCHEMA, SAMPLE_SCHEMA
from genbank_assets.schema.tables import FEATURE, MEMBERSHIP_SCHEMA, RECORD_SCHEMA, SEQUENCE_SCHEMA

_DERIVED = {"samples": SAMPLE_SCHEMA, "cds": CDS_SCHEMA}
IDENTITY = ["collection", "section", "release"]
_SEQUENCE_IDENTITY = ["accession_version", "sequence_sha256"]


def records_frame(chosen: Sequence[ReadableRelease]) -> pl.LazyFrame:
    """Return one row per record, with the columns of the data dictionary."""
    frames = [_named(one.scan(paths), one) for one in chosen if (paths := one.tables("records"))]
    empty = pl.LazyFrame(schema=_schema(RECORD_SCHEMA, first=IDENTITY))
    return _concatenated(frames, empty)


def sequences_frame(chosen: Sequence[ReadableRelease]) -> pl.LazyFrame:
    """Return one row per chunk of residues, with ``accession_version`` and ``sequence_sha256`` of its record."""
    frames = []
    for one in chosen:
        paths = one.tables("sequences")
        if paths and not lacks(one, paths, _SEQUENCE_IDENTITY):
            frames.append(_named(one.scan(paths), one))
        elif paths:
            for path, records in zip(paths, one.tables("records"), strict=True):
                names = one.scan([records]).select("record_ordinal", *_SEQUENCE_IDENTITY)
                chunks = one.scan([path]).join(names, on="record_ordinal", how="left")
                frames.append(_named(chunks, one))
    empty = pl.LazyFrame(schema=_schema(SEQUENCE_SCHEMA, first=[*IDENTITY, *_SEQUENCE_IDENTITY]))
    return _concatenated(frames, empty)


def features_frame(records: pl.LazyFrame, *, qualifiers: Iterable[str] = ()) -> pl.LazyFrame:
    """Return one row per feature, in order, with the first value of each given qualifier as a column."""
    names = [field.name for field in FEATURE]
    whose = ["accession", "accession_version", "organism", "taxon_id"]
    found = (
        records.select(*IDENTITY, *whose, "features")
        .filter(pl.col("features").list.len() > 0)
        .with_columns(feature_ordinal=pl.int_ranges(pl.col("features").list.len()))
        .explode("features", "feature_ordinal", empty_as_null=False)
        .select(*IDENTITY, *whose, "feature_ordinal", *(pl.col("features").struct.field(name) for name in names))
    )
    return found.with_columns(**{name: _first_value(name) for name in qualifiers})


def derived_frame(chosen: Sequence[ReadableRelease], *, kind: str) -> pl.LazyFrame:
    """Return one row per sample or coding sequence.

    Raises:
        NotFoundError: the tables of a division were not built, or were derived from other record tables.
    """
    lacking = [str(one.key) for one in chosen if kind not in one.derived]
    if lacking:
        raise NotFoundError(
            f"the {kind} of {', '.join(lacking)} are not made yet: materialize the asset {kind} of these partitions "
            f"(job derive_{chosen[0].key.collection})"
        )
    frames = [_named(one.scan(paths), one) for one in chosen if (paths := one.tables(kind))]
    return _concatenated(frames, pl.LazyFrame(schema=_schema(_DERIVED[kind], first=IDENTITY)))


def memberships_frame(chosen: Sequence[ReadableRelease]) -> pl.LazyFrame:
    """Return one narrow row per record, by accession within a division: names, digests, location in the raw file."""
    frames = [_named(one.scan([one.memberships]), one) for one in chosen]
    return _concatenated(frames, pl.LazyFrame(schema=_schema(MEMBERSHIP_SCHEMA, first=IDENTITY)))


def _first_value(name: str) -> pl.Expr:
    pair = pl.element().struct
    values = pl.col("qualifiers").list.eval(pl.element().filter(pair.field("key") == name).struct.field("value"))
    return values.list.first()


def _named(frame: pl.LazyFrame, one: ReadableRelease) -> pl.LazyFrame:
    """Set the partition's names, because a file may be part of several sections."""
    return frame.with_columns(
        collection=pl.lit(one.key.collection), section=pl.lit(one.key.division), release=pl.lit(one.release)
    )


def _concatenated(frames: list[pl.LazyFrame], empty: pl.LazyFrame) -> pl.LazyFrame:
    """Concatenate frames with the same order of columns."""
    if not frames:
        return empty
    names = frames[0].collect_schema().names()
    first = [*IDENTITY, *(name for name in names if name not in IDENTITY)]
    return pl.concat([frame.select(first) for frame in frames], how="vertical_relaxed")


def _schema(schema: object, *, first: Sequence[str]) -> pl.Schema:
    table = pl.from_arrow(schema.empty_table())  # type: ignore[attr-defined]
    assert isinstance(table, pl.DataFrame)
    return pl.Schema({**dict.fromkeys(first, pl.String()), **table.schema})


def lacks(one: ReadableRelease, paths: Sequence[Path], columns: Iterable[str]) -> bool:
    """Return whether these tables, which share a schema, lack one of the columns; False without tables."""
    if not paths:
        return False
    with one.open(paths[0]) as file:
        return not set(file.schema_arrow.names).issuperset(columns)
