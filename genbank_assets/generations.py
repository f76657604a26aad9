"""Generations of a stage's output: built in a folder of their own, published with the manifest, pruned afterwards.

What is published is never written again. A new output goes to ``<stage>/<generation>/``, named by what it is made from
and by which code; ``manifest.json`` above it then names the generation that counts. A run that fails leaves what
readers see untouched, a run that is killed finds its half-built generation by name. What no manifest names any more is
deleted afterwards: at once if nobody can have read it, otherwise after a grace period for readers. Whoever builds or
prunes holds the partition's lock. What the files hold belongs to the stages.
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
    """Sixteen hex digits of what an output is made from; a later attempt stands for files that were damaged."""
    parts = [input_digest, code_version, *([str(attempt)] if attempt else [])]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def new_generation(partition: PartitionRelease, stage: Stage, *, input_digest: str, code_version: str) -> str:
    """The name to build under: of a half-built generation, if there is one, never of one that may have been read."""
    for attempt in itertools.count():
        name = generation_name(input_digest, code_version=code_version, attempt=attempt)
        if not (partition.generation_folder(stage, name) / MANIFEST).exists():
            return name
    raise AssertionError


def generations(partition: PartitionRelease, stage: Stage) -> Iterator[Path]:
    """Yield the folders of all generations that are there, whole or not."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        yield from sorted(p for p in partition.stage_folder(stage).iterdir() if _NAME.fullmatch(p.name) and p.is_dir())


def readable_manifests(partition: PartitionRelease, stage: Stage) -> Iterator[Manifest]:
    """Yield the published manifest, then those of generations that were published before and are not pruned yet."""
    published = partition.manifest(stage)
    if published is not None:
        yield published
    for folder in generations(partition, stage):
        if published is None or folder.name != published.generation:
            with contextlib.suppress(FileNotFoundError, IntegrityError):
                yield read_manifest(folder / MANIFEST)


@dataclasses.dataclass(frozen=True)
class ListedFile:
    """A file of a generation as its manifest lists it; size in bytes and digest in hex where the manifest has them.

    Attributes:
        name: path relative to the generation's folder.
        bytes: size; None where the manifest has none.
        sha256: hex SHA-256; None in the same case.
    """

    name: str
    bytes: int | None
    sha256: str | None

    def is_whole(self, folder: Path, *, recheck: bool) -> bool:
        """Return whether the file is there in its size, and with its digest if that is to be checked."""
        try:
            size = (folder / self.name).stat().st_size
        except OSError:
            return False
        if self.bytes is not None and size != self.bytes:
            return False
        return not recheck or self.sha256 is None or file_sha256(folder / self.name) == self.sha256


def listed_files(manifest: Manifest) -> Iterator[ListedFile]:
    """Yield every file that a manifest lists."""
    for entry in manifest.files:
        yield from files_of_entry(entry)
    if "evidence_file" in manifest.extra:
        yield ListedFile(str(manifest.extra["evidence_file"]), None, None)


def files_of_entry(entry: dict[str, object]) -> Iterator[ListedFile]:
    """Yield the files of one entry: one, or the tables of a raw file."""
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
    """Names of listed files that are missing or of another size; with ``recheck`` also those with another digest."""
    folder = partition.folder_of(manifest)
    return [file.name for file in listed_files(manifest) if not file.is_whole(folder, recheck=recheck)]


def made_before(
    partition: PartitionRelease, stage: Stage, same: Callable[[Manifest], bool], *, recheck: bool
) -> Manifest | None:
    """Return the whole output that fulfils ``same``, if it is there: published, or published before and now again.

    What was replaced may have been so because it is damaged, so that its digests are always looked at. Outputs of
    versions without generations do not count: they are to be made, from what is there.
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
    """Let ``target`` be the same bytes as ``source``, without a second copy where the file system has hard links."""
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
    """Delete the generations of a published stage that nobody needs any more.

    Generations that were never published, and what a killed run left beside files that count, go at once. What was
    published goes when the manifest that replaced it is ``grace_seconds`` old: who opened the old one has so long.
    """
    published = partition.manifest(stage)
    if published is None or not published.generation:
        return
    folder = partition.stage_folder(stage)
    held = {published.generation, *named_by_stable_path(partition, stage)}
    readers_had_time = time.time() - partition.manifest_path(stage).stat().st_mtime >= grace_seconds
    with store_errors(folder):
        for path in sorted(folder.iterdir()):
            if path.is_dir() and _NAME.fullmatch(path.name):
                unread = not (path / MANIFEST).exists()
                if path.name not in held and (unread or readers_had_time):
                    remove_folder(path)
            elif path.is_dir() and path.name.startswith(REMOVED):
                shutil.rmtree(path, ignore_errors=True)
            elif path.is_file() and path.name != MANIFEST and (readers_had_time or path.name.endswith(".tmp")):
                path.unlink(missing_ok=True)  # beside the manifest: of a version without generations
    _remove_unlisted(published, folder=partition.folder_of(published))


def _remove_unlisted(manifest: Manifest, *, folder: Path) -> None:
    """Notes by which a killed run would have been resumed, and half-written files."""
    listed = {folder / MANIFEST, *(folder / file.name for file in listed_files(manifest))}
    for path in folder.rglob("*"):
        if path not in listed and not path.is_dir():
            path.unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.is_dir() and (path.name == RECEIPTS or path.name.startswith(".")):
            shutil.rmtree(path, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Delete a folder: it is out of sight at once, and a deletion that is killed is finished by a later one."""
    hidden = folder.with_name(hidden_name(f"{REMOVED[1:]}.{folder.name}", suffix=""))
    try:
        folder.replace(hidden)
    except FileNotFoundError:
        return
    shutil.rmtree(hidden, ignore_errors=True)
