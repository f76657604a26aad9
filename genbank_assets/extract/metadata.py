"""An extract in the words of others: Croissant for machine learning, RO-Crate for repositories; JSON-LD beside files.

Both are functions of the manifest alone: equal extracts, equal metadata. How people cite it belongs to ``citation``.
See https://docs.mlcommons.org/croissant/docs/croissant-spec.html and https://www.researchobject.org/ro-crate/1.2/
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from genbank_assets.errors import SettingsError
from genbank_assets.extract.citation import HOME, PUBLISHER, Citation, ExtractCitation, cite_extract
from genbank_assets.extract.croissant_context import CONTEXT
from genbank_assets.extract.formats import FORMATS, FormatOptions
from genbank_assets.extract.formats.tables import ACCESSION2TAXID_COLUMNS, Columns
from genbank_assets.extract.manifest import SUFFIX, Extract, manifest_path
from genbank_assets.extract.names import METADATA_NAMES
from genbank_assets.extract.output import WrittenFile
from genbank_assets.extract.packing import ENCODERS
from genbank_assets.extract.selection import Selection
from genbank_assets.store import write_atomically
from genbank_assets.tables.schema import Column

RIGHTS_URL = f"{HOME}/home/about/policies/"
RIGHTS = (
    "NCBI places no restrictions on the use or distribution of the data; some submitters may claim patent, copyright "
    "or other intellectual property rights in what they submitted."
)
SOFTWARE_URL = "https://pypi.org/project/genbank-assets/"
CRATE_NAME = "ro-crate-metadata.json"
_PACKED_TYPES = {".gz": "application/gzip", ".bgz": "application/gzip", ".zst": "application/zstd"}
_TSV, _PARQUET = "text/tab-separated-values", "application/x-parquet"
#: Media type of each format that has one of its own; the others are text.
_MEDIA_TYPES = {
    "fasta": "text/x-fasta", "protein": "text/x-fasta", "cds": "text/x-fasta", "feature": "text/x-fasta",
    "sintax": "text/x-fasta", "qiime2": "text/x-fasta", "gff3": "text/x-gff3", "tsv": _TSV, "accession2taxid": _TSV,
    "qiime2-taxonomy": _TSV, "crabs": _TSV, "parquet": _PARQUET,
}  # fmt: skip
#: What EDAM, the ontology of bioinformatics, calls them.
_EDAM = {
    "genbank": "format_1936", "gff3": "format_1975", "tsv": "format_3475", "accession2taxid": "format_3475",
    "qiime2-taxonomy": "format_3475", "crabs": "format_3475",
    **dict.fromkeys(("fasta", "protein", "cds", "feature", "sintax", "qiime2"), "format_1929"),
}  # fmt: skip


def check_metadata(names: tuple[str, ...], to: Path | None) -> None:
    """See that metadata can be written beside a file, before anything else is.

    Raises:
        SettingsError: a name is none of :data:`METADATA_NAMES`; there is no file; or its folder is a crate of another.
    """
    if unknown := [name for name in names if name not in METADATA_NAMES]:
        raise SettingsError(f"there are no metadata {unknown[0]!r}: there are {', '.join(METADATA_NAMES)}")
    if names and to is None:
        raise SettingsError("metadata lie beside a file: name it with --out")
    if "ro-crate" in names and to is not None:
        described = _described(to.with_name(CRATE_NAME))
        if described is not None and described != manifest_path(to).name:
            raise SettingsError(
                f"{to.with_name(CRATE_NAME)} describes something else: give an extract with RO-Crate metadata a folder "
                "of its own"
            )


def _described(path: Path) -> str | None:
    """The manifest of the extract that a crate describes; "" for a crate of something else, None for no crate."""
    try:
        graph = json.loads(path.read_text(encoding="utf-8"))["@graph"]
        return next((str(one["@id"]) for one in graph if str(one["@id"]).endswith(SUFFIX)), "")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def write_metadata(extract: Extract, *, to: Path, names: tuple[str, ...]) -> tuple[Path, ...]:
    """Write metadata beside the files of an extract; each file is there whole or not at all.

    Args:
        extract: what they are about; its manifest lies beside its files.
        to: the file, or the name of the shards.
        names: some of :data:`METADATA_NAMES`.
    """
    written = []
    for name in dict.fromkeys(names):
        if name == "croissant":
            path, content = to.with_name(f"{to.name}.croissant.json"), croissant(extract, name=to.name)
        else:
            path, content = to.with_name(CRATE_NAME), ro_crate(extract, name=to.name)
        write_atomically(path, as_text(content).encode())
        written.append(path)
    return tuple(written)


def as_text(content: Mapping[str, Any]) -> str:
    """JSON-LD as text."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


# ---- Croissant -----------------------------------------------------------------------------------------------------


def croissant(extract: Extract, *, name: str) -> dict[str, Any]:
    """The metadata of Croissant 1.0: the files with their digests, and the columns of a table.

    Args:
        extract: what they are about.
        name: of the file, or of the shards.
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
    if date := cited.date or _fetched(extract):
        found["datePublished"] = date
    return found | ({"recordSet": sets} if (sets := list(_record_sets(extract))) else {})


def _file_object(file: WrittenFile, format_: str) -> dict[str, Any]:
    packed = _PACKED_TYPES.get(Path(file.name).suffix)
    media_type = _MEDIA_TYPES.get(format_, "text/plain")
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "description": f"{file.entries:,} entries",
        "contentUrl": file.name,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": [packed, media_type] if packed else media_type,
        "sha256": file.sha256,
    }


def _record_sets(extract: Extract) -> Iterator[dict[str, Any]]:
    """The rows of each file that Croissant's readers can read: tables with names of columns."""
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
    """The columns of a query's tables, as far as Croissant can say what they are."""
    if query["format"] == "accession2taxid":
        yield from ACCESSION2TAXID_COLUMNS
        return
    kind = FORMATS[query["format"]]
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
    """The collection of all its partitions, or of the first."""
    return cited.sources[0].partition.split("/")[0] if cited.sources else "genbank"


def _version(cited: ExtractCitation) -> str:
    """The releases it was made from, as far as they differ."""
    return ", ".join(dict.fromkeys(f"{one.partition.split('/')[0]} {one.release}" for one in cited.sources))


def _semantic_version(cited: ExtractCitation) -> str | None:
    """The release as MAJOR.MINOR.PATCH, which Croissant asks for; None where there are several."""
    releases = {one.release for one in cited.sources}
    parts = releases.pop().split(".") if len(releases) == 1 else []
    return ".".join([*parts, "0", "0"][:3]) if parts else None


def _fetched(extract: Extract) -> str | None:
    """The latest day on which a release without a date was fetched."""
    return max((str(one["first_fetched"]) for one in extract.inputs if one.get("first_fetched")), default=None)


# ---- RO-Crate ------------------------------------------------------------------------------------------------------


def ro_crate(extract: Extract, *, name: str) -> dict[str, Any]:
    """The metadata of RO-Crate 1.2: the folder as a dataset, its files, and the run that made them of which partitions.

    Args:
        extract: what they are about.
        name: of the file, or of the shards.
    """
    cited = cite_extract(extract)
    manifest, text = f"{name}{SUFFIX}", extract.as_json().encode()
    whole = WrittenFile(manifest, len(text), hashlib.sha256(text).hexdigest(), extract.entries)
    parts = [{"@id": file.name} for file in (*extract.files, whole)]
    root: dict[str, Any] = {
        "@id": "./",
        "@type": "Dataset",
        "name": name,
        "description": cited.sentence,
        "license": {"@id": RIGHTS_URL},
        "publisher": {"@id": f"{HOME}/"},
        "creditText": cited.sentence,
        "version": _version(cited),
        "hasPart": parts,
        "mentions": {"@id": "#extract"},
    }
    if date := cited.date or _fetched(extract):
        root["datePublished"] = date
    run = {
        "@id": "#extract",
        "@type": "CreateAction",
        "name": "genbank-assets extract",
        "description": cited.query,
        "instrument": {"@id": SOFTWARE_URL},
        "object": [{"@id": _source_id(one)} for one in cited.sources],
        "result": parts,
    }
    format_ = extract.query["format"]
    graph = [
        {
            "@id": CRATE_NAME,
            "@type": "CreativeWork",
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.2"},
            "about": {"@id": "./"},
        },
        root,
        *(_file_entity(file, format_) for file in extract.files),
        _file_entity(whole, "json") | {"description": "Query, sources, counts and digests of the extract"},
        *(_source(one) for one in cited.sources),
        run,
        {
            "@id": SOFTWARE_URL,
            "@type": "SoftwareApplication",
            "name": "genbank-assets",
            "url": SOFTWARE_URL,
            "softwareVersion": extract.version,
        },
        {"@id": f"{HOME}/", "@type": "Organization", "name": PUBLISHER, "url": f"{HOME}/"},
        {"@id": RIGHTS_URL, "@type": "CreativeWork", "name": "NCBI's policies", "description": RIGHTS},
        *_edam_entities(format_),
    ]
    return {"@context": "https://w3id.org/ro/crate/1.2/context", "@graph": graph}


def _file_entity(file: WrittenFile, format_: str) -> dict[str, Any]:
    kinds: list[Any] = [kind] if (kind := _PACKED_TYPES.get(Path(file.name).suffix)) else []
    kinds.append("application/json" if format_ == "json" else _MEDIA_TYPES.get(format_, "text/plain"))
    kinds += [{"@id": one["@id"]} for one in _edam_entities(format_)]
    return {
        "@id": file.name,
        "@type": "File",
        "name": file.name,
        "description": f"{file.entries:,} entries",
        "contentSize": str(file.bytes),
        "sha256": file.sha256,
        "encodingFormat": kinds,
    }


def _edam_entities(format_: str) -> Iterator[dict[str, Any]]:
    if format_ in _EDAM:
        yield {"@id": f"http://edamontology.org/{_EDAM[format_]}", "@type": "Standard", "name": format_}


def _source_id(one: Citation) -> str:
    """A partition's release by the digest of its files."""
    return f"#{one.partition.replace('/', '-')}-{one.release}"


def _source(one: Citation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "@id": _source_id(one),
        "@type": "Dataset",
        "name": one.named,
        "url": one.url,
        "version": one.release,
        "publisher": {"@id": f"{HOME}/"},
        "identifier": f"sha256:{one.digest}",
        "description": one.sentence,
    }
    return found | ({"datePublished": one.date} if one.date else {})


__all__ = ["check_metadata", "croissant", "ro_crate", "write_metadata"]
