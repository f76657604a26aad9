"""Generations of a stage's output: each built in its own folder, published by the manifest, and pruned later.

Published files are immutable. New output goes to ``<stage>/<generation>/``, named by a digest of its input and code
version; ``<stage>/manifest.json`` then names the current generation. A failed run leaves readers unaffected, and a run
that resumes after a kill finds its partial generation by name. Generations no longer named by a manifest are deleted:
at once if they were never published, otherwise after a grace period for readers. Callers hold the partition's lock
while they build or prune. The content of the files belongs to the stages.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import itertools
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from genbank_assets.durable import file_sha256, hidden_name, store_errors, temporary_beside
from genbank_assets.errors import IntegrityError
from genbank_assets.stable_paths import named_by_stable_path
from genbank_assets.store import (
    MANIFEST,
    Manifest,
    PartitionRelease,
    Stage,
    publish_manifest,
    read_manifest,
)

RECEIPTS = "receipts"
_NAME = re.compile(r"[0-9a-f]{16}")
REMOVED = ".removed"
_NO_LINKS = {errno.EPERM, errno.EXDEV, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS, errno.EINVAL}


def generation_name(input_digest: str, *, code_version: str, attempt: int = 0) -> str:
    """Return 16 hex digits derived from input and code version; ``attempt`` > 0 replaces a damaged generation."""
    parts = [input_digest, code_version, *([str(attempt)] if attempt else [])]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def new_generation(partition: PartitionRelease, stage: Stage, *, input_digest: str, code_version: str) -> str:
    """Return the first generation name that was never published; resumes a partial generation if there is one."""
    for attempt in itertools.count():
        name = generation_name(input_digest, code_version=code_version, attempt=attempt)
        if not (partition.generation_folder(stage, name) / MANIFEST).exists():
            return name
    raise AssertionError


def generations(partition: PartitionRelease, stage: Stage) -> Iterator[Path]:
    """Yield the folders of all existing generations, complete or not."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        yield from sorted(p for p in partition.stage_folder(stage).iterdir() if _NAME.fullmatch(p.name) and p.is_dir())


def readable_manifests(partition: PartitionRelease, stage: Stage) -> Iterator[Manifest]:
    """Yield the published manifest, then those of earlier generations that have not been pruned yet."""
    published = partition.manifest(stage)
    if published is not None:
        yield published
    for folder in generations(partition, stage):
        if published is None or folder.name != published.generation:
            with contextlib.suppress(FileNotFoundError, IntegrityError):
                yield read_manifest(folder / MANIFEST)


@dataclasses.dataclass(frozen=True)
class ListedFile:
    """A file of a generation, as listed in its manifest.

    Attributes:
        name: path relative to the generation's folder.
        bytes: size in bytes; None if the manifest does not record it.
        sha256: hex SHA-256; None if the manifest does not record it.
    """

    name: str
    bytes: int | None
    sha256: str | None

    def is_whole(self, folder: Path, *, recheck: bool) -> bool:
        """Return whether the file exists with the recorded size and, with ``recheck``, the recorded digest."""
        try:
            size = (folder / self.name).stat().st_size
        except OSError:
            return False
        if self.bytes is not None and size != self.bytes:
            return False
        return not recheck or self.sha256 is None or file_sha256(folder / self.name) == self.sha256


def listed_files(manifest: Manifest) -> Iterator[ListedFile]:
    """Yield every file a manifest lists."""
    for entry in manifest.files:
        yield from files_of_entry(entry)
    if "evidence_file" in manifest.extra:
        yield ListedFile(str(manifest.extra["evidence_file"]), None, None)


def files_of_entry(entry: dict[str, object]) -> Iterator[ListedFile]:
    """Yield the files of one manifest entry: a single file, or the tables made from one raw file."""
    if "records_file" not in entry:
        if "bytes" in entry:
            yield _listed(entry["name"], entry["bytes"], entry.get("sha256"))
        return
    for table in ("records", "sequences", "quarantine"):
        if entry.get(f"{table}_file") is not None:
            yield _listed(entry[f"{table}_file"], entry.get(f"{table}_bytes"), entry.get(f"{table}_file_sha256"))


def _listed(name: object, size: object, sha256: object) -> ListedFile:
    return ListedFile(str(name), size if isinstance(size, int) else None, str(sha256) if sha256 else None)


def damaged_files(manifest: Manifest, *, partition: PartitionRelease, recheck: bool) -> list[str]:
    """Return names of listed files that are missing or differ in size or, with ``recheck``, in digest."""
    folder = partition.folder_of(manifest)
    return [file.name for file in listed_files(manifest) if not file.is_whole(folder, recheck=recheck)]


def find_intact_output(
    partition: PartitionRelease, stage: Stage, same: Callable[[Manifest], bool], *, recheck: bool
) -> Manifest | None:
    """Find intact existing output that satisfies ``same``, and publish it again if it had been replaced.

    A replaced generation may have been replaced because it was damaged, so its digests are always checked. Output of
    version 0.1.0, which had no generations, is ignored.

    Returns:
        The published manifest, or None if there is no such output.
    """
    published = partition.manifest(stage)
    for manifest in readable_manifests(partition, stage):
        if not manifest.generation or not same(manifest):
            continue
        is_published = published is not None and published.generation == manifest.generation
        if not damaged_files(manifest, partition=partition, recheck=recheck or not is_published):
            return manifest if is_published else publish_manifest(manifest, partition=partition)
    return None


def link_or_copy(source: Path, target: Path) -> None:
    """Create ``target`` as a hard link to ``source``, or as a copy if the file system does not support links."""
    with store_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            with temporary_beside(target) as temporary:
                shutil.copyfile(source, temporary)


def prune_generations(partition: PartitionRelease, stage: Stage, *, grace_seconds: float) -> None:
    """Delete the generations of a published stage that are no longer needed.

    Generations that were never published, and leftovers of killed runs, are deleted at once. A replaced generation is
    deleted when the manifest that replaced it is ``grace_seconds`` old, so that its readers can finish.
    """
    published = partition.manifest(stage)
    if published is None or not published.generation:
        return
    folder = partition.stage_folder(stage)
    kept = {published.generation, *named_by_stable_path(partition, stage)}
    readers_had_time = time.time() - partition.manifest_path(stage).stat().st_mtime >= grace_seconds
    with store_errors(folder):
        for path in sorted(folder.iterdir()):
            if path.is_dir() and _NAME.fullmatch(path.name):
                unread = not (path / MANIFEST).exists()
                if path.name not in kept and (unread or readers_had_time):
                    remove_folder(path)
            elif path.is_dir() and path.name.startswith(REMOVED):
                shutil.rmtree(path, ignore_errors=True)
            elif path.is_file() and path.name != MANIFEST and (readers_had_time or path.name.endswith(".tmp")):
                path.unlink(missing_ok=True)  # beside the manifest: written by version 0.1.0
    _remove_unlisted(published, folder=partition.folder_of(published))


def _remove_unlisted(manifest: Manifest, *, folder: Path) -> None:
    """Delete receipts of resumable runs and partially written files."""
    listed = {folder / MANIFEST, *(folder / file.name for file in listed_files(manifest))}
    for path in folder.rglob("*"):
        if path not in listed and not path.is_dir():
            path.unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.is_dir() and (path.name == RECEIPTS or path.name.startswith(".")):
            shutil.rmtree(path, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Delete a folder: hide it by renaming first, so that an interrupted deletion can be finished later."""
    hidden = folder.with_name(hidden_name(f"{REMOVED[1:]}.{folder.name}", suffix=""))
    try:
        folder.replace(hidden)
    except FileNotFoundError:
        return
    shutil.rmtree(hidden, ignore_errors=True)
