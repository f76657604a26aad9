"""Which release a source offers, and what its release notes promise.

GenBank: ``GB_Release_Number`` (``273.0``, formerly ``260``) and ``gbrel.txt``, whose §2.2.1 lists the files and
§2.2.6 the entries and bases of each. RefSeq: ``RELEASE_NUMBER`` and ``release-catalog/releaseN.files.installed``
with a checksum per file. Fetching flat files belongs to ``fetch``.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from typing import TYPE_CHECKING

from genbank_assets.errors import ReleaseError, SourceError
from genbank_assets.ncbi.catalog import GENBANK, Collection, division_of_file, file_sort_key

if TYPE_CHECKING:
    from genbank_assets.ncbi.sources import Source
    from genbank_assets.store import PartitionRelease

_NUMBER = re.compile(r"\s*(\d{1,6}(?:\.\d{1,3})?)\s*")
_NOTES_RELEASE = re.compile(r"NCBI-GenBank Flat File Release\s+(\d+(?:\.\d+)?)")
_NOTES_DATE = re.compile(r"^\s{5,}([A-Z][a-z]+ \d{1,2},? \d{4})\s*$", re.MULTILINE)
_NOTES_FILE = re.compile(r"^\s*\d+\.\s+(gb[a-z]{3}\d+)\.seq\b", re.MULTILINE)
_NOTES_ENTRIES = re.compile(r"^([A-Z]{3}\d+)\s+([\d,]+)\s+([\d,]+)\s*$", re.MULTILINE)
_INSTALLED = re.compile(r"^(\S+)\s+(\S+)\s*$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Release:
    """One release as its source describes it.

    Attributes:
        collection: ``genbank`` or ``refseq``.
        number: as NCBI writes it: ``273.0``, ``260``, ``237``.
        date: as the release notes write it, or "" where nothing does.
        files: file names the release promises; None where it promises none (RefSeq lists are incomplete).
        entries: file name → (entries, bases) by the release notes.
        checksums: file name → MD5 in hex, or decimal POSIX ``cksum`` for RefSeq before December 2022.
    """

    collection: str
    number: str
    date: str
    files: frozenset[str] | None
    entries: dict[str, tuple[int, int]]
    checksums: dict[str, str]


def read_number(source: Source, *, collection: Collection) -> str:
    """The release number the source shows right now.

    Raises:
        SourceError: the file is missing or holds something else.
    """
    path = f"{collection.path}/{collection.number_file}"
    text = source.read_text(path)
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise SourceError(f"{source.url(path)} holds no release number but {text[:40]!r}")
    return match[1]


def read_release(source: Source, *, collection: Collection) -> Release:
    """The current release, its number checked against the release notes.

    Raises:
        ReleaseError: number and release notes disagree: the release is being replaced at this moment.
    """
    number = read_number(source, collection=collection)
    if collection is GENBANK:
        return _genbank_release(number, source.read_text(f"{collection.path}/gbrel.txt"))
    name = f"{collection.path}/release-catalog/release{number}.files.installed"
    if not source.exists(name):
        raise ReleaseError(f"RefSeq says release {number}, but {source.url(name)} is not there yet")
    installed = {m[2]: m[1].lower() for m in _INSTALLED.finditer(source.read_text(name))}
    return Release("refseq", number, "", files=None, entries={}, checksums=installed)


def _genbank_release(number: str, notes: str) -> Release:
    said = _NOTES_RELEASE.search(notes)
    if said is None:
        raise ReleaseError("gbrel.txt names no release: is it GenBank's release notes?")
    if said[1].split(".")[0] != number.split(".")[0]:
        raise ReleaseError(
            f"GB_Release_Number says {number}, gbrel.txt says {said[1]}: the release is being replaced; try again later"
        )
    files = frozenset(f"{m[1]}.seq.gz" for m in _NOTES_FILE.finditer(notes))
    entries = {
        f"gb{m[1].lower()}.seq.gz": (int(m[2].replace(",", "")), int(m[3].replace(",", "")))
        for m in _NOTES_ENTRIES.finditer(notes)
    }
    date = _NOTES_DATE.search(notes[:2000])
    return Release("genbank", number, date[1] if date else "", files=files or None, entries=entries, checksums={})


def promised_files(release: Release, *, collection: Collection, division: str) -> frozenset[str] | None:
    """The files of a division that the release notes list, or None where they list none at all."""
    if release.files is None:
        return None
    names = {name for name in release.files if division_of_file(name, collection=collection) == division}
    return frozenset(sorted(names, key=file_sort_key))


def release_date(partition: PartitionRelease) -> dt.date | None:
    """The date in the release notes (``August 15 2026``), as far as they say one."""
    raw = partition.manifest("raw_files")
    text = str(raw.extra.get("release_date", "")).replace(",", "") if raw is not None else ""
    try:
        return dt.datetime.strptime(text, "%B %d %Y").date()
    except ValueError:
        return None
