"""Lists bundles and the tables they refer to. Creating and removing bundles belongs to ``bundles``."""

from __future__ import annotations

import functools
from collections.abc import Callable

from obstore.store import ObjectStore

from genbank_assets.catalog.bundle_layout import BUNDLE_MANIFEST, BUNDLES_PREFIX, Bundle, bundle_at_key, bundle_folder
from genbank_assets.catalog.table_layout import PublishedTaxonomy, TablesManifest
from genbank_assets.errors import IntegrityError
from genbank_assets.objects.listing import listed
from genbank_assets.objects.retry import no_progress, retried
from genbank_assets.table_set.manifests import get_object


def bundle_names(store: ObjectStore, *, progress: Callable[[str], None] = no_progress) -> list[str]:
    """Return the names of all bundles, oldest first, without ``latest``.

    Raises:
        ObjectStoreError: the object store failed.
    """
    found = (bundle_at_key(meta["path"]) for meta in listed(store, BUNDLES_PREFIX, progress=progress))
    return sorted((name for name in found if name), key=_order)


def read_bundle(store: ObjectStore, name: str, *, progress: Callable[[str], None] = no_progress) -> Bundle | None:
    """Return a bundle's manifest; None if there is none.

    Raises:
        IntegrityError: it is not the manifest of a bundle.
        ObjectStoreError: the object store failed.
    """
    key = f"{bundle_folder(name)}/{BUNDLE_MANIFEST}"
    content = small_object(store, key, progress=progress)
    return None if content is None else Bundle.from_json(content, key=key)


def bundled_tables(store: ObjectStore, *, progress: Callable[[str], None] = no_progress) -> set[str]:
    """Return the keys of all tables, and of files of changes, that bundles refer to.

    Raises:
        IntegrityError: a bundle cannot be read.
        ObjectStoreError: the object store failed.
    """
    named: set[str] = set()
    for name in bundle_names(store, progress=progress):
        bundle = read_bundle(store, name, progress=progress)
        if bundle is None:
            continue
        named |= set(bundle.changes)
        folder = f"{bundle_folder(name)}/"
        for key in bundle.files:
            if not key.startswith(f"{folder}manifests/"):
                continue
            content = small_object(store, key, progress=progress)
            if content is None or not bundle.has(key, content):
                raise IntegrityError(
                    f"{key} is not what its bundle lists; remove the bundle with tables bundle --remove"
                )
            named |= set(_tables_of(key.removeprefix(folder), content))
    return named


def broken_files(store: ObjectStore, bundle: Bundle, *, progress: Callable[[str], None] = no_progress) -> list[str]:
    """Return keys listed in a bundle's folder that are missing or have different bytes.

    Raises:
        ObjectStoreError: the object store failed.
    """

    def is_right(key: str) -> bool:
        content = small_object(store, key, progress=progress)
        return content is not None and bundle.has(key, content)

    return [key for key in sorted(bundle.files) if not is_right(key)]


def _order(name: str) -> tuple[str, int]:
    date, _, number = name.partition(".")
    return date, int(number or 1)


def _tables_of(key: str, content: bytes) -> list[str]:
    """Return the keys of the tables listed in the manifest of a division or a taxonomy."""
    if key.startswith("manifests/taxonomy/"):
        return [table.key for table in PublishedTaxonomy.from_json(content, key=key).tables.values()]
    return [table.key for table in TablesManifest.from_json(content, key=key).tables]


def small_object(store: ObjectStore, key: str, *, progress: Callable[[str], None]) -> bytes | None:
    """Return a small object; None if it does not exist.

    Raises:
        ObjectStoreError: the object store failed.
    """
    try:
        ask = functools.partial(get_object, store, key)
        return retried(ask, doing=f"read {key}", progress=progress, may_be_absent=True)[0]
    except FileNotFoundError:
        return None
