"""RO-Crate metadata of an extract: a self-describing folder with files, the run that wrote them, and their sources.

Derived from the manifest; writing it belongs to ``metadata``. See https://www.researchobject.org/ro-crate/1.2/
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from genbank_assets.extract.citation import HOME, PUBLISHER, Citation, ExtractCitation, cite_extract
from genbank_assets.extract.manifest import SUFFIX, Extract, counted_entries
from genbank_assets.extract.metadata_terms import EDAM, RIGHTS, RIGHTS_URL, SOFTWARE_URL, date_published, media_types
from genbank_assets.extract.output import WrittenFile

CRATE_NAME = "ro-crate-metadata.json"
PUBLISHER_ID = "https://ror.org/02meqm098"  # NCBI in the Research Organization Registry


def ro_crate(extract: Extract, *, name: str) -> dict[str, Any]:
    """Return RO-Crate 1.2 metadata: the folder as a dataset, its files, and the run that made them from partitions.

    Args:
        extract: the extract.
        name: name of the file or of the shards.
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
        "publisher": {"@id": PUBLISHER_ID},
        "creditText": cited.sentence,
        "version": _version(cited),
        "hasPart": parts,
        "mentions": {"@id": "#extract"},
    }
    if date := date_published(extract, cited):
        root["datePublished"] = date
    run = {
        "@id": "#extract",
        "@type": "CreateAction",
        "name": "genbank-assets extract",
        "description": cited.query,
        "instrument": {"@id": SOFTWARE_URL},
        "object": _value([{"@id": _source_id(one)} for one in cited.sources]),
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
            "version": extract.version,
            "softwareVersion": extract.version,
        },
        {"@id": PUBLISHER_ID, "@type": "Organization", "name": PUBLISHER, "url": f"{HOME}/"},
        {"@id": RIGHTS_URL, "@type": "CreativeWork", "name": "NCBI's policies", "description": RIGHTS},
        *_edam_entities(format_),
    ]
    return {"@context": "https://w3id.org/ro/crate/1.2/context", "@graph": graph}


def _file_entity(file: WrittenFile, format_: str) -> dict[str, Any]:
    kinds: list[Any] = [*media_types(file.name, format_)]
    kinds += [{"@id": one["@id"]} for one in _edam_entities(format_)]
    return {
        "@id": file.name,
        "@type": "File",
        "name": file.name,
        "description": counted_entries(file.entries),
        "contentSize": str(file.bytes),
        "sha256": file.sha256,
        "encodingFormat": _value(kinds),
    }


def _edam_entities(format_: str) -> Iterator[dict[str, Any]]:
    if format_ in EDAM:
        yield {"@id": f"http://edamontology.org/{EDAM[format_]}", "@type": ["WebPage", "Standard"], "name": format_}


def _value(values: list[Any]) -> Any:
    """Return a single value as itself: JSON-LD of RO-Crate has no lists of one value, except for ``hasPart``."""
    return values[0] if len(values) == 1 else values


def _source_id(one: Citation) -> str:
    """Return the identifier of a partition's release, from the digest of its files."""
    return f"#{one.partition.replace('/', '-')}-{one.release}"


def _source(one: Citation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "@id": _source_id(one),
        "@type": "Dataset",
        "name": one.named,
        "url": one.url,
        "version": one.release,
        "publisher": {"@id": PUBLISHER_ID},
        "identifier": f"sha256:{one.digest}",
        "description": one.sentence,
    }
    return found | ({"datePublished": one.date} if one.date else {})


def _version(cited: ExtractCitation) -> str:
    """Return the distinct releases it was made from."""
    return ", ".join(dict.fromkeys(f"{one.partition.split('/')[0]} {one.release}" for one in cited.sources))
