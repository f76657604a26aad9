"""Paths that stay: ``STORE/<collection>/current/<section>/records`` and its like, of the newest complete release.

They are for readers that know globs and no manifests. ``current/<section>`` is one symbolic link, replaced by rename,
to a folder of links to the tables of one release (``<release>/<section>/tables/<name>/``): who resolves it once reads
one state. It moves when records and unique_records of a release are both published and belong together; until then it
names what it named. Manifests stay the truth.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from genbank_assets.durable import hidden_name, store_errors
from genbank_assets.store import (
    Manifest,
    PartitionKey,
    PartitionRelease,
    Stage,
    releases_in_store,
)

CURRENT = "current"
TABLES = "tables"
DAYS = "daily"
STABLE_STAGES: tuple[Stage, ...] = ("records", "unique_records")


def stable_path(store: Path, key: PartitionKey) -> Path:
    """``STORE/<collection>/current/<section>``: ``records``, ``sequences``, ``quarantine`` and ``unique_records``."""
    return store / key.collection / CURRENT / key.division


def update_stable_path(partition: PartitionRelease) -> None:
    """Let the stable path name the newest release whose tables are complete; readers find the old or the new one.

    Days of updates have none: they are no state of a division.
    """
    store, key = partition.store, partition.key
    if key.division == DAYS:
        return
    found = _newest_complete(store, key)
    if found is None:
        return
    newest, records, unique = found
    name = hashlib.sha256(f"{records.generation}\n{unique.generation}".encode()).hexdigest()[:16]
    links = newest.folder / TABLES / name
    up = Path("..", "..")
    targets = {kind: up / "records" / records.generation / kind for kind in ("records", "sequences", "quarantine")} | {
        "unique_records": up / "unique_records" / unique.generation
    }
    link = stable_path(store, key)
    with store_errors(link):
        for kind, target in targets.items():
            _link(links / kind, target)
        _link(link, Path("..", newest.release, key.division, TABLES, name))
        for release in releases_in_store(store, key=key, stage="records"):
            for other in (release.folder / TABLES).glob("*"):
                if other != links:
                    shutil.rmtree(other, ignore_errors=True)


def _newest_complete(store: Path, key: PartitionKey) -> tuple[PartitionRelease, Manifest, Manifest] | None:
    for partition in reversed(releases_in_store(store, key=key, stage="unique_records")):
        records, unique = (partition.manifest(stage) for stage in STABLE_STAGES)
        if records is None or unique is None or not (records.generation and unique.generation):
            continue
        if unique.input_digest == records.digest:
            return partition, records, unique
    return None


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    temporary = link.with_name(hidden_name(link.name, suffix=".tmp"))
    temporary.symlink_to(target)
    temporary.replace(link)


def named_by_stable_path(partition: PartitionRelease, stage: Stage) -> set[str]:
    """Return the generations of a stage that the stable path leads to: one, or none."""
    link = stable_path(partition.store, partition.key) / ("records" if stage == "records" else "unique_records")
    if stage not in STABLE_STAGES or not link.is_symlink():
        return set()
    target = link.resolve()
    generation = target.parent if stage == "records" else target
    inside = partition.stage_folder(stage).resolve()
    return {generation.name} if generation.parent == inside else set()
