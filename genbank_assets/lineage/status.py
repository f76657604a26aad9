"""Summarises the store: one row per partition, from its manifests. Showing it belongs to ``cli``."""

from __future__ import annotations

import dataclasses

from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.reports import LoadReport, ObjectSetReport, RecordsReport, UniqueRecordsReport
from genbank_assets.settings import Settings
from genbank_assets.store import INPUT_STAGES, STAGES, PartitionKey, PartitionRelease, Stage, current_release


@dataclasses.dataclass(frozen=True)
class PartitionStatus:
    """A partition's newest release in the store; figures of unpublished stages are None.

    Attributes:
        collection: ``genbank`` or ``refseq``.
        division: its division or section.
        release: the newest release with raw files.
        files: number of raw files.
        records: number of rows in the record tables.
        residues: sum of the LOCUS lengths in bp or aa.
        distinct_sequences: number of distinct sequences.
        quarantined: number of quarantined blocks.
        rows_loaded: number of current records in PostgreSQL.
        objects: number of objects of the division in the object set.
        seconds: wall time of all stages.
        peak_memory_bytes: peak resident memory of the largest worker of any stage.
        sql_statements: SQL statements sent by the load.
    """

    collection: str
    division: str
    release: str
    files: int
    records: int | None
    residues: int | None
    distinct_sequences: int | None
    quarantined: int | None
    rows_loaded: int | None
    objects: int | None
    seconds: float
    peak_memory_bytes: int
    sql_statements: int


def status(settings: Settings) -> list[PartitionStatus]:
    """Return all partitions with raw files, in catalogue order."""
    found = []
    for collection in COLLECTIONS.values():
        for division in collection.divisions:
            row = _status(settings, PartitionKey(collection.name, division))
            if row is not None:
                found.append(row)
    return found


def _status(settings: Settings, key: PartitionKey) -> PartitionStatus | None:
    partition = current_release(settings.store, key=key, stage="raw_files")
    if partition is None:
        return None
    manifests = {stage: found for stage in STAGES if (found := partition.manifest(stage)) is not None}
    records = manifests["records"].report_as(RecordsReport) if "records" in manifests else None
    unique = manifests["unique_records"].report_as(UniqueRecordsReport) if "unique_records" in manifests else None
    loaded = manifests["postgres_table"].report_as(LoadReport) if "postgres_table" in manifests else None
    objects = manifests["object_set"].report_as(ObjectSetReport) if "object_set" in manifests else None
    reports = [manifest.report for manifest in manifests.values()]
    return PartitionStatus(
        collection=key.collection,
        division=key.division,
        release=partition.release,
        files=manifests["raw_files"].report.files or 0,
        records=records.records if records else None,
        residues=records.residues if records else None,
        distinct_sequences=unique.distinct_sequences if unique else None,
        quarantined=records.quarantined if records else None,
        rows_loaded=loaded.rows_loaded if loaded else None,
        objects=objects.objects if objects else None,
        seconds=sum(report.seconds or 0.0 for report in reports),
        peak_memory_bytes=max(report.peak_memory_bytes or 0 for report in reports),
        sql_statements=loaded.sql_statements or 0 if loaded else 0,
    )


def is_whole(partition: PartitionRelease) -> bool:
    """Return whether all stages of a partition are published, each made from the current output of its input stage."""
    digests: dict[Stage, str] = {}
    for stage in STAGES:
        manifest = partition.manifest(stage)
        if manifest is None or (stage != "raw_files" and manifest.input_digest != digests[INPUT_STAGES[stage]]):
            return False
        digests[stage] = manifest.digest
    return True
