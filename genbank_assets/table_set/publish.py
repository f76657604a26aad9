"""Publishes a division's tables to the object store: first the tables, then their manifest, then the index.

Readers follow the index to manifests, and these to immutable tables; until a manifest is replaced, they see the
previous state. A killed run resumes with the next table: existing ones are compared by size and ETag, and not sent
again. Older releases are kept according to ``keep_releases``; ``prune`` removes their tables.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from obstore.store import ObjectStore

from genbank_assets import __version__
from genbank_assets.catalog.divisions import ReadableRelease, readable_releases
from genbank_assets.catalog.table_layout import RAW_FILES, TABLES_PREFIX, TableObject, TablesManifest, table_keys
from genbank_assets.durable import file_sha256
from genbank_assets.errors import NotFoundError
from genbank_assets.objects.lease import leased
from genbank_assets.release_facts import release_sort_key
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey
from genbank_assets.table_set.manifests import (
    open_tables,
    present,
    published_manifests,
    put_manifest,
    read_manifest,
    remove_manifest,
    tables_settings,
    update_index,
)
from genbank_assets.table_set.send import RETRIES, OutgoingTable, send_tables
from genbank_assets.table_set.taxonomy import publish_taxonomy

CODE_VERSION = "1"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedTables:
    """Result of publishing a division's release.

    Attributes:
        url: URL of the object store.
        manifest: the published manifest.
        sent: number of tables sent now.
        sent_bytes: total size of the tables sent now.
        retired: earlier releases whose manifests were removed.
    """

    url: str
    manifest: TablesManifest
    sent: int
    sent_bytes: int
    retired: tuple[str, ...]


def publish_tables(
    settings: Settings,
    key: PartitionKey,
    *,
    release: str | None = None,
    run_id: str,
    progress: Callable[[str], None],
    open_store: Callable[[int], ObjectStore] | None = None,
) -> PublishedTables:
    """Publish the tables of one release of a division to ``settings.tables``.

    Args:
        settings: name the store and the object store.
        key: the division.
        release: the release; None for the newest readable one.
        run_id: id of this run, recorded in the manifest.
        progress: called with messages for the user.
        open_store: opens the object store with a given number of client retries.

    Raises:
        NotFoundError: there is no such readable release.
        IntegrityError: a table does not match its manifest; nothing is published.
        ObjectStoreError: the object store failed; running it again continues.
    """
    store = open_store(RETRIES) if open_store else open_tables(settings, RETRIES)
    one = _wanted(settings.store, key, release)
    with leased(store, purpose="publish", work=f"tables of {key} {one.release}", progress=progress) as lease:
        releases = {p.release for p in published_manifests(store, progress=progress) if _is_of(p, key)}
        ordered = sorted(releases | {one.release}, key=release_sort_key)
        kept = ordered[-settings.keep_releases :]
        if one.release not in kept:
            raise NotFoundError(
                f"{key} {one.release} is older than the {settings.keep_releases} release(s) that are kept: "
                f"{', '.join(kept)}"
            )
        manifest, sent = _sent(store, one, settings=settings, lease_key=lease.key, run_id=run_id, progress=progress)
        lease.check()
        if sent is not None:
            put_manifest(store, manifest, progress=progress)
        retired = tuple(old for old in ordered if old not in kept)
        for old in retired:
            remove_manifest(store, dataclasses.replace(manifest, release=old).key, progress=progress)
        publish_taxonomy(store, settings=settings, progress=progress)
        update_index(store, progress=progress)
    sent = sent or []
    return PublishedTables(
        url=str(settings.tables).rstrip("/"),
        manifest=manifest,
        sent=len(sent),
        sent_bytes=sum(table.bytes for table in sent),
        retired=retired,
    )


def _is_of(published: object, key: PartitionKey) -> bool:
    return (getattr(published, "collection", ""), getattr(published, "section", "")) == (key.collection, key.division)


def _wanted(store: Path, key: PartitionKey, release: str | None) -> ReadableRelease:
    releases = readable_releases(store).get(key, [])
    if release is not None:
        releases = [one for one in releases if release_sort_key(one.release) == release_sort_key(release)]
    if not releases:
        which = f"release {release}" if release else "no release"
        raise NotFoundError(f"{key}: {which} {'cannot' if release else 'can'} be read yet; materialize unique_records")
    return releases[-1]


def _sent(
    store: ObjectStore,
    one: ReadableRelease,
    *,
    settings: Settings,
    lease_key: str,
    run_id: str,
    progress: Callable[[str], None],
) -> tuple[TablesManifest, list[TableObject] | None]:
    """Send the tables; return the manifest, or None if it is published already, and what was sent."""
    place = str(settings.tables)
    outgoing = list(outgoing_tables(one, place=place, raw_files=settings.publish_raw_files))
    prefix = f"{TABLES_PREFIX}{one.key.collection}/{one.release}/{one.key.division}/"
    there = present(store, prefix, progress=progress)
    wanted = TablesManifest(
        collection=one.key.collection,
        section=one.key.division,
        release=one.release,
        input_digest=_input_digest(one, place=place),
        tables=tuple(item.table for item in outgoing),
        stages=_stages(one, place=place),
        run_id=run_id,
        published_at=dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
        software_version=__version__,
    )
    before = read_manifest(store, wanted.key, progress=progress)
    known = {table.key: table.etag for table in before[0].tables} if before else {}
    progress(f"{one.key} {one.release}: {len(outgoing)} table(s), {sum(t.table.bytes for t in outgoing):,} bytes")
    done = send_tables(
        outgoing, settings=tables_settings(settings), store=store, there=there, known=known, lease_key=lease_key,
        progress=progress,
    )  # fmt: skip
    stored, sent = [table for table, _ in done], [table for table, is_new in done if is_new]
    manifest = dataclasses.replace(wanted, tables=tuple(stored))
    if before and not sent and before[0].content == manifest.content:
        progress(f"{one.key} {one.release}: everything is published already")
        return before[0], None
    return manifest, sent


def outgoing_tables(one: ReadableRelease, *, place: str, raw_files: bool = False) -> Iterator[OutgoingTable]:
    """Return the tables of a release with their keys; digests missing in the manifest are computed.

    Args:
        one: the release.
        place: URL of the object store.
        raw_files: whether to include the raw files.

    Raises:
        NotFoundError: a raw file to be included was deleted.
    """
    for stage, manifest in _stages(one, place=place).items():
        if stage == RAW_FILES and not raw_files:
            continue
        files = list(_files(one, stage, manifest))
        names = [(kind, path.name, digest) for kind, path, _, digest in files]
        for (kind, path, size, digest), key in zip(
            files, table_keys(names, key=one.key, release=one.release), strict=True
        ):
            yield OutgoingTable(path=path, table=TableObject(kind=kind, key=key, bytes=size, sha256=digest))


def _files(one: ReadableRelease, stage: str, manifest: Manifest) -> Iterator[tuple[str, Path, int, str]]:
    """Yield kind, path, size and SHA-256 of a stage's tables."""
    folder = one.partition.folder_of(manifest)
    if stage == "records":
        for kind in ("records", "sequences", "quarantine"):
            for entry in one.records.files:
                if entry.get(f"{kind}_file"):
                    path = folder / entry[f"{kind}_file"]
                    yield (kind, path, *_measured(path, entry.get(f"{kind}_bytes"), entry.get(f"{kind}_file_sha256")))
    elif stage == "unique_records":
        entries = {Path(entry["name"]).name: entry for entry in one.unique.files}
        unique = one.memberships.parent.parent / "sequences" if one.unique.generation else one.memberships.parent
        for kind, path in (("memberships", one.memberships), ("unique_sequences", unique / "sequences.parquet")):
            entry = entries.get(path.name, {})
            yield (kind, path, *_measured(path, entry.get("bytes"), entry.get("sha256")))
    else:
        kind = "objects" if stage == "object_set" else stage
        for entry in manifest.files:
            path = folder / entry["name"]
            if kind == RAW_FILES and not path.is_file():
                raise NotFoundError(
                    f"the raw file {path} is not in the store any more: unset GENBANK_ASSETS_PUBLISH_RAW_FILES, or "
                    "fetch it again"
                )
            yield (kind, path, *_measured(path, entry.get("bytes"), entry.get("sha256")))


def _measured(path: Path, size: int | None, digest: str | None) -> tuple[int, str]:
    return size or path.stat().st_size, digest or file_sha256(path)


def _stages(one: ReadableRelease, *, place: str) -> dict[str, Manifest]:
    """Return the manifests of the published stages, and that of the raw files.

    The table of objects is included if readers can reach the objects: if both are in buckets, or both in folders.
    """
    found: dict[str, Manifest] = {"records": one.records, "unique_records": one.unique, **one.derived}
    raw, objects = one.manifest("raw_files"), one.manifest("object_set")
    if raw is not None and one.records.input_digest == raw.digest:
        found["raw_files"] = raw
    if objects is not None and objects.input_digest == one.unique.digest and objects.generation:
        url = str(objects.extra.get("url", ""))
        if url.partition("://")[0] == place.partition("://")[0]:
            found["object_set"] = objects
    return found


def _input_digest(one: ReadableRelease, *, place: str) -> str:
    text = "".join(f"{name} {manifest.digest}\n" for name, manifest in sorted(_stages(one, place=place).items()))
    return hashlib.sha256(text.encode()).hexdigest()
