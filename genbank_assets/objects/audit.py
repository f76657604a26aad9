"""Compares the object set with its manifests: what is missing or damaged, and what nobody lists any more.

``verify`` looks from the manifests at the bucket: every manifest object is the local table, every listed object is
there in its size, and a sample of sequences still has its digest. ``prune`` looks from the bucket at the manifests:
objects of residues that no manifest in the set lists are left over from failed runs, and so are unfinished files of a
set that is a folder. Both go through the keys range
by range, so that memory does not grow with the set. Sending belongs to ``publish``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
import polars as pl
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore

from genbank_assets.errors import GenbankAssetsError, ObjectStoreError
from genbank_assets.objects.contents import published, table_path
from genbank_assets.objects.fetch import residues
from genbank_assets.objects.keys import MOLECULE_CLASSES, is_content_key, is_manifest_key
from genbank_assets.objects.store import lock_objects, open_objects, reason_of
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey

# Sets up to this many listed objects are compared in one go, larger ones by the first two digits of the digest.
KEYS_AT_ONCE = 1_000_000
DELETE_AT_ONCE = 1000


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that is wrong: the object's key, what it is, and a division that needs it."""

    key: str
    what: str
    partition: str


@dataclasses.dataclass(frozen=True)
class Verification:
    """What ``verify`` found."""

    partitions: int
    objects: int
    sequences: int
    rehashed: int
    problems: tuple[Problem, ...]


@dataclasses.dataclass(frozen=True)
class Orphan:
    """An object that no manifest lists."""

    key: str
    bytes: int
    modified: str


def verify_objects(
    settings: Settings,
    *,
    partitions: Sequence[PartitionKey] = (),
    sample: int = 100,
    progress: Callable[[str], None] = lambda line: None,
) -> Verification:
    """Compare the bucket with the manifests of divisions (all by default) and read a sample of sequences again.

    Args:
        settings: where the store and the object set are.
        partitions: divisions to look at; none means all.
        sample: sequences to read again in each division, chosen at random; 0 for none.
        progress: called with lines for people.

    Raises:
        ObjectStoreError: the store cannot be listed.
    """
    store = open_objects(settings)
    chosen = [(p, m) for p, m in published(settings) if not partitions or p.key in partitions]
    problems = []
    tables: dict[str, Path] = {}
    for partition, manifest in chosen:
        name = f"{partition.key} {partition.release}"
        tables[name] = table_path(partition)
        problem = _manifest_problem(store, manifest.extra["manifest_key"], manifest.files[0]["sha256"])
        if problem:
            problems.append(Problem(manifest.extra["manifest_key"], problem, name))
    keys = _Keys(store, rows=sum(manifest.files[0]["rows"] for _, manifest in chosen))
    objects = 0
    for part in keys.ranges():
        there = keys.under(part.prefix)
        for name, table in tables.items():
            listed = part.listed(table)
            objects += len(listed)
            problems += [Problem(key, what, name) for key, what in _compare(listed, there)]
    progress(f"{objects:,} objects of {len(chosen)} division(s) compared, {len(problems):,} problems")
    rehashed = 0
    for name, table in tables.items():
        for row in _sample(table, sample):
            rehashed += 1
            try:
                for _ in residues(settings, row):
                    pass
            except GenbankAssetsError as error:
                problems.append(Problem(row["key"], str(error), name))
    progress(f"{rehashed:,} sequences read again")
    sequences = sum(manifest.files[0]["rows"] for _, manifest in chosen)
    return Verification(len(chosen), objects, sequences, rehashed, tuple(problems))


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
        keys = _Keys(store, rows=rows)
        for span in keys.ranges():
            there = keys.under(span.prefix)
            for table in tables:
                there = there.join(span.listed(table), on="key", how="anti")
            old = there.filter(pl.col("modified") < before).sort("key")
            for start in range(0, len(old), DELETE_AT_ONCE):
                part = old.slice(start, DELETE_AT_ONCE)
                if not dry_run:
                    _ask(lambda part=part: obstore.delete(store, part["key"].to_list()))  # type: ignore[misc]
                for key, size, modified in part.select("key", "size", "modified").iter_rows():
                    yield Orphan(key, size, modified.isoformat(timespec="seconds"))
        if isinstance(store, LocalStore):
            yield from _unfinished(Path(str(store.prefix)), before=before, dry_run=dry_run)


def _unfinished(folder: Path, *, before: datetime, dry_run: bool) -> Iterator[Orphan]:
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


@dataclasses.dataclass(frozen=True)
class _Range:
    """A range of keys: objects of one kind, all or those whose digest begins with ``byte``."""

    kind: str
    byte: int | None

    @property
    def prefix(self) -> str:
        """What the keys begin with."""
        return f"{self.kind}/" if self.byte is None else f"{self.kind}/{self.byte:02x}/"

    def listed(self, table: Path) -> pl.DataFrame:
        """Key and bytes of the objects of this range that a table lists; the table is sorted by digest."""
        rows = pl.scan_parquet(table)
        if self.kind == "packs":
            rows = rows.filter(pl.col("encoding") == "zstd", pl.col("key").str.starts_with(self.prefix))
        else:
            rows = rows.filter(pl.col("encoding") == "identity", pl.col("molecule_class") == self.kind)
            if self.byte is not None:
                low, high = bytes([self.byte]) + b"\x00" * 31, bytes([self.byte]) + b"\xff" * 31
                rows = rows.filter(pl.col("sequence_sha256").is_between(low, high))
        return rows.select("key", "object_bytes").unique("key").collect(engine="streaming")


class _Keys:
    """The residues' objects of a set, listed by range."""

    def __init__(self, store: ObjectStore, *, rows: int) -> None:
        self._store = store
        self._fine = rows > KEYS_AT_ONCE

    def ranges(self) -> list[_Range]:
        """Ranges that together hold every object of residues; packs are few."""
        bytes_ = range(256) if self._fine else (None,)
        return [_Range(kind, byte) for kind in MOLECULE_CLASSES for byte in bytes_] + [_Range("packs", None)]

    def under(self, prefix: str) -> pl.DataFrame:
        """Key, size and time of the objects below a prefix."""

        def listed() -> list[tuple[str, int, datetime]]:
            found = []
            for batch in obstore.list(self._store, prefix=prefix, chunk_size=10_000):
                found += [(m["path"], m["size"], m["last_modified"]) for m in batch if is_content_key(m["path"])]
            return found

        schema: dict[str, Any] = {"key": pl.String, "size": pl.Int64, "modified": pl.Datetime("us", "UTC")}
        return pl.DataFrame(_ask(listed), schema=schema, orient="row")


def _ask(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except BaseError as error:
        raise ObjectStoreError(f"the object store failed: {reason_of(error)}") from error


def _compare(listed: pl.DataFrame, there: pl.DataFrame) -> Iterator[tuple[str, str]]:
    for key, promised, size in (
        listed.join(there, on="key", how="left").select("key", "object_bytes", "size").iter_rows()
    ):
        if size is None:
            yield key, "missing"
        elif size != promised:
            yield key, f"has {size:,} bytes, not {promised:,}"


def _sample(table: Path, count: int) -> Iterator[dict[str, Any]]:
    rows = pl.scan_parquet(table).select(pl.len()).collect().item()
    for index in sorted(random.sample(range(rows), min(count, rows))):
        yield pl.scan_parquet(table).slice(index, 1).collect().row(0, named=True)


def _manifest_problem(store: ObjectStore, key: str, sha256: str) -> str:
    hasher = hashlib.sha256()
    try:
        for piece in obstore.get(store, key).stream():
            hasher.update(piece)
    except FileNotFoundError:
        return "the manifest object is missing"
    except BaseError as error:
        return f"the manifest object cannot be read: {reason_of(error)}"
    return "" if hasher.hexdigest() == sha256 else "the manifest object is not the local table"


def _manifest_copies(store: ObjectStore, folder: Path) -> list[Path]:
    """Every manifest object of the set, whichever machine wrote it; all of them, or an error."""
    copies: list[Path] = []
    for batch in obstore.list(store, prefix="manifests/"):
        for meta in batch:
            if not is_manifest_key(meta["path"]):
                continue
            copy = folder / f"{len(copies)}.parquet"
            with copy.open("wb") as out:
                for piece in _ask(lambda key=meta["path"]: obstore.get(store, key)).stream():  # type: ignore[misc]
                    out.write(piece)
            try:
                pl.scan_parquet(copy).select("key", "object_bytes").head(1).collect()
            except (pl.exceptions.PolarsError, OSError) as error:
                raise ObjectStoreError(
                    f"{meta['path']} cannot be read as a manifest, so nothing is deleted: {reason_of(error)}"
                ) from error
            copies.append(copy)
    return copies
