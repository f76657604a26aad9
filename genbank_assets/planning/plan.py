"""Estimates what the source's current release will need: time of each stage, disk, rows and requests, per division.

Sizes and counts come from the release notes if they list them (gbrel §2.2.5 and §2.2.6), otherwise from the sizes in
the listing. Times are for a first load. Measured rates belong to ``rates``, showing a plan to the command line.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from genbank_assets.ncbi.catalog import COLLECTIONS, Collection
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.listing import listed_release
from genbank_assets.ncbi.releases import Release, read_release
from genbank_assets.ncbi.sources import RemoteFile, open_source
from genbank_assets.objects.packs import PACK_BYTES, is_packed
from genbank_assets.planning.rates import Rates
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, Stage


@dataclasses.dataclass(frozen=True, kw_only=True)
class PartitionPlan:
    """Estimate for one division of the offered release.

    Attributes:
        key: the division.
        release: the release offered by the source.
        files: number of raw files.
        records: number of entries, from the release notes or estimated from the text size.
        raw_bytes: size of the download.
        text_bytes: uncompressed size, from the release notes or estimated from ``raw_bytes``.
        table_bytes: size of the record tables.
        postgres_bytes: size in the database.
        object_bytes: size in the object set.
        objects: maximum number of objects, sequences or packs.
        seconds: wall time of each stage of a first load.
        cpu_seconds: CPU time of parsing, the CPU-bound stage.
    """

    key: PartitionKey
    release: str
    files: int
    records: int
    raw_bytes: int
    text_bytes: int
    table_bytes: int
    postgres_bytes: int
    object_bytes: int
    objects: int
    seconds: Mapping[Stage, float]
    cpu_seconds: float

    @property
    def bottleneck(self) -> Stage:
        """The stage that takes the longest."""
        return max(self.seconds, key=lambda stage: self.seconds[stage])

    @property
    def requests(self) -> int:
        """Number of requests to the object store: one per object, and those for the manifest."""
        return self.objects + 2 if self.objects else 0


def plan_release(
    keys: Sequence[PartitionKey], *, settings: Settings, rates: Rates, workers: int
) -> tuple[list[PartitionPlan], tuple[str, ...]]:
    """Estimate some divisions of the offered release, from its release notes and folder listings.

    Args:
        keys: the divisions.
        settings: name the source and the object layout.
        rates: measured rates of the stages.
        workers: number of processes that parse and load.

    Returns:
        Plans in the order of ``keys``, and descriptions of content that this version does not support.

    Raises:
        SourceError: the source failed.
        ReleaseError: its release is inconsistent.
    """
    plans: dict[PartitionKey, PartitionPlan] = {}
    unknown: list[str] = []
    with open_source(settings.source, limiter=Limiter.of(settings)) as source:
        for name in dict.fromkeys(key.collection for key in keys):
            collection = COLLECTIONS[name]
            release = read_release(source, collection=collection)
            listing = listed_release(source, release=release, collection=collection)
            unknown += listing.unknown
            for key in keys:
                if key.collection == name:
                    remotes = listing.files[key.division]
                    plans[key] = _plan(key, release, remotes, settings=settings, rates=rates, workers=workers)
    return [plans[key] for key in keys], tuple(unknown)


def _plan(
    key: PartitionKey,
    release: Release,
    remotes: Sequence[RemoteFile],
    *,
    settings: Settings,
    rates: Rates,
    workers: int,
) -> PartitionPlan:
    names = [remote.name for remote in remotes]
    raw = [remote.bytes for remote in remotes]
    text_bytes = sum(
        release.text_bytes.get(name, round((size or 0) * rates.text_bytes_per_raw_byte))
        for name, size in zip(names, raw, strict=True)
    )
    raw_bytes = sum(
        size if size is not None else round(release.text_bytes.get(name, 0) / rates.text_bytes_per_raw_byte)
        for name, size in zip(names, raw, strict=True)
    )
    counted = all(name in release.entries for name in names)
    return plan_partition(
        key, release=release.number, files=len(names), text_bytes=text_bytes, raw_bytes=raw_bytes,
        records=sum(release.entries[name][0] for name in names) if counted else None, settings=settings, rates=rates,
        workers=workers,
    )  # fmt: skip


def plan_partition(
    key: PartitionKey, *, release: str, files: int, text_bytes: int, raw_bytes: int, records: int | None = None,
    settings: Settings, rates: Rates, workers: int,
) -> PartitionPlan:  # fmt: skip
    """Estimate a division of given sizes.

    Args:
        key: the division.
        release: the release number.
        files: number of raw files.
        text_bytes: total uncompressed size.
        raw_bytes: total compressed size.
        records: number of entries; None to estimate it from the text size.
        settings: name the object layout.
        rates: measured rates of the stages.
        workers: number of processes that parse and load.
    """
    records = round(text_bytes / rates.text_bytes_per_record) if records is None else records
    residues = _has_residues(COLLECTIONS[key.collection], key.division)
    residue_bytes = round(text_bytes * rates.object_bytes_per_text_byte) if residues else 0
    packed = is_packed(settings.object_layout, rows=records, residues=residue_bytes)
    object_bytes = round(residue_bytes * rates.pack_bytes_per_object_byte) if packed else residue_bytes
    # A pack has sequences of one raw file.
    objects = max(files, -(-object_bytes // PACK_BYTES)) if packed else records if residues else 0
    cpu_seconds = text_bytes / rates.parse_text_bytes_per_second
    side_by_side = max(1, min(workers, files))
    seconds: dict[Stage, float] = {
        "raw_files": raw_bytes / rates.download_bytes_per_second,
        "records": cpu_seconds / side_by_side,
        "unique_records": records / rates.deduplicate_records_per_second,
        "postgres_table": text_bytes
        / (rates.load_text_bytes_per_second * (1 + rates.load_gain_of_a_worker * (side_by_side - 1))),
        "object_set": max(
            0 if packed else objects / rates.objects_per_second, residue_bytes / rates.object_bytes_per_second
        ),
    }
    return PartitionPlan(
        key=key,
        release=release,
        files=files,
        records=records,
        raw_bytes=raw_bytes,
        text_bytes=text_bytes,
        table_bytes=round(text_bytes * rates.table_bytes_per_text_byte),
        postgres_bytes=round(text_bytes * rates.postgres_bytes_per_text_byte),
        object_bytes=object_bytes,
        objects=objects,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
    )


def _has_residues(collection: Collection, division: str) -> bool:
    """Return whether records have residues; CON records are built from others (gbrel §2.2.6)."""
    return (collection.name, division) != ("genbank", "con")
