"""The stages ``samples`` and ``cds``: tables derived from the features of a division, one file per flat file.

Files are independent tasks; a table made from the same input by the same code is not rebuilt. Tables are written to the
folder of their generation, which the manifest, written last, publishes. Their content belongs to ``samples`` and
``cds``.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from genbank_assets.compute.tasks import run_tasks
from genbank_assets.durable import file_sha256
from genbank_assets.errors import IntegrityError, NotFoundError
from genbank_assets.generations import find_intact_output, new_generation, prune_generations
from genbank_assets.measure import Stopwatch, peak_memory_bytes
from genbank_assets.reports import DerivedReport
from genbank_assets.schema.derived import CDS_SCHEMA, SAMPLE_SCHEMA
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionRelease, publish_manifest, temporary_beside, write_atomically
from genbank_assets.tables import cds, samples
from genbank_assets.tables.residues import ResidueReader
from genbank_assets.tables.writer import table_stems

Derived = Literal["samples", "cds"]
# Increment when the content of the tables changes.
CODE_VERSIONS: dict[Derived, str] = {"samples": "1", "cds": "1"}
_SCHEMAS = {"samples": SAMPLE_SCHEMA, "cds": CDS_SCHEMA}
# Row groups are bounded by the bytes of their records, like those of the record table.
_STATISTICS = ["accession", "accession_version", "record_ordinal", "taxon_id", "protein_id", "collected_from"]


@dataclasses.dataclass(frozen=True)
class DerivedTask:
    """The task of building one file's table; picklable.

    Attributes:
        stage: ``samples`` or ``cds``.
        name: the raw file's name.
        records: the file's record table.
        sequences: the file's sequence table.
        out: the generation's folder.
        section: the partition's section.
    """

    stage: Derived
    name: str
    records: Path
    sequences: Path
    out: Path
    section: str

    def __str__(self) -> str:
        return self.name

    @property
    def receipt(self) -> Path:
        """Path of the file's manifest entry, written once its table is complete."""
        return self.out.with_name(f".{self.out.name}.json")


def build_derived(
    partition: PartitionRelease,
    *,
    stage: Derived,
    settings: Settings,
    progress: Callable[[str], None],
    run_id: str,
) -> Manifest:
    """Build a division's table of samples or coding sequences and publish it.

    Raises:
        NotFoundError: the record tables are not published.
        IntegrityError: an input table is damaged; nothing is published.
    """
    records = partition.manifest("records")
    if records is None:
        raise NotFoundError(f"{partition.key} {partition.release}: records do not exist yet; materialize them first")

    def same(manifest: Manifest) -> bool:
        return (manifest.input_digest, manifest.code_version) == (records.digest, CODE_VERSIONS[stage])

    manifest = find_intact_output(partition, stage, same, recheck=False)
    if manifest is not None:
        progress("nothing changed: the table was made from the same records before")
        now = dataclasses.replace(manifest.report, files_now=0, bytes_now=0, seconds=0.0, cpu_seconds=0.0)
        manifest = dataclasses.replace(manifest, report=now)
    else:
        manifest = _built(partition, records, stage=stage, settings=settings, progress=progress, run_id=run_id)
        manifest = publish_manifest(manifest, partition=partition)
    prune_generations(partition, stage, grace_seconds=settings.keep_replaced_seconds)
    return manifest


def _built(
    partition: PartitionRelease,
    records: Manifest,
    *,
    stage: Derived,
    settings: Settings,
    progress: Callable[[str], None],
    run_id: str,
) -> Manifest:
    """Build the tables in a generation and return its manifest."""
    version = CODE_VERSIONS[stage]
    generation = new_generation(partition, stage, input_digest=records.digest, code_version=version)
    source, folder = partition.folder_of(records), partition.generation_folder(stage, generation)
    folder.mkdir(parents=True, exist_ok=True)
    stems = table_stems(entry["name"] for entry in records.files)
    tasks = [
        DerivedTask(
            stage=stage,
            name=entry["name"],
            records=source / entry["records_file"],
            sequences=source / entry["sequences_file"],
            out=folder / f"{stems[entry['name']]}.parquet",
            section=partition.key.division,
        )
        for entry in records.files
    ]
    with Stopwatch() as watch:
        done = {task: entry for task in tasks if (entry := _intact_table(task)) is not None}
        todo = [task for task in tasks if task not in done]
        results = run_tasks(
            make_table, todo, settings=settings, progress=progress,
            on_done=lambda task, result: progress(f"{stage} of {task.name}: {result.value['rows']:,} rows"),
        )  # fmt: skip
        done |= {task: result.value for task, result in zip(todo, results, strict=True)}
    entries = tuple(done[task] for task in tasks)
    checks = sum((Counter(entry["checks"]) for entry in entries), Counter[str]())
    return Manifest(
        stage=stage,
        code_version=version,
        collection=partition.key.collection,
        release=partition.release,
        division=partition.key.division,
        input_digest=records.digest,
        files=entries,
        extra={"rows": sum(entry["rows"] for entry in entries), "checks": dict(sorted(checks.items()))},
        report=DerivedReport(
            files=len(entries),
            files_now=len(todo),
            records=sum(entry["records"] for entry in records.files),
            features=sum(entry["rows"] for entry in entries),
            bytes_in=sum(entry["records_bytes"] for entry in records.files),
            bytes_out=sum(entry["bytes"] for entry in entries),
            bytes_now=sum(result.value["bytes"] for result in results),
            seconds=watch.seconds,
            cpu_seconds=watch.cpu_seconds,
            peak_memory_bytes=max((result.peak_memory_bytes for result in results), default=peak_memory_bytes()),
        ),
        run_id=run_id,
        generation=generation,
    )


def make_table(task: DerivedTask) -> dict[str, Any]:
    """Build one table and write its manifest entry beside it; runs in a worker process."""
    rows, checks = 0, Counter[str]()
    schema = _SCHEMAS[task.stage]
    with temporary_beside(task.out) as temporary:
        with pq.ParquetWriter(
            temporary, schema, compression="zstd", compression_level=1,
            write_statistics=[name for name in _STATISTICS if name in schema.names],
        ) as writer:  # fmt: skip
            for table in _tables(task):
                rows += len(table)
                if task.stage == "cds":
                    counted = table.column("translation_check").value_counts()
                    checks.update({item["values"]: item["counts"] for item in counted.to_pylist()})
                writer.write_table(table)
        size, digest = temporary.stat().st_size, file_sha256(temporary)
    entry = {
        "name": task.out.name, "flat_file": task.name, "rows": rows, "bytes": size, "sha256": digest,
        "checks": dict(checks),
    }  # fmt: skip
    write_atomically(task.receipt, (json.dumps(entry) + "\n").encode())
    return entry


def _tables(task: DerivedTask) -> Iterator[pa.Table]:
    """Yield the rows of each row group of the record table."""
    columns = list(samples.COLUMNS if task.stage == "samples" else cds.COLUMNS)
    reader = ResidueReader(task.sequences) if task.stage == "cds" else None
    try:
        with pq.ParquetFile(task.records) as file:
            for group in range(file.metadata.num_row_groups):
                for batch in file.read_row_group(group, columns=columns).to_batches():
                    if reader is None:
                        yield samples.samples_of(batch, section=task.section)
                    else:
                        yield cds.coding_sequences_of(batch, section=task.section, reader=reader)
    except (OSError, pa.ArrowInvalid) as error:
        raise IntegrityError(f"{task.records} cannot be read ({error}); materialize records again") from error
    finally:
        if reader is not None:
            reader.close()


def _intact_table(task: DerivedTask) -> dict[str, Any] | None:
    """Return the entry of a table of this generation that is in place, if it is whole."""
    try:
        entry: dict[str, Any] = json.loads(task.receipt.read_text(encoding="utf-8"))
        whole = task.out.stat().st_size == entry["bytes"]
    except (OSError, ValueError, KeyError):
        return None
    return entry if whole else None
