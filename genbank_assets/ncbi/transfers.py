"""Downloads the files of a division concurrently, with one connection per worker.

Files already in place in their current version are not fetched again. The first failure cancels the other downloads;
what has arrived is kept for the next run. Downloading one file belongs to ``download``, the consistency of a release to
``fetch``.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, Future, ThreadPoolExecutor, wait
from typing import Any

from genbank_assets.durable import store_errors
from genbank_assets.errors import ReleaseError
from genbank_assets.measure import Stopwatch, peak_memory_bytes
from genbank_assets.ncbi.catalog import Collection
from genbank_assets.ncbi.download import check_space, fetch_file
from genbank_assets.ncbi.incoming import IncomingFiles, file_entry
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.listing import folder_of
from genbank_assets.ncbi.releases import Release
from genbank_assets.ncbi.sources import RemoteFile, Source, open_source
from genbank_assets.release_facts import same_number
from genbank_assets.reports import StageReport
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionRelease

_HEADER_RELEASE = re.compile(rb"NCBI-GenBank Flat File Release\s+(\d+(?:\.\d+)?)")


class Transfers:
    """Concurrent downloads of one division's files; holds the state shared between workers."""

    def __init__(
        self,
        partition: PartitionRelease,
        *,
        collection: Collection,
        release: Release,
        settings: Settings,
        limiter: Limiter,
        recheck: bool = False,
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
        self._stopped = threading.Event()
        self.incoming = IncomingFiles(partition, recheck=recheck)

    def run(
        self, source: Source, files: list[RemoteFile], *, progress: Callable[[str], None]
    ) -> tuple[tuple[dict[str, Any], ...], int, int]:
        """Fetch all files; return their manifest entries, the bytes transferred, and the number fetched now."""
        workers = max(1, min(self._settings.download_files, len(files)))
        self._spare = [source]
        self._check_space(files)

        def report(line: str) -> None:
            if self._stopped.is_set():
                raise CancelledError  # the partial file is kept and resumed later
            progress(line)

        try:
            with ThreadPoolExecutor(workers, thread_name_prefix="fetch") as pool:
                futures = [pool.submit(self._one, remote.name, progress=report) for remote in files]
                try:
                    _raise_first_failure(futures)
                finally:
                    self._stopped.set()
                    pool.shutdown(wait=False, cancel_futures=True)
            results = [future.result() for future in futures]
        finally:
            for opened in self._sources:
                opened.close()
        entries = tuple(entry for entry, _, _ in results)
        return entries, sum(transferred for _, transferred, _ in results), sum(new for _, _, new in results)

    def _check_space(self, files: list[RemoteFile]) -> None:
        """Check that the disk has room for all missing files, as far as their sizes are listed."""
        need = sum(remote.bytes or 0 for remote in files if not self.incoming.has(remote.name))
        with store_errors(self.incoming.folder):
            self.incoming.folder.mkdir(parents=True, exist_ok=True)
        check_space(self.incoming.folder, need, what=f"{self._partition.key} {self._partition.release}")

    def _source(self) -> Source:
        """Return this thread's source, so that each worker reuses one connection."""
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
        path = f"{folder_of(self._collection, self._partition.key.division)}/{name}"
        checksum = self._release.checksums.get(name)
        if self.incoming.has(name):
            found = self.incoming.find(name, remote=source.look_up(path), checksum=checksum)
            if found is not None:
                return found, 0, 0
        fetched = fetch_file(source, path, folder=self.incoming.folder, checksum=checksum, progress=progress)
        self._check_header(name, fetched.head)
        records, bases = self._release.entries.get(name, (None, None))
        progress(f"{name}: {fetched.size_bytes / 1e6:,.1f} MB, verified")
        entry = file_entry(fetched, url=source.url(path), checksum=checksum) | {
            "expected_records": records,
            "expected_bases": bases,
        }
        self.incoming.note(entry)
        return entry, fetched.bytes_transferred, 1

    def _check_header(self, name: str, head: bytes) -> None:
        """Check the release number in the first lines of a GenBank division file (gbrel §3.1)."""
        match = _HEADER_RELEASE.search(head)
        if match is not None and not same_number(match[1].decode(), self._release.number):
            (self.incoming.folder / name).unlink(missing_ok=True)
            raise ReleaseError(
                f"{name} is of release {match[1].decode()}, not {self._release.number}: the release is being replaced",
                transient=True,
            )


def _raise_first_failure(futures: list[Future[Any]]) -> None:
    """Wait for all downloads; raise the error of the first one that fails."""
    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
    for future in done:
        if error := future.exception():
            raise error


def transfer_report(
    entries: Sequence[dict[str, Any]], *, files_now: int, bytes_now: int, watch: Stopwatch
) -> StageReport:
    """Return the report of raw files: totals, and what was transferred by this run."""
    return StageReport(
        files=len(entries),
        files_now=files_now,
        bytes_in=sum(entry["bytes"] for entry in entries),
        bytes_now=bytes_now,
        seconds=watch.seconds,
        cpu_seconds=watch.cpu_seconds,
        peak_memory_bytes=peak_memory_bytes(),
    )
