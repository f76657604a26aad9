"""Terms shared by Croissant and RO-Crate: licence, media types, dates."""

from __future__ import annotations

from pathlib import Path

from genbank_assets.extract.citation import HOME, ExtractCitation
from genbank_assets.extract.manifest import Extract

RIGHTS_URL = f"{HOME}/About/disclaimer.html"
RIGHTS = (
    "NCBI places no restrictions on the use or distribution of the data; some submitters may claim patent, copyright "
    "or other intellectual property rights in what they submitted."
)
SOFTWARE_URL = "https://pypi.org/project/genbank-assets/"
PACKED_TYPES = {".gz": "application/gzip", ".bgz": "application/gzip", ".zst": "application/zstd"}
_TSV, _PARQUET = "text/tab-separated-values", "application/x-parquet"
#: Media types of formats; others are plain text.
MEDIA_TYPES = {
    "fasta": "text/x-fasta", "protein": "text/x-fasta", "cds": "text/x-fasta", "feature": "text/x-fasta",
    "sintax": "text/x-fasta", "qiime2": "text/x-fasta", "gff3": "text/x-gff3", "tsv": _TSV, "accession2taxid": _TSV,
    "qiime2-taxonomy": _TSV, "crabs": _TSV, "parquet": _PARQUET, "json": "application/json",
}  # fmt: skip
#: Their terms in EDAM, the ontology of bioinformatics.
EDAM = {
    "genbank": "format_1936", "gff3": "format_1975", "tsv": "format_3475", "accession2taxid": "format_3475",
    "qiime2-taxonomy": "format_3475", "crabs": "format_3475",
    **dict.fromkeys(("fasta", "protein", "cds", "feature", "sintax", "qiime2"), "format_1929"),
}  # fmt: skip


def media_types(file_name: str, format_: str) -> list[str]:
    """Return the media types of a file's compression, if any, and of its content."""
    packed = PACKED_TYPES.get(Path(file_name).suffix)
    return [*([packed] if packed else []), MEDIA_TYPES.get(format_, "text/plain")]


def date_published(extract: Extract, cited: ExtractCitation) -> str | None:
    """Return the date of the latest release, or the day it was first fetched if it has none; ISO 8601."""
    fetched = (str(one["first_fetched"]) for one in extract.inputs if one.get("first_fetched"))
    return cited.date or max(fetched, default=None)
