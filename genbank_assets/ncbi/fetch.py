"""Stage 1: the raw files of a division, fetched and verified, with the manifest written last.

One coherent release or nothing: the number, the release notes, the listing and each file's own header must agree,
and the number is read again at the end. Files of the release already in place are not fetched again. Several files
travel at a time, each worker on one connection of its own. One file's transfer belongs to ``download``.
"""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from genbank_assets.errors import ReleaseError, ReleaseFlippedError
from genbank_assets.measure import StageReport, Stopwatch, peak_memory_bytes
from genbank_assets.ncbi.catalog import COLLECTIONS, REFSEQ, Collection, division_of_file, file_sort_key
from genbank_assets.ncbi.download import fetch_file
from genbank_assets.ncbi.evidence import EVIDENCE_FILE, fetch_evidence
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.releases import Release, promised_files, read_number, read_release
from genbank_assets.ncbi.sources import RemoteFile, Source, open_source, without_credentials
from genbank_assets.settings import Settings
from genbank_assets.store import (
    Manifest,
    PartitionKey,
    PartitionRelease,
    lock_partition,
    prune_releases,
    publish_manifest,
)

CODE_VERSION = "1"
_HEADER_RELEASE = re.compile(rb"NCBI-GenBank Flat File Release\s+(\d+)")


def fetch_division(
    key: PartitionKey,
    *,
    settings: Settings,
    progress: Callable[[str], None],
    run_id: str,
    release: str | None = None,
) -> Manifest:
    """Fetch what the source's current release has of a division; publish the manifest when all of it is here.

    A division without files in the release gives a published manifest without files.

    Args:
        key: the division.
        settings: where from and where to.
        progress: called with lines for people.
        run_id: the run that asks.
        release: the release that is wanted; None takes whatever is current.

    Raises:
        ReleaseError: the source does not offer one coherent release, or not the one that is wanted.
        ReleaseFlippedError: the release was replaced meanwhile; nothing was published.
        SourceError: the source failed.
        IntegrityError: a file is not what it has to be.
    """
    collection = COLLECTIONS[key.collection]
    limiter = Limiter(settings.store, requests_per_second=settings.requests_per_second)
    with Stopwatch() as watch, open_source(settings.source, limiter=limiter) as source:
        current = read_release(source, collection=collection)
        if release is not None and current.number != release:
            raise ReleaseError(f"{collection.title} {release} is wanted, but the source offers {current.number}")
        partition = PartitionRelease(settings.store, key, current.number)
        names = _names(source, collection=collection, release=current, division=key.division)
        progress(f"{collection.title} {current.number}: {len(names)} file(s) of {key.division}")
        job = _Job(partition, collection=collection, release=current, settings=settings, limiter=limiter)
        entries, transferred, fetched = job.run(source, names, progress=progress)
        with lock_partition(settings.store, PartitionKey(key.collection, "lists")):
            evidence = fetch_evidence(
                source,
                collection=collection,
                number=current.number,
                division=key.division,
                lists=partition.folder.parent / "lists",
                out=partition.stage_folder("raw_files") / EVIDENCE_FILE,
                progress=progress,
            )
        _check_flip(source, collection=collection, release=current)
    manifest = Manifest(
        stage="raw_files",
        code_version=CODE_VERSION,
        collection=key.collection,
        release=current.number,
        division=key.division,
        input_digest="",
        files=entries,
        extra={
            "release_date": current.date,
            "source": without_credentials(settings.source),
            **({"evidence_file": EVIDENCE_FILE, "evidence_rows": evidence} if evidence else {}),
        },
        report=StageReport(
            files=len(entries),
            files_now=fetched,
            bytes_in=sum(entry["bytes"] for entry in entries),
            bytes_now=transferred,
            seconds=watch.seconds,
            peak_memory_bytes=peak_memory_bytes(),
        ),
        run_id=run_id,
    )
    previous = partition.manifest("raw_files")
    if previous is not None and previous.digest == manifest.digest:
        progress("nothing changed: every file was in place")
        return dataclasses.replace(previous, report=manifest.report)
    _remove_leftovers(partition.stage_folder("raw_files"), entries)
    published = publish_manifest(manifest, partition=partition)
    for gone in prune_releases(settings.store, key=key, keep=settings.keep_releases):
        progress(f"release {gone} is no longer kept: its files were deleted from the store")
    return published


def _folder(collection: Collection, division: str) -> str:
    return f"{collection.path}/{division}" if collection is REFSEQ else collection.path


def _names(source: Source, *, collection: Collection, release: Release, division: str) -> list[str]:
    """The division's files; the listing must hold exactly what the release notes promise."""
    listed = {
        remote.name
        for remote in source.listing(_folder(collection, division))
        if division_of_file(remote.name, collection=collection) == division
    }
    promised = promised_files(release, collection=collection, division=division)
    if promised is not None and promised != listed:
        missing, extra = sorted(promised - listed)[:3], sorted(listed - promised)[:3]
        raise ReleaseError(
            f"{collection.title} {release.number}, {division}: the release notes promise {len(promised)} files, "
            f"{len(listed)} are listed (missing: {', '.join(missing) or 'none'}; extra: {', '.join(extra) or 'none'})"
        )
    return sorted(listed, key=file_sort_key)


def _check_flip(source: Source, *, collection: Collection, release: Release) -> None:
    now = read_number(source, collection=collection)
    if now != release.number:
        raise ReleaseFlippedError(
            f"{collection.title} {release.number} was replaced by {now} while its files were fetched; "
            "nothing was published, the previous release stays in place"
        )


class _Job:
    """The files of one division on their way: what is shared between the workers."""

    def __init__(
        self,
        partition: PartitionRelease,
        *,
        collection: Collection,
        release: Release,
        settings: Settings,
        limiter: Limiter,
    ) -> None:
        self._partition = partition
        self._collection = collection
        self._release = release
        self._settings = settings
        self._limiter = limiter
        self._local = threading.local()
        self._sources: list[Source] = []
        self._spare: list[Source] = []
        self._lock = threading.Lock()
        before = partition.manifest("raw_files")
        self._before = {entry["name"]: entry for entry in before.files} if before else {}

    def run(
        self, source: Source, names: list[str], *, progress: Callable[[str], None]
    ) -> tuple[tuple[dict[str, Any], ...], int, int]:
        """All files; returns their manifest entries, the bytes transferred, and the number fetched now."""
        workers = max(1, min(self._settings.download_files, len(names)))
        self._spare = [source]
        try:
            if workers == 1:
                results = [self._one(name, progress=progress) for name in names]
            else:
                with ThreadPoolExecutor(workers, thread_name_prefix="fetch") as pool:
                    futures = [pool.submit(self._one, name, progress=progress) for name in names]
                    try:
                        results = [future.result() for future in futures]
                    except BaseException:
                        pool.shutdown(wait=False, cancel_futures=True)
                        raise
        finally:
            for opened in self._sources:
                opened.close()
        entries = tuple(entry for entry, _, _ in results)
        return entries, sum(transferred for _, transferred, _ in results), sum(new for _, _, new in results)

    def _source(self) -> Source:
        """This worker's own source: one connection for all the files it fetches; the first takes the job's."""
        if not hasattr(self._local, "source"):
            with self._lock:
                if self._spare:
                    self._local.source = self._spare.pop()
                else:
                    self._local.source = open_source(self._settings.source, limiter=self._limiter)
                    self._sources.append(self._local.source)
        opened: Source = self._local.source
        return opened

    def _one(self, name: str, *, progress: Callable[[str], None]) -> tuple[dict[str, Any], int, int]:
        source = self._source()
        path = f"{_folder(self._collection, self._partition.key.division)}/{name}"
        folder = self._partition.stage_folder("raw_files")
        remote = source.stat(path)
        before = self._before.get(name)
        if before is not None and unchanged(before, remote, folder / name):
            return before, 0, 0
        checksum = self._release.checksums.get(name)
        fetched = fetch_file(source, path, folder=folder, checksum=checksum, progress=progress)
        self._check_header(name, fetched.head, path=folder / name)
        records, bases = self._release.entries.get(name, (None, None))
        progress(f"{name}: {fetched.size_bytes / 1e6:,.1f} MB, verified")
        entry = {
            "name": name,
            "bytes": fetched.size_bytes,
            "sha256": fetched.sha256,
            "url": source.url(path),
            "modified": fetched.remote.modified,
            "etag": fetched.remote.etag,
            "md5": checksum,
            "expected_records": records,
            "expected_bases": bases,
        }
        return entry, fetched.bytes_transferred, 1

    def _check_header(self, name: str, head: bytes, *, path: Path) -> None:
        """A GenBank division file carries its release in its first lines (gbrel §3.1)."""
        said = _HEADER_RELEASE.search(head)
        if said is not None and said[1].decode() != self._release.number.split(".")[0]:
            path.unlink(missing_ok=True)
            raise ReleaseError(
                f"{name} is of release {said[1].decode()}, not {self._release.number}: the release is being replaced"
            )


def unchanged(before: dict[str, Any], remote: RemoteFile, path: Path) -> bool:
    """Whether the file in place is of this very state of the remote one; ``before`` is its manifest entry."""
    same = (before["bytes"], before["modified"], before["etag"]) == (remote.bytes, remote.modified, remote.etag)
    return same and path.is_file() and path.stat().st_size == before["bytes"]


def _remove_leftovers(folder: Path, entries: tuple[dict[str, Any], ...]) -> None:
    """Files the release no longer has."""
    keep = {"manifest.json", EVIDENCE_FILE, *(entry["name"] for entry in entries)}
    for path in folder.glob("*"):
        if path.is_file() and path.name not in keep:
            path.unlink(missing_ok=True)
