"""Columns as words of FASTA headers, where a format computes them in frames; whole records do without (``fasta``)."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa


def fit_for_a_word(column: str) -> pl.Expr:
    """Return a column as the first word of a header: without white space."""
    return pl.col(column).str.replace_all(r"\s+", "_")


def with_kraken(word: pl.Expr, *, wanted: bool) -> pl.Expr:
    """Return the word, followed by ``|kraken:taxid|N`` where that is wanted; 0 stands for no taxon."""
    if not wanted:
        return word
    return pl.concat_str([word, pl.lit("|kraken:taxid|"), pl.col("taxon_id").fill_null(0).cast(pl.String)])


def frame_of(batch: pa.RecordBatch, fields: Sequence[str]) -> pl.DataFrame:
    """Return the flat columns of a batch for headers: those fields, the name, and the taxon where it is there."""
    wanted = {*fields, "accession_version", *({"taxon_id"} & set(batch.schema.names))}
    return pl.DataFrame({name: pl.from_arrow(batch.column(name)) for name in sorted(wanted)})
