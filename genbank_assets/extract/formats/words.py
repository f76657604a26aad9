"""Columns as words of FASTA headers, for formats that build headers in frames; compare ``fasta``."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa


def as_word(column: str) -> pl.Expr:
    """Replace white space in a column, for use as the first word of a header."""
    return pl.col(column).str.replace_all(r"\s+", "_")


def with_kraken(word: pl.Expr, *, wanted: bool) -> pl.Expr:
    """Append ``|kraken:taxid|N`` to a word if requested; 0 means no taxon."""
    if not wanted:
        return word
    return pl.concat_str([word, pl.lit("|kraken:taxid|"), pl.col("taxon_id").fill_null(0).cast(pl.String)])


def frame_of(batch: pa.RecordBatch, fields: Sequence[str]) -> pl.DataFrame:
    """Return the flat columns of a batch for headers: these fields, the name, and the taxon if available."""
    wanted = {*fields, "accession_version", *({"taxon_id"} & set(batch.schema.names))}
    return pl.DataFrame({name: pl.from_arrow(batch.column(name)) for name in sorted(wanted)})
