"""Stable paths to the newest complete release, such as ``STORE/<collection>/current/<section>/records``.

They serve readers that use globs instead of manifests. ``current/<section>`` is a symbolic link, replaced by rename, to
a folder of links to the tables of one release (``<release>/<section>/tables/<name>/``): a reader that resolves it once
sees one consistent state. It is updated when ``records`` and the ``unique_records`` made from them are both published.
Manifests remain authoritative.
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
    """Point the stable path at the newest release with complete tables; readers see the old or the new one.

    Daily updates have no stable path, because they are not a state of a division.
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
    """Return the generation of a stage that the stable path points to, as a set of at most one name."""
    link = stable_path(partition.store, partition.key) / ("records" if stage == "records" else "unique_records")
    if stage not in STABLE_STAGES or not link.is_symlink():
        return set()
    target = link.resolve()
    generation = target.parent if stage == "records" else target
    inside = partition.stage_folder(stage).resolve()
    return {generation.name} if generation.parent == inside else set()
