"""Collections, their divisions, and NCBI's file names.

Sources: GenBank release notes §2.2.1 (division codes) and §3.1 (file headers); the RefSeq release README
(sections and file names). RefSeq's ``complete`` duplicates all other sections and is omitted. Listing the files of a
source belongs to ``listing``, finding its current release to ``releases``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from genbank_assets.errors import NotFoundError
from genbank_assets.store import PartitionKey


@dataclasses.dataclass(frozen=True)
class Collection:
    """A series of releases: GenBank or RefSeq.

    Attributes:
        name: ``genbank`` or ``refseq``.
        title: display name.
        divisions: partition key → title, in NCBI's order.
        path: folder under the source's root.
        number_file: the file that holds the release number, relative to ``path``.
    """

    name: str
    title: str
    divisions: dict[str, str]
    path: str
    number_file: str


GENBANK = Collection(
    name="genbank",
    title="GenBank",
    divisions={
        "bct": "Bacterial",
        "con": "Constructed",
        "env": "Environmental sampling",
        "est": "Expressed sequence tags",
        "gss": "Genome survey",
        "htc": "High-throughput cDNA",
        "htg": "High-throughput genomic",
        "inv": "Invertebrate",
        "mam": "Other mammalian",
        "pat": "Patent",
        "phg": "Phage",
        "pln": "Plant, fungal and algal",
        "pri": "Primate",
        "rod": "Rodent",
        "sts": "Sequence tagged sites",
        "syn": "Synthetic and chimeric",
        "tsa": "Transcriptome shotgun assembly",
        "una": "Unannotated",
        "vrl": "Viral",
        "vrt": "Other vertebrate",
    },
    path="genbank",
    number_file="GB_Release_Number",
)

REFSEQ = Collection(
    name="refseq",
    title="RefSeq",
    divisions={
        "archaea": "Archaea",
        "bacteria": "Bacteria",
        "fungi": "Fungi",
        "invertebrate": "Invertebrates",
        "mitochondrion": "Mitochondria",
        "other": "Other",
        "plant": "Plants",
        "plasmid": "Plasmids",
        "plastid": "Plastids",
        "protozoa": "Protozoa",
        "vertebrate_mammalian": "Mammals",
        "vertebrate_other": "Other vertebrates",
        "viral": "Viruses",
    },
    path="refseq/release",
    number_file="RELEASE_NUMBER",
)

COLLECTIONS: dict[str, Collection] = {c.name: c for c in (GENBANK, REFSEQ)}

# The first match in the lineage decides; all other eukaryotes belong to "protozoa".
_SECTION_OF_TAXON = (
    ("Archaea", "archaea"), ("Bacteria", "bacteria"), ("Fungi", "fungi"), ("Viridiplantae", "plant"),
    ("Mammalia", "vertebrate_mammalian"), ("Vertebrata", "vertebrate_other"), ("Metazoa", "invertebrate"),
)  # fmt: skip
_GENBANK_FILE = re.compile(r"gb([a-z]{3})([1-9]\d{0,5})\.seq\.gz")
_REFSEQ_FILE = re.compile(
    r"([a-z_]+?)\.((?:wp_protein|nonredundant_protein)\.)?(\d{1,6}(?:\.\d{1,6})?)\.(genomic|rna|protein)\.g[bp]ff\.gz"
)


def division_of_file(name: str, *, collection: Collection) -> str | None:
    """Return the division a file name belongs to, or None if it is not a flat file of this collection.

    Only base names match; names with path separators or unusual characters give None.
    """
    pattern = _GENBANK_FILE if collection is GENBANK else _REFSEQ_FILE
    match = pattern.fullmatch(name)
    if match is None or match[1] not in collection.divisions:
        return None
    return match[1]


def section_of_record(collection: Collection, *, division: str | None, taxonomy: Sequence[str]) -> str | None:
    """Return the partition of a record from a file of mixed divisions, or None if it cannot be determined.

    For GenBank this is the division code; for RefSeq, the section of the organism, derived from division code and
    lineage as described in the release README. Releases additionally list organelles and plasmids in separate sections.
    """
    code = (division or "").lower()
    if collection is GENBANK:
        return code if code in collection.divisions else None
    lineage = set(taxonomy)
    if code in {"phg", "vrl"} or "Viruses" in lineage:
        return "viral"
    for taxon, section in _SECTION_OF_TAXON:
        if taxon in lineage:
            return section
    return "protozoa" if "Eukaryota" in lineage else "other" if code in {"syn", "env", "una"} else None


def file_sort_key(name: str) -> tuple[object, ...]:
    """Return a natural sort key, which orders ``gbbct2`` before ``gbbct10``."""
    return tuple((1, int(part)) if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name) if part)


def parse_partition(text: str) -> PartitionKey:
    """Parse a partition such as ``genbank/phg``.

    Raises:
        NotFoundError: no such collection or division; the message lists the valid ones.
    """
    collection_name, _, division = text.strip().strip("/").partition("/")
    collection = COLLECTIONS.get(collection_name)
    if collection is None:
        raise NotFoundError(
            f"no collection {collection_name!r}: there are {', '.join(COLLECTIONS)} (as in genbank/phg)"
        )
    if division not in collection.divisions:
        raise NotFoundError(
            f"{collection.title} has no division {division!r}: there are {', '.join(collection.divisions)}"
        )
    return PartitionKey(collection.name, division)
