"""Stage 2: the raw files of a division -> record tables, one set of Parquet files per raw file.

The files are independent tasks in a process pool. A file already parsed from the same bytes by the same code is
not parsed again. The division's manifest is written last, after the control totals agree; until then readers
see the previous one. One file's parsing belongs to ``writer``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from genbank_assets.compute.tasks import TaskResult, run_tasks
from genbank_assets.errors import IntegrityError, NotFoundError
from genbank_assets.measure import Pace, StageReport, Stopwatch, peak_memory_bytes
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionRelease, publish_manifest, write_atomically
from genbank_assets.tables.writer import parse_file

# Bump when the bytes of the tables change; every division is then parsed anew.
CODE_VERSION = "3"


@dataclasses.dataclass(frozen=True)
class ParseTask:
    """One raw file to parse; small and picklable, because it travels to a worker process."""

    raw_path: Path
    raw_sha256: str
    out: Path
    collection: str
    release: str
    run_id: str

    @property
    def receipt(self) -> Path:
        """The file's own manifest entry, written when its tables are in place."""
        return self.out / f"{self.raw_path.name}.json"


def build_records(
    partition: PartitionRelease, *, settings: Settings, progress: Callable[[str], None], run_id: str
) -> Manifest:
    """Parse the raw files of a division and publish its record tables.

    Raises:
        NotFoundError: the division's raw files are not published.
        FlatFileError: a file cannot be read to its end; nothing is published.
        IntegrityError: control totals disagree; nothing is published.
    """
    raw = partition.manifest("raw_files")
    if raw is None:
        raise NotFoundError(f"{partition.key} {partition.release}: raw files are not there yet; materialize them first")
    folder = partition.stage_folder("records")
    tasks = [
        ParseTask(
            raw_path=partition.folder_of(raw) / file["name"],
            raw_sha256=file["sha256"],
            out=folder,
            collection=partition.key.collection,
            release=partition.release,
            run_id=run_id,
        )
        for file in raw.files
    ]
    with Stopwatch() as watch:
        done = {task: entry for task in tasks if (entry := _parsed_before(task)) is not None}
        todo = [task for task in tasks if task not in done]
        results = _parse(todo, settings=settings, progress=progress, reused=len(done))
        done.update({task: result.value for task, result in zip(todo, results, strict=True)})
        entries = tuple(done[task] for task in tasks)
        for entry, file in zip(entries, raw.files, strict=True):
            _reconcile(entry, raw_file=file, release=partition.release)
        previous = partition.manifest("records")
        _remove_leftovers(folder, entries)
    manifest = Manifest(
        stage="records",
        code_version=CODE_VERSION,
        collection=partition.key.collection,
        release=partition.release,
        division=partition.key.division,
        input_digest=raw.digest,
        files=entries,
        report=_report(entries, results, seconds=watch.seconds, files_now=len(todo)),
        run_id=run_id,
    )
    if previous is not None and previous.digest == manifest.digest:
        return dataclasses.replace(previous, report=manifest.report)
    return publish_manifest(manifest, partition=partition)


def _parse(
    tasks: list[ParseTask], *, settings: Settings, progress: Callable[[str], None], reused: int
) -> list[TaskResult[dict[str, Any]]]:
    if reused:
        progress(f"{reused} file(s) already parsed from the same bytes")
    finished = 0
    sizes = {task: task.raw_path.stat().st_size for task in tasks}
    pace = Pace(sum(sizes.values()))

    def on_done(task: ParseTask, result: TaskResult[dict[str, Any]]) -> None:
        nonlocal finished
        finished += 1
        entry = result.value
        progress(
            f"parsed {task.raw_path.name} ({finished} of {len(tasks)}): {entry['records']:,} records, "
            f"{entry['quarantined']:,} quarantined, {entry['text_bytes'] / 1e6 / max(result.seconds, 1e-9):,.0f} MB/s"
            f"{result.where}{pace.after(sizes[task])}"
        )

    return run_tasks(parse_task, tasks, settings=settings, progress=progress, on_done=on_done)


def parse_task(task: ParseTask) -> dict[str, Any]:
    """Parse one raw file and keep its manifest entry beside the tables; runs in a worker process."""
    parsed = parse_file(task.raw_path, out=task.out, collection=task.collection, release=task.release)
    entry = dataclasses.asdict(parsed)
    del entry["seconds"]
    entry["name"] = entry.pop("file")
    entry["text_bytes"] = entry.pop("bytes")
    entry |= {"raw_sha256": task.raw_sha256, "run_id": task.run_id, "code_version": CODE_VERSION}
    write_atomically(task.receipt, (json.dumps(entry, indent=1) + "\n").encode())
    return entry


def _parsed_before(task: ParseTask) -> dict[str, Any] | None:
    """The entry of an earlier parse of the same bytes by the same code, if its tables are still whole."""
    try:
        entry: dict[str, Any] = json.loads(task.receipt.read_text(encoding="utf-8"))
        same = entry["raw_sha256"] == task.raw_sha256 and entry["code_version"] == CODE_VERSION
        whole = all(
            (task.out / entry[f"{table}_file"]).stat().st_size == entry[f"{table}_bytes"]
            for table in ("records", "sequences")
        )
    except (OSError, ValueError, KeyError):
        return None
    return entry if same and whole else None


def _reconcile(entry: dict[str, Any], *, raw_file: dict[str, Any], release: str) -> None:
    """Control totals of one file: the division header and the release notes against what was read.

    CON files are not counted by NCBI in bases (gbrel §2.2.6); a header of 0 bases says nothing.

    Raises:
        IntegrityError: naming the numbers.
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


def _remove_leftovers(folder: Path, entries: tuple[dict[str, Any], ...]) -> None:
    """Tables of files the release no longer has; nothing points at them."""
    keep = {"manifest.json"}
    for entry in entries:
        keep |= {entry["records_file"], entry["sequences_file"], entry["quarantine_file"], f"{entry['name']}.json"}
    for path in folder.glob("*"):
        if path.is_file() and path.name not in keep:
            path.unlink(missing_ok=True)


def _report(
    entries: tuple[dict[str, Any], ...], results: list[TaskResult[dict[str, Any]]], *, seconds: float, files_now: int
) -> StageReport:
    def total(name: str) -> int:
        return sum(entry[name] for entry in entries)

    return StageReport(
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
        seconds=seconds,
        peak_memory_bytes=max((result.peak_memory_bytes for result in results), default=peak_memory_bytes()),
    )
