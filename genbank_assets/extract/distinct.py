"""Selects one record per distinct sequence, and keeps the names of the others.

The digests of selected records are distributed to buckets on disk; in each bucket, the first record represents its
sequence. Records without residues are excluded. Selecting records belongs to ``plan`` and ``conditions``.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import polars as pl

from genbank_assets.errors import SettingsError
from genbank_assets.extract.conditions import Condition
from genbank_assets.extract.formats import Format
from genbank_assets.extract.plan import FilePlan, Plan
from genbank_assets.extract.scan import Scan, Stretch, stretches
from genbank_assets.extract.scratch import scratch_folder
from genbank_assets.tables.buckets import MAX_BUCKETS, Buckets, bucket_count, digest_bucket

SAME_SEQUENCE = "the same residues as a record that is written"
_COLUMNS = ("accession_version", "sequence_sha256", "length_unit")


def choose_distinct(plan: Plan, conditions: list[Condition], *, scratch: Path | None, format_: Format) -> Plan:
    """Return the plan without records whose residues an earlier one has; the earlier one takes over their names.

    Raises:
        SettingsError: the format does not write whole records.
    """
    of_features = format_.chooses_features and (format_.selection.asks_for_features or not format_.needs_taxonomy)
    if of_features:
        raise SettingsError(f"distinct sequences are of whole records; {format_.name} of features cannot be asked for")
    with scratch_folder(scratch, prefix="distinct-") as folder:
        return _chosen(plan, conditions, folder)


def _chosen(plan: Plan, conditions: list[Condition], folder: Path) -> Plan:
    count = bucket_count(sum(one.file.rows for one in plan.files))
    buckets = Buckets(folder / "digest", count=count)
    number_of = {id(one): number for number, one in enumerate(plan.files)}
    for stretch in stretches(plan.files, whole_files=True):
        for frame in _digests(stretch, conditions):
            numbered = frame.with_columns(file=pl.lit(number_of[id(stretch.plan)], pl.Int64))
            buckets.add(numbered, digest_bucket(numbered["sequence_sha256"], count=count))
    buckets.close()
    share = -(-len(plan.files) // MAX_BUCKETS)  # files per bucket
    by_file = Buckets(folder / "file", count=len(plan.files))
    for bucket in buckets.frames():
        ordered = bucket.sort("file", "record_ordinal")
        first = ordered.group_by("sequence_sha256", "length_unit", maintain_order=True).agg(
            pl.col("file").first(), pl.col("record_ordinal").first(), pl.col("accession_version").alias("names")
        )
        others = ordered.join(first.select("file", "record_ordinal"), on=["file", "record_ordinal"], how="anti")
        for frame, is_first in ((first, True), (others.with_columns(names=pl.lit(None, pl.List(pl.String))), False)):
            rows = frame.select("file", "record_ordinal", "names", is_first=pl.lit(is_first))
            by_file.add(rows, rows["file"] // share)
    by_file.close()
    files = [dataclasses.replace(one, left_out=dict(one.left_out)) for one in plan.files]
    for shared in by_file.frames():
        for (number,), frame in shared.partition_by("file", as_dict=True).items():
            _note(files[int(str(number))], frame)
    return Plan(tuple(files), plan.not_found)


def _note(plan: FilePlan, frame: pl.DataFrame) -> None:
    """Record in a file's plan which records are dropped, and which take over names."""
    plan.left_out[SAME_SEQUENCE] = frame.filter(~pl.col("is_first"))["record_ordinal"].sort().to_numpy()
    shared = frame.filter(pl.col("is_first") & (pl.col("names").list.len() > 1)).sort("record_ordinal")
    if len(shared):
        plan.also = (shared["record_ordinal"].to_numpy(), shared["names"].list.slice(1).list.join(",").to_list())


def _digests(stretch: Stretch, conditions: list[Condition]) -> list[pl.DataFrame]:
    scan = Scan(stretch, conditions)
    found = []
    for batch in scan.batches(_COLUMNS):
        frame = pl.from_arrow(batch)
        assert isinstance(frame, pl.DataFrame)
        found.append(frame.filter(pl.col("sequence_sha256").is_not_null()).select("record_ordinal", *_COLUMNS))
    return found
