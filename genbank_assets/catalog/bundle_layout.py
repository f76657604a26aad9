"""Layout of bundles: everything published at a point in time, including the catalog, under a permanent name.

``bundles/2026-11-26/`` has a ``manifest.json`` with the digests of its content: copies of the divisions' manifests, the
catalog, a web page and a note on rights. Tables are not copied, as their keys are immutable; those listed in a bundle
are not pruned. ``bundles/latest/`` equals the newest bundle. Creating bundles belongs to ``table_set.bundles``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re

from genbank_assets.catalog.table_layout import FORMAT, Published
from genbank_assets.errors import IntegrityError

BUNDLES_PREFIX = "bundles/"
CHANGES_PREFIX = "changes/"
BUNDLE_MANIFEST = "manifest.json"
CATALOG = "genbank.ducklake"
CARD = "README.md"
RIGHTS = "LICENSE.md"
LATEST = "latest"
_NAME = re.compile(r"\d{4}-\d\d-\d\d(\.\d{1,3})?|latest")
_CHANGES_KEY = re.compile(r"changes/[a-z]+-\d+(\.\d+)?-[0-9a-f]{16}\.parquet")
_MANIFEST_KEY = re.compile(r"bundles/(\d{4}-\d\d-\d\d(?:\.\d{1,3})?)/manifest\.json")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bundle:
    """Content of a bundle.

    Attributes:
        name: ``2026-11-26``, or ``2026-11-26.2`` for a second, different one on the same day.
        divisions: the releases of divisions in it.
        taxonomies: dates of its taxonomies.
        files: key → size in bytes and SHA-256 of each object in the bundle's folder.
        changes: keys of the files of changes between releases that its catalog lists.
        tables: number of tables, which are listed with digests in the copied manifests.
        table_bytes: total size of the tables.
        records: total number of records in each division's newest release.
        software_version: version of this package that made it.
        made_at: time of creation, ISO 8601 in UTC.
    """

    name: str
    divisions: tuple[Published, ...]
    taxonomies: tuple[str, ...]
    files: dict[str, tuple[int, str]]
    changes: tuple[str, ...]
    tables: int
    table_bytes: int
    records: int
    software_version: str
    made_at: str

    def copy_of(self, one: Published) -> str:
        """Return the key of the bundle's copy of a division's manifest."""
        return f"{bundle_folder(self.name)}/{one.manifest}"

    def has(self, key: str, content: bytes) -> bool:
        """Return whether some content matches the listed object with this key."""
        return self.files.get(key) == (len(content), hashlib.sha256(content).hexdigest())

    def to_json(self) -> bytes:
        """Return the manifest as indented JSON."""
        return (json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, text: bytes, *, key: str) -> Bundle:
        """Parse a manifest found at a key.

        Raises:
            IntegrityError: the text is not the manifest of a bundle.
        """
        try:
            content = json.loads(text)
            if content.pop("format") != FORMAT:
                raise IntegrityError(f"{key} has a format that this version does not read")
            content["divisions"] = tuple(Published(**one) for one in content["divisions"])
            content["taxonomies"] = tuple(content["taxonomies"])
            content["changes"] = tuple(content["changes"])
            content["files"] = {name: (int(size), str(digest)) for name, (size, digest) in content["files"].items()}
            return cls(**content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise IntegrityError(f"{key} is not the manifest of a bundle: {error}") from error


def is_changes_key(key: str) -> bool:
    """Return whether a key is that of a file of changes between releases."""
    return bool(_CHANGES_KEY.fullmatch(key))


def is_bundle_name(text: str) -> bool:
    """Return whether a text is the name of a bundle: a date, or ``latest``."""
    return bool(_NAME.fullmatch(text))


def bundle_folder(name: str) -> str:
    """Return the folder of a bundle, such as ``bundles/2026-11-26``."""
    return f"{BUNDLES_PREFIX}{name}"


def bundle_at_key(key: str) -> str | None:
    """Return the name of the bundle whose manifest has this key; None for ``latest`` and for other keys."""
    match = _MANIFEST_KEY.fullmatch(key)
    return match[1] if match else None
