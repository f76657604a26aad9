"""A row of the record table as a ``Bio.SeqRecord``, for users who live in Biopython.

Fields go where Bio.GenBank would have put them; a location Biopython cannot hold is left out and noted in the
feature's ``note_location``. What the table does not keep is missing: GI, NID and PID numbers, all retired. Reading
tables and residues is the caller's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from Bio.Seq import Seq
from Bio.SeqFeature import (
    AfterPosition,
    BeforePosition,
    CompoundLocation,
    ExactPosition,
    Location,
    LocationParserError,
    Position,
    Reference,
    SeqFeature,
    SimpleLocation,
)
from Bio.SeqRecord import SeqRecord

_STRUCTURED = re.compile(r"^##[^#\n]+-START##$.*?^##[^#\n]+-END##$\n?", re.MULTILINE | re.DOTALL)
_STRETCH = re.compile(r"(\d+) to (\d+)")


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
        dbxrefs=_dbxrefs(row),
        features=[_feature(feature, record=row) for feature in row["features"]],
        annotations=_annotations(row),
    )


def _dbxrefs(row: Mapping[str, Any]) -> list[str]:
    """``BioSample:SAMN1, SAMN2`` is one entry, as it was one line."""
    found: dict[str, list[str]] = {}
    for link in row["dblinks"]:
        found.setdefault(link["key"].replace("GenomeProject", "Project"), []).append(link["value"])
    return [f"{key}:{', '.join(values)}" for key, values in found.items()]


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
        "comment": _STRUCTURED.sub("", row["comment"] or "").strip("\n") or None,
        "contig": row["contig"],
        "db_source": row["dbsource"].replace("\n", " ") if row["dbsource"] else None,
        "segment": row["segment"],
        "structured_comment": {
            block["name"]: {item["key"]: item["value"] for item in block["items"]}
            for block in row["structured_comments"]
        },
    }
    for line in row["wgs_ranges"]:
        key, accessions = line["key"].lower(), line["value"].split("-")
        if key == "wgs_scafld":
            found.setdefault(key, []).append(accessions)
        else:
            found[key] = accessions
    return {key: value for key, value in found.items() if value not in (None, {})}


def _default_molecule(row: Mapping[str, Any]) -> str:
    return "protein" if row["length_unit"] == "aa" else "DNA"


def _reference(row: Mapping[str, Any]) -> Reference:
    reference = Reference()
    reference.location = [
        SimpleLocation(int(start) - 1, int(end)) for start, end in _STRETCH.findall(row["location"] or "")
    ]
    reference.authors = row["authors"] or ""
    reference.consrtm = row["consortium"] or ""
    reference.title = row["title"] or ""
    reference.journal = row["journal"] or ""
    reference.medline_id = row["medline"] or ""
    reference.pubmed_id = row["pubmed"] or ""
    reference.comment = row["remark"] or ""
    return reference


def _feature(row: Mapping[str, Any], *, record: Mapping[str, Any]) -> SeqFeature:
    qualifiers: dict[str, list[str]] = {}
    for qualifier in row["qualifiers"]:
        qualifiers.setdefault(qualifier["key"], []).append(qualifier["value"] if qualifier["value"] is not None else "")
    location = _location(row, record=record)
    if location is None:
        qualifiers["note_location"] = [row["location"]]
    return SeqFeature(location, type=row["key"], qualifiers=qualifiers)


def _location(row: Mapping[str, Any], *, record: Mapping[str, Any]) -> SimpleLocation | CompoundLocation | None:
    """What Biopython's own parser makes of the text, so that fuzzy positions are its classes; else the spans."""
    stranded = record["length_unit"] != "aa"
    try:
        return Location.fromstring(row["location"], record["length"], record["topology"] == "circular", stranded)
    except LocationParserError:
        spans = [span for span in row["spans"] if span["kind"] != "gap"]
    if any(span["start"] > span["end"] and span["kind"] != "between" for span in spans):
        return None
    parts = [_part(span, stranded=stranded) for span in spans]
    if len(parts) > 1:
        return CompoundLocation(parts, operator=row["operator"] or "join")
    return parts[0] if parts else None


def _part(span: Mapping[str, Any], *, stranded: bool) -> SimpleLocation:
    """A span in Biopython's counting: from 0, end excluded; ``a^b`` is an empty place between residues."""
    start, end = span["start"] - 1, span["end"]
    if span["kind"] == "between":
        start, end = span["start"], max(span["start"], span["end"] - 1)
    first: Position = BeforePosition(start) if span["partial_start"] else ExactPosition(start)
    last: Position = AfterPosition(end) if span["partial_end"] else ExactPosition(end)
    return SimpleLocation(first, last, strand=span["strand"] if stranded else None, ref=span["accession"])
