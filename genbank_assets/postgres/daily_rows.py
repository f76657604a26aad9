"""Selects the relevant records of a daily update from its tables. Assigning them to divisions belongs to ``daily``."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl

from genbank_assets.errors import ReleaseError
from genbank_assets.postgres.preflight import preflight
from genbank_assets.store import Manifest, PartitionRelease

# If a record is dated this much later than its file, the file is from another year.
_LATEST = dt.timedelta(days=3)


def day_rows(partition: PartitionRelease, records: Manifest) -> pl.DataFrame:
    """Return accession, file, ordinal and classification of a day's records, without superseded ones."""
    superseded = preflight(partition).superseded
    frames = []
    for entry in records.files:
        path = partition.folder_of(records) / entry["records_file"]
        columns = ["accession", "record_ordinal", "division", "taxonomy", "organism", "update_date"]
        frame = pl.read_parquet(path, columns=columns).with_columns(name=pl.lit(entry["name"]))
        lost = superseded.get(entry["name"], ())
        frames.append(frame.filter(~pl.col("record_ordinal").is_in(list(lost))) if lost else frame)
    return pl.concat(frames) if frames else pl.DataFrame(schema=_EMPTY)


_EMPTY: dict[str, Any] = {
    "accession": pl.String, "record_ordinal": pl.Int64, "division": pl.String, "taxonomy": pl.List(pl.String),
    "organism": pl.String, "update_date": pl.Date, "name": pl.String,
}  # fmt: skip


def check_year(rows: pl.DataFrame, day: dt.date) -> None:
    """Check that a day's file is from the assumed year.

    Raises:
        ReleaseError: a record is dated later than the day.
    """
    newest = rows["update_date"].max()
    if isinstance(newest, dt.date) and newest > day + _LATEST:
        raise ReleaseError(
            f"the daily update of {day} holds records of {newest}: it belongs to another year and was not applied"
        )
