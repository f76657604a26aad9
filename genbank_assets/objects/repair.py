"""Repairs the set: sends missing or damaged objects again, from the store's sequence tables.

Intact objects, and tables of divisions without problems, are not touched. Problems are found by ``verify``; an affected
division is published again, treating its broken objects as missing (``publish``).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
from obstore.store import ObjectStore

from genbank_assets.errors import IntegrityError, NotFoundError, ObjectStoreError
from genbank_assets.locks import exclusive
from genbank_assets.objects.object_index import TABLE, Compared, published, table_path
from genbank_assets.objects.publish import OpenStore, publish_division
from genbank_assets.objects.requests import copy_object
from genbank_assets.objects.retry import no_progress, retried
from genbank_assets.objects.store import open_objects
from genbank_assets.objects.verify import Comparison, Problem
from genbank_assets.reports import ObjectSetReport
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, temporary_beside
from genbank_assets.tables.writer import file_sha256


@dataclasses.dataclass(frozen=True)
class Repair:
    """Result of a repair.

    Attributes:
        partitions: number of divisions and releases examined.
        problem_count: number of problems found.
        objects_put: number of objects sent.
        repaired: divisions and releases that were published again, or whose table was restored from the set.
        failed: divisions that could not be repaired, with the reason and what to materialize first.
        problems: remaining problems.
    """

    partitions: int
    problem_count: int
    objects_put: int
    repaired: tuple[str, ...]
    failed: tuple[str, ...]
    problems: tuple[Problem, ...]


def repair_objects(
    settings: Settings,
    *,
    partitions: Sequence[PartitionKey] = (),
    sample: int = 100,
    run_id: str = "repair",
    progress: Callable[[str], None] = no_progress,
    open_store: OpenStore | None = None,
) -> Repair:
    """Find missing and damaged objects, send them again, and verify.

    Readers of the bucket see a division's old manifest until everything in its new one is in place.

    Args:
        settings: name the store and the object set.
        partitions: divisions to examine; empty means all.
        sample: number of random sequences per division to read, to find damage that keeps size and ETag.
        run_id: id of this run, recorded in manifests.
        progress: called with messages for the user.
        open_store: see ``publish_division``.

    Raises:
        ObjectStoreError: the store kept failing; objects sent until then are kept.
    """
    restored = _restore_tables(settings, partitions=partitions, run_id=run_id, progress=progress)
    before = Comparison(settings, partitions=partitions, progress=progress)
    before.run(sample=sample)
    repaired, failed, put = _publish_again(
        before, settings=settings, run_id=run_id, progress=progress, open_store=open_store
    )
    after = before
    if repaired:
        after = Comparison(settings, partitions=[p.key for p, keys in before.broken.items() if keys], progress=progress)
        after.run(sample=sample)
    return Repair(
        partitions=len(before.chosen),
        problem_count=before.problem_count + len(restored),
        objects_put=put,
        repaired=tuple(dict.fromkeys([*restored, *repaired])),
        failed=tuple(failed),
        problems=tuple(after.problems),
    )


def _publish_again(
    found: Comparison,
    *,
    settings: Settings,
    run_id: str,
    progress: Callable[[str], None],
    open_store: OpenStore | None,
) -> tuple[list[str], list[str], int]:
    """Publish every division with broken objects again.

    Returns:
        The divisions that were repaired, messages about those that could not be, and the number of objects sent.
    """
    repaired, failed, put = [], [], 0
    broken = {key for keys in found.broken.values() for key in keys}
    tables = {partition: table_path(partition) for partition in found.readable}
    for partition, keys in found.broken.items():
        if broken.isdisjoint(keys):  # no problem, or already fixed by another division
            continue
        name = f"{partition.key} {partition.release}"
        progress(f"{name}: {len(keys):,} problem(s)")
        try:
            with exclusive(settings, str(partition.key), progress=progress, run_id=run_id):
                manifest = publish_division(
                    partition,
                    settings=settings,
                    progress=progress,
                    run_id=run_id,
                    open_store=open_store,
                    compared=Compared(list(tables.values()), pl.Series("key", sorted(broken), dtype=pl.String)),
                )
        except (IntegrityError, NotFoundError, FileNotFoundError) as error:
            failed.append(f"{name}: {error}; genbank-assets verify {partition.key} says which table is not right")
            continue
        put += manifest.report_as(ObjectSetReport).objects_put or 0
        tables[partition] = table_path(partition)
        in_place = pl.scan_parquet(tables[partition]).select(pl.col("key").unique()).collect()["key"]
        broken -= {manifest.extra["manifest_key"], manifest.extra["memberships"]["key"]}
        broken.difference_update(in_place)
        repaired.append(name)
    return repaired, failed, put


def _restore_tables(
    settings: Settings, *, partitions: Sequence[PartitionKey], run_id: str, progress: Callable[[str], None]
) -> list[str]:
    """Restore damaged or missing object tables of the store from their manifest objects, if these are intact."""
    store = open_objects(settings, retries=0)
    restored = []
    for partition, listed in list(published(settings, lost=True)):
        if (partitions and partition.key not in partitions) or _is_whole(partition, listed):
            continue
        name = f"{partition.key} {partition.release}"
        with exclusive(settings, str(partition.key), progress=progress, run_id=run_id):
            manifest = partition.manifest("object_set")
            if manifest is None or _is_whole(partition, manifest):  # or another run has republished it meanwhile
                continue
            path, key, sha256 = table_path(partition), manifest.extra["manifest_key"], manifest.files[0]["sha256"]
            try:
                with temporary_beside(path) as copy:
                    request = functools.partial(_copy, store, key, copy, sha256)
                    retried(request, doing=f"read {key}", progress=progress, may_be_absent=True)
            except (FileNotFoundError, IntegrityError, ObjectStoreError) as error:
                if isinstance(error, ObjectStoreError) and error.transient:
                    raise
                continue  # it will be rebuilt
        progress(f"{name}: the object table was damaged or gone and is copied from {key}")
        restored.append(name)
    return restored


def _is_whole(partition: PartitionRelease, manifest: Manifest) -> bool:
    path = partition.folder_of(manifest) / TABLE
    return path.is_file() and file_sha256(path) == manifest.files[0]["sha256"]


def _copy(store: ObjectStore, key: str, path: Path, sha256: str) -> None:
    copy_object(store, key, path)
    if file_sha256(path) != sha256:
        raise IntegrityError(f"{key} is damaged")
