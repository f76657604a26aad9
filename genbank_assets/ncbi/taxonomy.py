"""Fetches and verifies NCBI's taxonomy archive, ``pub/taxonomy/taxdump.tar.gz``.

NCBI replaces the archive every hour, so the checksum is read again on a mismatch. An archive is dated by its newest
member, which does not depend on how it was fetched. Its content belongs to ``tables.taxonomy``.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from genbank_assets.errors import IntegrityError, RemoteFileMissingError, SourceError
from genbank_assets.ncbi.download import fetch_file
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.sources import Source, open_source, without_credentials
from genbank_assets.ncbi.tar_stream import members
from genbank_assets.ncbi.taxonomy_files import ARCHIVE, FetchedTaxonomy, taxonomy_folder
from genbank_assets.settings import Settings
from genbank_assets.store import write_atomically

FOLDER = "pub/taxonomy"
# How often to read the checksum again after a mismatch.
NEW_CHECKSUMS = 2
FIRST_DAY = dt.date(1990, 1, 1)


def fetch_taxonomy(*, settings: Settings, progress: Callable[[str], None]) -> FetchedTaxonomy:
    """Fetch the source's current archive, unless it is the one fetched last.

    Partial downloads are resumed. The archive stays in ``STORE/taxonomy/incoming`` until tables are built from it;
    readers follow the manifest of a date and do not see it.

    Raises:
        SourceError: the source failed or has no taxonomy.
        IntegrityError: the checksum does not match, or the file is not a valid archive.
    """
    folder = taxonomy_folder(settings.store) / "incoming"
    with open_source(settings.source, limiter=Limiter.of(settings), progress=progress) as source:
        for attempt in range(NEW_CHECKSUMS + 1):
            md5 = published_md5(source)
            if (here := _arrived(folder, md5=md5)) is not None:
                progress(f"{ARCHIVE}: the archive of {here.date} is here already")
                return here
            try:
                fetched = fetch_file(source, f"{FOLDER}/{ARCHIVE}", folder=folder, checksum=md5, progress=progress)
                break
            except IntegrityError:
                if attempt == NEW_CHECKSUMS or published_md5(source) == md5:
                    raise
                progress(f"{ARCHIVE} was replaced while it was fetched; starting over")
        url = without_credentials(source.url(f"{FOLDER}/{ARCHIVE}"))
    path = folder / ARCHIVE
    found = FetchedTaxonomy(
        path=path,
        date=archive_date(path).isoformat(),
        sha256=fetched.sha256,
        md5=md5,
        bytes=fetched.size_bytes,
        url=url,
        transferred_bytes=fetched.bytes_transferred,
    )
    note = dataclasses.asdict(found) | {"path": ARCHIVE}
    write_atomically(_note(folder), (json.dumps(note, indent=1) + "\n").encode())
    progress(f"{ARCHIVE} of {found.date}: {found.bytes / 1e6:,.1f} MB, verified")
    return found


def archive_date(path: Path) -> dt.date:
    """Return the date of the archive's newest member, in UTC, ignoring members with implausible dates.

    Raises:
        IntegrityError: it is not a valid archive, or no member has a plausible date.
    """
    latest = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=2)
    days = []
    for member in members(path):
        try:
            day = dt.datetime.fromtimestamp(member.modified_seconds, dt.UTC).date()
        except (OverflowError, ValueError, OSError):
            continue
        if FIRST_DAY <= day <= latest:
            days.append(day)
    if not days:
        raise IntegrityError(f"{path.name}: no member has a plausible date")
    return max(days)


def published_md5(source: Source) -> str:
    """Return the MD5 that the source currently publishes for its archive.

    Raises:
        SourceError: the source cannot be reached or publishes no MD5.
    """
    path = f"{FOLDER}/{ARCHIVE}.md5"
    try:
        text = source.read_text(path)
    except RemoteFileMissingError as error:
        raise SourceError(
            f"{source.url(FOLDER)} has no {ARCHIVE}.md5: the source offers no taxonomy that can be verified"
        ) from error
    found = re.match(r"\s*([0-9a-fA-F]{32})(?:\s|$)", text)
    if found is None:
        raise SourceError(f"{source.url(path)} holds no MD5: {text[:60]!r}")
    return found[1].lower()


def _note(folder: Path) -> Path:
    return folder / f"{ARCHIVE}.json"


def _arrived(folder: Path, *, md5: str) -> FetchedTaxonomy | None:
    """Return the archive fetched last, if it is complete and has this checksum."""
    try:
        note: dict[str, Any] = json.loads(_note(folder).read_text(encoding="utf-8"))
        found = FetchedTaxonomy(**(note | {"path": folder / ARCHIVE, "transferred_bytes": 0}))
        whole = found.path.stat().st_size == found.bytes
    except (OSError, ValueError, TypeError):
        return None
    return found if whole and found.md5 == md5 else None
