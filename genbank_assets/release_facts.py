"""The number and the date of a release that is in the store.

The number orders releases and names their folders. The date, which the raw files' manifest keeps, orders releases among
days (``postgres.order``). What a source offers right now belongs to ``ncbi.releases``.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Protocol

from genbank_assets.errors import IntegrityError

if TYPE_CHECKING:
    from genbank_assets.store import Manifest, Stage


class HasManifests(Protocol):
    """A division's release that can be asked for its stages' manifests, wherever they lie."""

    def manifest(self, stage: Stage) -> Manifest | None:
        """Return the manifest of a stage, or None."""
        ...


def release_sort_key(release: str) -> tuple[int, int]:
    """``"273.0"`` → (273, 0), ``"260"`` → (260, 0): releases in order of number.

    Raises:
        IntegrityError: the text is not a release number.
    """
    match = re.fullmatch(r"(\d+)(?:\.(\d+))?", release)
    if match is None:
        raise IntegrityError(f"not a release number: {release!r}")
    return int(match[1]), int(match[2] or 0)


def same_number(one: str, other: str) -> bool:
    """Return whether two texts name one release: ``260`` is ``260.0``."""
    return release_sort_key(one) == release_sort_key(other)


def release_spellings(text: str) -> tuple[str, ...]:
    """Return how a release may be written: ``260`` and ``260.0``; a day on top of one (``260.0.20260902``) as it is."""
    whole = re.fullmatch(r"(\d+)(?:\.0)?", text)
    return (whole[1], f"{whole[1]}.0") if whole else (text,)


def date_of(text: str) -> dt.date | None:
    """A date as release notes write it (``August 15 2026``, ``August 31, 2026``); None if the text is not one."""
    try:
        return dt.datetime.strptime(text.replace(",", ""), "%B %d %Y").date()
    except ValueError:
        return None


def release_date(partition: HasManifests) -> dt.date | None:
    """Return the date in the release notes; None if they give none."""
    raw = partition.manifest("raw_files")
    return date_of(str(raw.extra.get("release_date", ""))) if raw is not None else None


def first_fetched(partition: HasManifests) -> dt.date:
    """Return the day a release was first fetched, which dates a release without a date; today if nothing says it."""
    raw = partition.manifest("raw_files")
    said = str(raw.extra.get("first_fetched_at") or raw.published_at) if raw is not None else ""
    try:
        return dt.date.fromisoformat(said[:10])
    except ValueError:
        return dt.datetime.now(dt.UTC).date()
