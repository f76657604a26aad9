"""Stage 3: computes the distinct sequences of a division, and which records share them.

No record is dropped. ``sequences/sequences.parquet`` has one row per distinct sequence (digest and molecule class, as
"ACGT" is also a valid peptide), ``memberships/memberships.parquet`` one row per record. Records without residues have
no digest and are not deduplicated. The computation is out of core (``buckets``) and deterministic. Differences between
releases belong to ``postgres``.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from genbank_assets.durable import file_sha256, store_errors
from genbank_assets.errors import IntegrityError, NotFoundError
from genbank_assets.generations import find_intact_output, new_generation, prune_generations
from genbank_assets.measure import Stopwatch, peak_memory_bytes
from genbank_assets.reports import UniqueRecordsReport
from genbank_assets.schema.tables import MEMBERSHIP_SCHEMA, UNIQUE_SEQUENCE_SCHEMA
from genbank_assets.settings import Settings
from genbank_assets.stable_paths import STABLE_STAGES, update_stable_path
from genbank_assets.store import Manifest, PartitionRelease, publish_manifest, temporary_beside
from genbank_assets.tables.buckets import (
    Buckets,
    bucket_count,
    digest_bucket,
    range_bucket,
    sorted_writer,
    split_points,
    write_sorted,
)
from genbank_assets.tables.dedup_spread import spread_rows
from genbank_assets.tables.rows_of_records import grouped, in_order, rows_of, sampled
from genbank_assets.tables.unique_tables import MEMBERSHIPS, UNIQUE_SEQUENCES

CODE_VERSION = "2"
# For divisions with fewer buckets, distributing the work costs more than it saves.
MIN_SPREAD_BUCKETS = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Totals:
    """Totals of a division.

    Attributes:
        members: number of records.
        without_sequence: records without residues.
        distinct_sequences: distinct sequences of the other records.
    """

    members: int
    without_sequence: int
    distinct_sequences: int


def build_unique_records(
    partition: PartitionRelease,
    *,
    settings: Settings,
    progress: Callable[[str], None],
    run_id: str,
    recheck: bool = False,
) -> Manifest:
    """Compute a division's distinct sequences and publish both tables.

    The representative of a sequence is its first member by accession, version, file and position.

    Args:
        partition: the division and release; the caller holds its lock.
        settings: retention of replaced tables, and the executor for large divisions.
        progress: called with messages for the user.
        run_id: id of this run, recorded in the manifest.
        recheck: whether to verify the digests of existing tables.

    Returns:
        The published manifest.

    Raises:
        NotFoundError: the record tables are not published.
        IntegrityError: the number of members differs from the number of records; nothing is published.
        StoreError: the tables cannot be written; nothing is published.
    """
    records = partition.manifest("records")
    if records is None:
        raise NotFoundError(f"{partition.key} {partition.release}: records do not exist yet; materialize them first")

    def same(manifest: Manifest) -> bool:
        return (manifest.input_digest, manifest.code_version) == (records.digest, CODE_VERSION)

    manifest = find_intact_output(partition, "unique_records", same, recheck=recheck)
    if manifest is not None:
        progress("nothing changed: the same records were deduplicated before")
        now = dataclasses.replace(manifest.report, files_now=0, bytes_now=0, seconds=0.0, cpu_seconds=0.0)
        manifest = dataclasses.replace(manifest, report=now)
    else:
        manifest = _built(partition, records, settings=settings, progress=progress, run_id=run_id)
        manifest = publish_manifest(manifest, partition=partition)
    update_stable_path(partition)
    for stage in STABLE_STAGES:  # the stable path may have pointed to earlier record tables until now
        prune_generations(partition, stage, grace_seconds=settings.keep_replaced_seconds)
    return manifest


def _built(
    partition: PartitionRelease,
    records: Manifest,
    *,
    settings: Settings,
    progress: Callable[[str], None],
    run_id: str,
) -> Manifest:
    """Build the tables in a generation and return its manifest."""
    generation = new_generation(partition, "unique_records", input_digest=records.digest, code_version=CODE_VERSION)
    folder = partition.generation_folder("unique_records", generation)
    with Stopwatch() as watch, store_errors(folder):
        paths = [partition.folder_of(records) / entry["records_file"] for entry in records.files]
        totals = deduplicate(
            paths,
            out=folder,
            rows=sum(entry["records"] for entry in records.files),
            partition=partition,
            settings=settings,
            progress=progress,
        )
        _check_totals(totals, records)
    progress(
        f"{totals.members:,} records, {totals.distinct_sequences:,} distinct sequences, "
        f"{totals.members - totals.without_sequence - totals.distinct_sequences:,} duplicates"
    )
    entries = tuple(_entry(folder, name) for name in (UNIQUE_SEQUENCES, MEMBERSHIPS))
    return Manifest(
        stage="unique_records",
        code_version=CODE_VERSION,
        collection=partition.key.collection,
        release=partition.release,
        division=partition.key.division,
        input_digest=records.digest,
        files=entries,
        extra=dataclasses.asdict(totals),
        report=_report(totals, records, entries, watch=watch),
        run_id=run_id,
        generation=generation,
    )


def deduplicate(
    paths: list[Path],
    *,
    out: Path,
    rows: int,
    partition: PartitionRelease,
    scratch: Path | None = None,
    settings: Settings | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Totals:
    """Write both tables below ``out``.

    Memory is bounded by the bucket size, not by ``rows``. Each table gets its final name when it is complete. If the
    settings name an executor, the work of a large division is distributed, with identical results.

    Args:
        paths: the record tables.
        out: folder for both tables.
        rows: total number of rows of the record tables.
        partition: the division and release, recorded in the rows.
        scratch: folder for temporary files.
        settings: name the executor.
        progress: called with messages for the user.
    """
    scratch = scratch or out / ".scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    count = bucket_count(rows)
    where = {
        "collection": pl.lit(partition.key.collection),
        "section": pl.lit(partition.key.division),
        "release": pl.lit(partition.release),
    }
    if settings is not None and settings.executor != "local" and count >= MIN_SPREAD_BUCKETS:
        spread = spread_rows(paths, scratch=scratch, count=count, settings=settings, progress=progress)
        _written(spread.sequences, out / UNIQUE_SEQUENCES, UNIQUE_SEQUENCE_SCHEMA, "sequence_sha256", where)
        members = _written(spread.members, out / MEMBERSHIPS, MEMBERSHIP_SCHEMA, "accession", where)
        totals = Totals(
            members=members,
            without_sequence=spread.without_sequence,
            distinct_sequences=spread.distinct_sequences,
        )
    else:
        totals = _deduplicate_here(paths, out=out, count=count, scratch=scratch, where=where)
    shutil.rmtree(scratch, ignore_errors=True)
    return totals


def _deduplicate_here(paths: list[Path], *, out: Path, count: int, scratch: Path, where: dict[str, pl.Expr]) -> Totals:
    """Deduplicate in this process, with ``count`` buckets in the scratch folder."""
    by_digest = Buckets(scratch / "digest", count=count)
    without = 0
    sample: list[pl.Series] = []
    alone = Buckets(scratch / "alone", count=1)  # records without residues
    for frame in rows_of(paths):
        sample.append(sampled(frame))
        with_sequence = frame.filter(pl.col("sequence_sha256").is_not_null())
        by_digest.add(with_sequence, digest_bucket(with_sequence["sequence_sha256"], count=count))
        rest = frame.filter(pl.col("sequence_sha256").is_null())
        without += len(rest)
        alone.add(rest.with_columns(is_representative=False), pl.Series([0]).new_from_index(0, len(rest)))
    by_digest.close()
    alone.close()
    splits = split_points(pl.concat(sample) if sample else pl.Series([], dtype=pl.String), count=count)
    by_accession = Buckets(scratch / "accession", count=len(splits) + 1)
    distinct = 0

    def sequences_of_buckets() -> Iterator[pl.DataFrame]:
        nonlocal distinct
        for bucket in by_digest.frames():
            members, sequences = grouped(bucket)
            distinct += len(sequences)
            by_accession.add(members, range_bucket(members["accession"], splits=splits))
            yield sequences

    _written(sequences_of_buckets(), out / UNIQUE_SEQUENCES, UNIQUE_SEQUENCE_SCHEMA, "sequence_sha256", where)
    for bucket in alone.frames():
        by_accession.add(bucket, range_bucket(bucket["accession"], splits=splits))
    by_accession.close()
    written = _written(map(in_order, by_accession.frames()), out / MEMBERSHIPS, MEMBERSHIP_SCHEMA, "accession", where)
    return Totals(members=written, without_sequence=without, distinct_sequences=distinct)


def _written(
    frames: Iterator[pl.DataFrame], path: Path, schema: pa.Schema, sorted_by: str, where: dict[str, pl.Expr]
) -> int:
    """Write sorted frames to a table that gets its name when it is complete; return the number of rows."""
    rows = 0
    with (
        temporary_beside(path) as temporary,
        sorted_writer(temporary, schema, sorted_by=[sorted_by]) as writer,
    ):
        for frame in frames:
            rows += len(frame)
            write_sorted(writer, frame.with_columns(**where), schema)
    return rows


def _entry(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    return {
        "name": name,
        "rows": pq.read_metadata(path).num_rows,
        "bytes": path.stat().st_size,
        "sha256": file_sha256(path),
    }


def _check_totals(totals: Totals, records: Manifest) -> None:
    """Check that every record is a member, and every member a record."""
    expected = sum(entry["records"] for entry in records.files)
    with_sequence = sum(entry["with_sequence"] for entry in records.files)
    if totals.members != expected or totals.members - totals.without_sequence != with_sequence:
        raise IntegrityError(
            f"{expected:,} records ({with_sequence:,} with residues) became {totals.members:,} members "
            f"({totals.members - totals.without_sequence:,} with residues)"
        )


def _report(
    totals: Totals, records: Manifest, entries: tuple[dict[str, Any], ...], *, watch: Stopwatch
) -> UniqueRecordsReport:
    with_sequence = totals.members - totals.without_sequence
    size = sum(entry["bytes"] for entry in entries)
    return UniqueRecordsReport(
        files=len(entries),
        files_now=len(entries),
        records=totals.members,
        residues=sum(entry["residues"] for entry in records.files),
        with_sequence=with_sequence,
        quarantined=sum(entry["quarantined"] for entry in records.files),
        distinct_sequences=totals.distinct_sequences,
        duplicates=with_sequence - totals.distinct_sequences,
        bytes_in=sum(entry["records_bytes"] for entry in records.files),
        bytes_out=size,
        bytes_now=size,
        seconds=watch.seconds,
        cpu_seconds=watch.cpu_seconds,
        peak_memory_bytes=peak_memory_bytes(),
    )
