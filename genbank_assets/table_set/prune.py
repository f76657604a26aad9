"""Removes published tables that no manifest lists, and unfinished uploads.

Works in three steps (plan, announce, delete) while no run publishes. Tables of a recently republished division are kept
for readers of the replaced manifest. Keys of other kinds are never touched.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from obstore.store import LocalStore, ObjectStore

from genbank_assets.catalog.bundle_layout import CHANGES_PREFIX, is_changes_key
from genbank_assets.catalog.table_layout import (
    MANIFESTS_PREFIX,
    TABLES_PREFIX,
    TAXONOMY_PREFIX,
    is_table_key,
    published_at_key,
    taxonomy_at_key,
)
from genbank_assets.objects.lease import leased
from genbank_assets.objects.listing import listed
from genbank_assets.objects.prune import Pruned, carry_out
from genbank_assets.objects.prune_plan import Orphan, Plan, Planned
from genbank_assets.objects.retry import no_progress
from genbank_assets.objects.unfinished import unfinished_files, unfinished_uploads
from genbank_assets.settings import Settings
from genbank_assets.table_set.bundle_reading import bundled_tables
from genbank_assets.table_set.manifests import open_tables, read_manifest, tables_settings, update_index
from genbank_assets.table_set.taxonomy import read_taxonomy


def prune_tables(
    settings: Settings,
    *,
    older_than: timedelta = timedelta(days=1),
    dry_run: bool = False,
    announce: Callable[[Orphan], None] = lambda orphan: None,
    announced: Callable[[], None] = lambda: None,
    progress: Callable[[str], None] = no_progress,
) -> Pruned:
    """Delete tables that no manifest lists.

    Args:
        settings: name the object store (``tables``).
        older_than: minimum age of tables to delete, and of the last publication of their division.
        dry_run: whether to only announce what would be deleted.
        announce: called with every orphan before the first deletion; an exception stops everything.
        announced: called after all of them; an exception stops everything.
        progress: called with messages for the user.

    Raises:
        IntegrityError: a manifest cannot be read; nothing is deleted.
        ObjectStoreError: the object store failed; running it again deletes the rest.
    """
    store, tables = open_tables(settings, 2), tables_settings(settings)
    before = datetime.now(UTC) - older_than
    with contextlib.ExitStack() as stack:
        lease = stack.enter_context(leased(store, purpose="prune", work="tables prune", progress=progress))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="genbank-assets-")))
        plan = Plan(scratch / "plan.arrows")
        plan.write(_orphans(store, tables, before=before, progress=progress))
        plan.announce("tables", dry_run=dry_run, announce=announce, announced=announced, progress=progress)
        if not dry_run:
            if plan.objects:
                carry_out(tables, store, plan, lease=lease, progress=progress)
            update_index(store, progress=progress)
        return Pruned(plan.objects, plan.bytes, dry_run)


def _orphans(
    store: ObjectStore, tables: Settings, *, before: datetime, progress: Callable[[str], None]
) -> Iterator[Planned]:
    named = bundled_tables(store, progress=progress)
    published: dict[str, datetime] = {}
    for meta in listed(store, MANIFESTS_PREFIX, progress=progress):
        one = published_at_key(meta["path"])
        found = read_manifest(store, meta["path"], progress=progress) if one else None
        if one and found:
            named |= {table.key for table in found[0].tables}
            division = f"{one.collection}/{one.section}"
            published[division] = max(meta["last_modified"], published.get(division, meta["last_modified"]))
        elif date := taxonomy_at_key(meta["path"]):
            taxonomy = read_taxonomy(store, date, progress=progress)
            named |= {table.key for table in taxonomy.tables.values()} if taxonomy else set()
            published["taxonomy"] = max(meta["last_modified"], published.get("taxonomy", meta["last_modified"]))
    for prefix in (TABLES_PREFIX, TAXONOMY_PREFIX, CHANGES_PREFIX):
        yield from _unnamed(store, prefix, named, published, before=before, progress=progress)
    if isinstance(store, LocalStore):
        folders = ("tables", "taxonomy", "manifests", "bundles")
        yield from unfinished_files(Path(str(store.prefix)), before=before, kinds=folders, is_ours=_is_ours)
    else:
        yield from unfinished_uploads(tables, before=before, is_ours=_is_ours)


def _unnamed(
    store: ObjectStore,
    prefix: str,
    named: set[str],
    published: dict[str, datetime],
    *,
    before: datetime,
    progress: Callable[[str], None],
) -> Iterator[Planned]:
    """Yield a prefix's tables that no manifest lists, if they and the last publication beside them are old enough."""
    for meta in listed(store, prefix, progress=progress):
        key, modified = meta["path"], meta["last_modified"]
        if not (is_table_key(key) or is_changes_key(key)) or key in named:
            continue
        whose = "/".join(key.split("/")[1:4:2]) if prefix == TABLES_PREFIX else prefix.rstrip("/")
        if max(modified, published.get(whose, modified)) < before:
            yield Planned("object", key, meta["size"], modified.isoformat(timespec="seconds"))


def _is_ours(key: str) -> bool:
    return is_table_key(key) or published_at_key(key) is not None or taxonomy_at_key(key) is not None
