"""Croissant metadata of an extract, for machine learning: files with digests, and columns of tables.

Derived from the manifest; writing it belongs to ``metadata``. See
https://docs.mlcommons.org/croissant/docs/croissant-spec.html, whose appendix 1 has the context.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from genbank_assets.extract.citation import HOME, PUBLISHER, ExtractCitation, cite_extract
from genbank_assets.extract.formats import FormatOptions, format_named
from genbank_assets.extract.formats.tables import ACCESSION2TAXID_COLUMNS, Columns
from genbank_assets.extract.manifest import Extract, counted_entries
from genbank_assets.extract.metadata_terms import RIGHTS, RIGHTS_URL, date_published, media_types
from genbank_assets.extract.output import WrittenFile
from genbank_assets.extract.packing import ENCODERS
from genbank_assets.extract.selection import Selection
from genbank_assets.schema.tables import Column

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def croissant(extract: Extract, *, name: str) -> dict[str, Any]:
    """Return Croissant 1.0 metadata: the files with their digests, and the columns of a table.

    Args:
        extract: the extract.
        name: name of the file or of the shards.
    """
    cited = cite_extract(extract)
    files = [_file_object(file, extract.query["format"]) for file in extract.files]
    found: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": cited.sentence,
        "url": f"{HOME}/{_collection(cited)}/",
        "license": RIGHTS_URL,
        "usageInfo": RIGHTS,
        "citeAs": cited.bibtex,
        "creator": _ncbi(),
        "publisher": _ncbi(),
        "isBasedOn": [one.url for one in cited.sources],
        "distribution": files,
    }
    if version := _semantic_version(cited):
        found["version"] = version
    if date := date_published(extract, cited):
        found["datePublished"] = date
    return found | ({"recordSet": sets} if (sets := list(_record_sets(extract))) else {})


def _file_object(file: WrittenFile, format_: str) -> dict[str, Any]:
    kinds = media_types(file.name, format_)
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "description": counted_entries(file.entries),
        "contentUrl": file.name,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": kinds if len(kinds) > 1 else kinds[0],
        "sha256": file.sha256,
    }


def _record_sets(extract: Extract) -> Iterator[dict[str, Any]]:
    """Yield the record sets of files that Croissant's readers can read: tables with column names."""
    columns = list(_columns(extract.query))
    for number, file in enumerate(extract.files, 1):
        if not columns or Path(file.name).suffix in {*ENCODERS} - {".gz"}:
            continue
        own = "entries" if len(extract.files) == 1 else f"entries-{number}"
        yield {
            "@type": "cr:RecordSet",
            "@id": own,
            "name": own,
            "description": f"The rows of {file.name}; columns that hold lists of structures are not described.",
            "field": [
                {
                    "@type": "cr:Field",
                    "@id": f"{own}/{column.name}",
                    "name": column.name,
                    "description": column.meaning,
                    **_data_type(column.type, in_text=extract.query["format"] != "parquet"),
                    "source": {"fileObject": {"@id": file.name}, "extract": {"column": column.name}},
                }
                for column in columns
            ],
        }


def _columns(query: Mapping[str, Any]) -> Iterator[Column]:
    """Yield the columns of a query's tables, as far as Croissant has types for them."""
    if query["format"] == "accession2taxid":
        yield from ACCESSION2TAXID_COLUMNS
        return
    kind = format_named(query["format"])
    if issubclass(kind, Columns):
        for column in kind(Selection(), FormatOptions(columns=tuple(query.get("columns", ()))), None).described:
            if query["format"] == "tsv" or not _is_nested(column.type):
                yield column


def _is_nested(type_: pa.DataType) -> bool:
    inner = type_.value_type if pa.types.is_list(type_) else type_
    return bool(pa.types.is_nested(inner))


def _data_type(type_: pa.DataType, *, in_text: bool) -> dict[str, Any]:
    if pa.types.is_list(type_) and not in_text:
        return {**_data_type(type_.value_type, in_text=False), "repeated": True}
    for is_it, name in (
        (pa.types.is_boolean, "sc:Boolean"), (pa.types.is_integer, "sc:Integer"), (pa.types.is_floating, "sc:Float"),
        (pa.types.is_date, "sc:Date"),
    ):  # fmt: skip
        if is_it(type_):
            return {"dataType": name}
    return {"dataType": "sc:Text"}


def _ncbi() -> dict[str, str]:
    return {"@type": "sc:Organization", "name": PUBLISHER, "url": f"{HOME}/"}


def _collection(cited: ExtractCitation) -> str:
    """Return the collection of all partitions, or of the first if they differ."""
    return cited.sources[0].partition.split("/")[0] if cited.sources else "genbank"


def _semantic_version(cited: ExtractCitation) -> str | None:
    """Return the release as MAJOR.MINOR.PATCH, as required by Croissant; None if there are several."""
    releases = {one.release for one in cited.sources}
    parts = releases.pop().split(".") if len(releases) == 1 else []
    return ".".join([*parts, "0", "0"][:3]) if parts else None
