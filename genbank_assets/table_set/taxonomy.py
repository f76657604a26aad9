"""Publishes the store's newest taxonomy with the tables, so that readers without a store can select clades.

First the tables, then the manifest; a published taxonomy is immutable. Listing it in the index belongs to
``manifests``, the content of the tables to ``tables.taxonomy``.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

from obstore.store import ObjectStore

from genbank_assets.catalog.table_layout import TAXONOMY_PREFIX, PublishedTaxonomy, TableObject, taxonomy_key
from genbank_assets.errors import NotFoundError
from genbank_assets.objects.retry import no_progress, retried
from genbank_assets.settings import Settings
from genbank_assets.table_set.manifests import get_object, present, published_taxonomies, put_object, remove_manifest
from genbank_assets.table_set.send import OutgoingTable, TableSender
from genbank_assets.tables.clades import open_taxonomy
from genbank_assets.tables.taxonomy import table_path


def publish_taxonomy(
    store: ObjectStore, *, settings: Settings, progress: Callable[[str], None] = no_progress
) -> PublishedTaxonomy | None:
    """Publish the newest taxonomy of the store, if there is one that is not published yet.

    Readers see it once its manifest exists. Older dates beyond ``keep_releases`` are withdrawn; ``prune`` removes their
    tables.

    Returns:
        The taxonomy, if it was published now.

    Raises:
        IntegrityError: a table does not match its manifest; nothing is published.
        ObjectStoreError: the object store failed; running it again continues.
    """
    try:
        manifest = open_taxonomy(settings.store).manifest
    except NotFoundError:
        return None
    generation = manifest.digest[:16]
    folder = f"{TAXONOMY_PREFIX}{manifest.date}/{generation}"
    before = read_taxonomy(store, manifest.date, progress=progress)
    if before is not None and all(table.key.startswith(f"{folder}/") for table in before.tables.values()):
        return None
    there = present(store, f"{folder}/", progress=progress)
    sender = TableSender(store, there=there, known={}, at_once=settings.upload_concurrency, progress=progress)
    tables = {}
    for entry in manifest.files:
        name = str(entry["name"]).removesuffix(".parquet")
        table = TableObject(
            kind="taxonomy", key=f"{folder}/{name}.parquet", bytes=entry["bytes"], sha256=entry["sha256"]
        )
        path = table_path(settings.store, manifest, name)
        tables[name], _ = sender.send(OutgoingTable(path=path, table=table))
    content = dataclasses.asdict(manifest)
    content["archive"] = {name: value for name, value in content["archive"].items() if name != "path"}
    found = PublishedTaxonomy(date=manifest.date, manifest=content, tables=tables)
    put = functools.partial(put_object, store, found.key, found.to_json())
    retried(put, doing=f"store {found.key}", progress=progress)
    progress(f"taxonomy of {found.date}: {len(tables)} table(s) published")
    for old in published_taxonomies(store, progress=progress)[: -settings.keep_releases]:
        remove_manifest(store, taxonomy_key(old), progress=progress)
    return found


def read_taxonomy(
    store: ObjectStore, date: str, *, progress: Callable[[str], None] = no_progress
) -> PublishedTaxonomy | None:
    """Return the manifest of a date's taxonomy; None if there is none.

    Raises:
        IntegrityError: it is not the manifest of a taxonomy.
        ObjectStoreError: the object store failed.
    """
    key = taxonomy_key(date)
    ask = functools.partial(get_object, store, key)
    try:
        content, _ = retried(ask, doing=f"read {key}", progress=progress, may_be_absent=True)
    except FileNotFoundError:
        return None
    return PublishedTaxonomy.from_json(content, key=key)
