"""Verifies that everything published in a store still matches its manifests, and repairs what does not.

Compares every file with the digest, size and rows in its manifest, each manifest with its input's, and the database and
the object set with their tables. Tables are rebuilt from the previous stage, records and objects are sent again; for
what cannot be rebuilt, the report says what to do. Tracing a single record belongs to ``trace``.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from genbank_assets.errors import GenbankAssetsError, IntegrityError
from genbank_assets.lineage.database_check import DatabaseCheck, load_again
from genbank_assets.lineage.recheck import broken_chain
from genbank_assets.locks import exclusive
from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.ncbi.daily import DAILY, day_of
from genbank_assets.objects.repair import repair_objects
from genbank_assets.objects.verify import verify_objects
from genbank_assets.settings import Settings
from genbank_assets.store import (
    STAGES,
    Manifest,
    PartitionKey,
    PartitionRelease,
    Stage,
    releases_in_store,
)
from genbank_assets.tables.dedup import build_unique_records
from genbank_assets.tables.records import build_records
from genbank_assets.tables.writer import file_sha256


@dataclasses.dataclass(frozen=True)
class Problem:
    """One deviation from a manifest.

    Attributes:
        partition: such as ``genbank/phg 273.0``.
        stage: the stage of the manifest.
        name: the file, or the key of the object.
        what: what is wrong.
        remedy: what to do about it.
    """

    partition: str
    stage: Stage
    name: str
    what: str
    remedy: str


@dataclasses.dataclass(frozen=True)
class StoreCheck:
    """Result of a verification.

    Attributes:
        partitions: number of divisions and releases examined.
        files: number of files examined, without the object set.
        bytes: bytes of the files that were read.
        objects: number of objects listed by the tables.
        problems: all problems found.
    """

    partitions: int
    files: int
    bytes: int
    objects: int
    problems: tuple[Problem, ...]


@dataclasses.dataclass(frozen=True)
class StoreRepair:
    """Result of a repair.

    Attributes:
        done: a sentence for each repair.
        check: the verification afterwards.
    """

    done: tuple[str, ...]
    check: StoreCheck


def verify_store(
    settings: Settings,
    *,
    partitions: Sequence[PartitionKey] = (),
    stages: Sequence[Stage] = STAGES,
    sample: int = 100,
    progress: Callable[[str], None] = lambda line: None,
) -> StoreCheck:
    """Compare everything published with its manifests, reading every byte of the files and every row's digest.

    Args:
        settings: name the store and the object set.
        partitions: divisions to examine; empty means all.
        stages: stages to examine.
        sample: number of sequences per division to read from the object set.
        progress: called with messages for the user.

    Raises:
        ObjectStoreError: the object set cannot be accessed.
    """
    problems: list[Problem] = []
    database = DatabaseCheck(settings)
    files = size = objects = 0
    everything = list(_partitions(settings, partitions))
    for partition in everything:
        for stage in stages:
            count, read, found = _check_stage(partition, stage)
            files, size = files + count, size + read
            problems += found
        if "postgres_table" in stages:
            problems += _database_problems(database, partition)
        progress(f"{partition.key} {partition.release}: compared, {len(problems):,} problem(s) so far")
    if database.refused:
        remedy = "let it run, or name it by GENBANK_ASSETS_POSTGRES_URL"
        problems.append(Problem("the database", "postgres_table", "", database.refused, remedy))
    if "object_set" in stages and any(partition.manifest_path("object_set").is_file() for partition in everything):
        found_objects = verify_objects(settings, partitions=partitions, sample=sample, progress=progress)
        objects = found_objects.objects
        for problem in found_objects.problems:
            key = problem.partition.partition(" ")[0]
            remedy = f"genbank-assets objects repair {key}"
            problems.append(Problem(problem.partition, "object_set", problem.key, problem.what, remedy))
    return StoreCheck(len(everything), files, size, objects, tuple(problems))


def repair_store(
    settings: Settings,
    *,
    partitions: Sequence[PartitionKey] = (),
    sample: int = 100,
    run_id: str = "repair",
    progress: Callable[[str], None] = lambda line: None,
) -> StoreRepair:
    """Rebuild damaged tables from the previous stage, send records and objects again, and verify.

    Intact files are not touched. Rebuilt output is a new generation; readers see the damaged one until it is complete.

    Args:
        settings: name the store and the object set.
        partitions: divisions to examine; empty means all.
        sample: number of sequences per division to read from the object set.
        run_id: id of this run, recorded in manifests.
        progress: called with messages for the user.
    """
    done: list[str] = []
    for partition in _partitions(settings, partitions):
        for stage, build in (("records", build_records), ("unique_records", build_unique_records)):
            _, _, problems = _check_stage(partition, stage)  # type: ignore[arg-type]
            if not any(problem.name for problem in problems):
                continue
            name = f"{partition.key} {partition.release}"
            try:
                with exclusive(settings, str(partition.key), progress=progress, run_id=run_id):
                    build(partition, settings=settings, progress=progress, run_id=run_id, recheck=True)
            except GenbankAssetsError as error:
                progress(f"{name}: {stage} cannot be rebuilt: {error}")
                continue
            done.append(f"{name}: {len(problems):,} table(s) of {stage} made again")
    database = DatabaseCheck(settings)
    for partition in _partitions(settings, partitions):
        if partition.key.division == DAILY or not (found := database.differences(partition)):
            continue
        name = f"{partition.key} {partition.release}"
        try:
            load_again(partition, settings=settings, run_id=run_id, progress=progress)
        except GenbankAssetsError as error:
            progress(f"{name}: the database cannot be repaired: {error}")
            continue
        done.append(f"{name}: {len({one.name for one in found}):,} file(s) compared with PostgreSQL and mended")
    repaired = repair_objects(settings, partitions=partitions, sample=sample, run_id=run_id, progress=progress)
    done += [f"{name}: object set repaired" for name in repaired.repaired]
    check = verify_store(settings, partitions=partitions, sample=0, progress=progress)
    return StoreRepair(tuple(done), check)


def _database_problems(database: DatabaseCheck, partition: PartitionRelease) -> Iterator[Problem]:
    remedy = f"genbank-assets repair {partition.key}"
    if partition.key.division == DAILY:
        remedy = f"genbank-assets update {partition.key.collection} {day_of(partition)}"
    for one in database.differences(partition):
        yield Problem(f"{partition.key} {partition.release}", "postgres_table", one.name, one.what, remedy)


def _partitions(settings: Settings, chosen: Sequence[PartitionKey]) -> Iterator[PartitionRelease]:
    for collection in COLLECTIONS.values():
        for division in (*collection.divisions, DAILY):
            key = PartitionKey(collection.name, division)
            if not chosen or key in chosen:
                found = {p for stage in STAGES for p in releases_in_store(settings.store, key=key, stage=stage)}
                yield from sorted(found, key=lambda partition: partition.release)


def _check_stage(partition: PartitionRelease, stage: Stage) -> tuple[int, int, list[Problem]]:
    """Return the numbers of files and bytes of a stage that were examined, and the problems."""
    name = f"{partition.key} {partition.release}"
    command = f"genbank-assets materialize {partition.key}"
    try:
        manifest = partition.manifest(stage)
    except IntegrityError as error:
        return 0, 0, [Problem(name, stage, "", str(error), f"remove the manifest, then {command}")]
    if manifest is None:
        return 0, 0, []
    problems = []
    with contextlib.suppress(IntegrityError):  # an unreadable manifest is reported by its own stage
        if stage != "raw_files" and (broken := broken_chain(partition, stage)):
            problems.append(Problem(name, stage, "", broken, command))
    again = {
        "raw_files": f"remove it, then {command}: the source has to offer release {partition.release} still",
        "records": f"genbank-assets repair {partition.key}",
        "unique_records": f"genbank-assets repair {partition.key}",
    }
    files = size = 0
    if stage in again:
        for file, facts in _files(stage, manifest):
            path = partition.folder_of(manifest) / file
            files, size = files + 1, size + (path.stat().st_size if path.is_file() else 0)
            if what := _changed(path, **facts):
                problems.append(Problem(name, stage, file, what, again[stage]))
    return files, size, problems


def _files(stage: Stage, manifest: Manifest) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each file of a stage with its entry in the manifest."""
    for entry in manifest.files:
        if stage == "records":
            for table, rows in (("records", "records"), ("sequences", None), ("quarantine", "quarantined")):
                file = entry.get(f"{table}_file")
                if file is not None:
                    size, sha256 = entry.get(f"{table}_bytes"), entry.get(f"{table}_file_sha256")
                    yield file, {"size": size, "sha256": sha256, "rows": entry[rows] if rows else None}
        else:
            yield entry["name"], {"size": entry["bytes"], "sha256": entry["sha256"], "rows": entry.get("rows")}


def _changed(path: Path, *, size: int | None, sha256: str | None, rows: int | None) -> str:
    if not path.is_file():
        return "missing"
    if size is not None and path.stat().st_size != size:
        return f"has {path.stat().st_size:,} bytes, not {size:,}"
    if sha256 is not None and file_sha256(path) != sha256:
        return "its SHA-256 is not the manifest's"
    if rows is not None:
        try:
            found = pq.read_metadata(path).num_rows
        except (OSError, pa.ArrowException) as error:
            return f"cannot be read: {error}"
        if found != rows:
            return f"has {found:,} rows, not {rows:,}"
    return ""
