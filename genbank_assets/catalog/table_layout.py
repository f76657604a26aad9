"""Layout of published tables in a bucket: keys, the manifest of a division's release, and the index of manifests.

``tables/<collection>/<release>/<section>/<generation>/<kind>/<file>`` is immutable: the generation is a digest of the
files. ``manifests/<collection>/<release>/<section>.json`` lists the current tables, ``index.json`` the manifests.
Sending belongs to ``table_set``, reading to ``bucket``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any

from genbank_assets.errors import IntegrityError
from genbank_assets.release_facts import release_sort_key
from genbank_assets.store import Manifest, PartitionKey

FORMAT = 1
INDEX_KEY = "index.json"
MANIFESTS_PREFIX = "manifests/"
TABLES_PREFIX = "tables/"
KINDS = ("records", "sequences", "quarantine", "memberships", "unique_sequences", "samples", "cds", "objects")
RAW_FILES = "raw_files"  # not tables, but optionally published and listed with them
TAXONOMY_PREFIX = "taxonomy/"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_TABLE_KEY = re.compile(
    r"tables/[a-z]+/\d+(\.\d+)?/[a-z_]+/[0-9a-f]{16}/"
    rf"(({'|'.join(KINDS)})/{_NAME}\.parquet|{RAW_FILES}/{_NAME})"
)
_TAXONOMY_TABLE = re.compile(rf"taxonomy/\d{{4}}-\d\d-\d\d/[0-9a-f]{{16}}/{_NAME}\.parquet")
_TAXONOMY_MANIFEST = re.compile(r"manifests/taxonomy/(\d{4}-\d\d-\d\d)\.json")
_MANIFEST_KEY = re.compile(r"manifests/(?P<collection>[a-z]+)/(?P<release>\d+(\.\d+)?)/(?P<section>[a-z_]+)\.json")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableObject:
    """One table in the bucket.

    Attributes:
        kind: one of :data:`KINDS`, or :data:`RAW_FILES`.
        key: its key below the prefix.
        bytes: its size.
        sha256: hex SHA-256 of its bytes.
        etag: its ETag when it was sent.
    """

    kind: str
    key: str
    bytes: int
    sha256: str
    etag: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TablesManifest:
    """The published tables of one release of one division.

    Attributes:
        collection: ``genbank`` or ``refseq``.
        section: the partition.
        release: the release as written by NCBI.
        input_digest: digest of the manifests of the published stages.
        tables: the tables by kind, in the order of the raw files.
        stages: manifests by stage.
        run_id: the run that published it.
        published_at: time of publication, ISO 8601 in UTC.
        software_version: version of this package.
        format: format version of manifest and keys.
    """

    collection: str
    section: str
    release: str
    input_digest: str
    tables: tuple[TableObject, ...]
    stages: dict[str, Manifest]
    run_id: str = ""
    published_at: str = ""
    software_version: str = ""
    format: int = FORMAT

    @property
    def key(self) -> str:
        """Key of this manifest."""
        return manifest_key(PartitionKey(self.collection, self.section), self.release)

    @property
    def published(self) -> Published:
        """The division's release."""
        return Published(self.collection, self.section, self.release)

    @property
    def content(self) -> tuple[str, frozenset[tuple[str, int, str]]]:
        """The content relevant to readers, independent of when, by whom and where it was published."""
        return self.input_digest, frozenset((one.key, one.bytes, one.sha256) for one in self.tables)

    def of_kind(self, kind: str) -> list[TableObject]:
        """Return the tables of a kind, in the order of the raw files."""
        return [one for one in self.tables if one.kind == kind]

    def to_json(self) -> str:
        """Return the manifest as indented JSON."""
        content: dict[str, Any] = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in {"tables", "stages"}
        }
        content["tables"] = [dataclasses.asdict(one) for one in self.tables]
        content["stages"] = {name: json.loads(one.to_json()) for name, one in self.stages.items()}
        return json.dumps(content, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, *, key: str) -> TablesManifest:
        """Parse a manifest found at a key.

        Raises:
            IntegrityError: the text is not a manifest, belongs to another key, or names foreign objects.
        """
        try:
            content = json.loads(text)
            if content["format"] != FORMAT:
                raise IntegrityError(f"{key} has format {content['format']}, which this version does not read")
            content["tables"] = tuple(TableObject(**one) for one in content["tables"])
            content["stages"] = {name: Manifest.from_json(json.dumps(one)) for name, one in content["stages"].items()}
            manifest = cls(**content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise IntegrityError(f"{key} is not a manifest of tables: {error}") from error
        own = f"{TABLES_PREFIX}{manifest.collection}/{manifest.release}/{manifest.section}/"
        strange = [t.key for t in manifest.tables if not (is_table_key(t.key) and t.key.startswith(own))]
        if manifest.key != key or strange:
            raise IntegrityError(f"{key} names what is not its own: {(strange or [manifest.key])[0]}")
        return manifest


@dataclasses.dataclass(frozen=True, order=True)
class Published:
    """A division's release listed in the index.

    Attributes:
        collection: ``genbank`` or ``refseq``.
        section: the partition's division or section.
        release: its release, such as ``273.0``.
    """

    collection: str
    section: str
    release: str

    @property
    def manifest(self) -> str:
        """Key of its manifest."""
        return manifest_key(PartitionKey(self.collection, self.section), self.release)


def manifest_key(key: PartitionKey, release: str) -> str:
    """Return the key of a manifest, such as ``manifests/genbank/273.0/phg.json``."""
    return f"{MANIFESTS_PREFIX}{key.collection}/{release}/{key.division}.json"


def published_at_key(key: str) -> Published | None:
    """Return the release whose manifest has this key; None for other keys."""
    match = _MANIFEST_KEY.fullmatch(key)
    return Published(match["collection"], match["section"], match["release"]) if match else None


def is_table_key(key: str) -> bool:
    """Return whether a key is one of this project's for tables; other objects are not touched."""
    return bool(_TABLE_KEY.fullmatch(key) or _TAXONOMY_TABLE.fullmatch(key))


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedTaxonomy:
    """The taxonomy of a date in the bucket.

    Attributes:
        date: date of NCBI's archive, ISO 8601.
        manifest: its manifest in the store it came from, as JSON values.
        tables: its tables by name: nodes, names, merged, deleted.
    """

    date: str
    manifest: dict[str, Any]
    tables: dict[str, TableObject]

    @property
    def key(self) -> str:
        """Key of this manifest."""
        return taxonomy_key(self.date)

    def to_json(self) -> bytes:
        """Return the manifest as indented JSON."""
        return (json.dumps(dataclasses.asdict(self) | {"format": FORMAT}, indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, text: bytes, *, key: str) -> PublishedTaxonomy:
        """Parse a manifest found at a key.

        Raises:
            IntegrityError: the text is not a taxonomy's manifest, or names foreign objects.
        """
        try:
            content = json.loads(text)
            tables = {name: TableObject(**table) for name, table in content["tables"].items()}
            found = cls(date=content["date"], manifest=content["manifest"], tables=tables)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise IntegrityError(f"{key} is not the manifest of a taxonomy: {error}") from error
        own = f"{TAXONOMY_PREFIX}{found.date}/"
        if found.key != key or not all(is_table_key(t.key) and t.key.startswith(own) for t in tables.values()):
            raise IntegrityError(f"{key} names what is not its own")
        return found


def taxonomy_key(date: str) -> str:
    """Return the key of a taxonomy's manifest, such as ``manifests/taxonomy/2026-11-01.json``."""
    return f"{MANIFESTS_PREFIX}taxonomy/{date}.json"


def taxonomy_at_key(key: str) -> str | None:
    """Return the date of the taxonomy whose manifest has this key; None for other keys."""
    match = _TAXONOMY_MANIFEST.fullmatch(key)
    return match[1] if match else None


def table_keys(files: Iterable[tuple[str, str, str]], *, key: PartitionKey, release: str) -> list[str]:
    """Return the keys of a stage's tables, given (kind, file name, SHA-256); different bytes have different keys."""
    files = list(files)
    named = "".join(f"{kind}/{name} {digest}\n" for kind, name, digest in files)
    generation = hashlib.sha256(named.encode()).hexdigest()[:16]
    folder = f"{TABLES_PREFIX}{key.collection}/{release}/{key.division}/{generation}"
    return [f"{folder}/{kind}/{name}" for kind, name, _ in files]


def index_json(published: Iterable[Published], taxonomies: Iterable[str] = ()) -> bytes:
    """Return the index of all releases of all divisions, which only depends on the existing manifests.

    Args:
        published: releases of divisions.
        taxonomies: dates of the taxonomies.
    """
    ordered = sorted(published, key=lambda one: (one.collection, one.section, release_sort_key(one.release)))
    newest = {(one.collection, one.section): one.release for one in ordered}
    divisions = [
        {
            **dataclasses.asdict(one),
            "is_newest": newest[one.collection, one.section] == one.release,
            "manifest": one.manifest,
        }
        for one in ordered
    ]
    content = {"format": FORMAT, "divisions": divisions, "taxonomies": sorted(taxonomies)}
    return (json.dumps(content, indent=1) + "\n").encode()


def read_taxonomies(text: str | bytes) -> list[str]:
    """Return the dates of the taxonomies in a valid index, oldest first."""
    return sorted(map(str, json.loads(text).get("taxonomies", ())))


def read_index(text: str | bytes) -> list[Published]:
    """Return the releases in an index, divisions by name and releases oldest first.

    Raises:
        IntegrityError: the text is not an index.
    """
    try:
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise IntegrityError(f"{INDEX_KEY} has format {content['format']}, which this version does not read")
        found = [Published(one["collection"], one["section"], one["release"]) for one in content["divisions"]]
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{INDEX_KEY} is not an index of tables: {error}") from error
    return sorted(found, key=lambda one: (one.collection, one.section, release_sort_key(one.release)))
