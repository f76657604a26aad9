"""Removes duplicate RefSeq proteins, which occur in genomes and as records, or in many genomes.

A protein record represents its protein if it is selected itself, otherwise the first coding sequence does. Names are
distributed to buckets on disk, and the exclusions of each file are kept there while the extract runs, so memory does
not depend on their number. GenBank's protein_ids are unique to a coding sequence. Writing proteins belongs to
``formats.proteins``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl

from genbank_assets.extract.conditions import Condition
from genbank_assets.extract.formats.proteins import ProteinFasta, place_of
from genbank_assets.extract.plan import FilePlan, Plan
from genbank_assets.extract.scan import Scan, stretches
from genbank_assets.extract.scratch import scratch_folder
from genbank_assets.tables.buckets import MAX_BUCKETS, Buckets, bucket_count

PROTEINS_PER_RECORD = 100  # estimate for choosing the number of buckets
_COLUMNS = ("file", "place", "is_record")


@contextmanager
def each_protein_once(
    plan: Plan, conditions: list[Condition], *, scratch: Path | None, format_: ProteinFasta
) -> Iterator[Plan]:
    """Return the plan, with each RefSeq file's coding sequences whose proteins are given elsewhere.

    This information is in scratch files that are deleted afterwards.
    """
    of_refseq = [number for number, one in enumerate(plan.files) if one.input.partition.key.collection == "refseq"]
    if not of_refseq:
        yield plan
        return
    with scratch_folder(scratch, prefix="proteins-") as folder:
        yield _chosen(plan, of_refseq, conditions, folder, format_)


def _chosen(plan: Plan, of_refseq: list[int], conditions: list[Condition], folder: Path, format_: ProteinFasta) -> Plan:
    count = bucket_count(PROTEINS_PER_RECORD * sum(plan.files[number].file.rows for number in of_refseq))
    buckets = Buckets(folder / "name", count=count)
    for number in of_refseq:
        for frame in _names(plan.files[number], conditions, format_):
            rows = frame.with_columns(file=pl.lit(number, pl.Int64))
            buckets.add(rows, rows["protein_id"].hash() % count)
    buckets.close()
    share = -(-len(plan.files) // MAX_BUCKETS)  # files that share a bucket
    by_file = Buckets(folder / "file", count=len(plan.files))
    for bucket in buckets.frames():
        ordered = bucket.sort(~pl.col("is_record"), "file", "place")
        again = ordered.filter(~pl.col("protein_id").is_first_distinct() & ~pl.col("is_record"))
        by_file.add(again.select(_COLUMNS), again["file"] // share)
    by_file.close()
    files = list(plan.files)
    for shared in by_file.frames():
        for (name,), frame in shared.partition_by("file", as_dict=True).items():
            number = int(str(name))
            path = folder / f"{number}.npy"
            np.save(path, frame["place"].sort().to_numpy())
            files[number] = dataclasses.replace(files[number], repeated_proteins=path)
    return Plan(tuple(files), plan.not_found)


def _names(one: FilePlan, conditions: list[Condition], format_: ProteinFasta) -> Iterator[pl.DataFrame]:
    """Yield the selected proteins of a file with the locations of their coding sequences."""
    for stretch in stretches([one], whole_files=True):
        scan = Scan(stretch, conditions)
        for names, ordinals, features, is_record in format_.names(scan):
            yield pl.DataFrame(
                {
                    "protein_id": pl.from_arrow(names),
                    "place": place_of(ordinals, features),
                    "is_record": np.full(len(ordinals), is_record),
                }
            ).drop_nulls("protein_id")
