"""Converts rows of the record table to ``Bio.SeqRecord`` objects.

Fields are mapped as by Bio.GenBank, as far as ``Bio.SeqIO`` can write them: a feature whose location Biopython cannot
represent is omitted and listed in ``annotations["features_left_out"]``. docs/reader.md lists what is lost in a round
trip. Reading tables and residues belongs to the caller.
"""

from __future__ import annotations

import datetime as dt
import re
import warnings
from collections.abc import Mapping
from typing import Any

from Bio import BiopythonWarning
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
from Bio.SeqIO.InsdcIO import _insdc_location_string
from Bio.SeqRecord import SeqRecord

_STRUCTURED = re.compile(r"^##[^#\n]+-START##$.*?^##[^#\n]+-END##$\n?", re.MULTILINE | re.DOTALL)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
MAX_CONTIG_PIECE = 66
_STRETCH = re.compile(r"(\d+) to (\d+)")


def to_seqrecord(row: Mapping[str, Any], residues: str | None = None) -> SeqRecord:
    """Convert a row of the record table to a Biopython record.

    Args:
        row: a row as returned by ``polars.DataFrame.to_dicts`` or ``pyarrow.Table.to_pylist``.
        residues: the residues, joined from the chunks of the sequence table; None creates a sequence of known length
            and undefined content.

    Returns:
        The record with features, references and annotations; ``Bio.SeqIO.write`` accepts it, whatever the row contains.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BiopythonWarning)  # about features across the origin and dropped operators
        features, left_out = _features(row)
    annotations = _annotations(row)
    if left_out:
        annotations["features_left_out"] = left_out
    return SeqRecord(
        Seq(residues) if residues is not None else Seq(None, length=row["length"]),
        id=row["accession_version"],
        name="_".join(row["locus_name"].split()),
        description=row["definition"] or "",
        dbxrefs=_dbxrefs(row),
        features=features,
        annotations=annotations,
    )


def _dbxrefs(row: Mapping[str, Any]) -> list[str]:
    """Return cross-references; the values of one line, such as ``BioSample:SAMN1, SAMN2``, are one entry."""
    found: dict[str, list[str]] = {}
    for link in row["dblinks"]:
        found.setdefault(link["key"].replace("GenomeProject", "Project"), []).append(link["value"])
    return [f"{key}:{', '.join(values)}" for key, values in found.items()]


def _annotations(row: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "molecule_type": _molecule(row),
        "topology": row["topology"] if row["topology"] in ("linear", "circular") else None,
        "data_file_division": row["division"],
        "date": _date(row["update_date"]) if row["update_date"] else None,
        "accessions": [row["accession"], *row["secondary_accessions"]],
        "sequence_version": row["version"],
        "keywords": list(row["keywords"]) or [""],
        "source": row["source"],
        "organism": row["organism"],
        "taxonomy": list(row["taxonomy"]),
        "references": [_reference(reference) for reference in row["references"]],
        "comment": _STRUCTURED.sub("", row["comment"] or "").strip("\n") or None,
        "contig": row["contig"] if _can_be_wrapped(row["contig"]) else None,
        "gi": next((line["text"] for line in row.get("other_lines") or () if line["keyword"] == "GI"), None),
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


def _molecule(row: Mapping[str, Any]) -> str:
    """Return the molecule type, such as ``ss-RNA``; DNA if the LOCUS line has none, as Biopython requires one."""
    if row["length_unit"] == "aa":
        return "protein"
    words = (row["molecule_type"] or "").split()
    molecule = next((word for word in words if "DNA" in word.upper() or "RNA" in word.upper()), None)
    if molecule is None:
        return "DNA"
    return f"{row['strandedness']}-{molecule}" if row["strandedness"] else molecule


def _date(day: dt.date) -> str:
    """Format a date as ``01-JAN-2020``, independent of the locale."""
    return f"{day.day:02}-{_MONTHS[day.month - 1]}-{day.year:04}"


def _can_be_wrapped(contig: str | None) -> bool:
    """Return whether Biopython can wrap a CONTIG line; it breaks only after commas, or fails."""
    return contig is not None and max(map(len, contig.split(","))) < MAX_CONTIG_PIECE


def _reference(row: Mapping[str, Any]) -> Reference:
    reference = Reference()
    reference.location = [
        SimpleLocation(int(start) - 1, int(end))
        for start, end in _STRETCH.findall(row["location"] or "")
        if 0 < int(start) <= int(end)
    ]
    reference.authors = row["authors"] or ""
    reference.consrtm = row["consortium"] or ""
    reference.title = row["title"] or ""
    reference.journal = row["journal"] or ""
    reference.medline_id = row["medline"] or ""
    reference.pubmed_id = row["pubmed"] or ""
    reference.comment = row["remark"] or ""
    return reference


def _features(record: Mapping[str, Any]) -> tuple[list[SeqFeature], list[str]]:
    """Return the features Biopython can represent, and keys and locations of the others."""
    features: list[SeqFeature] = []
    left_out: list[str] = []
    for row in record["features"]:
        location = _location(row, record=record)
        if location is None:
            left_out.append(f"{row['key']} {row['location']}")
            continue
        qualifiers: dict[str, list[str]] = {}
        for qualifier in row["qualifiers"]:
            qualifiers.setdefault(qualifier["key"], []).append(qualifier["value"] or "")
        features.append(SeqFeature(location, type=row["key"], qualifiers=qualifiers))
    return features, left_out


def _location(row: Mapping[str, Any], *, record: Mapping[str, Any]) -> SimpleLocation | CompoundLocation | None:
    """Parse a location with Biopython, which handles fuzzy positions; fall back to the parsed spans."""
    stranded = record["length_unit"] != "aa"
    try:
        location = Location.fromstring(row["location"], record["length"], record["topology"] == "circular", stranded)
    except (LocationParserError, ValueError, TypeError, AttributeError, AssertionError, RecursionError):
        location = _location_of_spans(row, stranded=stranded)
    if location is None:
        return None
    try:
        _insdc_location_string(location, record["length"])  # Biopython has no public check whether it can be written
    except (ValueError, TypeError, AttributeError, AssertionError, NotImplementedError):
        return None
    return location


def _location_of_spans(row: Mapping[str, Any], *, stranded: bool) -> SimpleLocation | CompoundLocation | None:
    spans = [span for span in row["spans"] if span["kind"] != "gap"]
    if any(span["start"] > span["end"] and span["kind"] != "between" for span in spans):
        return None
    try:
        parts = [_part(span, stranded=stranded) for span in spans]
    except ValueError:  # a position before the start of the record
        return None
    if len(parts) > 1:
        return CompoundLocation(parts, operator=row["operator"] or "join")
    return parts[0] if parts else None


def _part(span: Mapping[str, Any], *, stranded: bool) -> SimpleLocation:
    """Convert a span to Biopython's 0-based, half-open coordinates; ``a^b`` becomes an empty location."""
    start, end = span["start"] - 1, span["end"]
    if span["kind"] == "between":
        start, end = span["start"], max(span["start"], span["end"] - 1)
    first: Position = BeforePosition(start) if span["partial_start"] else ExactPosition(start)
    last: Position = AfterPosition(end) if span["partial_end"] else ExactPosition(end)
    return SimpleLocation(first, last, strand=span["strand"] if stranded else None, ref=span["accession"])
