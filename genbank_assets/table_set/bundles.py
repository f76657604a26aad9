"""Creates bundles: everything published on a day, with an SQL catalog and a web page, under a permanent name.

Copies of the divisions' manifests, the catalog and the texts are written first, ``manifest.json`` with their digests
last, followed by the same as ``latest``. Existing bundles are never changed, and their tables are not pruned. The
layout belongs to ``catalog.bundle_layout``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import functools
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import obstore
from obstore.store import ObjectStore

from genbank_assets import __version__
from genbank_assets.catalog.bucket import TableBucket
from genbank_assets.catalog.bundle_layout import (
    BUNDLE_MANIFEST,
    CARD,
    CATALOG,
    CHANGES_PREFIX,
    LATEST,
    RIGHTS,
    Bundle,
    bundle_folder,
)
from genbank_assets.catalog.divisions import ReadableRelease
from genbank_assets.catalog.ducklake import build_catalog, files_of
from genbank_assets.catalog.table_layout import TablesManifest, taxonomy_key
from genbank_assets.errors import NotFoundError
from genbank_assets.objects.lease import leased
from genbank_assets.objects.retry import no_progress, retried
from genbank_assets.release_facts import release_sort_key
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey
from genbank_assets.table_set.bundle_reading import bundle_names, read_bundle, small_object
from genbank_assets.table_set.card import card, rights
from genbank_assets.table_set.manifests import (
    open_tables,
    present,
    published_manifests,
    published_taxonomies,
    put_object,
)


def make_bundle(
    settings: Settings,
    *,
    date: dt.date | None = None,
    progress: Callable[[str], None] = no_progress,
    store: ObjectStore | None = None,
) -> tuple[Bundle, bool]:
    """Create a bundle of what is currently published; readers see it once its manifest exists.

    Args:
        settings: name the object store (``tables``).
        date: name of the bundle; None for today in UTC. A second, different bundle on the same day gets the suffix
            ``.2``.
        progress: called with messages for the user.
        store: the object store, if already open.

    Returns:
        The bundle, and whether it was created now; if the newest one has the same tables, that one is returned.

    Raises:
        NotFoundError: nothing is published.
        IntegrityError: a manifest cannot be read, or the catalog's counts differ from it.
        ObjectStoreError: the object store failed; running it again completes the bundle.
    """
    store = store or open_tables(settings, 2)
    with leased(store, purpose="publish", work="tables bundle", progress=progress) as lease:
        copies, divisions = _copies(store, progress=progress)
        if not divisions:
            raise NotFoundError(f"no tables are published at {settings.tables}: genbank-assets tables publish")
        there = bundle_names(store, progress=progress)
        draft = _draft(copies, divisions, name=_free_name(there, date or dt.datetime.now(dt.UTC).date()))
        newest = read_bundle(store, there[-1], progress=progress) if there else None
        if newest is not None and _files_of(newest) == _files_of(draft):
            _put_latest(store, newest, progress=progress)
            return newest, False
        folder = bundle_folder(draft.name)
        contents = {f"{folder}/{key}": content for key, content in copies.items()}
        contents[f"{folder}/{CARD}"] = card(draft.divisions)
        contents[f"{folder}/{RIGHTS}"] = rights()
        catalog, changes = _catalog(store, settings, divisions, before=newest, progress=progress)
        contents[f"{folder}/{CATALOG}"] = catalog
        files = {key: (len(content), hashlib.sha256(content).hexdigest()) for key, content in contents.items()}
        bundle = dataclasses.replace(draft, files=files, changes=changes)
        for key, content in contents.items():
            _put(store, key, content, progress=progress)
        lease.check()
        _put(store, f"{folder}/{BUNDLE_MANIFEST}", bundle.to_json(), progress=progress)
        _put_latest(store, bundle, progress=progress)
    return bundle, True


def remove_bundle(settings: Settings, name: str, *, progress: Callable[[str], None] = no_progress) -> None:
    """Remove a bundle, its manifest first, and let ``latest`` be the newest remaining one; ``prune`` removes tables.

    Raises:
        NotFoundError: there is no such bundle.
        ObjectStoreError: the object store failed; running it again removes the rest.
    """
    store = open_tables(settings, 2)
    with leased(store, purpose="publish", work="tables bundle --remove", progress=progress):
        keys = sorted(present(store, f"{bundle_folder(name)}/", progress=progress))
        if name == LATEST or not keys:
            raise NotFoundError(f"there is no bundle {name}: {', '.join(bundle_names(store)) or 'none was made'}")
        manifest = f"{bundle_folder(name)}/{BUNDLE_MANIFEST}"
        for key in (*(key for key in keys if key == manifest), *(key for key in keys if key != manifest)):
            _delete(store, key, progress=progress)
        left = bundle_names(store, progress=progress)
        newest = read_bundle(store, left[-1], progress=progress) if left else None
        if newest is not None:
            _put_latest(store, newest, progress=progress)
        else:
            for key in present(store, f"{bundle_folder(LATEST)}/", progress=progress):
                _delete(store, key, progress=progress)


def _copies(store: ObjectStore, *, progress: Callable[[str], None]) -> tuple[dict[str, bytes], list[TablesManifest]]:
    """Return all manifests as bytes by key, and the parsed ones of divisions."""
    copies, divisions = {}, []
    for one in published_manifests(store, progress=progress):
        if (content := small_object(store, one.manifest, progress=progress)) is not None:
            divisions.append(TablesManifest.from_json(content, key=one.manifest))
            copies[one.manifest] = content
    for date in published_taxonomies(store, progress=progress):
        if (content := small_object(store, taxonomy_key(date), progress=progress)) is not None:
            copies[taxonomy_key(date)] = content
    return copies, divisions


def _draft(copies: dict[str, bytes], divisions: list[TablesManifest], *, name: str) -> Bundle:
    """Return a bundle of some manifests that so far contains only their copies."""
    newest: dict[tuple[str, str], TablesManifest] = {}
    for one in sorted(divisions, key=lambda one: release_sort_key(one.release)):
        newest[one.collection, one.section] = one
    folder = bundle_folder(name)
    tables = [table for one in divisions for table in one.tables]
    return Bundle(
        name=name,
        divisions=tuple(sorted(one.published for one in divisions)),
        taxonomies=tuple(sorted(Path(key).stem for key in copies if key.startswith("manifests/taxonomy/"))),
        files={f"{folder}/{k}": (len(c), hashlib.sha256(c).hexdigest()) for k, c in copies.items()},
        changes=(),
        tables=len(tables),
        table_bytes=sum(table.bytes for table in tables),
        records=sum(int(e["records"]) for one in newest.values() for e in one.stages["records"].files),
        software_version=__version__,
        made_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    )


def _files_of(bundle: Bundle) -> dict[str, tuple[int, str]]:
    """Return the copies of manifests in a bundle, without its name: equal copies mean equal tables."""
    folder = f"{bundle_folder(bundle.name)}/"
    return {
        key.removeprefix(folder): listed
        for key, listed in bundle.files.items()
        if key.startswith(f"{folder}manifests/")
    }


def _free_name(there: list[str], date: dt.date) -> str:
    name = date.isoformat()
    number = 1
    while name in there:
        number += 1
        name = f"{date.isoformat()}.{number}"
    return name


class _Listed(TableBucket):
    """The object store, restricted to these manifests."""

    def __init__(self, settings: Settings, store: ObjectStore, manifests: list[TablesManifest]) -> None:
        super().__init__(str(settings.tables), store=store)
        self._manifests = sorted(manifests, key=lambda one: release_sort_key(one.release))

    def releases(self) -> dict[PartitionKey, list[ReadableRelease]]:
        found: dict[PartitionKey, list[ReadableRelease]] = {}
        for one in self._manifests:
            release = self.release_of(one)
            found.setdefault(release.key, []).append(release)
        return found


def _catalog(
    store: ObjectStore,
    settings: Settings,
    divisions: list[TablesManifest],
    *,
    before: Bundle | None,
    progress: Callable[[str], None],
) -> tuple[bytes, tuple[str, ...]]:
    """Return a catalog of some manifests, based on the previous bundle's, and the keys of its files of changes."""
    bucket = _Listed(settings, store, divisions)

    def keep(path: Path) -> str:
        key = f"{CHANGES_PREFIX}{path.name}"
        _put(store, key, path.read_bytes(), progress=progress)
        return bucket.location(key)

    with tempfile.TemporaryDirectory(prefix="genbank-assets-") as scratch:
        path = Path(scratch) / CATALOG
        if before is not None:
            content = small_object(store, f"{bundle_folder(before.name)}/{CATALOG}", progress=progress)
            if content is not None and before.has(f"{bundle_folder(before.name)}/{CATALOG}", content):
                path.write_bytes(content)
        build_catalog(bucket, path=path, keep_changes=keep, progress=progress)
        root = f"{bucket.location(CHANGES_PREFIX)}"
        listed_files = files_of(path, tables=bucket)
        changes = tuple(sorted(CHANGES_PREFIX + f.removeprefix(root) for f in listed_files if f.startswith(root)))
        return path.read_bytes(), changes


def _put_latest(store: ObjectStore, bundle: Bundle, *, progress: Callable[[str], None]) -> None:
    """Make ``latest`` equal to a bundle; its manifest names the bundle whose files it lists."""
    folder, latest = bundle_folder(bundle.name), bundle_folder(LATEST)
    for name in (CATALOG, CARD, RIGHTS, BUNDLE_MANIFEST):
        content = small_object(store, f"{folder}/{name}", progress=progress)
        if content is not None:
            _put(store, f"{latest}/{name}", content, progress=progress)


def _put(store: ObjectStore, key: str, content: bytes, *, progress: Callable[[str], None]) -> None:
    retried(functools.partial(put_object, store, key, content), doing=f"store {key}", progress=progress)


def _delete(store: ObjectStore, key: str, *, progress: Callable[[str], None]) -> None:
    with contextlib.suppress(FileNotFoundError):
        request = functools.partial(obstore.delete, store, key)
        retried(request, doing=f"delete {key}", progress=progress, may_be_absent=True)
