"""Stage 5: a division's distinct sequences -> objects, each residue string once, with the manifest written last.

Layout ``record``: an object is the residues as they are, so that any part of a chromosome is one ranged request.
Layout ``pack``: short sequences together (``packs``), long ones as before. What a manifest of the set lists is not
sent again. Work is file by file and out of core; a killed run goes on after the last whole file. Readers follow the
manifest object; what a failed run left behind is found in place by the next, or removed by ``prune``.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import obstore
import polars as pl
import pyarrow.parquet as pq
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from genbank_assets.errors import IntegrityError, NotFoundError, ObjectStoreError
from genbank_assets.measure import StageReport, Stopwatch, peak_memory_bytes
from genbank_assets.objects import object_index
from genbank_assets.objects.keys import manifest_key
from genbank_assets.objects.object_index import CODE_VERSION, IDENTITY, TABLE
from genbank_assets.objects.requests import is_transient
from genbank_assets.objects.send_file import WANTED, FileSender
from genbank_assets.objects.store import lock_objects, open_objects, reason_of
from genbank_assets.objects.upload import Counts, Uploader
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionRelease, publish_manifest, temporary_beside
from genbank_assets.tables.buckets import (
    MOST_BUCKETS,
    Buckets,
    bucket_count,
    digest_bucket,
    sorted_writer,
    write_sorted,
)
from genbank_assets.tables.schema import OBJECT_SCHEMA
from genbank_assets.tables.unique_tables import unique_sequences_table
from genbank_assets.tables.writer import file_sha256

# "auto" packs divisions with more sequences than this whose mean length is below a hundredth of a pack's.
MIN_SEQUENCES_TO_PACK = 10_000
MAX_MEAN_RESIDUES_TO_PACK = 64 * 1024
OpenStore = Callable[[int], ObjectStore]


def publish_division(
    partition: PartitionRelease,
    *,
    settings: Settings,
    progress: Callable[[str], None],
    run_id: str,
    open_store: OpenStore | None = None,
) -> Manifest:
    """Send a division's distinct sequences that are not in the set yet, then its manifest.

    Args:
        partition: the division; its ``unique_records`` must be published.
        settings: the set's URL, layout and concurrency.
        progress: called with lines for people.
        run_id: the run that asks.
        open_store: opens the store with so many retries of its own; None opens it by the settings.

    Raises:
        NotFoundError: the deduplicated tables are not published.
        ObjectStoreError: the store failed after retries; the previous manifest stays in force.
        IntegrityError: residues do not have the digest they should have; nothing is published.
    """
    unique = partition.manifest("unique_records")
    if unique is None:
        raise NotFoundError(f"{partition.key} {partition.release}: materialize unique_records first")
    opened = open_store or (lambda retries: open_objects(settings, retries=retries))
    retrying_store = opened(8)
    with Stopwatch() as watch, lock_objects(settings, exclusive=False):
        previous = partition.manifest("object_set")
        if (
            previous is not None
            and _still_good(previous, unique, settings)
            and object_index.is_published(retrying_store, previous)
        ):
            progress("nothing changed: every object and the manifest are in place")
            now = {"files_now": 0, "bytes_now": 0, "objects_put": 0, "seconds": watch.seconds}
            uploads = {"upload_attempts": 0, "upload_errors": 0, "upload_retries": 0, "upload_slow_downs": 0}
            report = dataclasses.replace(previous.report, **now, **uploads)  # type: ignore[arg-type]
            return dataclasses.replace(previous, report=report)
        job = _Job(partition, unique, settings=settings, progress=progress)
        tables = object_index.published_tables(settings, retrying_store)
        counts = job.run(opened(0), retrying_store=retrying_store, tables=tables)
        entry = job.publish_table(retrying_store)
    manifest = Manifest(
        stage="object_set",
        code_version=CODE_VERSION,
        collection=partition.key.collection,
        release=partition.release,
        division=partition.key.division,
        input_digest=unique.digest,
        files=(entry,),
        extra={
            "url": settings.objects_url,
            "layout": "pack" if job.packing else "record",
            "refget": settings.refget,
            "manifest_key": manifest_key(partition.key.collection, partition.release, partition.key.division),
        },
        report=StageReport(
            files=1,
            files_now=1,
            records=unique.report.records,
            distinct_sequences=job.rows,
            objects=job.objects,
            bytes_out=job.bytes,
            bytes_now=counts.bytes,
            objects_put=counts.put,
            upload_attempts=counts.attempts,
            upload_errors=counts.errors,
            upload_retries=counts.retries,
            upload_slow_downs=counts.slow_downs,
            seconds=watch.seconds,
            peak_memory_bytes=peak_memory_bytes(),
        ),
        run_id=run_id,
    )
    published = publish_manifest(manifest, partition=partition)
    job.clear()
    return published


def _still_good(previous: Manifest, unique: Manifest, settings: Settings) -> bool:
    return (
        previous.input_digest == unique.digest
        and previous.code_version == CODE_VERSION
        and previous.extra["url"] == settings.objects_url
        and (previous.extra["refget"] or not settings.refget)
    )


class _Job:
    """One division's way into the set."""

    def __init__(
        self, partition: PartitionRelease, unique: Manifest, *, settings: Settings, progress: Callable[[str], None]
    ) -> None:
        self._partition = partition
        self._settings = settings
        self._progress = progress
        records = partition.manifest("records")
        self._files = {entry["name"]: entry for entry in records.files} if records else {}
        self._order = {name: number for number, name in enumerate(self._files)}
        self._folder = partition.stage_folder("object_set")
        # A finished file's rows outlive a killed run, as long as the same input goes to the same set.
        self._finished = self._folder / ".sent" / unique.digest[:16]
        self.rows = int(unique.extra["distinct_sequences"])
        self.packing = _packs(self.rows, unique, settings)
        self.objects = 0
        self.bytes = 0

    def run(self, store: ObjectStore, *, retrying_store: ObjectStore, tables: list[Path]) -> Counts:
        """Send what is missing and write the division's table (not yet under its name)."""
        scratch = self._folder / ".scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        by_digest = Buckets(scratch / "digest", count=bucket_count(self.rows))
        groups = min(MOST_BUCKETS, max(1, len(self._files)))
        by_file = Buckets(scratch / "file", count=groups)
        missing = 0
        sequences = unique_sequences_table(self._partition)
        for known, unknown in object_index.split_known(sequences, tables):
            lacking = known.filter(pl.col("refget").is_null()) if self._settings.refget else known.clear()
            self._add(by_digest, known.join(lacking, on=IDENTITY, how="anti"))
            reread = self._places(sequences, lacking)
            for frame in (unknown.with_columns(known=pl.lit(None, _KNOWN)), reread):
                numbers = frame["representative_source_file"].replace_strict(self._order, return_dtype=pl.Int64)
                by_file.add(frame, numbers * groups // max(1, len(self._files)))
            missing += len(unknown)
        by_file.close()
        self._progress(f"{self.rows:,} distinct sequences, {missing:,} to send to {self._settings.objects_url}")
        uploader = Uploader(store, retrying_store=retrying_store, concurrency=self._settings.upload_concurrency)
        for rows in self._send_all(uploader, by_file):
            self._add(by_digest, pl.read_parquet(rows))
        by_digest.close()
        self._assemble(by_digest)
        shutil.rmtree(scratch, ignore_errors=True)
        return uploader.counts

    def _add(self, buckets: Buckets, rows: pl.DataFrame) -> None:
        if len(rows):
            buckets.add(rows, digest_bucket(rows["sequence_sha256"], count=buckets.count))

    def _places(self, sequences: Path, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows of the set that have to be read again, with the place of their residues and what is known of them."""
        known = rows.select(*IDENTITY, known=pl.struct(*_KNOWN_COLUMNS).cast(_KNOWN))
        if not len(rows):
            return pl.read_parquet(sequences, n_rows=0).join(known, on=IDENTITY, how="inner")
        low, high = rows["sequence_sha256"].min(), rows["sequence_sha256"].max()
        inside = pl.scan_parquet(sequences).filter(pl.col("sequence_sha256").is_between(low, high)).collect()
        return inside.join(known, on=IDENTITY, how="inner")

    def _send_all(self, uploader: Uploader, by_file: Buckets) -> Iterator[Path]:
        """Send file after file; yields the tables of what each brought."""
        for group in by_file.frames():
            parts = group.partition_by("representative_source_file", as_dict=True)
            for (name,), part in sorted(parts.items(), key=lambda item: self._order[str(item[0][0])]):
                yield from self._send_file(uploader, str(name), part)

    def _send_file(self, uploader: Uploader, name: str, part: pl.DataFrame) -> list[Path]:
        path = self._finished / f"{name}.parquet"
        tables = [path] if path.is_file() else []
        if tables:
            part = part.join(pl.read_parquet(path, columns=IDENTITY), on=IDENTITY, how="anti", maintain_order="left")
            path = self._finished / f"{name}.{len(part)}.parquet"
        if not len(part):
            return tables
        in_set = pl.col("known").struct.field("key").is_not_null()
        wanted = part.with_columns(record_ordinal="representative_record_ordinal", in_set=in_set).select(WANTED.keys())
        sender = FileSender(uploader, packing=self.packing, refget=self._settings.refget)
        before = dataclasses.replace(uploader.counts)
        sent = sender.send(self._partition.files_folder("records") / str(self._files[name]["sequences_file"]), wanted)
        known = part.filter(in_set).select(*IDENTITY, "known").unnest("known").drop("refget")
        read_again = sent.select(*IDENTITY, "length", "refget").join(known, on=IDENTITY, how="inner")
        rows = pl.concat([sent.filter(pl.col("key").is_not_null()), read_again.select(sent.columns)])
        with temporary_beside(path) as temporary:
            rows.write_parquet(temporary, compression="zstd")
        put = uploader.counts.put - before.put
        megabytes = (uploader.counts.bytes - before.bytes) / 1e6
        replaced = uploader.counts.replaced - before.replaced
        over = f", {replaced:,} of them over damaged ones" if replaced else ""
        self._progress(f"{name}: {len(rows):,} sequences, {put:,} objects sent ({megabytes:,.1f} MB){over}")
        return [*tables, path]

    def _assemble(self, by_digest: Buckets) -> None:
        """The division's table in order of digest; complete, or the stage stops."""
        written = 0
        last_objects: set[str] = set()
        self._table = self._folder / ".objects.new"
        with sorted_writer(self._table, OBJECT_SCHEMA, sorted_by=["sequence_sha256"]) as writer:
            for bucket in by_digest.frames():
                rows = bucket.unique(IDENTITY, keep="first", maintain_order=True).sort(IDENTITY)
                written += len(rows)
                write_sorted(writer, rows, OBJECT_SCHEMA)
                whole = rows.filter(pl.col("encoding") == "identity")
                self.objects += len(whole)
                self.bytes += int(whole["object_bytes"].sum())
                packs = rows.filter(pl.col("encoding") == "zstd").unique("key").select("key", "object_bytes")
                for key, size in packs.iter_rows():
                    if key not in last_objects:
                        last_objects.add(key)
                        self.bytes += size
        self.objects += len(last_objects)
        if written != self.rows:
            raise IntegrityError(f"the division has {self.rows:,} distinct sequences, the set {written:,} of them")

    def publish_table(self, store: ObjectStore) -> dict[str, Any]:
        """Send the manifest object, then give the local copy its name; readers see the old table or the new one."""
        key = manifest_key(self._partition.key.collection, self._partition.release, self._partition.key.division)
        try:
            obstore.put(store, key, self._table)
        except BaseError as error:
            reason = f"cannot store {key}: {reason_of(error)}"
            raise ObjectStoreError(reason, transient=is_transient(error)) from error
        entry = {
            "name": TABLE,
            "rows": pq.read_metadata(self._table).num_rows,
            "bytes": self._table.stat().st_size,
            "sha256": file_sha256(self._table),
        }
        self._table.replace(self._folder / TABLE)
        return entry

    def clear(self) -> None:
        """Forget the finished files' tables: the manifest has their rows now."""
        shutil.rmtree(self._folder / ".sent", ignore_errors=True)


_KNOWN_COLUMNS = [name for name in object_index.EMPTY.columns if name not in IDENTITY and name != "length"]
_KNOWN = pl.Struct({name: object_index.EMPTY.schema[name] for name in _KNOWN_COLUMNS})


def _packs(rows: int, unique: Manifest, settings: Settings) -> bool:
    """Whether new short sequences of the division are packed."""
    if settings.object_layout != "auto":
        return settings.object_layout == "pack"
    mean = (unique.report.residues or 0) / rows if rows else 0
    return rows > MIN_SEQUENCES_TO_PACK and mean < MAX_MEAN_RESIDUES_TO_PACK
