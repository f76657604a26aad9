"""Samples: one row per source feature with typed values, next to the original ones.

Vectorised over batches of records; repeated text is parsed once. Writing the tables belongs to ``derived``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from genbank_assets.schema.derived import SAMPLE_SCHEMA
from genbank_assets.tables.collection_date import missing_term, parse_collection_date
from genbank_assets.tables.feature_arrays import FeatureArrays, Ints

COLUMNS = (
    "accession", "accession_version", "collection", "release", "source_file", "record_ordinal",
    "features.list.element.key", "features.list.element.location", "features.list.element.qualifiers",
)  # fmt: skip
_PLAIN = ("organism", "organelle", "strain", "isolate", "specimen_voucher", "culture_collection")
_MAY_BE_MISSING = ("host", "isolation_source", "geo_loc_name", "lat_lon", "collection_date")
_LAT_LON = r"(?i)^\s*(\d{1,2}(?:\.\d+)?)\s*([NS])[\s,]+(\d{1,3}(?:\.\d+)?)\s*([EW])\s*$"


def samples_of(batch: pa.RecordBatch, *, section: str) -> pa.Table:
    """Return the samples of a batch of records, in order.

    Args:
        batch: records with the columns :data:`COLUMNS`.
        section: the partition.
    """
    found = samples_frame(batch)
    return found.with_columns(section=pl.lit(section)).select(SAMPLE_SCHEMA.names).to_arrow().cast(SAMPLE_SCHEMA)


def samples_frame(batch: pa.RecordBatch) -> pl.DataFrame:
    """Return the samples without their section; ``row`` is the record's row in the batch."""
    features = FeatureArrays(batch)
    sources = np.flatnonzero(features.keyed(["source"]))
    rows = features.record[sources]
    columns: dict[str, Any] = {"row": rows, "feature_ordinal": features.ordinal[sources]}
    for name in ("accession", "accession_version", "collection", "release", "source_file", "record_ordinal"):
        if name in batch.schema.names:
            columns[name] = batch.column(name).take(pa.array(rows))
    take = pa.array(sources)
    if "location" in batch.schema.field("features").type.value_type.names:
        columns["location"] = features.field("location").take(take)
    for name in (*_PLAIN, *_MAY_BE_MISSING):
        columns[name] = features.first(name).take(take)
    columns["molecule_type"] = features.first("mol_type").take(take)
    columns["older_country"] = features.first("country").take(take)
    columns["is_environmental"] = features.has("environmental_sample")[sources]
    columns["taxon_id"] = _taxa(features)[sources]
    frame = pl.DataFrame({name: _series(name, values) for name, values in columns.items()})
    return _typed(frame.with_columns(geo_loc_name=pl.coalesce("geo_loc_name", "older_country")))


def _series(name: str, values: Any) -> pl.Series:
    if isinstance(values, np.ndarray):
        return pl.Series(name, values)
    found = pl.from_arrow(values)
    assert isinstance(found, pl.Series)
    return found.alias(name)


def _taxa(features: FeatureArrays) -> Ints:
    """Return the taxon of each feature's first ``taxon:`` cross-reference; 0 if it has none, (features,)."""
    owner, values = features.qualifier_rows("db_xref")
    found = np.zeros(features.count, np.int64)
    taxa = _series("taxon", values).str.extract(r"^taxon:(\d{1,18})$").cast(pl.Int64).fill_null(0).to_numpy()
    named = taxa > 0
    found[owner[named][::-1]] = taxa[named][::-1]  # the first one wins
    return found


def _typed(raw: pl.DataFrame) -> pl.DataFrame:
    missing = [_read_once(raw[name], missing_term, pl.String).alias(f"{name}_missing") for name in _MAY_BE_MISSING]
    frame = raw.with_columns(missing)
    dates = _read_once(
        frame["collection_date"],
        lambda text: dict(zip(("from", "to", "precision"), parse_collection_date(text) or (None,) * 3, strict=True)),
        pl.Struct({"from": pl.Date, "to": pl.Date, "precision": pl.String}),
    )
    locality = pl.when(pl.col("geo_loc_name_missing").is_null()).then(pl.col("geo_loc_name"))
    behind = locality.str.extract(r"^[^:]*:(.*)$").str.strip_chars()
    parts = [pl.col("lat_lon").str.extract(_LAT_LON, group) for group in (1, 2, 3, 4)]
    latitude = parts[0].cast(pl.Float64) * pl.when(parts[1].str.to_uppercase() == "S").then(-1.0).otherwise(1.0)
    longitude = parts[2].cast(pl.Float64) * pl.when(parts[3].str.to_uppercase() == "W").then(-1.0).otherwise(1.0)
    on_earth = (latitude.abs() <= 90) & (longitude.abs() <= 180)
    return frame.with_columns(
        dates.struct.field("from").alias("collected_from"),
        dates.struct.field("to").alias("collected_to"),
        dates.struct.field("precision").alias("collection_precision"),
        country=_text(locality.str.extract(r"^([^:]*)")),
        region=_text(behind.str.extract(r"^([^,]*)")),
        locality=_text(behind.str.extract(r"^[^,]*,(.*)$")),
        latitude=pl.when(on_earth).then(latitude),
        longitude=pl.when(on_earth).then(longitude),
        taxon_id=pl.when(pl.col("taxon_id") > 0).then("taxon_id"),
        **{name: pl.when(pl.col(f"{name}_missing").is_null()).then(name) for name in ("host", "isolation_source")},
    )


def _text(expression: pl.Expr) -> pl.Expr:
    """Strip white space; empty text becomes null."""
    return expression.str.strip_chars().replace("", None)


def _read_once(values: pl.Series, read: Callable[[str], Any], dtype: Any) -> pl.Series:
    """Apply ``read`` to each distinct value once; null stays null."""
    different = values.drop_nulls().unique()
    if different.is_empty():
        return pl.Series(values.name, [None] * len(values), dtype=dtype)
    known = pl.DataFrame({"text": different, "found": pl.Series([read(text) for text in different], dtype=dtype)})
    return values.to_frame("text").join(known, on="text", how="left", maintain_order="left")["found"]
