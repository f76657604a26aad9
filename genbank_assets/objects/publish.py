"""Stage 5: a division's distinct sequences -> objects, each residue string once, with the manifest written last.

Layout ``record``: an object is the residues as they are, so that any part of a chromosome is one ranged request.
Layout ``pack``: short sequences together (``packs``), long ones as before. What a manifest of the set lists is not
sent again. Work is file by file and out of core; a killed run goes on after the last whole file. Readers follow the
manifest object; what a failed run left behind is found in place by the next, or removed by ``prune``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
from obstore.store import ObjectStore

from genbank_assets.errors import IntegrityError, NotFoundError
from genbank_assets.generations import prune_generations
from genbank_assets.measure import Stopwatch, peak_memory_bytes
from genbank_assets.objects import object_index
from genbank_assets.objects.division_tables import DivisionTables
from genbank_assets.objects.lease import leased
from genbank_assets.objects.object_index import CODE_VERSION, IDENTITY, Compared
from genbank_assets.objects.packs import is_packed
from genbank_assets.objects.requests import Counts
from genbank_assets.objects.resume import SentFiles
from genbank_assets.objects.send_file import WANTED, FileSender
from genbank_assets.objects.store import lock_objects, open_objects
from genbank_assets.objects.upload import Uploader
from genbank_assets.reports import ObjectSetReport, UniqueRecordsReport
from genbank_assets.retention import keep_newest_releases
from genbank_assets.schema.tables import OBJECT_SCHEMA
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionRelease, publish_manifest
from genbank_assets.tables.buckets import MAX_BUCKETS, Buckets, bucket_count, digest_bucket, sorted_writer, write_sorted
from genbank_assets.tables.unique_tables import unique_sequences_table

MULTIPART_RETRIES = 12  # by the client, because it alone sees the parts; some two minutes
OpenStore = Callable[[int], ObjectStore]


def publish_division(
    partition: PartitionRelease,
    *,
    settings: Settings,
    progress: Callable[[str], None],
    run_id: str,
    open_store: OpenStore | None = None,
    compared: Compared | None = None,
) -> Manifest:
    """Send a division's distinct sequences that are not in the set yet, then its memberships, then its manifest.

    Until the manifest object is in the set, readers of the bucket see the old one, and until the local manifest is
    written, readers of the store see the old table: nothing that either of them names is written over.

    Args:
        partition: the division; its ``unique_records`` must be published.
        settings: the set's URL, layout and concurrency.
        progress: called with lines for people.
        run_id: the run that asks.
        open_store: opens the store with so many retries of its own; None opens it by the settings.
        compared: what a comparison of tables and set has found (``repair``): broken objects are sent again, over what
            is there. None believes the tables whose manifest objects are in the set.

    Raises:
        NotFoundError: the deduplicated tables are not published.
        ObjectStoreError: the store failed after retries; the previous manifest stays in force.
        IntegrityError: residues do not have the digest they should have; nothing is published.
    """
    unique = partition.manifest("unique_records")
    if unique is None:
        raise NotFoundError(f"{partition.key} {partition.release}: materialize unique_records first")
    opened = open_store or (lambda retries: open_objects(settings, retries=retries))
    store = opened(0)
    work = f"publication of {partition.key} {partition.release}"
    with Stopwatch() as watch, lock_objects(settings, exclusive=False, work=work, progress=progress):
        previous = partition.manifest("object_set")
        if (
            compared is None
            and previous is not None
            and _still_good(previous, unique, settings)
            and object_index.is_published(store, partition, previous, progress=progress)
        ):
            progress("nothing changed: every object and the manifest are in place")
            now = {"files_now": 0, "bytes_now": 0, "objects_put": 0, "cpu_seconds": watch.cpu_seconds}
            uploads = {"upload_attempts": 0, "upload_errors": 0, "upload_retries": 0, "upload_slow_downs": 0}
            report = dataclasses.replace(previous.report, seconds=watch.seconds, **now, **uploads)  # type: ignore[arg-type]
            return dataclasses.replace(previous, report=report)
        with leased(store, purpose="publish", work=work, progress=progress) as lease:
            job = _Job(partition, unique, settings=settings, progress=progress, compared=compared)
            tables = (
                compared.tables
                if compared is not None
                else object_index.published_tables(settings, store, first=partition.key, progress=progress)
            )
            counts = job.run(store, retrying_store=opened(MULTIPART_RETRIES), tables=tables)
            generation, entry = job.tables.keep(job.written)
            job.tables.send_memberships(opened(MULTIPART_RETRIES), broken=compared.broken if compared else None)
            lease.check()
            job.tables.send_manifest(opened(MULTIPART_RETRIES))
    manifest = Manifest(
        stage="object_set",
        code_version=CODE_VERSION,
        collection=partition.key.collection,
        release=partition.release,
        division=partition.key.division,
        input_digest=unique.digest,
        files=(entry,),
        generation=generation,
        extra={
            "url": settings.objects_url,
            "layout": "pack" if job.packing else "record",
            "refget": settings.refget,
            "manifest_key": job.tables.manifest_key,
            "memberships": job.tables.memberships,
        },
        report=ObjectSetReport(
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
            cpu_seconds=watch.cpu_seconds,
            peak_memory_bytes=peak_memory_bytes(),
        ),
        run_id=run_id,
    )
    published = publish_manifest(manifest, partition=partition)
    job.sent.clear()
    prune_generations(partition, "object_set", grace_seconds=settings.keep_replaced_seconds)
    keep_newest_releases(settings, partition.key, progress=progress)
    return published


def _still_good(previous: Manifest, unique: Manifest, settings: Settings) -> bool:
    return (
        previous.input_digest == unique.digest
        and previous.code_version == CODE_VERSION
        and settings.has_objects_of(str(previous.extra["url"]))
        and (previous.extra["refget"] or not settings.refget)
    )


class _Job:
    """One division's way into the set."""

    def __init__(
        self,
        partition: PartitionRelease,
        unique: Manifest,
        *,
        settings: Settings,
        progress: Callable[[str], None],
        compared: Compared | None = None,
    ) -> None:
        self._partition = partition
        self._unique = unique
        self._broken = compared.broken if compared is not None else None
        self._settings = settings
        self._progress = progress
        records = partition.manifest("records")
        self._files = {entry["name"]: entry for entry in records.files} if records else {}
        self._order = {name: number for number, name in enumerate(self._files)}
        self._folder = partition.stage_folder("object_set")
        self.tables = DivisionTables(partition, unique, settings=settings, progress=progress)
        self.sent = SentFiles(self._folder, input_digest=unique.digest, settings=settings)
        self.rows = int(unique.extra["distinct_sequences"])
        self.packing = is_packed(
            settings.object_layout, rows=self.rows, residues=unique.report_as(UniqueRecordsReport).residues or 0
        )
        self.objects = 0
        self.bytes = 0

    def run(self, store: ObjectStore, *, retrying_store: ObjectStore, tables: list[Path]) -> Counts:
        """Send what is missing and write the division's table (not yet under its name)."""
        set_rows = sum(pq.read_metadata(table).num_rows for table in tables)
        concurrency = self._settings.upload_concurrency
        self.sent.drop_missing(store, set_rows=set_rows, concurrency=concurrency, progress=self._progress)
        scratch = self._folder / ".scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        groups = min(MAX_BUCKETS, max(1, len(self._files)))
        uploader = Uploader(
            store,
            retrying_store=retrying_store,
            concurrency=concurrency,
            overwrite=frozenset(self._broken) if self._broken is not None else frozenset(),
            progress=self._progress,
        )
        by_digest = Buckets(scratch / "digest", count=bucket_count(self.rows))
        by_file = Buckets(scratch / "file", count=groups)
        with contextlib.closing(by_digest):
            with contextlib.closing(by_file):
                missing = self._split(by_digest, by_file, tables=tables, groups=groups)
            self._progress(f"{self.rows:,} distinct sequences, {missing:,} to send to {self._settings.objects_url}")
            for rows in self._send_all(uploader, by_file):
                self._add(by_digest, pl.read_parquet(rows))
        self._assemble(by_digest)
        shutil.rmtree(scratch, ignore_errors=True)
        return uploader.counts

    def _split(self, by_digest: Buckets, by_file: Buckets, *, tables: list[Path], groups: int) -> int:
        """Rows of what is in the set, and by file what has to be read; returns how many sequences have to be sent."""
        missing = 0
        sequences = unique_sequences_table(self._partition, self._unique)
        for known, unknown in object_index.split_known(sequences, tables, broken=self._broken):
            lacking = known.filter(pl.col("refget").is_null()) if self._settings.refget else known.clear()
            self._add(by_digest, known.join(lacking, on=IDENTITY, how="anti"))
            reread = self._places(sequences, lacking)
            for frame in (unknown.with_columns(known=pl.lit(None, _KNOWN)), reread):
                numbers = frame["representative_source_file"].replace_strict(self._order, return_dtype=pl.Int64)
                by_file.add(frame, numbers * groups // max(1, len(self._files)))
            missing += len(unknown)
        return missing

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
        tables = self.sent.tables(name)
        if tables:
            sent_before = pl.read_parquet(tables, columns=IDENTITY)
            part = part.join(sent_before, on=IDENTITY, how="anti", maintain_order="left")
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
        path = self.sent.add(name, rows)
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
        self.written = self._folder / ".objects.new"
        with sorted_writer(self.written, OBJECT_SCHEMA, sorted_by=["sequence_sha256"]) as writer:
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
            writer.add_key_value_metadata(self.tables.metadata())
        self.objects += len(last_objects)
        if written != self.rows:
            raise IntegrityError(f"the division has {self.rows:,} distinct sequences, the set {written:,} of them")


_KNOWN_COLUMNS = [name for name in object_index.EMPTY.columns if name not in IDENTITY and name != "length"]
_KNOWN = pl.Struct({name: object_index.EMPTY.schema[name] for name in _KNOWN_COLUMNS})
