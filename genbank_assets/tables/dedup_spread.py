"""Distributed deduplication of a large division, with output identical to that of a single machine.

Three rounds of tasks exchange files in the store's scratch folder: record tables are split into buckets of digests;
buckets of digests are grouped and split into buckets of accessions; these are sorted. The caller writes the sorted rows
into the two tables, bucket by bucket, as ``dedup`` does on one machine. Tasks may run more than once: their output
appears atomically, and their input is kept until all tasks have finished. The meaning of the rows belongs to ``dedup``.
"""

from __future__ import annotations

import dataclasses
import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import polars as pl
import pyarrow as pa

from genbank_assets.compute.tasks import run_tasks
from genbank_assets.durable import hidden_name
from genbank_assets.settings import Settings
from genbank_assets.tables.buckets import Buckets, digest_bucket, range_bucket, read_stream, split_points
from genbank_assets.tables.rows_of_records import grouped, in_order, rows_of, sampled

T = TypeVar("T")
# Maximum number of tasks per round, which bounds the bucket files to this times MAX_BUCKETS.
MAX_TASKS = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpreadRows:
    """Sorted rows in the scratch folder, to be read once and in order.

    Attributes:
        sequences: distinct sequences, ordered by digest.
        members: records, ordered by accession.
        distinct_sequences: number of distinct sequences.
        without_sequence: number of records without residues.
    """

    sequences: Iterator[pl.DataFrame]
    members: Iterator[pl.DataFrame]
    distinct_sequences: int
    without_sequence: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Cut:
    """Split some record tables into buckets of digests."""

    tables: tuple[str, ...]
    out: Path
    count: int

    def __str__(self) -> str:
        return f"buckets of {Path(self.tables[0]).name} and {len(self.tables) - 1} more"


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Group:
    """Group some buckets of digests, and split their records into buckets of accessions."""

    parts: tuple[str, ...]
    buckets: tuple[int, ...]
    splits: tuple[str, ...]
    out: Path

    def __str__(self) -> str:
        return f"sequences of buckets {self.buckets[0]} to {self.buckets[-1]}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Sort:
    """Sort some buckets of accessions."""

    parts: tuple[str, ...]
    buckets: tuple[int, ...]
    out: Path

    def __str__(self) -> str:
        return f"records of buckets {self.buckets[0]} to {self.buckets[-1]}"


def spread_rows(
    paths: Sequence[Path], *, scratch: Path, count: int, settings: Settings, progress: Callable[[str], None]
) -> SpreadRows:
    """Compute the distinct sequences and sort the records of some record tables on the configured executor.

    Args:
        paths: the record tables.
        scratch: a folder that all workers can access.
        count: number of buckets, of digests and of accessions.
        settings: name the executor.
        progress: called with messages for the user.

    Raises:
        WorkerLostError: workers were killed; nothing is published, and the next run starts over.
        WorkerRefusedError: no worker is suitable.
    """
    shares = _shares(list(paths))
    cuts = [
        _Cut(tables=tuple(str(path.absolute()) for path in share), out=scratch / "digest" / str(n), count=count)
        for n, share in enumerate(shares)
    ]
    cut = [result.value for result in run_tasks(_cut, cuts, settings=settings, progress=progress)]
    splits = tuple(split_points(pl.Series([n for _, names in cut for n in names], dtype=pl.String), count=count))
    parts = tuple(str(one.out) for one in cuts)
    groups = [
        _Group(parts=parts, buckets=tuple(share), splits=splits, out=scratch / "grouped" / str(n))
        for n, share in enumerate(_shares([*range(count), count]))
    ]
    distinct = [result.value for result in run_tasks(_group, groups, settings=settings, progress=progress)]
    parts = tuple(str(one.out / "accession") for one in groups)
    sorts = [
        _Sort(parts=parts, buckets=tuple(share), out=scratch / "sorted" / str(n))
        for n, share in enumerate(_shares(list(range(len(splits) + 1))))
    ]
    run_tasks(_sort, sorts, settings=settings, progress=progress)
    return SpreadRows(
        sequences=_frames([one.out / "sequence" / f"{b}.arrows" for one in groups for b in one.buckets]),
        members=_frames([one.out / f"{b}.arrows" for one in sorts for b in one.buckets]),
        distinct_sequences=sum(distinct),
        without_sequence=sum(without for without, _ in cut),
    )


def _shares(items: list[T]) -> list[list[T]]:
    tasks = min(len(items), MAX_TASKS)
    bounds = [len(items) * n // tasks for n in range(tasks + 1)] if tasks else []
    return [items[low:high] for low, high in itertools.pairwise(bounds)]


def _cut(task: _Cut) -> tuple[int, list[str]]:
    """Split tables into buckets, of which the last has the records without residues.

    Returns:
        The number of records without residues, and a sample of the accessions.
    """
    without, names = 0, []

    def make(folder: Path) -> None:
        nonlocal without
        buckets = Buckets(folder, count=task.count + 1)
        for frame in rows_of([Path(table) for table in task.tables]):
            names.extend(sampled(frame).to_list())
            has = pl.col("sequence_sha256").is_not_null()
            kept, rest = frame.filter(has), frame.filter(~has)
            without += len(rest)
            buckets.add(kept, digest_bucket(kept["sequence_sha256"], count=task.count))
            buckets.add(rest, pl.Series([task.count]).new_from_index(0, len(rest)))
        buckets.close()

    _make_whole(task.out, make)
    return without, names


def _group(task: _Group) -> int:
    """Group buckets; return the number of distinct sequences."""
    distinct = 0

    def make(folder: Path) -> None:
        nonlocal distinct
        by_accession = Buckets(folder / "accession", count=len(task.splits) + 1)
        (folder / "sequence").mkdir()
        for bucket in task.buckets:
            frame = _concatenated(task.parts, bucket)
            if frame is None:
                continue
            if frame["sequence_sha256"].has_nulls():
                members = frame.with_columns(is_representative=False)
            else:
                members, sequences = grouped(frame)
                distinct += len(sequences)
                _write(sequences, folder / "sequence" / f"{bucket}.arrows")
            by_accession.add(members, range_bucket(members["accession"], splits=list(task.splits)))
        by_accession.close()

    _make_whole(task.out, make)
    return distinct


def _sort(task: _Sort) -> None:
    def make(folder: Path) -> None:
        for bucket in task.buckets:
            if (frame := _concatenated(task.parts, bucket)) is not None:
                _write(in_order(frame), folder / f"{bucket}.arrows")

    _make_whole(task.out, make)


def _make_whole(folder: Path, make: Callable[[Path], None]) -> None:
    """Create a folder atomically; if a duplicate of the task was faster, keep its folder."""
    temporary = folder.with_name(hidden_name(folder.name, suffix=".tmp"))
    temporary.mkdir(parents=True)
    make(temporary)
    try:
        temporary.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(temporary, ignore_errors=True)


def _concatenated(parts: Sequence[str], bucket: int) -> pl.DataFrame | None:
    """Return the rows of one bucket from all parts, in order; None if there are none."""
    paths = [path for part in parts if (path := Path(part) / f"{bucket}.arrows").exists()]
    return pl.concat([read_stream(path) for path in paths]) if paths else None


def _write(frame: pl.DataFrame, path: Path) -> None:
    table = frame.to_arrow()
    with path.open("wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


def _frames(paths: Sequence[Path]) -> Iterator[pl.DataFrame]:
    for path in paths:
        if path.exists():
            yield read_stream(path)
            path.unlink()
