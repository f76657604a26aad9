"""Fetches and verifies daily updates: new and changed records of all divisions.

GenBank publishes ``daily-nc/ncMMDD.flat.gz``, kept for about 180 days; the name has no year, which is later verified by
the dates of the records. RefSeq publishes ``daily/rsnc.MMDD.YYYY.gbff.gz`` and ``.gpff.gz``, kept for about four weeks.
In the store, a day is the pseudo-division ``daily`` of a release named by the day (``20260902``). Applying a day's
changes belongs to ``postgres.daily``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from genbank_assets.errors import NotFoundError
from genbank_assets.measure import Stopwatch
from genbank_assets.ncbi.catalog import GENBANK, Collection
from genbank_assets.ncbi.download import fetch_file
from genbank_assets.ncbi.incoming import IncomingFiles, file_entry
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.sources import Source, open_source, without_credentials
from genbank_assets.ncbi.transfers import transfer_report
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease

CODE_VERSION = "1"
DAILY = "daily"
# Minimum time for which NCBI keeps a day's files: one missing within that time was never published.
MIN_KEPT = {"genbank": dt.timedelta(days=150), "refseq": dt.timedelta(days=20)}
_GENBANK_FILE = re.compile(r"nc(\d{2})(\d{2})\.flat\.gz")
_REFSEQ_FILE = re.compile(r"rsnc\.(\d{2})(\d{2})\.(\d{4})\.g[bp]ff\.gz")


def daily_partition(settings: Settings, *, collection: Collection, day: dt.date) -> PartitionRelease:
    """Return the partition of a day in the store."""
    return PartitionRelease(settings.store, PartitionKey(collection.name, DAILY), f"{day:%Y%m%d}")


def day_of(partition: PartitionRelease) -> dt.date:
    """Return the day of a daily partition."""
    return dt.datetime.strptime(partition.release, "%Y%m%d").date()


def fetch_daily(
    collection: Collection, *, day: dt.date, settings: Settings, progress: Callable[[str], None], run_id: str
) -> Manifest:
    """Fetch a day's files and publish the manifest once all of them are complete.

    If NCBI published no file for the day, although it has published later days and still keeps files of that age, the
    manifest is published without files.

    Raises:
        NotFoundError: the day's update is not published yet, or no longer available.
        SourceError: the source failed.
        IntegrityError: a file failed verification.
    """
    partition = daily_partition(settings, collection=collection, day=day)
    previous = partition.manifest("raw_files")
    incoming = IncomingFiles(partition)
    limiter = Limiter.of(settings)
    entries: list[dict[str, Any]] = []
    transferred = fetched = 0
    with Stopwatch() as watch, open_source(settings.source, limiter=limiter, progress=progress) as source:
        for path in _paths(source, collection=collection, day=day):
            name = path.rsplit("/", 1)[-1]
            if incoming.has(name):
                here = incoming.find(name, remote=source.look_up(path), checksum=None)
                if here is not None:
                    entries.append(here)
                    continue
            found = fetch_file(source, path, folder=incoming.folder, checksum=None, progress=progress)
            progress(f"{name}: {found.size_bytes / 1e6:,.1f} MB, verified")
            fetched += 1
            transferred += found.bytes_transferred
            entries.append(file_entry(found, url=source.url(path), checksum=None))
            incoming.note(entries[-1])
    manifest = Manifest(
        stage="raw_files",
        code_version=CODE_VERSION,
        collection=collection.name,
        release=partition.release,
        division=DAILY,
        input_digest="",
        files=tuple(entries),
        extra={"source": without_credentials(settings.source), "day": day.isoformat()},
        report=transfer_report(entries, files_now=fetched, bytes_now=transferred, watch=watch),
        run_id=run_id,
    )
    published = incoming.publish(manifest, grace_seconds=settings.keep_replaced_seconds) or previous
    assert published is not None  # unchanged implies a previous manifest
    return published


def _paths(source: Source, *, collection: Collection, day: dt.date) -> list[str]:
    """Return the paths of the day's files, relative to the source's root."""
    folder = "genbank/daily-nc" if collection is GENBANK else "refseq/daily"
    days: dict[dt.date, list[str]] = {}
    for remote in source.listing(folder):
        found = _day(remote.name, near=day)
        if found is not None:
            days.setdefault(found, []).append(f"{folder}/{remote.name}")
    if day in days:
        return sorted(days[day])
    absent = f"{collection.title} has no daily update of {day}"
    if not days or max(days) < day:
        newest = f"the newest is of {max(days)}" if days else f"{source.url(folder)} has none"
        raise NotFoundError(f"{absent}: {newest}; it may come later today")
    if min(days) > day and max(days) - day > MIN_KEPT[collection.name]:
        raise NotFoundError(f"{absent} any more: the oldest is of {min(days)}; load a full release that has it")
    return []


def _day(name: str, *, near: dt.date) -> dt.date | None:
    """Return the day in a file name; a missing year is chosen so that the day is closest to ``near``."""
    if match := _REFSEQ_FILE.fullmatch(name):
        return _date(int(match[3]), int(match[1]), int(match[2]))
    if match := _GENBANK_FILE.fullmatch(name):
        years = (near.year - 1, near.year, near.year + 1)
        days = [found for year in years if (found := _date(year, int(match[1]), int(match[2]))) is not None]
        return min(days, key=lambda found: abs(found - near), default=None)
    return None


def _date(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None
