"""Compares the object set with its manifests: what is missing or damaged.

Every manifest object is the local table, every listed object is there in its size and with its ETag, and a sample of
sequences still has its digest. What nobody lists is counted; removing it belongs to ``prune``, sending to ``publish``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import obstore
import polars as pl
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from genbank_assets.errors import GenbankAssetsError
from genbank_assets.objects.etags import Etags
from genbank_assets.objects.listing import ask, manifest_keys, objects_under, ranges
from genbank_assets.objects.object_index import published, table_path
from genbank_assets.objects.read import residues
from genbank_assets.objects.store import open_objects, reason_of
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that is wrong: the object's key, what it is, and a division that needs it."""

    key: str
    what: str
    partition: str


@dataclasses.dataclass(frozen=True)
class Verification:
    """What ``verify`` found.

    Attributes:
        partitions: divisions and releases that were looked at.
        objects: objects their manifests list.
        sequences: sequences their manifests list.
        rehashed: sequences of the sample that were read again.
        problems: what is wrong.
        unlisted: objects of residues in the set that no manifest lists; None where the set has manifests of other
            stores, which ``prune`` reads.
    """

    partitions: int
    objects: int
    sequences: int
    rehashed: int
    problems: tuple[Problem, ...]
    unlisted: int | None


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
    everything = list(published(settings))
    chosen = [(p, m) for p, m in everything if not partitions or p.key in partitions]
    problems = []
    all_tables = {f"{p.key} {p.release}": table_path(p) for p, _ in everything}
    tables: dict[str, Path] = {}
    for partition, manifest in chosen:
        name = f"{partition.key} {partition.release}"
        tables[name] = table_path(partition)
        problem = _manifest_problem(store, manifest.extra["manifest_key"], manifest.files[0]["sha256"])
        if problem:
            problems.append(Problem(manifest.extra["manifest_key"], problem, name))
    objects = unlisted = 0
    for span in ranges(sum(manifest.files[0]["rows"] for _, manifest in everything)):
        there = objects_under(store, span.prefix)
        nobodys = there.select("key")
        for name, table in all_tables.items():
            listed = span.listed(table)
            nobodys = nobodys.join(listed, on="key", how="anti")
            if name in tables:
                objects += len(listed)
                problems += [Problem(key, what, name) for key, what in _compare(store, listed, there)]
        unlisted += len(nobodys)
    others = set(manifest_keys(store)) - {manifest.extra["manifest_key"] for _, manifest in everything}
    progress(f"{objects:,} objects of {len(chosen)} division(s) compared, {len(problems):,} problems")
    rehashed = 0
    for name, table in tables.items():
        for row in _sample(table, sample):
            rehashed += 1
            try:
                for _ in residues(settings, row, store=store):
                    pass
            except GenbankAssetsError as error:
                problems.append(Problem(row["key"], str(error), name))
    progress(f"{rehashed:,} sequences read again")
    sequences = sum(manifest.files[0]["rows"] for _, manifest in chosen)
    return Verification(len(chosen), objects, sequences, rehashed, tuple(problems), None if others else unlisted)


def _compare(store: ObjectStore, listed: pl.DataFrame, there: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """What is wrong with listed objects; one whose ETag has changed is read, whatever the reason may be."""
    rows = listed.join(there, on="key", how="left").with_columns(pl.col("etag").str.strip_chars('"'))
    for key, promised, sha256, etag, size, _, etag_now in rows.iter_rows():
        if size is None:
            yield key, "missing"
        elif size != promised:
            yield key, f"has {size:,} bytes, not {promised:,}"
        elif etag and etag_now and etag != etag_now and ask(lambda key=key: Etags(store).read(key)) != sha256:  # type: ignore[misc]
            yield key, "has the right size but different bytes: its digest differs"


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
