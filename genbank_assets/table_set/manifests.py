"""The place in the object store where tables are published, and its manifests and index.

Manifests are the truth of what is published; the index is made of them and replaced after each change, until what was
put is what is there: whichever of several publishers comes last lists all. What is sent belongs to ``publish``.
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
from genbank_assets.objects.listing import listed
from genbank_assets.objects.requests import status_of
from genbank_assets.objects.retry import no_progress, retried
from genbank_assets.objects.store import open_objects
from genbank_assets.settings import Settings
from genbank_assets.table_set.card import CARD_KEY, card

_MAX_INDEX_TRIES = 50
OpenStore = Callable[[Settings, int], ObjectStore]


def open_tables(settings: Settings, retries: int = 0) -> ObjectStore:
    """The store that ``GENBANK_ASSETS_TABLES`` names.

    Args:
        settings: ``tables`` says where.
        retries: how often the client itself repeats a request.

    Raises:
        SettingsError: it names none.
        ObjectStoreError: it cannot be used.
    """
    return open_objects(tables_settings(settings), retries=retries)


def tables_settings(settings: Settings) -> Settings:
    """The settings with the place of tables where the object set's is, for what opens that.

    Raises:
        SettingsError: no place is named.
    """
    if not settings.tables:
        raise SettingsError("GENBANK_ASSETS_TABLES is not set: name s3://bucket/prefix or file:///folder for tables")
    return dataclasses.replace(settings, objects=settings.tables, tables=None)


def read_manifest(
    store: ObjectStore, key: str, *, progress: Callable[[str], None] = no_progress
) -> tuple[TablesManifest, str] | None:
    """A manifest and its ETag; None where there is none.

    Raises:
        IntegrityError: what lies there is not a manifest.
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
    """Every manifest that is there.

    Raises:
        ObjectStoreError: the store failed.
    """
    return _manifests(store, progress=progress)[0]


def published_taxonomies(store: ObjectStore, *, progress: Callable[[str], None] = no_progress) -> list[str]:
    """The dates of the taxonomies that are there, oldest first.

    Raises:
        ObjectStoreError: the store failed.
    """
    return _manifests(store, progress=progress)[1]


def _manifests(store: ObjectStore, *, progress: Callable[[str], None]) -> tuple[list[Published], list[str]]:
    """Releases of divisions, and dates of taxonomies, by one listing."""
    keys = [meta["path"] for meta in listed(store, MANIFESTS_PREFIX, progress=progress)]
    divisions, dates = map(published_at_key, keys), map(taxonomy_at_key, keys)
    return [one for one in divisions if one is not None], sorted(date for date in dates if date is not None)


def update_index(store: ObjectStore, *, progress: Callable[[str], None] = no_progress) -> bool:
    """Make the index list the manifests that are there; readers see the old one or all of the new one.

    Where the store compares (If-Match) an index that another replaced meanwhile is not overwritten. Where it does not,
    looking again after each put comes to the same: every publisher's last look follows its put.

    Returns:
        Whether it had to be changed.

    Raises:
        ObjectStoreError: the store failed, or others never let this one come to an end.
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
    """Whether the index lists the manifests that are there."""
    there = _index(store, progress=progress)
    published = _manifests(store, progress=progress)
    return there[0] == index_json(*published) if there else not any(published)


def _put_index(store: ObjectStore, content: bytes, *, etag: str | None, progress: Callable[[str], None]) -> None:
    def put() -> None:
        try:
            obstore.put(store, INDEX_KEY, content, mode={"e_tag": etag} if etag else "create", use_multipart=False)
        except (PreconditionError, AlreadyExistsError):
            return  # another was quicker: the next look tells
        except (NotSupportedError, NotImplementedError):
            put_object(store, INDEX_KEY, content)
        except GenericError as error:
            if status_of(error) != 501:  # what a server says that knows no conditions
                raise
            put_object(store, INDEX_KEY, content)

    retried(put, doing=f"store {INDEX_KEY}", progress=progress)


def put_object(store: ObjectStore, key: str, content: bytes) -> None:
    """Put a small object; it replaces what is there at once."""
    obstore.put(store, key, content, use_multipart=False)


def put_manifest(
    store: ObjectStore, manifest: TablesManifest, *, progress: Callable[[str], None] = no_progress
) -> None:
    """Publish a release of a division: readers who ask now get its tables.

    Raises:
        IntegrityError: the store does not give back what was put.
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
    """Size and ETag by key of what is there below a prefix.

    Raises:
        ObjectStoreError: the store failed.
    """
    there = listed(store, prefix, progress=progress)
    return {meta["path"]: (meta["size"], str(meta["e_tag"] or "")) for meta in there}


def remove_manifest(store: ObjectStore, key: str, *, progress: Callable[[str], None]) -> None:
    """Take a release, or a taxonomy, out of what is published; its tables go by ``prune``."""
    try:
        retried(
            functools.partial(obstore.delete, store, key), doing=f"delete {key}", progress=progress, may_be_absent=True
        )
    except FileNotFoundError:
        return
    progress(f"removed {key}: more are there than are kept")


def get_object(store: ObjectStore, key: str) -> tuple[bytes, str]:
    """A small object and its ETag.

    Raises:
        FileNotFoundError: there is none.
        obstore.exceptions.BaseError: the store failed.
    """
    answer = obstore.get(store, key)
    return bytes(answer.bytes()), str(answer.meta["e_tag"] or "")
