"""Where files of a division wait until all of them are here: ``raw_files/incoming``, the next generation of raw files.

Nothing published is touched while a release is fetched, so that one that is refused in the end leaves the division as
it was. A file that arrived whole has its manifest entry beside it (``NAME.entry.json``): a killed run is followed by
one that fetches only the rest. Files that an earlier generation has in the very state are linked to, not fetched. When
all are here, the folder becomes the generation by one rename. Fetching belongs to ``fetch`` and ``download``.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
from pathlib import Path
from typing import Any

from genbank_assets.durable import store_errors, sync_folder
from genbank_assets.errors import IntegrityError
from genbank_assets.generations import (
    ListedFile,
    damaged_files,
    generation_name,
    link_or_copy,
    prune_generations,
    readable_manifests,
)
from genbank_assets.ncbi.download import FetchedFile
from genbank_assets.ncbi.sources import RemoteFile
from genbank_assets.ncbi.verify import FileCheck, checksum_algorithm, checksum_of
from genbank_assets.store import (
    MANIFEST,
    Manifest,
    PartitionKey,
    PartitionRelease,
    publish_manifest,
    write_atomically,
)

INCOMING = "incoming"


def file_entry(fetched: FetchedFile, *, url: str, checksum: str | None) -> dict[str, Any]:
    """Return what a manifest says of a raw file."""
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


class IncomingFiles:
    """The files of one division of one release that are here or on their way.

    Args:
        partition: the division and release.
        recheck: whether files of earlier generations are read to see if they still have their digests.
    """

    def __init__(self, partition: PartitionRelease, *, recheck: bool = False) -> None:
        self._partition = partition
        self._recheck = recheck
        self._stage_folder = partition.stage_folder("raw_files")
        self.folder = self._stage_folder / INCOMING
        self._known: dict[str, list[tuple[Path, dict[str, Any], bool]]] = {}
        published = partition.manifest("raw_files")
        for manifest in readable_manifests(partition, "raw_files"):
            # What was replaced may have been so because it is damaged.
            folder, check = partition.folder_of(manifest), recheck or manifest != published
            for entry in manifest.files:
                self._known.setdefault(str(entry["name"]), []).append((folder, entry, check))
        self._linked: dict[str, Path] = {}

    def has(self, name: str) -> bool:
        """Return whether there may be a whole file of this name."""
        return name in self._known or self._note(name).is_file()

    def find(self, name: str, *, remote: RemoteFile, checksum: str | None) -> dict[str, Any] | None:
        """Return the entry of the file that is here, provided that it is of the remote file's very state."""
        entry = self._noted(name)
        if entry is not None and _same(entry, remote, checksum=checksum):
            if ListedFile(name, entry["bytes"], entry["sha256"]).is_whole(self.folder, recheck=self._recheck):
                return entry
            if self._was_moved(name, entry):
                self._linked[name] = self._stage_folder / name
                return entry
        for folder, entry, check in self._known.get(name, ()):
            listed = ListedFile(name, entry["bytes"], entry["sha256"])
            if _same(entry, remote, checksum=checksum) and listed.is_whole(folder, recheck=check):
                self._linked[name] = folder / name
                return entry
        return None

    def note(self, entry: dict[str, Any]) -> None:
        """A file arrived whole."""
        write_atomically(self._note(str(entry["name"])), json.dumps(entry).encode())

    def publish(self, manifest: Manifest, *, grace_seconds: float) -> Manifest | None:
        """Make the folder the generation that the manifest is published with; None where nothing changed.

        A reader sees the generation before or this one. A process that is killed is followed by one that does it again.
        """
        published = self._partition.manifest("raw_files")
        if published is not None and published.digest == manifest.digest and self._is_whole(published):
            self.discard()
            prune_generations(self._partition, "raw_files", grace_seconds=grace_seconds)
            return None
        with store_errors(self._stage_folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for entry in manifest.files:
                name = str(entry["name"])
                if name in self._linked:
                    link_or_copy(self._linked[name], self.folder / name)
            generation = next(
                name
                for attempt in itertools.count()
                if not self._partition.generation_folder(
                    "raw_files",
                    name := generation_name(manifest.digest, code_version=manifest.code_version, attempt=attempt),
                ).exists()
            )
            manifest = dataclasses.replace(manifest, generation=generation)
            write_atomically(self.folder / MANIFEST, manifest.to_json().encode())
            self.folder.replace(self._partition.folder_of(manifest))
            sync_folder(self._stage_folder)
        manifest = publish_manifest(manifest, partition=self._partition)
        prune_generations(self._partition, "raw_files", grace_seconds=grace_seconds)
        return manifest

    def _is_whole(self, published: Manifest) -> bool:
        """Whether the published generation has all its files; one that was fetched again nevertheless is damaged."""
        fetched = any((self.folder / str(entry["name"])).is_file() for entry in published.files)
        damaged = fetched or damaged_files(published, partition=self._partition, recheck=False)
        return bool(published.generation) and not damaged

    def discard(self) -> None:
        """Forget what has arrived and is not published."""
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
        """Return whether version 0.1.0 was killed between its rename and its manifest: the file is read to be sure."""
        path = self._stage_folder / name
        if not ListedFile(name, entry["bytes"], None).is_whole(self._stage_folder, recheck=False):
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


def discard_unfinished(store: Path, *, key: PartitionKey, current: str) -> None:
    """Forget what arrived of other releases that never became whole: the source does not offer them any more."""
    for folder in (store / key.collection).glob(f"*/{key.division}/raw_files/{INCOMING}"):
        partition = PartitionRelease(store, key, folder.parents[2].name)
        if partition.release != current and partition.manifest("raw_files") is None:
            shutil.rmtree(folder, ignore_errors=True)
