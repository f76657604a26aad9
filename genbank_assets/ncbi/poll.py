"""A cheap look at what a source offers: is there a whole release, and did it change? Made for sensors.

Costs a handful of small requests: the number, the release notes, and folder listings. Publication at NCBI is not
atomic, so "complete" means that number and notes agree and the listing holds what the notes promise; whether it
stays so is for the caller to see at a second look.
"""

from __future__ import annotations

import dataclasses
import hashlib

from genbank_assets.errors import ReleaseError
from genbank_assets.ncbi.catalog import Collection
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.listing import listed_release
from genbank_assets.ncbi.releases import Release, disagreement, read_release
from genbank_assets.ncbi.sources import RemoteFile, open_source
from genbank_assets.settings import Settings

# Dagster ends a sensor's tick after 60 s: the look ends before, with a sentence.
TIME_LIMIT_SECONDS = 30.0
TIMEOUT_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class ReleaseState:
    """What a source offers at one moment.

    Attributes:
        number: release number, or "" when even that cannot be agreed on.
        date: as the release notes write it.
        complete: whether the release is whole.
        reason: why it is not, in a sentence; "" when it is.
        fingerprints: division → digest over names, sizes and dates of its files; "" for none.
        files: flat files listed.
        bytes: their compressed bytes, rounded where the listing rounds; None where it does not say.
    """

    number: str
    date: str
    complete: bool
    reason: str
    fingerprints: dict[str, str]
    files: int
    bytes: int | None


def poll_release(collection: Collection, *, settings: Settings) -> ReleaseState:
    """Look at the source.

    Raises:
        SourceError: the source cannot be reached or read.
    """
    limiter = Limiter.of(settings, time_limit_seconds=TIME_LIMIT_SECONDS)
    with open_source(settings.source, limiter=limiter, timeout_seconds=TIMEOUT_SECONDS) as source:
        try:
            release = read_release(source, collection=collection)
        except ReleaseError as error:
            return ReleaseState("", "", complete=False, reason=str(error), fingerprints={}, files=0, bytes=None)
        listed = listed_release(source, release=release, collection=collection)
    differences = (
        disagreement(release, [remote.name for remote in remotes], collection=collection, division=division)
        for division, remotes in listed.items()
    )
    everything = [remote for remotes in listed.values() for remote in remotes]
    reason = next(filter(None, differences), "" if everything else "no flat files are listed")
    sizes = [remote.bytes for remote in everything if remote.bytes is not None]
    return ReleaseState(
        number=release.number,
        date=release.date,
        complete=not reason,
        reason=reason,
        fingerprints={division: _fingerprint(remotes, release) for division, remotes in listed.items()},
        files=len(everything),
        bytes=sum(sizes) if len(sizes) == len(everything) else None,
    )


def _fingerprint(remotes: list[RemoteFile], release: Release) -> str:
    if not remotes:
        return ""
    lines = sorted(
        f"{remote.name} {remote.bytes} {remote.modified} {release.checksums.get(remote.name, '')}" for remote in remotes
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
