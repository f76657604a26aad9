"""Finds existing tables of a raw file that a new generation can link or rewrite instead of parsing again.

Searches generations with a manifest, the one being built (by a killed run), and incomplete ones. The raw file's digest
and the code versions decide whether a table can be used. Building tables belongs to ``records``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genbank_assets.generations import RECEIPTS, files_of_entry, generations, link_or_copy, readable_manifests
from genbank_assets.store import PartitionRelease, write_atomically


@dataclasses.dataclass(frozen=True)
class KnownTable:
    """Existing tables of one raw file.

    Attributes:
        folder: folder to which the entry's names are relative.
        entry: the manifest entry, with the run that made the tables.
        replaced: whether its manifest was replaced, in which case files may be damaged.
    """

    folder: Path
    entry: dict[str, Any] = dataclasses.field(hash=False)
    replaced: bool = False

    def linked_into(self, folder: Path, *, receipt: Path) -> dict[str, Any]:
        """Link the files into a generation and write the receipt; return their entry."""
        if folder != self.folder:
            for file in files_of_entry(self.entry):
                link_or_copy(self.folder / file.name, folder / file.name)
            write_atomically(receipt, (json.dumps(self.entry, indent=1) + "\n").encode())
        return self.entry


class KnownTables:
    """All existing tables of a partition's raw files.

    Args:
        partition: the division and release.
        building: folder of the generation being built, whose tables are preferred.
        recheck: whether to verify the digests of files.
    """

    def __init__(self, partition: PartitionRelease, *, building: Path, recheck: bool) -> None:
        self._recheck = recheck
        self._found: dict[str, list[KnownTable]] = {}
        self._published: dict[str, dict[str, Any]] = {}
        for entry in _receipts(building / RECEIPTS):
            self._add(building, entry)
        published = partition.manifest("records")
        for manifest in readable_manifests(partition, "records"):
            for entry in manifest.files:
                made = entry | {"run_id": manifest.run_of(entry)}
                self._add(partition.folder_of(manifest), made, replaced=manifest != published)
                self._published.setdefault(entry["name"], entry)
        for folder in generations(partition, "records"):
            if folder != building:
                for entry in _receipts(folder / RECEIPTS):
                    self._add(folder, entry)
        for entry in _receipts(partition.stage_folder("records")):  # written by version 0.1.0
            self._add(partition.stage_folder("records"), entry)

    def _add(self, folder: Path, entry: dict[str, Any], *, replaced: bool = False) -> None:
        self._found.setdefault(str(entry["name"]), []).append(KnownTable(folder, entry, replaced))

    def find(self, name: str, *, raw_sha256: str, parser_version: str) -> KnownTable | None:
        """Find intact tables of these bytes by this parser version, preferring the newest table format."""
        same = [
            table
            for table in self._found.get(name, ())
            if (table.entry["raw_sha256"], table.entry["code_version"]) == (raw_sha256, parser_version)
        ]
        for table in sorted(same, key=lambda table: str(table.entry.get("table_format", "")), reverse=True):
            recheck = self._recheck or table.replaced
            if all(file.is_whole(table.folder, recheck=recheck) for file in files_of_entry(table.entry)):
                return table
        return None

    def without_run(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Return the entry without the run that made the tables, so that equal content gives equal digests.

        Version 0.1.0 recorded the run in the entry. Entries it published are kept unchanged, to avoid rebuilding later
        stages.
        """
        content = {name: value for name, value in entry.items() if name != "run_id"}
        before = self._published.get(entry["name"])
        if before is not None and {name: value for name, value in before.items() if name != "run_id"} == content:
            return before
        return content


def _receipts(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.json")):
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(entry, dict) and {"name", "raw_sha256", "code_version", "records_file"} <= entry.keys():
            yield entry
