"""Retention of releases in the store: old ones are first retired, then deleted after a grace period.

Readers never start with a retired release (docs/decisions/0057). Generations within a release belong to
``generations``.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from genbank_assets.durable import write_atomically
from genbank_assets.generations import REMOVED, remove_folder
from genbank_assets.settings import Settings
from genbank_assets.stable_paths import DAYS, named_by_stable_path
from genbank_assets.store import STAGES, PartitionKey, releases_in_store


def prune_releases(store: Path, *, key: PartitionKey, keep: int, grace_seconds: float) -> list[str]:
    """Retire a partition's oldest releases and delete those retired at least ``grace_seconds`` ago.

    The newest complete release and the one the stable path points to are never retired. Readers never start with a
    retired release, and those already reading keep its files during the grace period; a retired release is restored
    if ``keep`` grows. A folder is renamed out of sight before any of its files are deleted.

    Args:
        store: the store's root folder.
        key: the partition.
        keep: number of releases to keep.
        grace_seconds: time between retirement and deletion.

    Returns:
        The deleted releases, oldest first. Their objects and database history are kept.
    """
    for leftover in (store / key.collection).glob(f"*/{REMOVED}.{key.division}.*"):
        shutil.rmtree(leftover, ignore_errors=True)
        _remove_if_empty(leftover.parent)
    present = releases_in_store(store, key=key, stage="raw_files", retired=True)
    complete = [p for p in present if all(p.manifest_path(stage).is_file() for stage in STAGES)]
    surplus = present[: max(0, len(present) - keep)] if complete else []
    deleted = []
    for partition in present:
        is_newest = bool(complete) and partition.release == complete[-1].release
        if partition not in surplus or is_newest or named_by_stable_path(partition, "records"):
            partition.retired.unlink(missing_ok=True)
            continue
        if not partition.retired.exists():
            write_atomically(partition.retired, b"")
        if time.time() - partition.retired.stat().st_mtime >= grace_seconds:
            remove_folder(partition.folder)
            _remove_if_empty(partition.folder.parent)
            deleted.append(partition.release)
    return deleted


def keep_newest_releases(settings: Settings, key: PartitionKey, *, progress: Callable[[str], None]) -> None:
    """Apply :func:`prune_releases` with the limits of the settings.

    Daily updates are kept: no later release replaces them.
    """
    if key.division == DAYS:
        return
    keep, grace_seconds = settings.keep_releases, settings.keep_replaced_seconds
    for release in prune_releases(settings.store, key=key, keep=keep, grace_seconds=grace_seconds):
        progress(f"release {release} is no longer kept: its files were deleted from the store")


def _remove_if_empty(release: Path) -> None:
    """Delete a release's folder if it contains no division, at most NCBI's lists."""
    if {path.name for path in release.iterdir()} <= {"lists"}:
        shutil.rmtree(release, ignore_errors=True)
