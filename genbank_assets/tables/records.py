"""Stage 2: parses the raw files of a division into record tables, one set of Parquet files per raw file.

Files are independent tasks in a process pool. A file already parsed by the same code from the same bytes is linked from
an earlier generation (``known_tables``). The division's manifest is written last, after the control totals were
checked; until then readers see the previous one. Parsing a single file belongs to ``writer``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from genbank_assets.compute.tasks import TaskResult, run_tasks
from genbank_assets.errors import IntegrityError, NotFoundError
from genbank_assets.generations import RECEIPTS, find_intact_output, new_generation, prune_generations
from genbank_assets.measure import Pace, Stopwatch, peak_memory_bytes
from genbank_assets.reports import RecordsReport
from genbank_assets.settings import Settings
from genbank_assets.stable_paths import update_stable_path
from genbank_assets.store import Manifest, PartitionRelease, publish_manifest, write_atomically
from genbank_assets.tables.known_tables import KnownTable, KnownTables
from genbank_assets.tables.upgrade import upgraded_tables
from genbank_assets.tables.writer import parse_file, table_stems

# Version of the rows' values. Increment it if a record would be parsed differently: all divisions are then parsed and
# loaded again.
PARSER_VERSION = "3"
# Version of the table layout: provenance columns, folders, names. Increment it if the same rows are stored differently:
# tables are then rewritten without parsing (``upgrade``), and nothing is loaded again.
TABLE_FORMAT = "2"
CODE_VERSION = f"{PARSER_VERSION}.{TABLE_FORMAT}"


@dataclasses.dataclass(frozen=True)
class ParseTask:
    """The task of parsing one raw file; picklable.

    Attributes:
        raw_path: the raw file.
        raw_sha256: its hex SHA-256.
        out: the generation's folder.
        stem: base name of the tables.
        collection: ``genbank`` or ``refseq``.
        section: the partition's section.
        release: the release recorded in the rows.
        run_id: the run recorded in the entry.
        known: tables in an older format to rewrite instead of parsing.
    """

    raw_path: Path
    raw_sha256: str
    out: Path
    stem: str
    collection: str
    section: str
    release: str
    run_id: str
    known: KnownTable | None = None

    def __str__(self) -> str:
        return self.raw_path.name

    @property
    def receipt(self) -> Path:
        """Path of the file's manifest entry, from the completion of its tables until the manifest is published."""
        return self.out / RECEIPTS / f"{self.raw_path.name}.json"


def build_records(
    partition: PartitionRelease,
    *,
    settings: Settings,
    progress: Callable[[str], None],
    run_id: str,
    recheck: bool = False,
) -> Manifest:
    """Parse the raw files of a division and publish its record tables.

    Args:
        partition: the division and release; the caller holds its lock.
        settings: number of workers, executor, and retention of replaced tables.
        progress: called with messages for the user.
        run_id: id of this run, recorded in the manifest.
        recheck: whether to verify the digests of existing tables.

    Returns:
        The published manifest.

    Raises:
        NotFoundError: the division's raw files are not published.
        FlatFileError: a file cannot be read to its end; nothing is published.
        IntegrityError: control totals disagree; nothing is published.
        StoreError: the tables cannot be written; nothing is published.
    """
    raw = partition.manifest("raw_files")
    if raw is None:
        raise NotFoundError(f"{partition.key} {partition.release}: raw files do not exist yet; materialize them first")
    with Stopwatch() as watch:

        def same(manifest: Manifest) -> bool:
            return (manifest.input_digest, manifest.code_version) == (raw.digest, CODE_VERSION)

        manifest = find_intact_output(partition, "records", same, recheck=recheck)
        if manifest is not None:
            progress(f"{len(manifest.files)} file(s) already parsed from the same bytes")
            report = _report(manifest.files, [], watch=watch, files_now=0)
        else:
            manifest = _built(partition, raw, settings=settings, progress=progress, run_id=run_id, recheck=recheck)
            made = manifest.report_as(RecordsReport)
            report = dataclasses.replace(made, seconds=watch.seconds, cpu_seconds=watch.cpu_seconds)
            manifest = publish_manifest(dataclasses.replace(manifest, report=report), partition=partition)
    update_stable_path(partition)
    prune_generations(partition, "records", grace_seconds=settings.keep_replaced_seconds)
    return dataclasses.replace(manifest, report=report)


def _built(
    partition: PartitionRelease,
    raw: Manifest,
    *,
    settings: Settings,
    progress: Callable[[str], None],
    run_id: str,
    recheck: bool,
) -> Manifest:
    """Build all tables in a generation and return its manifest."""
    generation = new_generation(partition, "records", input_digest=raw.digest, code_version=CODE_VERSION)
    folder = partition.generation_folder("records", generation)
    known = KnownTables(partition, building=folder, recheck=recheck)
    stems = table_stems(file["name"] for file in raw.files)
    done: dict[str, dict[str, Any]] = {}
    todo: list[ParseTask] = []
    for file in raw.files:
        task = ParseTask(
            raw_path=partition.folder_of(raw) / file["name"],
            raw_sha256=file["sha256"],
            out=folder,
            stem=stems[file["name"]],
            collection=partition.key.collection,
            section=partition.key.division,
            release=partition.release,
            run_id=run_id,
        )
        found = known.find(file["name"], raw_sha256=file["sha256"], parser_version=PARSER_VERSION)
        if found is not None and found.entry.get("table_format") == TABLE_FORMAT:
            done[file["name"]] = found.linked_into(folder, receipt=task.receipt)
        else:
            todo.append(dataclasses.replace(task, known=found))
    results = _parse(todo, settings=settings, progress=progress, reused=len(done))
    done.update({task.raw_path.name: result.value for task, result in zip(todo, results, strict=True)})
    entries = tuple(known.without_run(done[file["name"]]) for file in raw.files)
    for entry, file in zip(entries, raw.files, strict=True):
        _reconcile(entry, raw_file=file, release=partition.release)
    for table in ("records", "sequences", "quarantine"):  # the stable path links to all three
        (folder / table).mkdir(parents=True, exist_ok=True)
    return Manifest(
        stage="records",
        code_version=CODE_VERSION,
        collection=partition.key.collection,
        release=partition.release,
        division=partition.key.division,
        input_digest=raw.digest,
        files=entries,
        report=_report(entries, results, watch=Stopwatch(), files_now=len(todo)),
        run_id=run_id,
        generation=generation,
        file_runs={name: str(done[name]["run_id"]) for name in sorted(done)},
    )


def _parse(
    tasks: list[ParseTask], *, settings: Settings, progress: Callable[[str], None], reused: int
) -> list[TaskResult[dict[str, Any]]]:
    if reused:
        progress(f"{reused} file(s) already parsed from the same bytes")
    old = sum(task.known is not None for task in tasks)
    if old:
        progress(f"tables of {old} file(s) are of an older version: they are rewritten, not parsed again")
    finished = 0
    sizes = {task: task.raw_path.stat().st_size if task.raw_path.is_file() else 0 for task in tasks}
    pace = Pace(sum(sizes.values()))

    def on_done(task: ParseTask, result: TaskResult[dict[str, Any]]) -> None:
        nonlocal finished
        finished += 1
        entry = result.value
        verb = "parsed" if task.known is None else "rewrote"
        progress(
            f"{verb} {task.raw_path.name} ({finished} of {len(tasks)}): {entry['records']:,} records, "
            f"{entry['quarantined']:,} quarantined, {entry['text_bytes'] / 1e6 / max(result.seconds, 1e-9):,.0f} MB/s"
            f"{result.where}{pace.after(sizes[task])}"
        )

    return run_tasks(parse_task, tasks, settings=settings, progress=progress, on_done=on_done)


def parse_task(task: ParseTask) -> dict[str, Any]:
    """Parse one raw file, or rewrite its tables, and write its manifest entry; runs in a worker process."""
    if task.known is not None:
        entry = task.known.entry | upgraded_tables(
            task.known.folder, task.known.entry, out=task.out, stem=task.stem, section=task.section
        )
    else:
        parsed = parse_file(
            task.raw_path,
            out=task.out,
            stem=task.stem,
            collection=task.collection,
            section=task.section,
            release=task.release,
        )
        entry = dataclasses.asdict(parsed)
        del entry["seconds"]
        entry["name"] = entry.pop("file")
        entry["text_bytes"] = entry.pop("bytes")
        entry |= {"raw_sha256": task.raw_sha256, "run_id": task.run_id, "code_version": PARSER_VERSION}
    entry["table_format"] = TABLE_FORMAT
    write_atomically(task.receipt, (json.dumps(entry, indent=1) + "\n").encode())
    return entry


def _reconcile(entry: dict[str, Any], *, raw_file: dict[str, Any], release: str) -> None:
    """Compare the control totals of one file: the division header and the release notes against the parsed records.

    NCBI does not count the bases of CON files (gbrel §2.2.6), so a header with 0 bases is ignored.

    Raises:
        IntegrityError: the totals disagree; the message names them.
    """
    blocks = entry["records"] + entry["quarantined"] - entry["locus_fragments"]
    header = entry["header"] or {}
    name = entry["name"]
    if header.get("loci") is not None and header["loci"] != blocks:
        raise IntegrityError(f"{name}: its header says {header['loci']:,} loci, {blocks:,} were found")
    if header.get("release") is not None and header["release"].split(".")[0] != release.split(".")[0]:
        raise IntegrityError(f"{name}: its header says release {header['release']}, not {release}")
    if raw_file.get("expected_records") is not None and raw_file["expected_records"] != blocks:
        raise IntegrityError(
            f"{name}: the release notes say {raw_file['expected_records']:,} entries, {blocks:,} were found"
        )
    if entry["quarantined"] == 0:
        for said, whose in (
            (header.get("bases"), "its header says"),
            (raw_file.get("expected_bases"), "the release notes say"),
        ):
            if said and said != entry["residues"]:
                raise IntegrityError(f"{name}: {whose} {said:,} bases, {entry['residues']:,} were found")


def _report(
    entries: tuple[dict[str, Any], ...], results: list[TaskResult[dict[str, Any]]], *, watch: Stopwatch, files_now: int
) -> RecordsReport:
    def total(name: str) -> int:
        return sum(entry[name] for entry in entries)

    return RecordsReport(
        files=len(entries),
        files_now=files_now,
        records=total("records"),
        residues=total("residues"),
        with_sequence=total("with_sequence"),
        features=total("features"),
        quarantined=total("quarantined"),
        bytes_in=total("text_bytes"),
        bytes_out=total("records_bytes") + total("sequences_bytes"),
        bytes_now=sum(r.value["records_bytes"] + r.value["sequences_bytes"] for r in results),
        seconds=watch.seconds,
        cpu_seconds=watch.cpu_seconds,
        peak_memory_bytes=max((result.peak_memory_bytes for result in results), default=peak_memory_bytes()),
    )
