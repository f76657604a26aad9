"""Where files of a division wait until all of them are here: ``raw_files/incoming``, beside the files in place.

Nothing in place is touched while a release is fetched, so that one that is refused in the end leaves the division as it
was. A file that arrived whole has its manifest entry beside it (``NAME.entry.json``): a killed run is followed by one
that fetches only the rest. Fetching belongs to ``fetch`` and ``download``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from genbank_assets.errors import IntegrityError
from genbank_assets.ncbi.download import FetchedFile
from genbank_assets.ncbi.sources import RemoteFile
from genbank_assets.ncbi.verify import FileCheck, checksum_algorithm, checksum_of
from genbank_assets.store import PartitionKey, PartitionRelease, write_atomically

INCOMING = "incoming"


def file_entry(fetched: FetchedFile, *, url: str, checksum: str | None) -> dict[str, Any]:
    """What a manifest says of a raw file."""
    return {
        "name": fetched.name,
        "bytes": fetched.size_bytes,
        "sha256": fetched.sha256,
        "url": url,
        "modified": fetched.remote.modified,
        "etag": fetched.remote.etag,
        "checksum": checksum,
        "checksum_algorithm": checksum_algorithm(checksum),
        "expected_records": None,
        "expected_bases": None,
    }


class Arrivals:
    """The files of one division of one release that are in place or on their way there."""

    def __init__(self, partition: PartitionRelease) -> None:
        self._place = partition.stage_folder("raw_files")
        self.folder = self._place / INCOMING
        published = partition.manifest("raw_files")
        self._published = {str(entry["name"]): entry for entry in published.files} if published else {}

    def has(self, name: str) -> bool:
        """Whether there may be a whole file of this name."""
        return name in self._published or self._note(name).is_file()

    def find(self, name: str, *, remote: RemoteFile, checksum: str | None) -> dict[str, Any] | None:
        """The entry of the file that is here, provided that it is of the remote file's very state."""
        entry = self._published.get(name)
        if entry is not None and _same(entry, remote, checksum=checksum) and _is_whole(self._place / name, entry):
            return entry
        entry = self._noted(name)
        if entry is None or not _same(entry, remote, checksum=checksum):
            return None
        if _is_whole(self.folder / name, entry) or self._was_moved(name, entry):
            return entry
        return None

    def note(self, entry: dict[str, Any]) -> None:
        """A file arrived whole."""
        write_atomically(self._note(str(entry["name"])), json.dumps(entry).encode())

    def move_in(self, names: Iterable[str]) -> None:
        """Put these files into place, each by one rename."""
        for name in names:
            if (self.folder / name).is_file():
                (self.folder / name).replace(self._place / name)

    def discard(self) -> None:
        """Forget what has arrived and is not in place."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _note(self, name: str) -> Path:
        return self.folder / f"{name}.entry.json"

    def _noted(self, name: str) -> dict[str, Any] | None:
        try:
            entry = json.loads(self._note(name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return entry if isinstance(entry, dict) else None

    def _was_moved(self, name: str, entry: dict[str, Any]) -> bool:
        """Whether a process was killed between the rename and the manifest: the file in place is read to be sure."""
        path = self._place / name
        if not _is_whole(path, entry):
            return False
        check = FileCheck(name, checksum=None)
        try:
            check.read(path)
        except IntegrityError:
            return False
        return bool(check.sha256 == entry["sha256"])


def _same(entry: dict[str, Any], remote: RemoteFile, *, checksum: str | None) -> bool:
    was = (entry.get("bytes"), entry.get("modified"), entry.get("etag"), checksum_of(entry))
    return was == (remote.bytes, remote.modified, remote.etag, checksum)


def _is_whole(path: Path, entry: dict[str, Any]) -> bool:
    return path.is_file() and bool(path.stat().st_size == entry["bytes"])


def discard_unfinished(store: Path, *, key: PartitionKey, current: str) -> None:
    """Forget what arrived of other releases that never became whole: the source does not offer them any more."""
    for folder in (store / key.collection).glob(f"*/{key.division}/raw_files/{INCOMING}"):
        partition = PartitionRelease(store, key, folder.parents[2].name)
        if partition.release != current and partition.manifest("raw_files") is None:
            shutil.rmtree(folder, ignore_errors=True)
