"""Reads which release a source offers, and what its release notes promise.

GenBank: ``GB_Release_Number`` (``273.0``, formerly ``260``) and ``gbrel.txt``, whose §2.2.1 lists the files and
§2.2.6 the entries and bases of each. RefSeq: ``RELEASE_NUMBER`` and ``release-catalog/releaseN.files.installed``
with checksums. Fetching flat files belongs to ``fetch``.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from genbank_assets.errors import ReleaseError, RemoteFileMissingError, SourceError
from genbank_assets.ncbi.catalog import GENBANK, Collection, division_of_file, file_sort_key
from genbank_assets.release_facts import same_number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genbank_assets.ncbi.sources import Source

_NUMBER = re.compile(r"\s*(\d{1,6}(?:\.\d{1,3})?)\s*")
_NOTES_RELEASE = re.compile(r"NCBI-GenBank Flat File Release\s+(\d+(?:\.\d+)?)")
_NOTES_DATE = re.compile(r"^\s{5,}([A-Z][a-z]+ \d{1,2},? \d{4})\s*$", re.MULTILINE)
# Names with four or more digits may be truncated (gbpln1000.se).
_NOTES_FILE = re.compile(r"^\s*\d+\.\s+(gb[a-z]{3}\d+)\.s(?:eq?)?(?=\s|$)", re.MULTILINE)
_NOTES_ENTRIES = re.compile(r"^([A-Z]{3}\d+)\s+([\d,]+)\s+([\d,]+)\s*$", re.MULTILINE)
_NOTES_SIZE = re.compile(r"^\s*([\d,]+)\s+(gb[a-z]{3}\d+)\.s(?:eq?)?\s*$", re.MULTILINE)
# MD5, or the CRC printed by cksum.
_CHECKSUM = re.compile(r"[0-9a-f]{32}|[0-9]{1,10}", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Release:
    """A release as described by its source.

    Attributes:
        collection: ``genbank`` or ``refseq``.
        number: as written by NCBI: ``273.0``, ``260``, ``237``.
        date: as written in the release notes; "" without notes.
        files: file names listed by the release.
        lists_all: whether ``files`` is complete; RefSeq's list omits a few files, and notes may have no list.
        entries: file name → (entries, bases), from the release notes.
        text_bytes: file name → approximate uncompressed size in bytes, from the release notes.
        checksums: file name → hex MD5, or decimal POSIX ``cksum`` for RefSeq before December 2022.
    """

    collection: str
    number: str
    date: str
    files: frozenset[str]
    lists_all: bool
    entries: dict[str, tuple[int, int]]
    checksums: dict[str, str]
    text_bytes: dict[str, int] = dataclasses.field(default_factory=dict)


def read_number(source: Source, *, collection: Collection) -> str:
    """Return the source's current release number.

    Raises:
        SourceError: the number file is missing or malformed.
    """
    path = f"{collection.path}/{collection.number_file}"
    text = source.read_text(path)
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise SourceError(f"{source.url(path)} contains no release number, but {text[:40]!r}")
    return match[1]


def read_release(source: Source, *, collection: Collection) -> Release:
    """Return the current release, after checking its number against the release notes.

    Raises:
        ReleaseError: number and release notes disagree, because the release is being replaced.
        SourceError: number or notes cannot be read.
    """
    number = read_number(source, collection=collection)
    if collection is GENBANK:
        return _genbank_release(number, source.read_text(f"{collection.path}/gbrel.txt"))
    return _refseq_release(source, number, collection=collection)


def _refseq_release(source: Source, number: str, *, collection: Collection) -> Release:
    name = f"{collection.path}/release-catalog/release{number}.files.installed"
    if not source.exists(name):
        raise ReleaseError(f"RefSeq says release {number}, but {source.url(name)} is not there yet", transient=True)
    files, checksums = _installed(source.read_text(name))
    return Release(
        "refseq",
        number,
        _refseq_date(source, number, collection=collection),
        files=files,
        lists_all=False,
        entries={},
        checksums=checksums,
    )


def _installed(text: str) -> tuple[frozenset[str], dict[str, str]]:
    """Parse ``files.installed`` into file names and checksums."""
    names, checksums = set(), {}
    for line in text.splitlines():
        fields = line.split()
        if not fields:
            continue
        names.add(fields[-1])
        if len(fields) > 1 and _CHECKSUM.fullmatch(fields[0]):
            checksums[fields[-1]] = fields[0].lower()
    return frozenset(names), checksums


def _refseq_date(source: Source, number: str, *, collection: Collection) -> str:
    """Return the date below ``Release 237`` in the release notes (``August 31, 2026``); "" without notes."""
    name = f"{collection.path}/release-notes/RefSeq-release{number}.txt"
    try:
        notes = source.read_text(name)[:4000]
    except RemoteFileMissingError:
        return ""
    date = _NOTES_DATE.search(notes)
    return date[1] if date and re.search(rf"\bRelease\s+{re.escape(number)}\b", notes) else ""


def _genbank_release(number: str, notes: str) -> Release:
    match = _NOTES_RELEASE.search(notes)
    if match is None:
        raise ReleaseError("gbrel.txt names no release: is it GenBank's release notes?")
    if not same_number(match[1], number):
        raise ReleaseError(
            f"GB_Release_Number says {number}, gbrel.txt says {match[1]}: the release is being replaced; try again "
            "later",
            transient=True,
        )
    files = frozenset(f"{m[1]}.seq.gz" for m in _NOTES_FILE.finditer(notes))
    entries = {
        f"gb{m[1].lower()}.seq.gz": (int(m[2].replace(",", "")), int(m[3].replace(",", "")))
        for m in _NOTES_ENTRIES.finditer(notes)
    }
    date = _NOTES_DATE.search(notes[:2000])
    return Release(
        "genbank",
        number,
        date[1] if date else "",
        files=files,
        lists_all=bool(files),
        entries=entries,
        checksums={},
        text_bytes={f"{m[2]}.seq.gz": int(m[1].replace(",", "")) for m in _NOTES_SIZE.finditer(notes)},
    )


def promised_files(release: Release, *, collection: Collection, division: str) -> frozenset[str]:
    """Return the names of a division's files listed by the release."""
    return frozenset(name for name in release.files if division_of_file(name, collection=collection) == division)


def disagreement(release: Release, listed: Iterable[str], *, collection: Collection, division: str) -> str:
    """Describe how a division's listing differs from what the release promises; "" if they agree."""
    promised, there = promised_files(release, collection=collection, division=division), set(listed)
    missing = sorted(promised - there, key=file_sort_key)
    extra = sorted(there - promised, key=file_sort_key) if release.lists_all else []
    if not missing and not extra:
        return ""
    notes = "the release notes promise" if collection is GENBANK else "files.installed promises"
    return (
        f"{division}: {notes} {len(promised)} files, {len(there)} are listed "
        f"(missing: {', '.join(missing[:3]) or 'none'}; extra: {', '.join(extra[:3]) or 'none'})"
    )
