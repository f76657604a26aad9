"""Finds partial uploads of killed runs: unfinished files in a folder, multipart uploads in a bucket.

Listings of objects do not include them. Deleting them belongs to ``prune``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, SSLError
from botocore.exceptions import ConnectionError as NoConnectionError

from genbank_assets.errors import ObjectStoreError
from genbank_assets.objects.keys import MOLECULE_CLASSES, is_content_key, is_manifest_key, is_membership_key
from genbank_assets.objects.prune_plan import Planned
from genbank_assets.objects.requests import TRANSIENT_STATUSES
from genbank_assets.objects.store import open_boto3
from genbank_assets.settings import Settings


def _is_ours(key: str) -> bool:
    return is_content_key(key) or is_manifest_key(key) or is_membership_key(key)


def unfinished_files(
    folder: Path,
    *,
    before: datetime,
    kinds: Sequence[str] = (*MOLECULE_CLASSES, "packs", "manifests", "memberships"),
    is_ours: Callable[[str], bool] = _is_ours,
) -> Iterator[Planned]:
    """Yield partial files ``KEY#1`` in a folder, which obstore never lists."""
    for kind in kinds:
        for path in sorted((folder / kind).rglob("*#*")):
            key, _, number = path.relative_to(folder).as_posix().rpartition("#")
            if not number.isdecimal() or not is_ours(key):
                continue
            found = path.stat()
            modified = datetime.fromtimestamp(found.st_mtime, UTC)
            if modified < before:
                yield Planned("file", f"{key}#{number}", found.st_size, modified.isoformat(timespec="seconds"))


def unfinished_uploads(
    settings: Settings, *, before: datetime, is_ours: Callable[[str], bool] = _is_ours
) -> Iterator[Planned]:
    """Yield multipart uploads started by killed runs.

    Raises:
        ObjectStoreError: they cannot be listed.
    """
    client, bucket, prefix = open_boto3(settings)
    with _refusals("listed"), _none_where("NoSuchUpload", "NotImplemented", "501"):  # the first is rclone's
        pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
        for upload in [upload for page in pages for upload in page.get("Uploads", [])]:
            key = upload["Key"].removeprefix(prefix)
            if upload["Initiated"] >= before or not is_ours(key):
                continue
            with _none_where("NoSuchUpload"):  # it ended meanwhile
                one = {"Bucket": bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
                parts = client.get_paginator("list_parts").paginate(**one)
                size = sum(part["Size"] for page in parts for part in page.get("Parts", []))
                modified = upload["Initiated"].isoformat(timespec="seconds")
                yield Planned("upload", key, size, modified, upload["UploadId"])


def abort_uploads(settings: Settings, uploads: list[Planned]) -> None:
    """Abort multipart uploads, ignoring those that have ended.

    Raises:
        ObjectStoreError: they cannot be aborted.
    """
    client, bucket, prefix = open_boto3(settings)
    for upload in uploads:
        with _refusals("aborted"), _none_where("NoSuchUpload"):
            client.abort_multipart_upload(Bucket=bucket, Key=prefix + upload.key, UploadId=upload.upload_id)


@contextlib.contextmanager
def _refusals(done: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise ObjectStoreError(f"unfinished uploads cannot be {done}: {error}", transient=_may_pass(error)) from error


def _may_pass(error: BotoCoreError | ClientError) -> bool:
    if isinstance(error, ClientError):
        return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") in TRANSIENT_STATUSES
    return isinstance(error, HTTPClientError | NoConnectionError) and not isinstance(error, SSLError)


@contextlib.contextmanager
def _none_where(*codes: str) -> Iterator[None]:
    """Treat these responses of the store as "none"."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in codes:
            raise
