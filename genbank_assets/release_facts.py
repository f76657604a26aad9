"""Number and date of a release in the store.

Numbers order releases and name their folders. Dates, recorded in the manifest of raw files, order releases relative to
daily updates (``postgres.order``). What a source currently offers belongs to ``ncbi.releases``.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Protocol

from genbank_assets.errors import IntegrityError

if TYPE_CHECKING:
    from genbank_assets.store import Manifest, Stage


class HasManifests(Protocol):
    """A division's release whose stage manifests can be read, in a store or a bucket."""

    def manifest(self, stage: Stage) -> Manifest | None:
        """Return the manifest of a stage, or None if it is not published."""
        ...


def release_sort_key(release: str) -> tuple[int, int]:
    """Return a sort key for a release number: ``"273.0"`` → (273, 0), ``"260"`` → (260, 0).

    Raises:
        IntegrityError: the text is not a release number.
    """
    match = re.fullmatch(r"(\d+)(?:\.(\d+))?", release)
    if match is None:
        raise IntegrityError(f"not a release number: {release!r}")
    return int(match[1]), int(match[2] or 0)


def same_number(one: str, other: str) -> bool:
    """Return whether two texts name the same release; ``260`` equals ``260.0``."""
    return release_sort_key(one) == release_sort_key(other)


def release_spellings(text: str) -> tuple[str, ...]:
    """Return the spellings of a release: ``260`` and ``260.0``; daily states (``260.0.20260902``) have one."""
    whole = re.fullmatch(r"(\d+)(?:\.0)?", text)
    return (whole[1], f"{whole[1]}.0") if whole else (text,)


def date_of(text: str) -> dt.date | None:
    """Parse a date of release notes (``August 15 2026``, ``August 31, 2026``); None if it is not one."""
    try:
        return dt.datetime.strptime(text.replace(",", ""), "%B %d %Y").date()
    except ValueError:
        return None


def release_date(partition: HasManifests) -> dt.date | None:
    """Return the date in the release notes; None if they have none."""
    raw = partition.manifest("raw_files")
    return date_of(str(raw.extra.get("release_date", ""))) if raw is not None else None


def first_fetched(partition: HasManifests) -> dt.date:
    """Return the day a release was first fetched, the substitute for a missing release date; today if unknown."""
    raw = partition.manifest("raw_files")
    timestamp = str(raw.extra.get("first_fetched_at") or raw.published_at) if raw is not None else ""
    try:
        return dt.date.fromisoformat(timestamp[:10])
    except ValueError:
        return dt.datetime.now(dt.UTC).date()
