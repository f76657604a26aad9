"""Stage 5: a division's distinct sequences -> objects, each residue string once, with the manifest written last.

An object is the residues as they are, so that any part of a chromosome is one ranged request. Sequences stream from
the chunk tables: a short one is one request, a long one a multipart upload, none is in memory whole. What an earlier
manifest of the division lists is not sent again. Readers follow the manifest object; objects that a failed run left
behind are harmless and will be found in place.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import obstore
import polars as pl
import pyarrow.parquet as pq
from obstore.exceptions import AlreadyExistsError, BaseError, NotSupportedError
from obstore.store import ObjectStore

from genbank_assets.errors import IntegrityError, NotFoundError, ObjectStoreError
from genbank_assets.measure import StageReport, Stopwatch, peak_memory_bytes
from genbank_assets.objects.keys import manifest_key, sequence_key
from genbank_assets.objects.store import open_objects
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionRelease, publish_manifest, releases_in_store, temporary_beside

CODE_VERSION = "1"
TABLE = "objects.parquet"
PART_BYTES = 8 * 1024 * 1024


@dataclasses.dataclass
class _Counts:
    put: int = 0
    bytes: int = 0
    attempts: int = 0
    errors: int = 0
    found: int = 0


@dataclasses.dataclass(frozen=True)
class _Wanted:
    """A sequence to send: where it goes and what it has to be."""

    key: str
    digest: bytes
    length: int


def publish_division(
    partition: PartitionRelease,
    *,
    settings: Settings,
    progress: Callable[[str], None],
    run_id: str,
    store: ObjectStore | None = None,
) -> Manifest:
    """Send a division's distinct sequences that are not in the set yet, then its manifest.

    Raises:
        NotFoundError: the deduplicated tables are not published.
        ObjectStoreError: the store failed after retries; the previous manifest stays in force.
        IntegrityError: residues do not have the digest they should have; nothing is published.
    """
    unique = partition.manifest("unique_records")
    if unique is None:
        raise NotFoundError(f"{partition.key} {partition.release}: materialize unique_records first")
    previous = partition.manifest("object_set")
    if previous is not None and _still_good(previous, unique, settings):
        progress("nothing changed: every object and the manifest are in place")
        report = dataclasses.replace(previous.report, files_now=0, bytes_now=0, objects_put=0, seconds=0.0)
        return dataclasses.replace(previous, report=report)
    store = store or open_objects(settings)
    counts = _Counts()
    with Stopwatch() as watch:
        table = _object_table(partition)
        missing = _not_in_set(partition, table, settings)
        progress(f"{len(table):,} distinct sequences, {len(missing):,} to send to {settings.objects_url}")
        for (source_file,), part in sorted(missing.partition_by("source_file", as_dict=True).items()):
            wanted = {
                row["record_ordinal"]: _Wanted(row["key"], row["sequence_sha256"], row["length"])
                for row in part.select("record_ordinal", "key", "sequence_sha256", "length").iter_rows(named=True)
            }
            path = _sequences_path(partition, str(source_file))
            asyncio.run(_send_file(store, path, wanted, counts, concurrency=settings.upload_concurrency))
            progress(f"{source_file}: {len(wanted):,} objects sent")
        size = _publish_table(store, partition, table)
    manifest = Manifest(
        stage="object_set",
        code_version=CODE_VERSION,
        collection=partition.key.collection,
        release=partition.release,
        division=partition.key.division,
        input_digest=unique.digest,
        files=({"name": TABLE, "rows": len(table), "bytes": size},),
        extra={
            "url": settings.objects_url,
            "layout": "record",
            "manifest_key": manifest_key(partition.key.collection, partition.release, partition.key.division),
        },
        report=StageReport(
            files=1,
            files_now=1,
            records=unique.report.records,
            objects=len(table),
            objects_put=counts.put,
            distinct_sequences=len(table),
            bytes_out=int(table["bytes"].sum()),
            bytes_now=counts.bytes,
            upload_attempts=counts.attempts,
            upload_errors=counts.errors,
            seconds=watch.seconds,
            peak_memory_bytes=peak_memory_bytes(),
        ),
        run_id=run_id,
    )
    return publish_manifest(manifest, partition=partition)


def _still_good(previous: Manifest, unique: Manifest, settings: Settings) -> bool:
    return (
        previous.input_digest == unique.digest
        and previous.code_version == CODE_VERSION
        and previous.extra["url"] == settings.objects_url
    )


def _object_table(partition: PartitionRelease) -> pl.DataFrame:
    """What the set has to hold for this division, in order of digest."""
    table = pl.read_parquet(partition.stage_folder("unique_records") / "sequences.parquet")
    hexes = table["sequence_sha256"].bin.encode("hex")
    keys = [sequence_key(d, molecule_class=c) for d, c in zip(hexes, table["molecule_class"], strict=True)]
    return table.select(
        "sequence_sha256",
        "molecule_class",
        pl.Series("key", keys, dtype=pl.String),
        pl.lit(0, dtype=pl.Int64).alias("offset"),
        pl.col("length").alias("bytes"),
        hexes.alias("checksum_sha256"),
        "length",
        pl.lit("identity").alias("encoding"),
        pl.col("representative_source_file").alias("source_file"),
        pl.col("representative_record_ordinal").alias("record_ordinal"),
    )


def _not_in_set(partition: PartitionRelease, table: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Rows no earlier manifest of the division in the same set lists."""
    for earlier in releases_in_store(partition.store, key=partition.key, stage="object_set"):
        manifest = earlier.manifest("object_set")
        path = earlier.stage_folder("object_set") / TABLE
        if manifest is not None and manifest.extra["url"] == settings.objects_url and path.is_file():
            table = table.join(pl.read_parquet(path, columns=["key"]), on="key", how="anti", maintain_order="left")
    return table


def _sequences_path(partition: PartitionRelease, source_file: str) -> Path:
    records = partition.manifest("records")
    for entry in records.files if records else ():
        if entry["name"] == source_file:
            return partition.stage_folder("records") / str(entry["sequences_file"])
    raise NotFoundError(f"{partition.key} {partition.release}: no sequence table of {source_file}")


def chunks(path: Path, wanted: set[int]) -> Iterator[tuple[int, memoryview]]:
    """(record_ordinal, residues) of each chunk of the wanted records, in order; one row group in memory."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            for batch in file.read_row_group(group).to_batches():
                residues = batch["residues"].cast("binary")
                for ordinal, value in zip(batch["record_ordinal"].to_pylist(), residues, strict=True):
                    if ordinal in wanted:
                        yield ordinal, memoryview(value.as_buffer())


async def _send_file(
    store: ObjectStore, path: Path, wanted: dict[int, _Wanted], counts: _Counts, *, concurrency: int
) -> None:
    """Send one file's sequences with at most ``concurrency`` requests in flight."""
    slots = asyncio.Semaphore(concurrency)
    running: set[asyncio.Task[None]] = set()
    stream = chunks(path, set(wanted))
    sent = 0
    try:
        for ordinal, first in stream:
            target = wanted[ordinal]
            sent += 1
            if len(first) >= target.length:
                await slots.acquire()
                task = asyncio.create_task(_put(store, target, first, counts, slots))
                running.add(task)
                task.add_done_callback(running.discard)
            else:
                await asyncio.to_thread(_put_long, store, target, first, stream, counts)
            for task in [t for t in running if t.done()]:
                task.result()
        await asyncio.gather(*running)
    except BaseException:
        for task in running:
            task.cancel()
        raise
    if sent != len(wanted):
        raise IntegrityError(f"{path.name} holds {sent:,} of {len(wanted):,} sequences that are to be sent")


async def _put(
    store: ObjectStore, target: _Wanted, residues: memoryview, counts: _Counts, slots: asyncio.Semaphore
) -> None:
    """Send a short sequence by one conditional request."""
    try:
        if hashlib.sha256(residues).digest() != target.digest or len(residues) != target.length:
            raise IntegrityError(f"the residues of {target.key} do not have their digest")
        counts.attempts += 1
        try:
            await obstore.put_async(store, target.key, bytes(residues), mode="create")
        except AlreadyExistsError:
            counts.found += 1
            return
        except NotSupportedError:
            await obstore.put_async(store, target.key, bytes(residues))
        counts.put += 1
        counts.bytes += len(residues)
    except BaseError as error:
        counts.errors += 1
        raise ObjectStoreError(f"cannot store {target.key}: {_reason(error)}") from error
    finally:
        slots.release()


def _put_long(
    store: ObjectStore, target: _Wanted, first: memoryview, stream: Iterator[tuple[int, memoryview]], counts: _Counts
) -> None:
    """Send a long sequence in parts as its chunks come; the parts appear as one object or not at all."""
    digest = hashlib.sha256()
    length = 0

    def parts() -> Iterator[bytes]:
        nonlocal length
        piece = first
        while True:
            digest.update(piece)
            length += len(piece)
            yield bytes(piece)
            if length >= target.length:
                break
            _, piece = next(stream)
        if digest.digest() != target.digest or length != target.length:
            raise IntegrityError(f"the residues of {target.key} do not have their digest")

    counts.attempts += 1
    try:
        obstore.put(store, target.key, parts(), use_multipart=True, chunk_size=PART_BYTES)
    except BaseError as error:
        counts.errors += 1
        raise ObjectStoreError(f"cannot store {target.key}: {_reason(error)}") from error
    counts.put += 1
    counts.bytes += length


def _publish_table(store: ObjectStore, partition: PartitionRelease, table: pl.DataFrame) -> int:
    """The manifest object, and its copy in the store folder."""
    folder = partition.stage_folder("object_set")
    with temporary_beside(folder / TABLE) as temporary:
        table.write_parquet(temporary, compression="zstd", statistics=True)
        content = temporary.read_bytes()
        key = manifest_key(partition.key.collection, partition.release, partition.key.division)
        try:
            obstore.put(store, key, content)
        except BaseError as error:
            raise ObjectStoreError(f"cannot store {key}: {_reason(error)}") from error
    return len(content)


def _reason(error: Exception) -> str:
    """The first line of a store's error: later ones quote requests."""
    lines: list[Any] = str(error).splitlines()
    return str(lines[0])[:300] if lines else type(error).__name__
