"""Partitioned asset checks: integrity blocks what comes after, monitored limits warn.

The core refuses to publish what is broken; checks look again at what was published, from another side, and show it
per division. Limits of the running service (statements/s, memory, upload errors, records/s) are here and nowhere else.
See https://docs.dagster.io/guides/test/asset-checks
"""

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import dagster as dg
import polars as pl
import pyarrow.parquet as pq

from genbank_assets.defs.failures import failures
from genbank_assets.defs.partitions import DIVISIONS
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.defs.stages import latest
from genbank_assets.errors import SourceError
from genbank_assets.ncbi.catalog import COLLECTIONS, Collection
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.releases import read_number
from genbank_assets.ncbi.sources import open_source
from genbank_assets.postgres.connection import open_database
from genbank_assets.postgres.survey import FEWEST_ABSENT, absences, shrinks_too_much
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, Stage
from genbank_assets.tables.unique_tables import memberships_table, unique_sequences_table

MOST_STATEMENTS_PER_SECOND = 100
MOST_MEMORY_BYTES = 5_000_000_000
MOST_UPLOAD_ERROR_FRACTION = 0.01
FEWEST_RECORDS_PER_SECOND = 100
# Below this a run's speed says nothing: starting up takes longer than the work.
FEWEST_RECORDS_FOR_SPEED = 10_000
FEWEST_SECONDS_FOR_RATE = 1.0


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a check found: whether it is well, a sentence, and the figures behind it."""

    passed: bool
    sentence: str
    figures: dict[str, Any]


Look = Callable[[PartitionRelease, Manifest, Settings], Finding]


@dataclasses.dataclass(frozen=True)
class Check:
    """One check of a stage."""

    name: str
    stage: Stage
    blocking: bool
    description: str
    look: Look


def control_totals(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """LOCUS lines, rows + quarantined, header, release notes and Parquet rows agree, file by file."""
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
    """Few blocks are quarantined."""
    blocks = (manifest.report.records or 0) + (manifest.report.quarantined or 0)
    share = (manifest.report.quarantined or 0) / blocks if blocks else 0.0
    return Finding(
        share <= settings.max_quarantined_fraction,
        f"{manifest.report.quarantined:,} of {blocks:,} blocks are quarantined",
        {"share": share, "allowed": settings.max_quarantined_fraction},
    )


def memory(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """No worker needed more than 5 GB."""
    peak = manifest.report.peak_memory_bytes or 0
    return Finding(peak < MOST_MEMORY_BYTES, f"the largest worker took {peak / 1e6:,.0f} MB", {"peak_bytes": peak})


def records_per_second(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """Parsing keeps above 100 records a second; runs too small to tell pass."""
    rate = manifest.report.records_per_second or 0.0
    small = (manifest.report.records or 0) < FEWEST_RECORDS_FOR_SPEED or not manifest.report.files_now
    return Finding(small or rate > FEWEST_RECORDS_PER_SECOND, f"{rate:,.0f} records/s", {"records_per_second": rate})


def duplicate_conservation(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """Every record is a member, and member counts of the distinct sequences add up to the records with residues."""
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
    """PostgreSQL holds each accession of the division once, and the ledger every file."""
    path = memberships_table(partition)
    accessions = pl.scan_parquet(path).select(pl.col("accession").n_unique()).collect().item()
    key = [partition.key.collection, partition.key.division]
    with open_database(settings) as database, database.transaction() as session:
        rows = session.execute(
            "SELECT count(*) - genbank.only_daily(%s, %s, %s) FROM genbank.record WHERE collection = %s AND section = "
            "%s AND is_current",
            [*key, partition.release, *key],
        )[0][0]
        files = session.execute(
            "SELECT count(*) FROM genbank.source_file WHERE collection = %s AND section = %s AND release = %s",
            [*key, partition.release],
        )[0][0]
    return Finding(
        rows == accessions and files == len(manifest.files),
        f"{accessions:,} accessions in the tables, {rows:,} in PostgreSQL; {len(manifest.files)} files, {files} in the "
        "ledger",
        {"accessions": accessions, "rows": rows, "files": files},
    )


def shrinkage(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """The release lacks few of the records that were loaded; a load that a person allowed stays visible here."""
    with open_database(settings) as database, database.transaction() as session:
        found = absences(session, partition)
    allowed = settings.max_absent_fraction
    return Finding(
        not shrinks_too_much(found.absent, loaded=found.loaded_before, max_absent_fraction=allowed),
        f"{found.absent:,} of {found.loaded_before:,} records that were loaded are gone ({found.fraction:.1%}; allowed "
        "are {allowed:.1%}, and fewer than {FEWEST_ABSENT} always)",
        {
            "absent": found.absent,
            "loaded_before": found.loaded_before,
            "absent_fraction": found.fraction,
            "allowed": allowed,
            "fewest_absent": FEWEST_ABSENT,
        },
    )


def statements_per_second(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """The load sends fewer than 100 statements a second; runs under a second pass."""
    statements, seconds = manifest.report.sql_statements or 0, manifest.report.seconds or 0.0
    rate = statements / max(seconds, FEWEST_SECONDS_FOR_RATE)
    return Finding(
        rate < MOST_STATEMENTS_PER_SECOND,
        f"{statements} statements in {seconds:.1f} s",
        {"statements_per_second": rate},
    )


def object_totals(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """The manifest lists each distinct sequence once."""
    unique = partition.manifest("unique_records")
    distinct = unique.extra["distinct_sequences"] if unique else -1
    listed = pq.read_metadata(partition.folder_of(manifest) / "objects.parquet").num_rows
    return Finding(
        listed == distinct, f"{distinct:,} distinct sequences, {listed:,} objects listed", {"objects": listed}
    )


def upload_errors(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """Under 1 % of uploads failed."""
    attempts, errors = manifest.report.upload_attempts or 0, manifest.report.upload_errors or 0
    share = errors / attempts if attempts else 0.0
    return Finding(
        share < MOST_UPLOAD_ERROR_FRACTION, f"{errors:,} of {attempts:,} uploads failed", {"error_fraction": share}
    )


def is_current_release(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """The source still offers the release that is here."""
    collection = COLLECTIONS[partition.key.collection]
    limiter = Limiter.of(settings)
    try:
        with open_source(settings.source, limiter=limiter) as source:
            number = read_number(source, collection=collection)
    except SourceError as error:
        return Finding(passed=False, sentence=f"the source cannot be asked: {error}", figures={})
    return Finding(
        number == partition.release, f"here is {partition.release}, NCBI offers {number}", {"offered": number}
    )


CHECKS = (
    Check(
        "is_current_release", "raw_files", False,
        "NCBI still offers the release that is here. Fails when there is a newer one to materialize, or when the "
        "source cannot be asked.", is_current_release,
    ),
    Check(
        "control_totals", "records", True,
        "Nothing was lost in reading. File by file these have to agree: LOCUS lines seen, rows of the table + "
        "quarantined blocks, the entries promised in the file's own header, and those in the release notes.",
        control_totals,
    ),
    Check(
        "quarantine_share", "records", False,
        "Few entries are unreadable. Those that could not become a record lie in the quarantine table with the reason; "
        "GENBANK_ASSETS_MAX_QUARANTINED_FRACTION says how many are allowed.", quarantine_share,
    ),
    Check("memory", "records", False, "No process that parsed took 5 GB of memory or more.", memory),
    Check(
        "records_per_second", "records", False,
        "Parsing kept above 100 records a second; runs of fewer than 10,000 records always pass.", records_per_second,
    ),
    Check(
        "conservation", "unique_records", True,
        "No record was lost or counted twice in deduplication: every record is a member of the membership table, and "
        "the members of all distinct sequences add up to the records that have residues.", duplicate_conservation,
    ),
    Check(
        "database_totals", "postgres_table", True,
        "PostgreSQL holds each accession of the tables once, as current, and the ledger names every file.",
        database_totals,
    ),
    Check(
        "shrink", "postgres_table", False,
        "The release lacks few of the records that were loaded before. A release that lacks more than "
        "GENBANK_ASSETS_MAX_ABSENT_FRACTION is loaded only when a person allows it, and stays visible here.", shrinkage,
    ),
    Check(
        "statements_per_second", "postgres_table", False,
        "The load sent fewer than 100 SQL statements a second, so that others can work with the database.",
        statements_per_second,
    ),
    Check(
        "object_totals", "object_set", True,
        "The division's list in the object set names every distinct sequence once.", object_totals,
    ),
    Check(
        "upload_errors", "object_set", False,
        "Fewer than 1 % of the uploads used up their tries; more mean that the object store throttles.", upload_errors,
    ),
)  # fmt: skip


def build_checks(collection: Collection) -> list[dg.AssetChecksDefinition]:
    """All checks of a collection's assets."""
    with warnings.catch_warnings():
        # Partitioned checks are in preview in Dagster 1.13; a user of this graph cannot do anything about it.
        warnings.filterwarnings("ignore", "Specifying a partitions_def", dg.PreviewWarning)
        return [_build(collection, check) for check in CHECKS]


def _build(collection: Collection, check: Check) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey([collection.name, check.stage]),
        name=check.name,
        description=check.description,
        blocking=check.blocking,
        partitions_def=DIVISIONS[collection.name],
    )
    def checked(context: dg.AssetCheckExecutionContext, mirror: MirrorResource) -> dg.AssetCheckResult:
        settings = mirror.settings()
        with failures(context):
            key = PartitionKey(collection.name, context.partition_key)
            partition = latest(settings, key, check.stage)
            manifest = partition.manifest(check.stage)
            assert manifest is not None
            finding = check.look(partition, manifest, settings)
        return dg.AssetCheckResult(
            passed=finding.passed,
            severity=dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN,
            description=finding.sentence,
            metadata={"release": partition.release, **finding.figures},
        )

    return checked
