"""How a partition is cited: a sentence and BibTeX with release, date and the digest of NCBI's files.

Equal digests mean the same files, whoever made the mirror. What the tables are belongs to ``store``.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

from genbank_assets import __version__
from genbank_assets.extract.inputs import Input, find_inputs
from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.ncbi.releases import release_date

HOME = "https://www.ncbi.nlm.nih.gov"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Citation:
    """What names the data of one partition.

    Attributes:
        partition: such as ``genbank/phg``.
        title: of the partition, for people.
        release: as NCBI writes it.
        date: of the release, ISO 8601; None where NCBI does not say it.
        records: records of the partition.
        digest: SHA-256 over the names and SHA-256 of the partition's flat files, a line each, in order of name.
        software: what made the tables.
    """

    partition: str
    title: str
    release: str
    date: str | None
    records: int
    digest: str
    software: str = f"genbank-assets {__version__}"

    @property
    def sentence(self) -> str:
        """A sentence for a paper's methods."""
        dated = f" of {self.date}" if self.date else ""
        return (
            f"{self.title}, release {self.release}{dated} ({self.records:,} records), National Center for "
            f"Biotechnology Information; read with {self.software}, SHA-256 of the flat files {self.digest}."
        )

    @property
    def bibtex(self) -> str:
        """An entry for a bibliography."""
        key = f"{self.partition.replace('/', '-')}-{self.release}"
        year = f"  year         = {{{self.date[:4]}}},\n" if self.date else ""
        dated = f" of {self.date}" if self.date else ""
        return (
            f"@misc{{{key},\n"
            f"  author       = {{{{National Center for Biotechnology Information}}}},\n"
            f"  title        = {{{{{self.title}, release {self.release}{dated}}}}},\n{year}"
            f"  howpublished = {{\\url{{{HOME}/{self.partition.split('/')[0]}/}}}},\n"
            f"  note         = {{{self.records} records; {self.software}; SHA-256 {self.digest}}}\n}}"
        )

    def as_dict(self) -> dict[str, object]:
        """All of it as JSON values."""
        return {**dataclasses.asdict(self), "sentence": self.sentence, "bibtex": self.bibtex}


def cite(store: Path, partitions: list[str], *, release: str | None = None) -> list[Citation]:
    """The citations of some partitions, each in its newest release or in the one that is named.

    Raises:
        NotFoundError: one of them is not in the store.
    """
    found = []
    for one in find_inputs(store, partitions=partitions, release=release):
        collection = COLLECTIONS[one.partition.key.collection]
        date = release_date(one.partition)
        found.append(
            Citation(
                partition=str(one.partition.key),
                title=f"{collection.title}, {collection.divisions[one.partition.key.division]}",
                release=one.partition.release,
                date=date.isoformat() if date else None,
                records=sum(file.rows for file in one.files),
                digest=_digest(one),
            )
        )
    return found


def _digest(one: Input) -> str:
    lines = sorted(f"{entry['name']} {entry['raw_sha256']}\n" for entry in one.tables.records.files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
