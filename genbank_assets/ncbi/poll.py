"""Cheap polling of a source, for sensors: is its release complete, and has it changed?

A poll takes a few small requests: the number, the release notes, and folder listings. NCBI does not publish
atomically, so "complete" means that number and notes agree and that the listing has all promised files; callers
confirm this with a second poll. Comparing a listing with fetched files also belongs here; acting on it belongs to the
callers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import email.utils
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from genbank_assets.errors import ReleaseError
from genbank_assets.ncbi.catalog import Collection
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.listing import listed_release
from genbank_assets.ncbi.releases import Release, disagreement, read_release
from genbank_assets.ncbi.sources import RemoteFile, open_source
from genbank_assets.ncbi.verify import checksum_of
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest

# Dagster kills a sensor tick after 60 s: give up earlier, with a clear message.
TIME_LIMIT_SECONDS = 30.0
TIMEOUT_SECONDS = 10.0
_MAX_ZONES_APART_MINUTES = 15 * 60


@dataclasses.dataclass(frozen=True)
class ReleaseState:
    """What a source offers at one point in time.

    Attributes:
        number: release number, or "" if number and notes disagree.
        date: release date as written in the release notes.
        complete: whether the release is complete.
        reason: a sentence saying why it is incomplete; "" if it is complete.
        fingerprints: division → digest of its files' names, sizes and dates; "" for a division without files.
        files: number of listed flat files.
        bytes: their total compressed size, as precise as the listing; None if any size is missing.
        listed: division → its listed files.
        checksums: file name → checksum, as far as the release has them.
        unknown: descriptions of content that this version does not support.
    """

    number: str
    date: str
    complete: bool
    reason: str
    fingerprints: dict[str, str]
    files: int = 0
    bytes: int | None = None
    listed: dict[str, list[RemoteFile]] = dataclasses.field(default_factory=dict)
    checksums: dict[str, str] = dataclasses.field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """A short digest of number and files of all divisions; equal in two polls of an unchanged release."""
        return _digest([self.number, *(f"{name} {mark}" for name, mark in sorted(self.fingerprints.items()))])


def poll_release(collection: Collection, *, settings: Settings) -> ReleaseState:
    """Poll the source for the state of a collection's current release.

    Raises:
        SourceError: the source cannot be reached or read.
    """
    limiter = Limiter.of(settings, time_limit_seconds=TIME_LIMIT_SECONDS)
    with open_source(settings.source, limiter=limiter, timeout_seconds=TIMEOUT_SECONDS) as source:
        try:
            release = read_release(source, collection=collection)
        except ReleaseError as error:
            return ReleaseState("", "", complete=False, reason=str(error), fingerprints={})
        found = listed_release(source, release=release, collection=collection)
    listed = found.files
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
        listed=listed,
        checksums=release.checksums,
        unknown=found.unknown,
    )


def _fingerprint(remotes: list[RemoteFile], release: Release) -> str:
    if not remotes:
        return ""
    return _digest(sorted(f"{r.name} {r.bytes} {r.modified} {release.checksums.get(r.name, '')}" for r in remotes))


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def is_fetched(manifest: Manifest, remotes: Iterable[RemoteFile], *, checksums: Mapping[str, str]) -> bool:
    """Return whether the raw files of a manifest match a current listing, as far as the listing can tell.

    Listings may round sizes and give local times without seconds. Without size, time and checksum, only names are
    compared.

    Args:
        manifest: manifest of the stage ``raw_files``.
        remotes: the division's listed files.
        checksums: file name → checksum from the release.
    """
    here = {str(entry["name"]): entry for entry in manifest.files}
    there = {remote.name: remote for remote in remotes}
    return here.keys() == there.keys() and all(
        _same(here[name], remote, checksum=checksums.get(name)) for name, remote in there.items()
    )


def _same(entry: Mapping[str, Any], remote: RemoteFile, *, checksum: str | None) -> bool:
    known = checksum_of(entry)
    if checksum is not None and known is not None and checksum != known:
        return False
    if remote.bytes is not None and not remote.rounded and remote.bytes != entry["bytes"]:
        return False
    return may_be_same_moment(entry.get("modified"), remote.modified)


def may_be_same_moment(one: str | None, other: str | None) -> bool:
    """Return whether two server timestamps may be equal, allowing for different time zones and missing seconds."""
    if one is None or other is None or one == other:
        return True
    times = [_time(one), _time(other)]
    if times[0] is None or times[1] is None:
        return True
    minutes = abs(times[0] - times[1]) // dt.timedelta(minutes=1)
    return minutes <= _MAX_ZONES_APART_MINUTES and minutes % 15 == 0


def _time(text: str) -> dt.datetime | None:
    """Parse a timestamp of a file system, HTTP, FTP or web page; truncated to the minute, without its zone."""
    found = None
    if re.fullmatch(r"[0-9]{14}(\.[0-9]+)?", text):
        text = f"{text[:8]}T{text[8:14]}"
    with contextlib.suppress(ValueError):
        found = dt.datetime.fromisoformat(text)
    with contextlib.suppress(ValueError, TypeError):
        found = found or email.utils.parsedate_to_datetime(text)
    for form in ("%d-%b-%Y %H:%M", "%m-%d-%y %I:%M%p"):
        with contextlib.suppress(ValueError):
            found = found or dt.datetime.strptime(text, form)
    return None if found is None else found.replace(tzinfo=None, second=0, microsecond=0)
