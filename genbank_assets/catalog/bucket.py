"""Reads published tables in place, from ``s3://bucket/prefix`` or ``file:///folder``, without a store.

The query parameters ``endpoint``, ``region`` and ``unsigned=true`` override AWS's variables, profiles and roles;
without credentials, requests are not signed. A query reads the index, the manifests, footers, and the required columns
of row groups. The layout belongs to ``table_layout``, reading objects to ``bucket_objects``, publishing to
``table_set``.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

from obstore.store import ObjectStore

from genbank_assets.catalog.bucket_objects import BucketObjects
from genbank_assets.catalog.bucket_release import BucketRelease
from genbank_assets.catalog.bundle_layout import BUNDLE_MANIFEST, LATEST, Bundle, bundle_folder, is_bundle_name
from genbank_assets.catalog.divisions import ReadableRelease
from genbank_assets.catalog.table_layout import (
    INDEX_KEY,
    PublishedTaxonomy,
    TablesManifest,
    read_index,
    read_taxonomies,
    taxonomy_key,
)
from genbank_assets.errors import IntegrityError, NotFoundError, ObjectStoreError
from genbank_assets.store import PartitionKey
from genbank_assets.tables.clades import Taxonomy
from genbank_assets.tables.taxonomy import TaxonomyManifest

MANIFESTS_AT_ONCE = 8


class TableBucket(BucketObjects):
    """Published tables in a bucket, opened for reading.

    Args:
        url: ``s3://bucket/prefix?endpoint=…&region=…&unsigned=true`` or ``file:///folder``; with ``bundle=2026-11-26``
            or ``bundle=latest``, the content of that bundle is read instead of the newest tables.
        store: the object store, if already open.

    Raises:
        ObjectStoreError: the URL cannot be used, or the store does not respond.
        NotFoundError: the folder does not exist.
    """

    def __init__(self, url: str, *, store: ObjectStore | None = None) -> None:
        self._bundle = parse_qs(urlsplit(url).query).get("bundle", [""])[-1]
        if self._bundle and not is_bundle_name(self._bundle):
            raise ObjectStoreError(
                f"a bundle is named by its date, such as 2026-11-26, or latest, not {self._bundle!r}"
            )
        super().__init__(url, store=store)

    def releases(self) -> dict[PartitionKey, list[ReadableRelease]]:
        """Return every division in the index with its releases, oldest first.

        Raises:
            NotFoundError: there is no index, because nothing was published.
            IntegrityError: the index or a manifest cannot be parsed.
            ObjectStoreError: the store failed.
        """
        found: dict[PartitionKey, list[ReadableRelease]] = {}
        bundle = self.bundle(self._bundle) if self._bundle else None
        index = read_index(self.read(INDEX_KEY)) if bundle is None else bundle.divisions
        keys = [one.manifest if bundle is None else bundle.copy_of(one) for one in index]
        with ThreadPoolExecutor(MANIFESTS_AT_ONCE) as pool:
            for one, key, text in zip(index, keys, pool.map(self.read_if_there, keys), strict=True):
                if text is None and bundle is None:
                    continue  # removed since the index was read
                if text is None or (bundle is not None and not bundle.has(key, text)):
                    raise IntegrityError(f"{key} in {self.url} is not what its bundle lists")
                release = self.release_of(TablesManifest.from_json(text, key=one.manifest))
                found.setdefault(release.key, []).append(release)
        return found

    def release_of(self, manifest: TablesManifest) -> BucketRelease:
        """Return the release described by a manifest."""
        return BucketRelease.of(manifest, bucket=self)

    def bundle(self, name: str = LATEST) -> Bundle:
        """Return the content of a bundle.

        Raises:
            NotFoundError: there is no such bundle.
            IntegrityError: its manifest cannot be parsed.
            ObjectStoreError: the store failed.
        """
        key = f"{bundle_folder(name)}/{BUNDLE_MANIFEST}"
        return Bundle.from_json(self.read(key), key=key)

    def read_listed(self, bundle: Bundle, name: str) -> bytes:
        """Return one of a bundle's files, after verifying its digest.

        Raises:
            IntegrityError: its digest differs.
            NotFoundError: it does not exist.
            ObjectStoreError: the store failed.
        """
        key = f"{bundle_folder(bundle.name)}/{name}"
        content = self.read(key)
        if not bundle.has(key, content):
            raise IntegrityError(f"{key} in {self.url} is not what its bundle lists")
        return content

    def taxonomy(self) -> Taxonomy:
        """Return the newest published taxonomy.

        Raises:
            NotFoundError: there is none.
            IntegrityError: its manifest cannot be parsed.
            ObjectStoreError: the store failed.
        """
        dates = self.bundle(self._bundle).taxonomies if self._bundle else read_taxonomies(self.read(INDEX_KEY))
        if not dates:
            raise NotFoundError(
                f"no taxonomy is published at {self.url}: run genbank-assets taxonomy --update, then tables publish, "
                "where the store is"
            )
        key = taxonomy_key(dates[-1])
        copy = f"{bundle_folder(self._bundle)}/{key}" if self._bundle else key
        found = PublishedTaxonomy.from_json(self.read(copy), key=key)
        files = tuple(found.manifest["files"])
        manifest = TaxonomyManifest(**(found.manifest | {"files": files}))
        return Taxonomy(manifest, scan=lambda table: self.scan([found.tables[table].key]))
