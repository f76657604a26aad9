"""How bundles lie in a bucket: what was published on a day, catalog included, under a name that stays.

``bundles/2026-11-26/`` has a ``manifest.json`` with the digests of all that belongs to it: copies of the divisions'
manifests, the catalog, a page, a note on rights. Tables stay where they are, under keys that never change; what a
bundle lists is not pruned. ``bundles/latest/`` has the same as the newest. Making them belongs to
``table_set.bundles``.
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
    """What a bundle lists.

    Attributes:
        name: ``2026-11-26``, or ``2026-11-26.2`` for the second different one of a day.
        divisions: the releases of divisions in it.
        taxonomies: dates of the taxonomies.
        files: bytes and SHA-256 by key of all that lies in the bundle's folder.
        changes: keys of the files of changes between releases that the catalog lists.
        tables: tables it stands for; the copies of the manifests list them with their digests.
        table_bytes: bytes of those.
        records: records of each division's newest release, together.
        software_version: version of this package that made it.
        made_at: when, ISO 8601 in UTC.
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
        """Return whether an object of the bundle has the bytes that are listed."""
        return self.files.get(key) == (len(content), hashlib.sha256(content).hexdigest())

    def to_json(self) -> bytes:
        """Return the manifest as indented JSON."""
        return (json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, text: bytes, *, key: str) -> Bundle:
        """Return the manifest that lies under a key.

        Raises:
            IntegrityError: the text is none of a bundle.
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
            raise IntegrityError(f"{key} is no manifest of a bundle: {error}") from error


def is_changes_key(key: str) -> bool:
    """Return whether a key is one of a file of changes between releases."""
    return bool(_CHANGES_KEY.fullmatch(key))


def is_bundle_name(text: str) -> bool:
    """Return whether this names a bundle: a date, or ``latest``."""
    return bool(_NAME.fullmatch(text))


def bundle_folder(name: str) -> str:
    """``bundles/2026-11-26``."""
    return f"{BUNDLES_PREFIX}{name}"


def bundle_at_key(key: str) -> str | None:
    """Return the name of the bundle whose manifest has this key, ``latest`` left out; None for any other key."""
    match = _MANIFEST_KEY.fullmatch(key)
    return match[1] if match else None
