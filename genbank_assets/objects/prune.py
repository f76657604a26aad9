"""Removes objects and unfinished uploads from the set that no manifest lists, left by failed runs.

Works in three steps: plan, announce, delete. The plan compares the bucket with all manifests in it, from any store, and
is kept on disk; if it cannot be completed, nothing is deleted. Before the first deletion, this store's records of what
killed runs have sent are discarded, so that wherever a deletion stops, the next publication or prune restores
consistency. Verifying that listed objects exist belongs to ``verify``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import obstore
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from obstore.store import LocalStore, ObjectStore

from genbank_assets.errors import ObjectStoreError
from genbank_assets.objects.keys import is_membership_key
from genbank_assets.objects.lease import Lease, leased
from genbank_assets.objects.listing import listed, manifest_objects, objects_under, ranges
from genbank_assets.objects.memberships import memberships_of
from genbank_assets.objects.prune_plan import Orphan, Plan, Planned
from genbank_assets.objects.requests import copy_object
from genbank_assets.objects.resume import forget_sent
from genbank_assets.objects.retry import no_progress, retried
from genbank_assets.objects.store import lock_objects, open_objects, reason_of
from genbank_assets.objects.unfinished import abort_uploads, unfinished_files, unfinished_uploads
from genbank_assets.settings import Settings

MAX_DELETED_PER_REQUEST = 1000


@dataclasses.dataclass(frozen=True)
class Pruned:
    """Result of pruning.

    Attributes:
        objects: number of objects, unfinished uploads and unfinished files.
        bytes: their total size.
        dry_run: whether they were kept.
    """

    objects: int
    bytes: int
    dry_run: bool


def prune_objects(
    settings: Settings,
    *,
    older_than: timedelta = timedelta(days=1),
    dry_run: bool = False,
    announce: Callable[[Orphan], None] = lambda orphan: None,
    announced: Callable[[], None] = lambda: None,
    progress: Callable[[str], None] = no_progress,
) -> Pruned:
    """Delete residues and memberships that no manifest in the set lists; keys of other kinds are never touched.

    Waits until no run publishes to the set, on any host. Nothing is deleted before the whole plan is complete and
    announced; listed objects are never deleted.

    Args:
        settings: name the object set.
        older_than: minimum age of objects to delete.
        dry_run: whether to only announce what would be deleted.
        announce: called with every orphan before the first deletion; an exception stops everything.
        announced: called after all of them and before the first deletion; an exception stops everything.
        progress: called with messages for the user.

    Raises:
        ObjectStoreError: the store failed, or a manifest cannot be read. If this happens during planning, nothing is
            deleted; otherwise some objects are, and running it again deletes the rest.
    """
    store = open_objects(settings, retries=0)
    work = "objects prune"
    with contextlib.ExitStack() as stack:
        stack.enter_context(lock_objects(settings, exclusive=True, work=work, progress=progress))
        lease = stack.enter_context(leased(store, purpose="prune", work=work, progress=progress))
        for left in settings.store.glob(".prune-*"):  # left by a killed run; no other run can be active
            shutil.rmtree(left, ignore_errors=True)
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".prune-", dir=settings.store)))
        plan = Plan(scratch / "plan.arrows")
        before = datetime.now(UTC) - older_than
        plan.write(_orphans(settings, store, before=before, scratch=scratch, progress=progress))
        plan.announce("objects", dry_run=dry_run, announce=announce, announced=announced, progress=progress)
        if plan.objects and not dry_run:
            forget_sent(settings.store)
            carry_out(settings, store, plan, lease=lease, progress=progress)
        return Pruned(plan.objects, plan.bytes, dry_run)


def _orphans(
    settings: Settings, store: ObjectStore, *, before: datetime, scratch: Path, progress: Callable[[str], None]
) -> Iterator[Planned]:
    """Yield everything that no manifest lists and that is old enough."""
    tables = _manifest_copies(store, scratch, progress=progress)
    named = {about["key"] for about in map(memberships_of, tables) if about is not None}
    rows = sum(pq.read_metadata(table).num_rows for table in tables)
    for span in ranges(rows):
        there = objects_under(store, span.prefixes, progress=progress)
        for table in tables:
            if not len(there):
                break
            there = there.join(span.listed(table), on="key", how="anti")
        old = there.filter(pl.col("modified") < before).sort("key")
        for key, size, modified in old.select("key", "size", "modified").iter_rows():
            yield Planned("object", key, size, modified.isoformat(timespec="seconds"))
    for meta in listed(store, "memberships/", progress=progress):
        key, modified = meta["path"], meta["last_modified"]
        if is_membership_key(key) and key not in named and modified < before:
            yield Planned("object", key, meta["size"], modified.isoformat(timespec="seconds"))
    if isinstance(store, LocalStore):
        yield from unfinished_files(Path(str(store.prefix)), before=before)
    else:
        yield from unfinished_uploads(settings, before=before)


def carry_out(
    settings: Settings, store: ObjectStore, plan: Plan, *, lease: Lease, progress: Callable[[str], None]
) -> None:
    """Delete what is in the plan; objects that are already gone are ignored.

    Raises:
        ObjectStoreError: the store failed, or another run took over the set; the rest can be planned again.
    """
    for number, batch in enumerate(plan.batches()):
        if number % 100 == 0 or not lease.is_fresh():
            lease.check()
        keys = [row.key for row in batch if row.kind == "object"]
        _delete(store, keys, progress=progress)
        for row in batch:
            if row.kind == "file":
                Path(str(store.prefix), row.key).unlink(missing_ok=True)  # type: ignore[union-attr]
        uploads = [row for row in batch if row.kind == "upload"]
        if uploads:
            abort_uploads(settings, uploads)


def _delete(store: ObjectStore, keys: list[str], *, progress: Callable[[str], None]) -> None:
    if not keys:
        return
    request = functools.partial(obstore.delete, store, keys)
    try:
        retried(request, doing=f"delete {keys[0]} and others", progress=progress, may_be_absent=True)
    except FileNotFoundError:  # for a folder, deletion stops at the first missing file
        for key in keys:
            with contextlib.suppress(FileNotFoundError):
                retried(
                    functools.partial(obstore.delete, store, key),
                    doing=f"delete {key}",
                    progress=progress,
                    may_be_absent=True,
                )


def _manifest_copies(store: ObjectStore, folder: Path, *, progress: Callable[[str], None]) -> list[Path]:
    """Copy all manifest objects of the set, from any store; all of them, or raise."""
    copies: list[Path] = []
    for meta in manifest_objects(store, progress=progress):
        key, copy = meta["path"], folder / f"{len(copies)}.parquet"
        retried(functools.partial(copy_object, store, key, copy), doing=f"read {key}", progress=progress)
        try:
            pl.scan_parquet(copy).select("key", "object_bytes").head(1).collect()
            memberships_of(copy)
        except (pl.exceptions.PolarsError, OSError, pa.ArrowException, ValueError) as error:
            raise ObjectStoreError(
                f"{key} cannot be read as a manifest, so nothing is deleted: {reason_of(error)}"
            ) from error
        copies.append(copy)
    return copies
