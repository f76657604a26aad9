"""A row of the record table as a ``Bio.SeqRecord``, for users who live in Biopython.

Fields go where Bio.GenBank would have put them; a location Biopython cannot hold is left out and noted in the
feature's ``note_location``. Reading tables and residues is the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from Bio.Seq import Seq
from Bio.SeqFeature import (
    AfterPosition,
    BeforePosition,
    CompoundLocation,
    ExactPosition,
    Position,
    Reference,
    SeqFeature,
    SimpleLocation,
)
from Bio.SeqRecord import SeqRecord


def to_seqrecord(row: Mapping[str, Any], residues: str | None = None) -> SeqRecord:
    """A record as Biopython has it.

    Args:
        row: one row of the record table, as ``polars.DataFrame.to_dicts`` or ``pyarrow`` ``to_pylist`` give it.
        residues: the residues, joined from the chunks of the sequence table; None makes a sequence of known length
            and unknown letters.

    Returns:
        The record with features, references and annotations.
    """
    return SeqRecord(
        Seq(residues) if residues is not None else Seq(None, length=row["length"]),
        id=row["accession_version"],
        name=row["locus_name"],
        description=row["definition"] or "",
        dbxrefs=[f"{link['key']}:{link['value']}" for link in row["dblinks"]],
        features=[_feature(feature) for feature in row["features"]],
        annotations=_annotations(row),
    )


def _annotations(row: Mapping[str, Any]) -> dict[str, Any]:
    strand = f"{row['strandedness']}-" if row["strandedness"] else ""
    found: dict[str, Any] = {
        "molecule_type": f"{strand}{row['molecule_type']}" if row["molecule_type"] else _default_molecule(row),
        "topology": row["topology"],
        "data_file_division": row["division"],
        "date": row["update_date"].strftime("%d-%b-%Y").upper() if row["update_date"] else None,
        "accessions": [row["accession"], *row["secondary_accessions"]],
        "sequence_version": row["version"],
        "keywords": list(row["keywords"]) or [""],
        "source": row["source"],
        "organism": row["organism"],
        "taxonomy": list(row["taxonomy"]),
        "references": [_reference(reference) for reference in row["references"]],
        "comment": row["comment"],
        "contig": row["contig"],
        "structured_comment": {
            block["name"]: {item["key"]: item["value"] for item in block["items"]}
            for block in row["structured_comments"]
        },
    }
    return {key: value for key, value in found.items() if value not in (None, {})}


def _default_molecule(row: Mapping[str, Any]) -> str:
    return "protein" if row["length_unit"] == "aa" else "DNA"


def _reference(row: Mapping[str, Any]) -> Reference:
    reference = Reference()
    reference.authors = row["authors"] or ""
    reference.consrtm = row["consortium"] or ""
    reference.title = row["title"] or ""
    reference.journal = row["journal"] or ""
    reference.medline_id = row["medline"] or ""
    reference.pubmed_id = row["pubmed"] or ""
    reference.comment = row["remark"] or ""
    return reference


def _feature(row: Mapping[str, Any]) -> SeqFeature:
    qualifiers: dict[str, list[str]] = {}
    for qualifier in row["qualifiers"]:
        qualifiers.setdefault(qualifier["key"], []).append(qualifier["value"] if qualifier["value"] is not None else "")
    parts = [_part(span) for span in row["spans"] if span["kind"] != "gap"]
    if not parts:
        return SeqFeature(None, type=row["key"], qualifiers=qualifiers | {"note_location": [row["location"]]})
    location = parts[0] if len(parts) == 1 else CompoundLocation(parts, operator=row["operator"] or "join")
    return SeqFeature(location, type=row["key"], qualifiers=qualifiers)


def _part(span: Mapping[str, Any]) -> SimpleLocation:
    """A span in Biopython's counting: from 0, end excluded; ``a^b`` is an empty place between residues."""
    start, end = span["start"] - 1, span["end"]
    if span["kind"] == "between":
        start, end = span["start"], max(span["start"], span["end"] - 1)
    first: Position = BeforePosition(start) if span["partial_start"] else ExactPosition(start)
    last: Position = AfterPosition(end) if span["partial_end"] else ExactPosition(end)
    if start > end:
        first, last = last, first
    return SimpleLocation(first, last, strand=span["strand"], ref=span["accession"])
