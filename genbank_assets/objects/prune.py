"""Removes from the set what nobody lists: objects and unfinished uploads that failed runs left behind.

It looks from the bucket at the manifests in it, whichever machine wrote them. Whether what they list is there belongs
to ``verify``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import obstore
import polars as pl
from botocore.exceptions import BotoCoreError, ClientError
from obstore.store import LocalStore, ObjectStore

from genbank_assets.errors import ObjectStoreError
from genbank_assets.objects.keys import MOLECULE_CLASSES, is_content_key, is_manifest_key
from genbank_assets.objects.listing import ask, manifest_keys, objects_under, ranges
from genbank_assets.objects.store import lock_objects, open_boto3, open_objects, reason_of
from genbank_assets.settings import Settings

DELETE_AT_ONCE = 1000


@dataclasses.dataclass(frozen=True)
class Orphan:
    """An object that no manifest lists."""

    key: str
    bytes: int
    modified: str


def prune_objects(
    settings: Settings, *, older_than: timedelta = timedelta(days=1), dry_run: bool = False
) -> Iterator[Orphan]:
    """Delete residues that no manifest in the set lists, and yield them; keys of other kinds are never touched.

    Waits until no run of this machine publishes. Runs of other machines are safe as long as they finish within
    ``older_than``: younger objects are kept.

    Args:
        settings: where the object set is.
        older_than: least age of what is deleted.
        dry_run: only say what would be deleted.

    Raises:
        ObjectStoreError: the store failed, or a manifest in it cannot be read; nothing is deleted then.
    """
    store = open_objects(settings)
    with lock_objects(settings, exclusive=True), tempfile.TemporaryDirectory() as scratch:
        before = datetime.now(UTC) - older_than
        tables = _manifest_copies(store, Path(scratch))
        rows = sum(pl.scan_parquet(table).select(pl.len()).collect().item() for table in tables)
        for span in ranges(rows):
            there = objects_under(store, span.prefix)
            for table in tables:
                there = there.join(span.listed(table), on="key", how="anti")
            old = there.filter(pl.col("modified") < before).sort("key")
            for start in range(0, len(old), DELETE_AT_ONCE):
                part = old.slice(start, DELETE_AT_ONCE)
                if not dry_run:
                    ask(lambda part=part: obstore.delete(store, part["key"].to_list()))  # type: ignore[misc]
                for key, size, modified in part.select("key", "size", "modified").iter_rows():
                    yield Orphan(key, size, modified.isoformat(timespec="seconds"))
        if not dry_run:
            _forget_finished_files(settings)
        if isinstance(store, LocalStore):
            yield from _unfinished_files(Path(str(store.prefix)), before=before, dry_run=dry_run)
        else:
            yield from _unfinished_uploads(settings, before=before, dry_run=dry_run)


def _forget_finished_files(settings: Settings) -> None:
    """What killed runs of this store have sent may be gone now: their next runs shall look for themselves."""
    for folder in settings.store.glob("*/*/*/object_set/.sent"):
        shutil.rmtree(folder)


def _unfinished_files(folder: Path, *, before: datetime, dry_run: bool) -> Iterator[Orphan]:
    """Delete what a killed run was writing into a folder: ``KEY#1`` until it is whole, which obstore never lists."""
    for kind in (*MOLECULE_CLASSES, "packs", "manifests"):
        for path in sorted((folder / kind).rglob("*#*")):
            key, _, number = path.relative_to(folder).as_posix().rpartition("#")
            if not number.isdecimal() or not (is_content_key(key) or is_manifest_key(key)):
                continue
            found = path.stat()
            modified = datetime.fromtimestamp(found.st_mtime, UTC)
            if modified < before:
                if not dry_run:
                    path.unlink(missing_ok=True)
                yield Orphan(f"{key}#{number}", found.st_size, modified.isoformat(timespec="seconds"))


def _unfinished_uploads(settings: Settings, *, before: datetime, dry_run: bool) -> Iterator[Orphan]:
    """Abort the multipart uploads that killed runs began; the bucket keeps their parts, but never lists them.

    Raises:
        ObjectStoreError: they cannot be listed or aborted.
    """
    try:
        client, bucket, prefix = open_boto3(settings)
        pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
        with _none_where("NoSuchUpload", "NotImplemented", "501"):  # rclone says the first, others know no such list
            for upload in [upload for page in pages for upload in page.get("Uploads", [])]:
                key = upload["Key"].removeprefix(prefix)
                if upload["Initiated"] >= before or not (is_content_key(key) or is_manifest_key(key)):
                    continue
                with _none_where("NoSuchUpload"):  # it has ended meanwhile
                    one = {"Bucket": bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
                    parts = client.get_paginator("list_parts").paginate(**one)
                    size = sum(part["Size"] for page in parts for part in page.get("Parts", []))
                    if not dry_run:
                        client.abort_multipart_upload(**one)
                    yield Orphan(f"{key}?uploads", size, upload["Initiated"].isoformat(timespec="seconds"))
    except (BotoCoreError, ClientError) as error:
        raise ObjectStoreError(f"unfinished uploads cannot be listed or aborted: {error}") from error


@contextlib.contextmanager
def _none_where(*codes: str) -> Iterator[None]:
    """Take these answers of the store for "there is none"."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in codes:
            raise


def _manifest_copies(store: ObjectStore, folder: Path) -> list[Path]:
    """Every manifest object of the set, whichever machine wrote it; all of them, or an error."""
    copies: list[Path] = []
    for key in manifest_keys(store):
        copy = folder / f"{len(copies)}.parquet"
        ask(functools.partial(_copy, store, key, copy))
        try:
            pl.scan_parquet(copy).select("key", "object_bytes").head(1).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise ObjectStoreError(
                f"{key} cannot be read as a manifest, so nothing is deleted: {reason_of(error)}"
            ) from error
        copies.append(copy)
    return copies


def _copy(store: ObjectStore, key: str, path: Path) -> None:
    with path.open("wb") as out:
        for piece in obstore.get(store, key).stream():
            out.write(piece)
