"""Implementations of the asset checks, independent of the code of the stages, and their thresholds.

The operational thresholds (statements/s, memory, upload errors, records/s) are defined only here. ``checks`` assigns
the checks to assets and decides which of them block.
"""

import dataclasses
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from genbank_assets.errors import SourceError
from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.releases import read_number
from genbank_assets.ncbi.sources import open_source
from genbank_assets.postgres.comparison import compare_with_tables, records_of_day
from genbank_assets.postgres.connection import open_database
from genbank_assets.postgres.preflight import MIN_ABSENT, absences, compared_totals, shrinks_too_much
from genbank_assets.release_facts import same_number
from genbank_assets.reports import LoadReport, ObjectSetReport, RecordsReport
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionRelease
from genbank_assets.tables.unique_tables import memberships_table, unique_sequences_table

MAX_STATEMENTS_PER_SECOND = 100
MAX_MEMORY_BYTES = 5_000_000_000
MAX_UPLOAD_ERROR_FRACTION = 0.01
MIN_RECORDS_PER_SECOND = 100
# Smaller runs are dominated by start-up time.
MIN_RECORDS_FOR_SPEED = 10_000
MIN_SECONDS_FOR_RATE = 1.0
MAX_FILES_LISTED = 10


@dataclasses.dataclass(frozen=True)
class Finding:
    """The result of a check.

    Attributes:
        passed: whether the check passed.
        sentence: description of the result.
        figures: the numbers the result is based on; metadata of the check.
    """

    passed: bool
    sentence: str
    figures: dict[str, Any]


def control_totals(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """Compare LOCUS lines, rows + quarantined blocks, header, release notes and Parquet rows of each file."""
    raw = partition.manifest("raw_files")
    promised = {entry["name"]: entry for entry in raw.files} if raw else {}
    wrong = []
    for entry in manifest.files:
        rows = pq.read_metadata(partition.folder_of(manifest) / entry["records_file"]).num_rows
        blocks = entry["records"] + entry["quarantined"] - entry["locus_fragments"]
        said = {(entry["header"] or {}).get("loci"), promised.get(entry["name"], {}).get("expected_records")} - {None}
        lines = entry["records"] + entry["quarantined"]
        if rows != entry["records"] or lines != entry["locus_lines"] or said - {blocks}:
            wrong.append(entry["name"])
    files = len(manifest.files)
    figures = {"files": files, "records": manifest.report.records or 0, "wrong": ", ".join(wrong[:10]) or "none"}
    return Finding(not wrong, f"{files - len(wrong):,} of {files:,} files reconcile", figures)


def quarantine_share(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """Compare the fraction of quarantined blocks with the setting."""
    quarantined = manifest.report_as(RecordsReport).quarantined or 0
    blocks = (manifest.report.records or 0) + quarantined
    share = quarantined / blocks if blocks else 0.0
    return Finding(
        share <= settings.max_quarantined_fraction,
        f"{quarantined:,} of {blocks:,} blocks are quarantined",
        {"share": share, "allowed": settings.max_quarantined_fraction},
    )


def memory(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """Compare the peak memory of the largest worker with 5 GB."""
    peak = manifest.report.peak_memory_bytes or 0
    return Finding(peak < MAX_MEMORY_BYTES, f"the largest worker used {peak / 1e6:,.0f} MB", {"peak_bytes": peak})


def records_per_second(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """Compare the parsing rate with 100 records/s; small runs always pass."""
    rate = manifest.report.records_per_second or 0.0
    small = (manifest.report.records or 0) < MIN_RECORDS_FOR_SPEED or not manifest.report.files_now
    return Finding(small or rate > MIN_RECORDS_PER_SECOND, f"{rate:,.0f} records/s", {"records_per_second": rate})


def duplicate_conservation(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """Compare members with records, and the member counts of distinct sequences with the records with residues."""
    members = pq.read_metadata(memberships_table(partition, manifest)).num_rows
    sequences = unique_sequences_table(partition, manifest)
    counted = pl.scan_parquet(sequences).select(pl.col("member_count").sum()).collect().item()
    records = partition.manifest("records")
    expected = sum(entry["records"] for entry in records.files) if records else -1
    with_sequence = sum(entry["with_sequence"] for entry in records.files) if records else -1
    return Finding(
        members == expected and counted == with_sequence,
        f"{expected:,} records, {members:,} members; {with_sequence:,} with residues, {counted:,} counted",
        {"records": expected, "members": members, "with_sequence": with_sequence, "counted": counted},
    )


def database_totals(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """Compare current rows and ledger entries in PostgreSQL with the tables."""
    records = partition.manifest("records")
    with open_database(settings) as database, database.transaction(keep=False) as session:
        found = compared_totals(session, partition)
        differences = (
            compare_with_tables(session, partition, records, rows=not found.agree, superseded=found.superseded)
            if records
            else []
        )
    listed = "".join(f"; {one.name}: {one.what}" for one in differences[:MAX_FILES_LISTED])
    more = f"; and {len(differences) - MAX_FILES_LISTED:,} more" if len(differences) > MAX_FILES_LISTED else ""
    return Finding(
        found.agree and found.files == len(manifest.files) and not differences,
        f"{found.accessions:,} accessions in the tables, {found.rows:,} in PostgreSQL, their digests "
        f"{'agree' if found.digests_agree else 'differ'}; {len(manifest.files)} files, {found.files} in the ledger"
        f"{listed}{more}",
        {
            "accessions": found.accessions,
            "rows": found.rows,
            "files": found.files,
            "digests_agree": found.digests_agree,
            "differing": ", ".join(dict.fromkeys(one.name for one in differences)) or "none",
        },
    )


def shrinkage(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """Compare the fraction of absent records with the setting; fails for loads that an operator allowed."""
    with open_database(settings) as database, database.transaction() as session:
        found = absences(session, partition)
    allowed = settings.max_absent_fraction
    return Finding(
        not shrinks_too_much(found.absent, loaded=found.loaded_before, max_absent_fraction=allowed),
        f"{found.absent:,} of {found.loaded_before:,} loaded records are missing from the release ("
        f"{found.fraction:.1%}; up to {allowed:.1%} is allowed, and fewer than {MIN_ABSENT} always are)",
        {
            "absent": found.absent,
            "loaded_before": found.loaded_before,
            "absent_fraction": found.fraction,
            "allowed": allowed,
            "fewest_absent": MIN_ABSENT,
        },
    )


def statements_per_second(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """Compare the load's SQL statements with 100 per second; loads under a second count as one second."""
    report = manifest.report_as(LoadReport)
    statements, seconds = report.load_statements, report.seconds or 0.0
    rate = statements / max(seconds, MIN_SECONDS_FOR_RATE)
    return Finding(
        rate < MAX_STATEMENTS_PER_SECOND,
        f"{statements} statements in {seconds:.1f} s",
        {"statements_per_second": rate},
    )


def object_totals(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """Compare the rows of the object manifest with the number of distinct sequences."""
    unique = partition.manifest("unique_records")
    distinct = unique.extra["distinct_sequences"] if unique else -1
    listed = pq.read_metadata(partition.folder_of(manifest) / "objects.parquet").num_rows
    return Finding(
        listed == distinct, f"{distinct:,} distinct sequences, {listed:,} objects listed", {"objects": listed}
    )


def upload_errors(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """Compare the fraction of failed uploads with 1 %."""
    report = manifest.report_as(ObjectSetReport)
    attempts, errors = report.upload_attempts or 0, report.upload_errors or 0
    share = errors / attempts if attempts else 0.0
    return Finding(
        share < MAX_UPLOAD_ERROR_FRACTION, f"{errors:,} of {attempts:,} uploads failed", {"error_fraction": share}
    )


def is_current_release(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """Compare the store's release with the one the source offers."""
    collection = COLLECTIONS[partition.key.collection]
    limiter = Limiter.of(settings)
    try:
        with open_source(settings.source, limiter=limiter) as source:
            number = read_number(source, collection=collection)
    except SourceError as error:
        return Finding(passed=False, sentence=f"the source cannot be reached: {error}", figures={})
    return Finding(
        same_number(number, partition.release),
        f"the store has {partition.release}, NCBI offers {number}",
        {"offered": number},
    )


def day_totals(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """Compare the records of the day in the ledger with the number applied."""
    with open_database(settings) as database, database.transaction() as session:
        found = records_of_day(session, collection=partition.key.collection, label=manifest.extra["label"])
    applied = manifest.extra["applied"]
    return Finding(
        found == applied,
        f"{applied:,} records of the day were applied, {found:,} are in the ledger",
        {"applied": applied, "ledger": found},
    )
