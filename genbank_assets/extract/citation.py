"""Citations of partitions and extracts: a sentence and BibTeX with release, date and the digest of NCBI's files.

Equal digests mean the same files, whoever made the mirror. The tables belong to ``store``, machine-readable metadata to
``metadata``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genbank_assets import __version__
from genbank_assets.extract.inputs import find_inputs
from genbank_assets.extract.manifest import Extract, counted_entries
from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.release_facts import date_of

HOME = "https://www.ncbi.nlm.nih.gov"
PUBLISHER = "National Center for Biotechnology Information"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Citation:
    """Citation of a partition.

    Attributes:
        partition: such as ``genbank/phg``.
        title: display name of the partition.
        release: as written by NCBI.
        date: date of the release, ISO 8601; None if NCBI does not give one.
        records: number of records; None if not recorded in the manifest.
        digest: SHA-256 over names and SHA-256 of the partition's flat files, one line each, ordered by name.
        software: the software that made the tables.
    """

    partition: str
    title: str
    release: str
    date: str | None
    records: int | None
    digest: str
    software: str = f"genbank-assets {__version__}"

    @property
    def named(self) -> str:
        """Title, release and date."""
        dated = f" of {self.date}" if self.date else ""
        return f"{self.title}, release {self.release}{dated}"

    @property
    def url(self) -> str:
        """URL of NCBI's page about the collection."""
        return f"{HOME}/{self.partition.split('/')[0]}/"

    @property
    def sentence(self) -> str:
        """A sentence for the methods section of a paper."""
        counted = f" ({self.records:,} records)" if self.records is not None else ""
        return (
            f"{self.named}{counted}, {PUBLISHER}; read with {self.software}, SHA-256 of the flat files {self.digest}."
        )

    @property
    def bibtex(self) -> str:
        """A bibliography entry."""
        counted = f"{self.records} records; " if self.records is not None else ""
        return bibtex(
            f"{self.partition.replace('/', '-')}-{self.release}",
            author=PUBLISHER,
            title=self.named,
            year=self.date[:4] if self.date else None,
            howpublished=f"\\url{{{self.url}}}",
            note=f"{counted}{self.software}; SHA-256 {self.digest}",
        )

    def as_dict(self) -> dict[str, object]:
        """Return all fields as JSON values."""
        return {**dataclasses.asdict(self), "sentence": self.sentence, "bibtex": self.bibtex}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExtractCitation:
    """Citation of an extract: its query and the partitions it was made from.

    Attributes:
        name: name of its first file.
        query: its conditions, as ``name=value; …``.
        entries: number of entries in its files.
        date: date of the latest release it was made from, ISO 8601; None if unknown.
        digest: SHA-256 of its manifest.
        sources: citations of the partitions.
        software: the software that wrote it.
    """

    name: str
    query: str
    entries: int
    date: str | None
    digest: str
    sources: tuple[Citation, ...]
    software: str

    @property
    def sentence(self) -> str:
        """A sentence for the methods section of a paper."""
        named = "; ".join(f"{one.named} (SHA-256 of the flat files {one.digest})" for one in self.sources)
        return (
            f"{counted_entries(self.entries)} ({self.query}) of {named}, {PUBLISHER}; extracted with {self.software}, "
            f"SHA-256 of the manifest {self.digest}."
        )

    @property
    def bibtex(self) -> str:
        """A bibliography entry for the extract, followed by those of the partitions."""
        own = bibtex(
            f"{re.sub(r'[^A-Za-z0-9.-]+', '-', self.name).strip('-') or 'extract'}-{self.digest[:12]}",
            author=PUBLISHER,
            title=f"Extract of {', '.join(one.partition for one in self.sources)}: {self.query}",
            year=self.date[:4] if self.date else None,
            howpublished=f"\\url{{{HOME}/}}",
            note=f"{counted_entries(self.entries)}; {self.software}; SHA-256 of the manifest {self.digest}",
        )
        return "\n\n".join([own, *(one.bibtex for one in self.sources)])

    def as_dict(self) -> dict[str, object]:
        """Return all fields as JSON values."""
        return {
            **dataclasses.asdict(self),
            "sources": [one.as_dict() for one in self.sources],
            "sentence": self.sentence,
            "bibtex": self.bibtex,
        }


def bibtex(key: str, *, author: str, title: str, year: str | None, howpublished: str, note: str) -> str:
    """Format a ``@misc`` entry, escaping TeX's special characters in title and note."""
    dated = f"  year         = {{{year}}},\n" if year else ""
    return (
        f"@misc{{{key},\n"
        f"  author       = {{{{{author}}}}},\n"
        f"  title        = {{{{{_tex(title)}}}}},\n{dated}"
        f"  howpublished = {{{howpublished}}},\n"
        f"  note         = {{{_tex(note)}}}\n}}"
    )


def _tex(text: str) -> str:
    marks = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return re.sub(r"[\\{}$&#%_~^]", lambda mark: marks.get(mark[0], f"\\{mark[0]}"), text)


def cite(store: Path, partitions: list[str], *, release: str | None = None) -> list[Citation]:
    """Return the citations of some partitions, in their newest or in a given release.

    Raises:
        NotFoundError: one of them is not in the store.
    """
    found = find_inputs(store, partitions=partitions, release=release)
    return [cite_input(one.as_dict()) for one in found]


def cite_input(one: Mapping[str, Any], *, software: str = f"genbank-assets {__version__}") -> Citation:
    """Return the citation of an input recorded in an extract's manifest."""
    collection, _, division = str(one["partition"]).partition("/")
    date = date_of(str(one.get("release_date") or ""))
    lines = sorted(f"{file['name']} {file['raw_sha256']}\n" for file in one["files"])
    return Citation(
        partition=str(one["partition"]),
        title=f"{COLLECTIONS[collection].title}, {COLLECTIONS[collection].divisions[division]}",
        release=str(one["release"]),
        date=date.isoformat() if date else None,
        records=one.get("records"),
        digest=hashlib.sha256("".join(lines).encode()).hexdigest(),
        software=software,
    )


def cite_extract(extract: Extract) -> ExtractCitation:
    """Return the citation of an extract."""
    software = f"genbank-assets {extract.version}"
    sources = tuple(cite_input(one, software=software) for one in extract.inputs)
    return ExtractCitation(
        name=extract.files[0].name if extract.files else "extract",
        query=query_text(extract.query),
        entries=extract.entries,
        date=max((one.date for one in sources if one.date), default=None),
        digest=hashlib.sha256(extract.as_json().encode()).hexdigest(),
        sources=sources,
        software=software,
    )


def query_text(query: Mapping[str, Any]) -> str:
    """Format a query as ``format=fasta; taxa=Mammalia, Aves``."""
    return "; ".join(f"{name}={_value_text(value)}" for name, value in query.items())


def _value_text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    if isinstance(value, dict):  # a long list of accessions
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return str(value)
