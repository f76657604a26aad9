"""Staging of a division's files until all have arrived: ``raw_files/incoming``, the next generation of raw files.

Published files are not touched during a fetch, so a release that is rejected at the end leaves the division unchanged.
A complete file has its manifest entry beside it (``NAME.entry.json``), so a run after a kill fetches only the rest.
Files present unchanged in an earlier generation are linked instead of fetched. Once all have arrived, one rename turns
the folder into the generation. Fetching belongs to ``fetch`` and ``download``.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
from pathlib import Path
from typing import Any

from genbank_assets.durable import file_sha256, store_errors, sync_folder
from genbank_assets.errors import IntegrityError
from genbank_assets.generations import (
    ListedFile,
    damaged_files,
    generation_name,
    link_or_copy,
    listed_files,
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
    """Return the manifest entry of a raw file."""
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
    """The staged files of one division of one release.

    Args:
        partition: the division and release.
        recheck: whether to verify digests of files from earlier generations before reusing them.
    """

    def __init__(self, partition: PartitionRelease, *, recheck: bool = False) -> None:
        self._partition = partition
        self._recheck = recheck
        self._stage_folder = partition.stage_folder("raw_files")
        self.folder = self._stage_folder / INCOMING
        self._known: dict[str, list[tuple[Path, dict[str, Any], bool]]] = {}
        published = partition.manifest("raw_files")
        for manifest in readable_manifests(partition, "raw_files"):
            # A replaced generation may have been replaced because it is damaged: always verify its digests.
            folder, check = partition.folder_of(manifest), recheck or manifest != published
            for entry in manifest.files:
                self._known.setdefault(str(entry["name"]), []).append((folder, entry, check))
        self._linked: dict[str, Path] = {}

    def has(self, name: str) -> bool:
        """Return whether a complete file of this name may exist."""
        return name in self._known or self._note(name).is_file()

    def find(self, name: str, *, remote: RemoteFile, checksum: str | None) -> dict[str, Any] | None:
        """Return the entry of an existing complete file, if it matches the remote file's current version."""
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
        """Record that a file is complete."""
        write_atomically(self._note(str(entry["name"])), json.dumps(entry).encode())

    def publish(self, manifest: Manifest, *, grace_seconds: float) -> Manifest | None:
        """Turn the staged files into a generation and publish the manifest with it.

        Readers see either the previous generation or this one. After a kill, the next run repeats this step. An intact
        generation with the same content is published again: one that a stopped run left, or that was replaced.

        Returns:
            The published manifest; None if nothing changed.
        """
        published = self._partition.manifest("raw_files")
        if published is not None and published.digest == manifest.digest and self._is_whole(published):
            self.discard()
            prune_generations(self._partition, "raw_files", grace_seconds=grace_seconds)
            return None
        existing = self._existing(manifest)
        if existing is not None:
            publish_manifest(existing, partition=self._partition)
            self.discard()
            prune_generations(self._partition, "raw_files", grace_seconds=grace_seconds)
            return dataclasses.replace(existing, report=manifest.report)
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

    def _existing(self, manifest: Manifest) -> Manifest | None:
        """Return an intact generation with the content of ``manifest``, if there is one."""
        for found in readable_manifests(self._partition, "raw_files"):
            same = bool(found.generation) and found.digest == manifest.digest
            if same and all(self._is_same(file, self._partition.folder_of(found)) for file in listed_files(found)):
                return found
        return None

    def _is_same(self, file: ListedFile, folder: Path) -> bool:
        """Return whether a generation has the file whole: verified when it was found, or now."""
        if self._linked.get(file.name) == folder / file.name:
            return True
        if file.sha256 is None:  # made here rather than fetched: compared with what was made now
            staged = self.folder / file.name
            file = dataclasses.replace(file, sha256=file_sha256(staged) if staged.is_file() else "")
        return file.is_whole(folder, recheck=True)

    def _is_whole(self, published: Manifest) -> bool:
        """Return whether the published generation is intact; a file that was found elsewhere was damaged."""
        folder = self._partition.folder_of(published)
        found = all(self._linked.get(str(entry["name"])) == folder / str(entry["name"]) for entry in published.files)
        return bool(published.generation) and found and not damaged_files(
            published, partition=self._partition, recheck=False
        )  # fmt: skip

    def discard(self) -> None:
        """Delete all staged files."""
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
        """Return whether version 0.1.0 was killed after renaming the file but before publishing it; verifies it."""
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
    """Delete staged files of other, never published releases, which the source no longer offers."""
    for folder in (store / key.collection).glob(f"*/{key.division}/raw_files/{INCOMING}"):
        partition = PartitionRelease(store, key, folder.parents[2].name)
        if partition.release != current and partition.manifest("raw_files") is None:
            shutil.rmtree(folder, ignore_errors=True)
