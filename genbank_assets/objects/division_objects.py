"""Publishes a division's distinct sequences: determines which are missing, sends them, and builds the table of all.

Out of core: rows are kept in buckets, by file until they are sent and by digest until the table is written. Files are
sent sequentially by this process, or in parallel by other machines (``spread``). A file's rows are recorded once it is
completely in the set, so a killed run continues with the next file. Locking, and publishing the manifest, belong to
``publish``.
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

from genbank_assets.compute.tasks import TaskResult
from genbank_assets.errors import IntegrityError
from genbank_assets.objects import object_index
from genbank_assets.objects.division_tables import DivisionTables
from genbank_assets.objects.object_index import IDENTITY, Compared
from genbank_assets.objects.packs import is_packed
from genbank_assets.objects.requests import Counts
from genbank_assets.objects.resume import SentFiles
from genbank_assets.objects.spread import (
    KNOWN,
    KNOWN_COLUMNS,
    MIN_SPREAD_FILES,
    SendTask,
    SentFile,
    send_files,
    send_part,
    unsent,
)
from genbank_assets.objects.upload import Uploader
from genbank_assets.reports import UniqueRecordsReport
from genbank_assets.schema.tables import OBJECT_SCHEMA
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionRelease
from genbank_assets.tables.buckets import MAX_BUCKETS, Buckets, bucket_count, digest_bucket, sorted_writer, write_sorted
from genbank_assets.tables.unique_tables import unique_sequences_table


class DivisionObjects:
    """The publication of one division.

    Args:
        partition: the division; the caller holds its lock.
        unique: manifest of its ``unique_records``.
        settings: name the set, its layout and concurrency, and the executor.
        progress: called with messages for the user.
        compared: result of comparing tables and set; None to trust the tables.

    Attributes:
        tables: the division's tables in the store and in the bucket.
        sent: records of what was sent.
        rows: number of distinct sequences.
        packing: whether short sequences are packed.
        objects: number of objects of the division, once it was sent.
        bytes: their total size.
        written: the object table, under a temporary name.
    """

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
        self._chunk_tables: dict[str, Path] = {}
        if records is not None:
            folder = partition.folder_of(records)
            self._chunk_tables = {entry["name"]: folder / entry["sequences_file"] for entry in records.files}
        self._order = {name: number for number, name in enumerate(self._chunk_tables)}
        self._folder = partition.stage_folder("object_set")
        self.tables = DivisionTables(partition, unique, settings=settings, progress=progress)
        self.sent = SentFiles(self._folder, input_digest=unique.digest, settings=settings)
        self.rows = int(unique.extra["distinct_sequences"])
        self.packing = is_packed(
            settings.object_layout, rows=self.rows, residues=unique.report_as(UniqueRecordsReport).residues or 0
        )
        self.objects = 0
        self.bytes = 0

    def run(self, store: ObjectStore, *, retrying_store: ObjectStore, tables: list[Path], lease_key: str) -> Counts:
        """Send what is missing and write the division's table under a temporary name."""
        set_rows = sum(pq.read_metadata(table).num_rows for table in tables)
        concurrency = self._settings.upload_concurrency
        self.sent.drop_missing(store, set_rows=set_rows, concurrency=concurrency, progress=self._progress)
        scratch = self._folder / ".scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        groups = min(MAX_BUCKETS, max(1, len(self._chunk_tables)))
        by_digest = Buckets(scratch / "digest", count=bucket_count(self.rows))
        by_file = Buckets(scratch / "file", count=groups)
        with contextlib.closing(by_digest):
            with contextlib.closing(by_file):
                missing = self._split(by_digest, by_file, tables=tables, groups=groups)
            self._progress(f"{self.rows:,} distinct sequences, {missing:,} to send to {self._settings.objects_url}")
            if self._settings.executor != "local" and len(self._chunk_tables) >= MIN_SPREAD_FILES and missing:
                counts = self._send_elsewhere(by_file, by_digest=by_digest, lease_key=lease_key, scratch=scratch)
            else:
                uploader = Uploader(
                    store,
                    retrying_store=retrying_store,
                    concurrency=concurrency,
                    overwrite=frozenset(self._broken) if self._broken is not None else frozenset(),
                    progress=self._progress,
                )
                counts = self._send_here(uploader, by_file, by_digest=by_digest)
        self._assemble(by_digest)
        shutil.rmtree(scratch, ignore_errors=True)
        return counts

    def _split(self, by_digest: Buckets, by_file: Buckets, *, tables: list[Path], groups: int) -> int:
        """Split into rows of known objects and files to read; return the number of sequences to send."""
        missing = 0
        sequences = unique_sequences_table(self._partition, self._unique)
        for known, unknown in object_index.split_known(sequences, tables, broken=self._broken):
            lacking = known.filter(pl.col("refget").is_null()) if self._settings.refget else known.clear()
            self._add(by_digest, known.join(lacking, on=IDENTITY, how="anti"))
            reread = self._places(sequences, lacking)
            for frame in (unknown.with_columns(known=pl.lit(None, KNOWN)), reread):
                numbers = frame["representative_source_file"].replace_strict(self._order, return_dtype=pl.Int64)
                by_file.add(frame, numbers * groups // max(1, len(self._chunk_tables)))
            missing += len(unknown)
        return missing

    def _add(self, buckets: Buckets, rows: pl.DataFrame) -> None:
        if len(rows):
            buckets.add(rows, digest_bucket(rows["sequence_sha256"], count=buckets.count))

    def _places(self, sequences: Path, rows: pl.DataFrame) -> pl.DataFrame:
        """Return rows of the set that must be read again, with the location of their residues and what is known."""
        known = rows.select(*IDENTITY, known=pl.struct(*KNOWN_COLUMNS).cast(KNOWN))
        if not len(rows):
            return pl.read_parquet(sequences, n_rows=0).join(known, on=IDENTITY, how="inner")
        low, high = rows["sequence_sha256"].min(), rows["sequence_sha256"].max()
        inside = pl.scan_parquet(sequences).filter(pl.col("sequence_sha256").is_between(low, high)).collect()
        return inside.join(known, on=IDENTITY, how="inner")

    def _parts(self, by_file: Buckets) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield what is to be sent, file by file."""
        for group in by_file.frames():
            parts = group.partition_by("representative_source_file", as_dict=True)
            for (name,), part in sorted(parts.items(), key=lambda item: self._order[str(item[0][0])]):
                yield str(name), part

    def _unsent(self, name: str, part: pl.DataFrame, *, by_digest: Buckets) -> pl.DataFrame:
        """Return what no earlier run has sent of a file, after adopting the rows it recorded."""
        notes = self.sent.tables(name)
        for rows in notes:
            self._add(by_digest, pl.read_parquet(rows))
        return unsent(part, notes)

    def _send_here(self, uploader: Uploader, by_file: Buckets, *, by_digest: Buckets) -> Counts:
        """Send the files one after another, and collect their rows."""
        for name, part in self._parts(by_file):
            part = self._unsent(name, part, by_digest=by_digest)
            if not len(part):
                continue
            before = dataclasses.replace(uploader.counts)
            rows = send_part(
                uploader, self._chunk_tables[name], part, packing=self.packing, refget=self._settings.refget
            )
            self._add(by_digest, pl.read_parquet(self.sent.add(name, rows)))
            self._progress(_line(name, len(rows), uploader.counts.minus(before)))
        return uploader.counts

    def _send_elsewhere(self, by_file: Buckets, *, by_digest: Buckets, lease_key: str, scratch: Path) -> Counts:
        """Send the files in parallel with workers on other machines."""
        wanted = scratch / "wanted"
        wanted.mkdir()
        broken = None
        if self._broken is not None:
            broken = wanted / "broken.parquet"
            pl.DataFrame({"key": self._broken.cast(pl.String)}).write_parquet(broken)
        tasks: list[SendTask] = []
        for name, part in self._parts(by_file):
            part = self._unsent(name, part, by_digest=by_digest)
            if len(part):
                path = wanted / f"{len(tasks)}.parquet"
                part.write_parquet(path)
                tasks.append(
                    SendTask(
                        settings=self._settings, name=name, sequences=self._chunk_tables[name], wanted=path,
                        notes=self.sent.absolute(), packing=self.packing, broken=broken,
                    )
                )  # fmt: skip
        counts = Counts()
        before = {task.name: set(self.sent.tables(task.name)) for task in tasks}

        def on_done(task: SendTask, result: TaskResult[SentFile]) -> None:
            counts.add(result.value.counts)
            sequences = 0
            for path in sorted(set(self.sent.tables(task.name)) - before[task.name]):
                rows = pl.read_parquet(path)
                self._add(by_digest, rows)
                sequences += len(rows)
            self._progress(_line(task.name, sequences, result.value.counts, where=result.where))

        send_files(tasks, lease_key=lease_key, settings=self._settings, progress=self._progress, on_done=on_done)
        return counts

    def _assemble(self, by_digest: Buckets) -> None:
        """Write the division's table in order of digest, or fail if it is incomplete."""
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


def _line(name: str, sequences: int, counts: Counts, *, where: str = "") -> str:
    over = f", {counts.replaced:,} of them over damaged ones" if counts.replaced else ""
    megabytes = counts.bytes / 1e6
    return f"{name}: {sequences:,} sequences, {counts.put:,} objects sent ({megabytes:,.1f} MB){over}{where}"
