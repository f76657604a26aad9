"""Builds the taxonomy's Parquet tables for a date: nodes with nested-set values, names, merged and deleted taxa.

``STORE/taxonomy/<date>/manifest.json`` names the current folder and is replaced atomically. The archive is kept beside
its tables, so that they can be rebuilt. Fetching belongs to ``ncbi.taxonomy``, reading the archive to ``taxdump``,
queries to ``clades``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from genbank_assets.durable import file_sha256, hidden_name, store_errors
from genbank_assets.errors import IntegrityError
from genbank_assets.generations import REMOVED, remove_folder
from genbank_assets.ncbi.taxonomy_files import ARCHIVE, FetchedTaxonomy, taxonomy_folder
from genbank_assets.schema.taxonomy import SCHEMAS
from genbank_assets.store import MANIFEST, write_atomically
from genbank_assets.tables.taxdump import taxonomy_frames

# Increment when the content of the tables changes.
CODE_VERSION = "1"
ROW_GROUP_ROWS = 50_000
_BUILDING = ".building."


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaxonomyManifest:
    """The taxonomy of one date.

    Attributes:
        date: date of the archive, ISO 8601.
        generation: folder of the files, beside the manifest.
        code_version: version of the code that determines the tables' content.
        archive: ``url``, ``md5``, ``sha256`` and ``bytes`` of the archive.
        files: ``name``, ``rows``, ``bytes`` and ``sha256`` of each table.
    """

    date: str
    generation: str
    code_version: str
    archive: dict[str, Any]
    files: tuple[dict[str, Any], ...]

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the content: equal tables have equal digests."""
        content = dataclasses.asdict(self)
        del content["archive"]["url"]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def rows(self, table: str) -> int:
        """Return the number of rows of a table."""
        return next(int(entry["rows"]) for entry in self.files if entry["name"] == f"{table}.parquet")


def build_taxonomy(
    fetched: FetchedTaxonomy, *, store: Path, progress: Callable[[str], None]
) -> tuple[TaxonomyManifest, bool]:
    """Build a date's tables and publish them, atomically replacing an earlier archive of the same date.

    Returns:
        The manifest, and whether anything was built.

    Raises:
        IntegrityError: the archive is incomplete or not a taxonomy; nothing is published.
    """
    generation = hashlib.sha256(f"{fetched.sha256} {CODE_VERSION}".encode()).hexdigest()[:16]
    folder = taxonomy_folder(store) / fetched.date
    for left in (*folder.glob(f"{_BUILDING}*"), *folder.glob(f"{REMOVED}*")):  # by a killed run
        shutil.rmtree(left, ignore_errors=True)
    previous = read_manifest(folder)
    if previous is not None and previous.generation == generation and _is_whole(folder, previous):
        progress(f"nothing changed: the taxonomy of {fetched.date} is in place")
        return previous, False
    out = folder / generation
    manifest = _intact(folder, generation)
    is_new = manifest is None
    if manifest is None:
        manifest = _built(fetched, out)
    progress(", ".join(f"{entry['rows']:,} {entry['name'].removesuffix('.parquet')}" for entry in manifest.files))
    _write_manifest(folder, manifest)
    for old in folder.iterdir():  # current readers may use the previous one
        if old.is_dir() and old.name not in {generation, previous.generation if previous else ""}:
            shutil.rmtree(old, ignore_errors=True)
    return manifest, is_new


def _intact(folder: Path, generation: str) -> TaxonomyManifest | None:
    """Return the manifest of a generation that was replaced, or not published before a stop, if it is whole."""
    try:
        manifest = read_manifest(folder / generation)
    except IntegrityError:
        return None
    return manifest if manifest is not None and _is_whole(folder, manifest, recheck=True) else None


def _built(fetched: FetchedTaxonomy, out: Path) -> TaxonomyManifest:
    """Build the tables in a hidden folder, which becomes ``out`` when they are complete."""
    building = out.with_name(hidden_name(f"{_BUILDING[1:]}{out.name}", suffix=""))
    with store_errors(out):
        try:
            building.mkdir(parents=True)
            _link(fetched.path, building / ARCHIVE)
            manifest = TaxonomyManifest(
                date=fetched.date,
                generation=out.name,
                code_version=CODE_VERSION,
                archive={"url": fetched.url, "md5": fetched.md5, "sha256": fetched.sha256, "bytes": fetched.bytes},
                files=tuple(_write_tables(fetched.path, building)),
            )
            _write_manifest(building, manifest)
            remove_folder(out)  # if it is there, it is damaged or of an earlier version
            building.replace(out)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return manifest


def _write_manifest(folder: Path, manifest: TaxonomyManifest) -> None:
    write_atomically(folder / MANIFEST, (json.dumps(dataclasses.asdict(manifest), indent=1) + "\n").encode())


def read_manifest(folder: Path) -> TaxonomyManifest | None:
    """Return the manifest in a date's folder, or None.

    Raises:
        IntegrityError: the manifest cannot be read.
    """
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return TaxonomyManifest(**(content | {"files": tuple(content["files"])}))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise IntegrityError(f"{folder / MANIFEST} cannot be read: {error}") from error


def _is_whole(folder: Path, manifest: TaxonomyManifest, *, recheck: bool = False) -> bool:
    """Return whether all tables exist with the right sizes and, with ``recheck``, the right digests."""
    paths = [(folder / manifest.generation / entry["name"], entry) for entry in manifest.files]
    return all(
        path.is_file()
        and path.stat().st_size == entry["bytes"]
        and (not recheck or file_sha256(path) == entry["sha256"])
        for path, entry in paths
    )


def _link(archive: Path, target: Path) -> None:
    try:
        os.link(archive, target)
    except OSError:
        shutil.copyfile(archive, target)


def _write_tables(archive: Path, out: Path) -> Iterator[dict[str, Any]]:
    """Write all tables; yield a manifest entry for each."""
    for name, frame in taxonomy_frames(archive).items():
        path = out / f"{name}.parquet"
        by = {"nodes": "left_value", "names": "name_key", "merged": "old_taxon_id"}.get(name, "taxon_id")
        rows = frame.sort(by, maintain_order=True).select(SCHEMAS[name].names).to_arrow().cast(SCHEMAS[name])
        order = [pq.SortingColumn(SCHEMAS[name].get_field_index(by))]
        pq.write_table(rows, path, compression="zstd", row_group_size=ROW_GROUP_ROWS, sorting_columns=order)
        yield {"name": path.name, "rows": len(frame), "bytes": path.stat().st_size, "sha256": file_sha256(path)}


def kept_dates(store: Path) -> list[str]:
    """Return the dates for which the store has a taxonomy, oldest first."""
    folder = taxonomy_folder(store)
    dates = [path.name for path in folder.glob("*-*-*") if re.fullmatch(r"\d{4}-\d{2}-\d{2}", path.name)]
    return sorted(date for date in dates if (folder / date / MANIFEST).is_file())


def table_path(store: Path, manifest: TaxonomyManifest, table: str) -> Path:
    """Return the path of a table of a date's taxonomy."""
    return taxonomy_folder(store) / manifest.date / manifest.generation / f"{table}.parquet"
