"""A cheap look at what a source offers: is there a whole release, and did it change? Made for sensors.

Costs a handful of small requests: the number, the release notes, and folder listings. Publication at NCBI is not
atomic, so "complete" means that number and notes agree and the listing holds what the notes promise; whether it
stays so is for the caller to see at a second look.
"""

from __future__ import annotations

import dataclasses
import hashlib

from genbank_assets.errors import ReleaseError
from genbank_assets.ncbi.catalog import REFSEQ, Collection, division_of_file
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.releases import promised_files, read_release
from genbank_assets.ncbi.sources import RemoteFile, Source, open_source
from genbank_assets.settings import Settings


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
        bytes: their compressed bytes, as far as the listing says.
    """

    number: str
    date: str
    complete: bool
    reason: str
    fingerprints: dict[str, str]
    files: int
    bytes: int


def poll_release(collection: Collection, *, settings: Settings) -> ReleaseState:
    """Look at the source.

    Raises:
        SourceError: the source cannot be reached or read.
    """
    limiter = Limiter(settings.store, requests_per_second=settings.requests_per_second)
    with open_source(settings.source, limiter=limiter) as source:
        try:
            release = read_release(source, collection=collection)
        except ReleaseError as error:
            return ReleaseState("", "", complete=False, reason=str(error), fingerprints={}, files=0, bytes=0)
        listed = _listed(source, collection)
    reason = ""
    for division, remotes in listed.items():
        promised = promised_files(release, collection=collection, division=division)
        if promised is not None and promised != {remote.name for remote in remotes}:
            reason = f"{division}: {len(remotes)} files are listed, the release notes promise {len(promised)}"
    everything = [remote for remotes in listed.values() for remote in remotes]
    return ReleaseState(
        number=release.number,
        date=release.date,
        complete=not reason and bool(everything),
        reason=reason or ("" if everything else "no flat files are listed"),
        fingerprints={division: _fingerprint(remotes) for division, remotes in listed.items()},
        files=len(everything),
        bytes=sum(remote.bytes or 0 for remote in everything),
    )


def _listed(source: Source, collection: Collection) -> dict[str, list[RemoteFile]]:
    found: dict[str, list[RemoteFile]] = {division: [] for division in collection.divisions}
    folders = [f"{collection.path}/{division}" for division in found] if collection is REFSEQ else [collection.path]
    for folder in folders:
        for remote in source.listing(folder):
            division = division_of_file(remote.name, collection=collection)
            if division is not None and (collection is not REFSEQ or folder.endswith(f"/{division}")):
                found[division].append(remote)
    return found


def _fingerprint(remotes: list[RemoteFile]) -> str:
    if not remotes:
        return ""
    lines = sorted(f"{remote.name} {remote.bytes} {remote.modified}" for remote in remotes)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
