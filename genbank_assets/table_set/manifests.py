"""The object store of published tables, its manifests and its index.

Manifests are authoritative; the index is derived from them and rewritten after each change until it matches, so that
with several concurrent publishers, the last one lists all manifests. What is sent belongs to ``publish``.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import obstore
from obstore.exceptions import AlreadyExistsError, GenericError, NotSupportedError, PreconditionError
from obstore.store import ObjectStore

from genbank_assets.catalog.table_layout import (
    INDEX_KEY,
    MANIFESTS_PREFIX,
    Published,
    TablesManifest,
    index_json,
    published_at_key,
    read_index,
    taxonomy_at_key,
)
from genbank_assets.errors import IntegrityError, ObjectStoreError, SettingsError
from genbank_assets.objects.etags import bare_etag
from genbank_assets.objects.listing import listed
from genbank_assets.objects.requests import status_of
from genbank_assets.objects.retry import no_progress, retried
from genbank_assets.objects.store import open_objects
from genbank_assets.settings import Settings
from genbank_assets.table_set.card import CARD_KEY, card

_MAX_INDEX_TRIES = 50
OpenStore = Callable[[Settings, int], ObjectStore]


def open_tables(settings: Settings, retries: int = 0) -> ObjectStore:
    """Open the object store named by ``GENBANK_ASSETS_TABLES``.

    Args:
        settings: name the object store (``tables``).
        retries: number of retries by the client.

    Raises:
        SettingsError: none is configured.
        ObjectStoreError: it cannot be used.
    """
    return open_objects(tables_settings(settings), retries=retries)


def tables_settings(settings: Settings) -> Settings:
    """Return settings with the location of tables in place of the object set's, for functions that open the latter.

    Raises:
        SettingsError: none is configured.
    """
    if not settings.tables:
        raise SettingsError("GENBANK_ASSETS_TABLES is not set: name s3://bucket/prefix or file:///folder for tables")
    return dataclasses.replace(settings, objects=settings.tables, tables=None)


def read_manifest(
    store: ObjectStore, key: str, *, progress: Callable[[str], None] = no_progress
) -> tuple[TablesManifest, str] | None:
    """Return a manifest and its ETag; None if there is none.

    Raises:
        IntegrityError: it is not a manifest.
        ObjectStoreError: the store failed.
    """
    try:
        content, etag = retried(
            functools.partial(get_object, store, key), doing=f"read {key}", progress=progress, may_be_absent=True
        )
    except FileNotFoundError:
        return None
    return TablesManifest.from_json(content, key=key), etag


def published_manifests(store: ObjectStore, *, progress: Callable[[str], None] = no_progress) -> list[Published]:
    """Return all manifests.

    Raises:
        ObjectStoreError: the store failed.
    """
    return _manifests(store, progress=progress)[0]


def published_taxonomies(store: ObjectStore, *, progress: Callable[[str], None] = no_progress) -> list[str]:
    """Return the dates of published taxonomies, oldest first.

    Raises:
        ObjectStoreError: the store failed.
    """
    return _manifests(store, progress=progress)[1]


def _manifests(store: ObjectStore, *, progress: Callable[[str], None]) -> tuple[list[Published], list[str]]:
    """Return releases of divisions and dates of taxonomies, from a single listing."""
    keys = [meta["path"] for meta in listed(store, MANIFESTS_PREFIX, progress=progress)]
    divisions, dates = map(published_at_key, keys), map(taxonomy_at_key, keys)
    return [one for one in divisions if one is not None], sorted(date for date in dates if date is not None)


def update_index(store: ObjectStore, *, progress: Callable[[str], None] = no_progress) -> bool:
    """Bring the index up to date with the manifests; readers see the old one or the new one.

    If the store supports conditional requests (If-Match), an index replaced by another publisher is not overwritten.
    Otherwise, checking again after each write has the same effect, because every publisher's last check follows its
    write.

    Returns:
        Whether it was changed.

    Raises:
        ObjectStoreError: the store failed, or other publishers kept changing the index.
    """
    for number in range(_MAX_INDEX_TRIES):
        there = _index(store, progress=progress)
        wanted = index_json(*_manifests(store, progress=progress))
        if there is not None and there[0] == wanted:
            text = functools.partial(put_object, store, CARD_KEY, card(read_index(wanted)))
            retried(text, doing=f"store {CARD_KEY}", progress=progress)
            return number > 0
        _put_index(store, wanted, etag=None if there is None else there[1], progress=progress)
    raise ObjectStoreError(f"{INDEX_KEY} was replaced by other runs again and again; run it again", transient=True)


def _index(store: ObjectStore, *, progress: Callable[[str], None]) -> tuple[bytes, str] | None:
    try:
        return retried(
            functools.partial(get_object, store, INDEX_KEY),
            doing=f"read {INDEX_KEY}",
            progress=progress,
            may_be_absent=True,
        )
    except FileNotFoundError:
        return None


def index_is_right(store: ObjectStore, *, progress: Callable[[str], None] = no_progress) -> bool:
    """Return whether the index lists exactly the existing manifests."""
    there = _index(store, progress=progress)
    published = _manifests(store, progress=progress)
    return there[0] == index_json(*published) if there else not any(published)


def _put_index(store: ObjectStore, content: bytes, *, etag: str | None, progress: Callable[[str], None]) -> None:
    def put() -> None:
        try:
            obstore.put(store, INDEX_KEY, content, mode={"e_tag": etag} if etag else "create", use_multipart=False)
        except (PreconditionError, AlreadyExistsError):
            return  # another publisher was faster: the next check decides
        except (NotSupportedError, NotImplementedError):
            put_object(store, INDEX_KEY, content)
        except GenericError as error:
            if status_of(error) != 501:  # response of a server without conditional requests
                raise
            put_object(store, INDEX_KEY, content)

    retried(put, doing=f"store {INDEX_KEY}", progress=progress)


def put_object(store: ObjectStore, key: str, content: bytes) -> None:
    """Write a small object, atomically replacing an existing one."""
    obstore.put(store, key, content, use_multipart=False)


def put_manifest(
    store: ObjectStore, manifest: TablesManifest, *, progress: Callable[[str], None] = no_progress
) -> None:
    """Publish a division's release; from now on readers get its tables.

    Raises:
        IntegrityError: the store does not return what was written.
        ObjectStoreError: the store failed.
    """
    content = manifest.to_json().encode()
    put = functools.partial(put_object, store, manifest.key, content)
    retried(put, doing=f"store {manifest.key}", progress=progress)
    got, _ = retried(
        functools.partial(get_object, store, manifest.key), doing=f"read {manifest.key}", progress=progress
    )
    if got != content and TablesManifest.from_json(got, key=manifest.key).content != manifest.content:
        raise IntegrityError(f"the store returned another {manifest.key} than was put")


def present(
    store: ObjectStore, prefix: str, *, progress: Callable[[str], None] = no_progress
) -> dict[str, tuple[int, str]]:
    """Return size and ETag of all objects below a prefix, by key.

    Raises:
        ObjectStoreError: the store failed.
    """
    there = listed(store, prefix, progress=progress)
    return {meta["path"]: (meta["size"], bare_etag(meta["e_tag"])) for meta in there}


def remove_manifest(store: ObjectStore, key: str, *, progress: Callable[[str], None]) -> None:
    """Withdraw a release or a taxonomy; ``prune`` removes its tables."""
    try:
        retried(
            functools.partial(obstore.delete, store, key), doing=f"delete {key}", progress=progress, may_be_absent=True
        )
    except FileNotFoundError:
        return
    progress(f"removed {key}: more are there than are kept")


def get_object(store: ObjectStore, key: str) -> tuple[bytes, str]:
    """Return a small object and its ETag.

    Raises:
        FileNotFoundError: there is none.
        obstore.exceptions.BaseError: the store failed.
    """
    answer = obstore.get(store, key)
    return bytes(answer.bytes()), str(answer.meta["e_tag"] or "")
