"""How long releases of a division stay in the store: retired first, deleted after a grace period.

No reader begins with a retired release (docs/decisions/0057). Generations within a release belong to ``generations``.
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
    """Retire a partition's oldest releases and delete those that were retired ``grace_seconds`` ago.

    The newest complete release is never retired, nor is the one that the stable path names. No reader begins with a
    retired release, and readers that have begun keep its files until the grace period is over; it comes back when more
    releases are to be kept. The folder is out of sight before its first file goes.

    Returns:
        The releases that went, oldest first. Their objects and database history stay.
    """
    for half in (store / key.collection).glob(f"*/{REMOVED}.{key.division}.*"):
        shutil.rmtree(half, ignore_errors=True)
        _remove_if_empty(half.parent)
    present = releases_in_store(store, key=key, stage="raw_files", retired=True)
    complete = [p for p in present if all(p.manifest_path(stage).is_file() for stage in STAGES)]
    surplus = present[: max(0, len(present) - keep)] if complete else []
    gone = []
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
            gone.append(partition.release)
    return gone


def keep_newest_releases(settings: Settings, key: PartitionKey, *, progress: Callable[[str], None]) -> None:
    """Retire and delete older releases of a partition as the settings say; see :func:`prune_releases`.

    Nothing takes the place of a day of updates: days stay.
    """
    if key.division == DAYS:
        return
    keep, grace_seconds = settings.keep_releases, settings.keep_replaced_seconds
    for gone in prune_releases(settings.store, key=key, keep=keep, grace_seconds=grace_seconds):
        progress(f"release {gone} is no longer kept: its files were deleted from the store")


def _remove_if_empty(release: Path) -> None:
    """Delete a release's folder that has no division any more, only NCBI's lists at most."""
    if {path.name for path in release.iterdir()} <= {"lists"}:
        shutil.rmtree(release, ignore_errors=True)
