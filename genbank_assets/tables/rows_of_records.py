"""The rows of record tables that deduplication needs: reading, grouping by sequence and sorting by accession.

Batch sizes and temporary storage belong to ``dedup`` and ``dedup_spread``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

BATCH_ROWS = 250_000
SAMPLE_EVERY = 64
_READ = [
    "accession", "version", "accession_version", "source_file", "record_ordinal", "record_offset", "record_bytes",
    "length", "length_unit", "record_sha256", "sequence_sha256",
]  # fmt: skip
_ORDER = ["accession", "version", "source_file", "record_ordinal"]


def rows_of(paths: Sequence[Path]) -> Iterator[pl.DataFrame]:
    """Yield the columns of record tables that deduplication needs, batch by batch."""
    for path in paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=_READ):
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                protein = pl.col("length_unit") == "aa"
                yield frame.with_columns(
                    molecule_class=pl.when(protein).then(pl.lit("protein")).otherwise(pl.lit("nucleotide"))
                ).drop("length_unit")


def sampled(frame: pl.DataFrame) -> pl.Series:
    """Return a sample of a batch's accessions, for computing ranges of similar size."""
    return frame["accession"].gather_every(SAMPLE_EVERY)


def in_order(members: pl.DataFrame) -> pl.DataFrame:
    """Sort records by accession, version, file and position, which is a total order."""
    return members.sort(_ORDER)


def grouped(bucket: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the members of a digest bucket with representatives marked, and its distinct sequences, by digest."""
    identity = ["sequence_sha256", "molecule_class"]
    members = bucket.sort([*identity, *_ORDER]).with_columns(is_representative=pl.struct(identity).is_first_distinct())
    sizes = members.group_by(identity).agg(pl.len().cast(pl.Int64).alias("member_count"))
    sequences = (
        members.filter("is_representative")
        .join(sizes, on=identity, how="left")
        .select(
            *identity,
            "length",
            "member_count",
            pl.col("accession_version").alias("representative_accession_version"),
            pl.col("source_file").alias("representative_source_file"),
            pl.col("record_ordinal").alias("representative_record_ordinal"),
        )
        .sort(identity)
    )
    return members, sequences
