"""A division's two tables in store and bucket: the location of its sequences, and which records have them.

Nothing named by a manifest is overwritten: the key of the membership table contains its digest, and the object table
has its own folder in the store. Only the manifest object is replaced, once everything it names is in place. The content
of the tables belongs to ``publish`` and ``memberships``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
from obstore.exceptions import GenericError
from obstore.store import ObjectStore

from genbank_assets.errors import IntegrityError
from genbank_assets.objects.etags import PART_BYTES, Etags, Parts
from genbank_assets.objects.keys import manifest_key, membership_key
from genbank_assets.objects.memberships import METADATA
from genbank_assets.objects.object_index import CODE_VERSION, TABLE, write_prefixes
from genbank_assets.objects.requests import Stored, put_parts, stored_as
from genbank_assets.objects.retry import retried
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionRelease
from genbank_assets.tables.unique_tables import memberships_table
from genbank_assets.tables.writer import file_sha256


class DivisionTables:
    """The tables of one publication.

    Args:
        partition: the division.
        unique: manifest of its ``unique_records``, whose membership table is sent to the bucket.
        settings: number of requests in flight.
        progress: called with messages for the user.

    Attributes:
        manifest_key: key of the manifest object.
        memberships: key, rows, bytes and sha256 of the membership table in the bucket.
    """

    def __init__(
        self, partition: PartitionRelease, unique: Manifest, *, settings: Settings, progress: Callable[[str], None]
    ) -> None:
        self._partition = partition
        self._unique = unique
        self._settings = settings
        self._progress = progress
        self._table = Path()
        self._sha256 = ""
        place = partition.key.collection, partition.release, partition.key.division
        self.manifest_key = manifest_key(*place)
        entry = next(entry for entry in unique.files if Path(entry["name"]).name == "memberships.parquet")
        self.memberships = {
            "key": membership_key(*place, entry["sha256"]),
            **{name: entry[name] for name in ("rows", "bytes", "sha256")},
        }

    def metadata(self) -> dict[str, str]:
        """Return the object table's Parquet metadata, for readers with access to the bucket only."""
        key = self._partition.key
        place = {"collection": key.collection, "release": self._partition.release, "section": key.division}
        about = {**place, "input_digest": self._unique.digest, "memberships": self.memberships}
        return {METADATA: json.dumps(about, sort_keys=True)}

    def keep(self, written: Path) -> tuple[str, dict[str, Any]]:
        """Move a finished object table to a new folder in the store that no manifest names yet.

        Returns:
            The generation, and the manifest entry. The generation depends on input and content, because the same input
            may be published with different locations of the same sequences.
        """
        self._sha256 = file_sha256(written)
        entry = {
            "name": TABLE,
            "rows": pq.read_metadata(written).num_rows,
            "bytes": written.stat().st_size,
            "sha256": self._sha256,
        }
        made_from = f"{self._unique.digest} {CODE_VERSION} {self._sha256}"
        generation = hashlib.sha256(made_from.encode()).hexdigest()[:16]
        folder = self._partition.generation_folder("object_set", generation)
        folder.mkdir(parents=True, exist_ok=True)
        self._table = written.replace(folder / TABLE)
        write_prefixes(self._table)
        return generation, entry

    def send_memberships(self, store: ObjectStore, *, broken: pl.Series | None = None) -> None:
        """Send the membership table, unless it is already there.

        Raises:
            ObjectStoreError: the store kept failing.
            IntegrityError: the table in the store is damaged.
        """
        key, size = str(self.memberships["key"]), int(self.memberships["bytes"])
        there = retried(lambda: stored_as(store, key), doing=f"read {key}", progress=self._progress)
        if there is None or there.bytes != size or (broken is not None and key in broken):
            path = memberships_table(self._partition, self._unique)
            self._send(store, key, path, sha256=str(self.memberships["sha256"]))

    def send_manifest(self, store: ObjectStore) -> None:
        """Send the manifest object; readers of the bucket see the old one or the new one.

        Raises:
            ObjectStoreError: the store kept failing.
        """
        self._send(store, self.manifest_key, self._table, sha256=self._sha256)

    def _send(self, store: ObjectStore, key: str, path: Path, *, sha256: str) -> None:
        at_once = self._settings.upload_concurrency
        retried(
            lambda: put_file(store, key, path, sha256=bytes.fromhex(sha256), at_once=at_once),
            doing=f"store {key}",
            progress=self._progress,
        )


def put_file(store: ObjectStore, key: str, path: Path, *, sha256: bytes, at_once: int) -> Stored:
    """Send a file in parts and verify that the store kept it; it appears completely or not at all.

    Raises:
        IntegrityError: the file does not have its digest; nothing is stored.
        GenericError: the store kept different bytes.
        obstore.exceptions.BaseError: the store failed.
    """
    length = path.stat().st_size

    def pieces() -> Iterator[bytes]:
        hasher = hashlib.sha256()
        with path.open("rb") as file:
            while piece := file.read(PART_BYTES):
                hasher.update(piece)
                if file.tell() == length and hasher.digest() != sha256:
                    raise IntegrityError(f"{path.name} does not have its digest: see genbank-assets verify")
                yield piece

    parts = Parts(pieces())
    stored = put_parts(store, key, parts, length=length, at_once=at_once)
    if not Etags(store).verify_stored(key, stored.etag, sha256=sha256, expected=parts.etag):
        raise GenericError(f"the store returned different bytes for {key} than were sent")
    return stored
