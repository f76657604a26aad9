"""Compares published tables with their manifests: existence, content, and the index.

A table whose ETag has changed since it was sent is read; of the others, a random sample is. Unlisted tables belong to
``prune``.
"""

from __future__ import annotations

import dataclasses
import functools
import random
from collections.abc import Callable, Sequence

from obstore.store import ObjectStore

from genbank_assets.catalog.table_layout import (
    TABLES_PREFIX,
    TAXONOMY_PREFIX,
    Published,
    TableObject,
    is_table_key,
    taxonomy_key,
)
from genbank_assets.errors import IntegrityError
from genbank_assets.objects.etags import Etags, bare_etag
from genbank_assets.objects.listing import listed
from genbank_assets.objects.retry import no_progress, retried
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey
from genbank_assets.table_set.manifests import (
    index_is_right,
    open_tables,
    present,
    published_manifests,
    published_taxonomies,
    read_manifest,
)
from genbank_assets.table_set.taxonomy import read_taxonomy

INDEX_DIFFERS = "does not list the manifests that are there; publish any division again"


@dataclasses.dataclass(frozen=True)
class TableProblem:
    """A problem with an object.

    Attributes:
        key: the object's key.
        what: what is wrong with it.
    """

    key: str
    what: str


@dataclasses.dataclass(frozen=True)
class TablesVerified:
    """Result of a verification.

    Attributes:
        manifests: number of releases of divisions that were compared.
        tables: number of tables they list.
        bytes: total size of these tables.
        reread: number of tables that were read.
        problems: all problems found.
        unlisted: number of tables that no manifest lists; None if only some divisions were examined.
    """

    manifests: int
    tables: int
    bytes: int
    reread: int
    problems: tuple[TableProblem, ...]
    unlisted: int | None


def verify_tables(
    settings: Settings,
    *,
    partitions: Sequence[PartitionKey] = (),
    release: str | None = None,
    sample: int = 1,
    progress: Callable[[str], None] = no_progress,
    store: ObjectStore | None = None,
) -> TablesVerified:
    """Compare a listing of the object store with its manifests; does not need a local store.

    Args:
        settings: name the object store (``tables``).
        partitions: divisions to examine; empty means all.
        release: restricts the comparison to one release.
        sample: number of tables per release of a division to read, whatever their ETags.
        progress: called with messages for the user.
        store: the object store, if already open.

    Raises:
        ObjectStoreError: the object store cannot be read.
    """
    store = store or open_tables(settings, 2)
    chosen = [
        one
        for one in published_manifests(store, progress=progress)
        if (not partitions or PartitionKey(one.collection, one.section) in partitions)
        and release in (None, one.release)
    ]
    comparison = _Comparison(store, sample=sample, progress=progress)
    for one in chosen:
        comparison.compare(one)
    unlisted = None
    if not partitions and release is None:
        for date in published_taxonomies(store, progress=progress):
            comparison.compare_taxonomy(date)
        prefixes = (TABLES_PREFIX, TAXONOMY_PREFIX)
        everything = [meta["path"] for prefix in prefixes for meta in listed(store, prefix, progress=progress)]
        unlisted = sum(is_table_key(key) and key not in comparison.named for key in everything)
    if not index_is_right(store, progress=progress):
        comparison.problems.append(TableProblem("index.json", INDEX_DIFFERS))
    return TablesVerified(
        len(chosen), len(comparison.named), comparison.bytes, comparison.reread, tuple(comparison.problems), unlisted
    )


class _Comparison:
    """Compares one release of a division after another."""

    def __init__(self, store: ObjectStore, *, sample: int, progress: Callable[[str], None]) -> None:
        self._store = store
        self._sample = sample
        self._progress = progress
        self._etags = Etags(store)
        self.named: set[str] = set()
        self.bytes = 0
        self.reread = 0
        self.problems: list[TableProblem] = []

    def compare(self, one: Published) -> None:
        try:
            found = read_manifest(self._store, one.manifest, progress=self._progress)
        except IntegrityError as error:
            self.problems.append(TableProblem(one.manifest, str(error)))
            return
        if found is None:  # removed since the listing
            return
        prefix = f"{TABLES_PREFIX}{one.collection}/{one.release}/{one.section}/"
        self._compare(f"{one.collection}/{one.section} {one.release}", found[0].tables, prefix)

    def compare_taxonomy(self, date: str) -> None:
        """Compare the taxonomy of a date."""
        try:
            found = read_taxonomy(self._store, date, progress=self._progress)
        except IntegrityError as error:
            self.problems.append(TableProblem(taxonomy_key(date), str(error)))
            return
        if found is not None:
            self._compare(f"taxonomy of {date}", tuple(found.tables.values()), f"{TAXONOMY_PREFIX}{date}/")

    def _compare(self, title: str, tables: Sequence[TableObject], prefix: str) -> None:
        there = present(self._store, prefix, progress=self._progress)
        sampled = set(random.sample(range(len(tables)), min(self._sample, len(tables))))
        for number, table in enumerate(tables):
            self.named.add(table.key)
            self.bytes += table.bytes
            if what := self._wrong(table, there, read=number in sampled):
                self.problems.append(TableProblem(table.key, what))
        self._progress(f"{title}: {len(tables)} table(s) compared")

    def _wrong(self, table: TableObject, there: dict[str, tuple[int, str]], *, read: bool) -> str:
        if table.key not in there:
            return "is missing"
        size, etag = there[table.key]
        if size != table.bytes:
            return f"has {size:,} bytes instead of {table.bytes:,}"
        if etag and etag == bare_etag(table.etag) and not read:
            return ""
        self.reread += 1
        digest = retried(
            functools.partial(self._etags.read, table.key), doing=f"read {table.key}", progress=self._progress
        )
        return "" if digest.hex() == table.sha256 else "holds different bytes than were sent; publish it again"
