"""The attributes column of GFF3, built from whole columns.

Names of feature types and attributes belong to ``ontology``, lines to ``gff3``.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import numpy as np
import polars as pl
import pyarrow as pa

from genbank_assets.extract.formats.ontology import (
    ESCAPED,
    FLAGS,
    LABELS,
    LEFT_OUT,
    PARTS_OF_GENES,
    PEPTIDES,
    attribute_name,
)
from genbank_assets.extract.plan import Ints
from genbank_assets.tables.feature_arrays import FeatureArrays, Flags
from genbank_assets.tables.splicing import Spans


def attributes_of(
    features: FeatureArrays, chosen: Ints, *, spans: Spans, names: pl.Series, key: pl.Series, is_circle: Flags
) -> pl.Series:
    """Return the attributes of some features as text, (n,).

    Args:
        features: all features of a batch.
        chosen: indices of the features to write (ascending).
        spans: their spans.
        names: the first column of their lines.
        key: their keys.
        is_circle: which of them have ``Is_circular``.
    """
    qualifiers = _qualifiers_of(features, chosen)
    wholes = _wholes(features, chosen, spans, key, qualifiers)
    frame = pl.DataFrame(
        {
            "n": np.arange(len(chosen)),
            "id": names,
            "number": features.ordinal[chosen] + 1,
            "gene": wholes["gene"],
            "coding": wholes["CDS"],
            "key": key,
            "is_circle": is_circle,
            "is_partial": (features.flags("partial_start") | features.flags("partial_end"))[chosen],
        }
    ).join(_named(qualifiers), on="n", how="left", maintain_order="left")
    is_partial = pl.col("is_partial") & ~pl.col("says_partial").fill_null(value=False)
    text = pl.concat_str(
        pl.format("ID={}_{}", "id", "number"),
        pl.format("Parent={}_{}", "id", "gene"),
        pl.format("Derives_from={}_{}", "id", "coding"),
        pl.format("Name={}", "label"),
        pl.format("gbkey={}", _escape(pl.col("key"))),
        "text",
        pl.when("is_circle").then(pl.lit("Is_circular=true")),
        pl.when(is_partial).then(pl.lit("partial=true")),
        separator=";",
        ignore_nulls=True,
    )
    return frame.select(text).to_series()


def _qualifiers_of(features: FeatureArrays, chosen: Ints) -> pl.DataFrame:
    """Return the qualifiers of the features to write, in order: ``n`` (the feature), ``key`` and ``value``."""
    owner, code, keys, values = features.qualifiers
    number = np.full(features.count, -1, np.int64)
    number[chosen] = np.arange(len(chosen))
    shown = np.array([key not in LEFT_OUT for key in keys], np.bool_)
    rows = np.flatnonzero((number[owner] >= 0) & shown[code])
    key = pl.Series(keys, dtype=pl.String).gather(code[rows])
    return pl.DataFrame({"n": number[owner[rows]], "key": key, "value": text_series(values.take(pa.array(rows)))})


def _named(qualifiers: pl.DataFrame) -> pl.DataFrame:
    """Return qualifiers as attributes, combining values of the same name, and the label of each feature."""
    is_bare = pl.col("value").is_null() | (pl.col("key").is_in(FLAGS) & (pl.col("value") == ""))
    names = {key: attribute_name(key) for key in qualifiers["key"].unique().to_list()}
    attributes = (
        qualifiers.select(
            "n",
            name=pl.col("key").replace_strict(names, return_dtype=pl.String),
            value=pl.when(is_bare).then(pl.lit("true")).otherwise(_escape(pl.col("value"))),
        )
        .filter(pl.col("value") != "")
        .with_columns(first=pl.col("value"), is_one=~pl.struct("n", "name").is_duplicated())
        .with_row_index("at")
    )
    several = attributes.filter(~pl.col("is_one")).group_by("n", "name", maintain_order=True)
    merged = several.agg(pl.col("at").first(), pl.col("value").str.join(","), pl.col("first").first())
    one = attributes.filter("is_one").select(merged.columns)  # most of them
    attributes = pl.concat([one, merged]).sort("at")
    return attributes.group_by("n", maintain_order=True).agg(
        label=pl.coalesce(*(pl.col("first").filter(pl.col("name") == each).first() for each in LABELS)),
        text=pl.concat_str("name", pl.lit("="), "value").str.join(";"),
        says_partial=(pl.col("name") == "partial").any(),
    )


def _wholes(
    features: FeatureArrays, chosen: Ints, spans: Spans, key: pl.Series, qualifiers: pl.DataFrame
) -> pl.DataFrame:
    """Return the numbers of the gene and of the coding sequence each feature belongs to; null if none.

    The gene has the same label (the first ``/locus_tag`` or ``/gene``) and contains the feature; if only one gene has
    the label, it need not contain the feature.
    """
    labels = (
        qualifiers.filter(pl.col("key").is_in(("locus_tag", "gene")) & (pl.col("value") != ""))
        .unique("n", keep="first", maintain_order=True)
        .select("n", label="value")
    )
    low, high = _extents(spans)
    every = pl.DataFrame(
        {
            "n": np.arange(len(chosen)), "row": features.record[chosen], "low": low, "high": high, "key": key,
            "number": features.ordinal[chosen] + 1,
        }
    )  # fmt: skip
    named = every.join(labels, on="n", maintain_order="left")
    around = (pl.col("low_around") <= pl.col("low")) & (pl.col("high") <= pl.col("high_around"))
    for kind, parts in (("gene", PARTS_OF_GENES), ("CDS", PEPTIDES)):
        wholes = named.filter(pl.col("key") == kind).select("row", "label", "number", "low", "high")
        pairs = named.filter(pl.col("key").is_in(parts)).join(wholes, on=["row", "label"], suffix="_around")
        inside = pl.col("number_around").filter(around).max()
        only = pl.when(pl.len() == 1).then(pl.col("number_around").first())
        found = pairs.group_by("n").agg(pl.coalesce(inside, only).alias(kind))
        every = every.join(found, on="n", how="left", maintain_order="left")
    return every


def _extents(spans: Spans) -> tuple[Ints, Ints]:
    """Return first and last residue of each feature, all of which have spans, both (n,)."""
    if not len(spans.start):
        return spans.start, spans.end
    return np.minimum.reduceat(spans.start, spans.offsets[:-1]), np.maximum.reduceat(spans.end, spans.offsets[:-1])


def _escape(text: pl.Expr) -> pl.Expr:
    return text.str.replace_many(ESCAPED)


def seqids(names: pa.Array) -> pl.Series:
    """Return names as in the first column."""
    return pl.Series([quote(name, safe=".:^*$@!+_?-|") for name in names.to_pylist()], dtype=pl.String)


def text_series(values: Any) -> pl.Series:
    """Return a text column as a series of strings."""
    found = pl.from_arrow(values)
    assert isinstance(found, pl.Series)
    return found.cast(pl.String)
