"""Determines which partitions of a local folder are complete in all five stages, without starting a run.

Checks the bytes of the raw files, the chain of manifests, the tables they name, the rows in PostgreSQL and every
object. Suitable for a small source such as the sample; for NCBI's releases, a run that finds nothing to do is faster.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from genbank_assets.errors import GenbankAssetsError
from genbank_assets.ncbi import fetch
from genbank_assets.objects import object_index
from genbank_assets.objects.verify import verify_objects
from genbank_assets.postgres import load
from genbank_assets.postgres.connection import open_database
from genbank_assets.settings import Settings
from genbank_assets.store import INPUT_STAGES, Manifest, PartitionKey, PartitionRelease, Stage, current_release
from genbank_assets.tables import dedup, records
from genbank_assets.tables.unique_tables import memberships_table

_CODE_VERSIONS: dict[Stage, str] = {
    "raw_files": fetch.CODE_VERSION,
    "records": records.CODE_VERSION,
    "unique_records": dedup.CODE_VERSION,
    "postgres_table": load.CODE_VERSION,
    "object_set": object_index.CODE_VERSION,
}


def complete_partitions(settings: Settings, keys: Sequence[PartitionKey], *, source: Path) -> set[PartitionKey]:
    """Return those of the given partitions for which a run would find nothing to do.

    Args:
        settings: name the store, database and object set.
        keys: partitions to examine.
        source: the source folder, whose files are compared by name and SHA-256.
    """
    digests = {path.name: _sha256(path) for path in source.rglob("*.gz")}
    found = {}
    for key in keys:
        partition = current_release(settings.store, key=key, stage="object_set")
        if partition is not None and _files_are_in_place(partition, digests):
            found[key] = partition
    try:
        loaded = {key for key, partition in found.items() if _is_loaded(settings, partition)} if found else set()
        if not loaded:
            return set()
        verified = verify_objects(settings, partitions=sorted(loaded), sample=0)
    except (GenbankAssetsError, OSError):  # a run will report or fix the problem
        return set()
    wrong = {problem.partition.partition(" ")[0] for problem in verified.problems}
    return {key for key in loaded if str(key) not in wrong}


def _files_are_in_place(partition: PartitionRelease, digests: dict[str, str]) -> bool:
    manifests: dict[Stage, Manifest] = {}
    for stage, version in _CODE_VERSIONS.items():
        manifest = partition.manifest(stage)
        if manifest is None or manifest.code_version != version:
            return False
        if stage in INPUT_STAGES and manifest.input_digest != manifests[INPUT_STAGES[stage]].digest:
            return False
        manifests[stage] = manifest
    raw = manifests["raw_files"]
    folder = partition.folder_of(raw)
    for entry in raw.files:
        path = folder / entry["name"]
        if digests.get(entry["name"]) != entry["sha256"] or not path.is_file() or _sha256(path) != entry["sha256"]:
            return False
    tables = [
        partition.folder_of(manifest) / value
        for manifest in manifests.values()
        for entry in manifest.files
        for value in entry.values()
        if isinstance(value, str) and value.endswith(".parquet")
    ]
    return all(table.is_file() for table in tables)


def _is_loaded(settings: Settings, partition: PartitionRelease) -> bool:
    """Return whether ledger and rows in PostgreSQL match the division."""
    unique = partition.manifest("unique_records")
    assert unique is not None
    accessions = pl.scan_parquet(memberships_table(partition, unique)).select("accession")
    key = [partition.key.collection, partition.key.division]
    with open_database(settings) as database, database.transaction(keep=False) as session:
        there = session.execute("SELECT to_regclass('genbank.division_release') IS NOT NULL")[0][0]
        if not there:
            return False
        ledger = session.execute(
            "SELECT input_digest FROM genbank.division_release WHERE collection = %s AND section = %s AND release = %s",
            [*key, partition.release],
        )
        rows = session.execute(
            "SELECT count(*) FROM genbank.record WHERE collection = %s AND section = %s AND is_current", key
        )[0][0]
    return ledger == [(unique.digest,)] and int(rows) == int(accessions.collect().n_unique())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
