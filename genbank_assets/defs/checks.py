"""Partitioned asset checks: integrity blocks what comes after, monitored limits warn.

The core refuses to publish what is broken; checks look again at what was published, and show it per division or day.
What each looks at is in ``findings``.
See https://docs.dagster.io/guides/test/asset-checks
"""

import contextlib
import dataclasses
import datetime as dt
import warnings
from collections.abc import Callable, Iterator, Sequence

import dagster as dg

from genbank_assets.defs import findings
from genbank_assets.defs.automation import ASK_DAILY
from genbank_assets.defs.daily import day_key
from genbank_assets.defs.division_assets import latest, wanted_release
from genbank_assets.defs.failures import failures
from genbank_assets.defs.findings import Finding
from genbank_assets.defs.metadata import rounded
from genbank_assets.defs.partitions import DAYS, DIVISIONS
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.errors import NotFoundError
from genbank_assets.ncbi.catalog import Collection
from genbank_assets.ncbi.daily import daily_partition
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, Stage

Look = Callable[[PartitionRelease, Manifest, Settings], Finding]


@dataclasses.dataclass(frozen=True)
class Check:
    """One check of a stage.

    Attributes:
        name: the check's name in Dagster.
        stage: the stage whose asset it checks.
        blocking: whether a failure stops the stages after it.
        description: what it compares; shown in the UI.
        look: computes the finding from the stage's manifest.
    """

    name: str
    stage: Stage
    blocking: bool
    description: str
    look: Look


CHECKS = (
    Check(
        "is_current_release", "raw_files", False,
        "NCBI still offers the release that is here. Fails when there is a newer one to materialize, or when the "
        "source cannot be asked.", findings.is_current_release,
    ),
    Check(
        "control_totals", "records", True,
        "Nothing was lost in reading. File by file these have to agree: LOCUS lines seen, rows of the table + "
        "quarantined blocks, the entries promised in the file's own header, and those in the release notes.",
        findings.control_totals,
    ),
    Check(
        "quarantine_share", "records", False,
        "Few entries are unreadable. Those that could not become a record lie in the quarantine table with the reason; "
        "GENBANK_ASSETS_MAX_QUARANTINED_FRACTION says how many are allowed.", findings.quarantine_share,
    ),
    Check("memory", "records", False, "No parsing process used 5 GB of memory or more.", findings.memory),
    Check(
        "records_per_second", "records", False,
        "Parsing kept above 100 records a second; runs of fewer than 10,000 records always pass.",
        findings.records_per_second,
    ),
    Check(
        "conservation", "unique_records", True,
        "No record was lost or counted twice in deduplication: every record is a member of the membership table, and "
        "the members of all distinct sequences add up to the records that have residues.",
        findings.duplicate_conservation,
    ),
    Check(
        "database_totals", "postgres_table", True,
        "PostgreSQL holds each accession of the tables once, as current; count and digest of all records agree, those "
        "of each file with its entry in the ledger. Where they do not, the files are named.",
        findings.database_totals,
    ),
    Check(
        "shrink", "postgres_table", False,
        "The release lacks few of the records that were loaded before. A release that lacks more than "
        "GENBANK_ASSETS_MAX_ABSENT_FRACTION is loaded only when a person allows it, and stays visible here.",
        findings.shrinkage,
    ),
    Check(
        "statements_per_second", "postgres_table", False,
        "The load sent fewer than 100 SQL statements a second, so that others can work with the database.",
        findings.statements_per_second,
    ),
    Check(
        "object_totals", "object_set", True,
        "The division's list in the object set names every distinct sequence once.", findings.object_totals,
    ),
    Check(
        "upload_errors", "object_set", False,
        "Fewer than 1 % of the uploads used up their tries; more mean that the object store throttles.",
        findings.upload_errors,
    ),
)  # fmt: skip


# What can be said of a day as well: it stands alone, on top of whatever release is loaded.
_OF_DAYS = (
    "control_totals", "quarantine_share", "memory", "records_per_second", "conservation", "statements_per_second",
    "object_totals", "upload_errors",
)  # fmt: skip
DAY_CHECKS = (
    *(check for check in CHECKS if check.name in _OF_DAYS),
    Check(
        "day_totals", "postgres_table", True,
        "Every record of the day that was applied to a division is in the database's ledger.", findings.day_totals,
    ),
)  # fmt: skip


def build_checks(collection: Collection) -> list[dg.AssetChecksDefinition]:
    """Return all checks of a collection's assets."""
    with _preview_accepted():
        return [_build_for_division(collection, check) for check in CHECKS]


def build_day_checks(collection: Collection) -> list[dg.AssetChecksDefinition]:
    """Return all checks of a collection's daily assets."""
    with _preview_accepted():
        return [_build_for_day(collection, check) for check in DAY_CHECKS]


def build_division_checks(collection: Collection, checks: Sequence[Check]) -> list[dg.AssetChecksDefinition]:
    """Checks of further assets that are partitioned by division."""
    with _preview_accepted():
        return [_build_for_division(collection, check) for check in checks]


@contextlib.contextmanager
def _preview_accepted() -> Iterator[None]:
    """Partitioned checks are in preview in Dagster 1.13; a user of this graph cannot do anything about it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Specifying a partitions_def", dg.PreviewWarning)
        yield


def _build_for_division(collection: Collection, check: Check) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey([collection.name, check.stage]),
        name=check.name,
        description=check.description,
        blocking=check.blocking,
        partitions_def=DIVISIONS[collection.name],
        automation_condition=ASK_DAILY if check.name == "is_current_release" else None,
    )
    def checked(context: dg.AssetCheckExecutionContext, mirror: MirrorResource) -> dg.AssetCheckResult:
        with failures(context):
            settings = mirror.settings()
            key = PartitionKey(collection.name, context.partition_key)
            return _evaluated(
                check, latest(settings, key, check.stage, release=wanted_release(context)), settings=settings
            )

    return checked


def _build_for_day(collection: Collection, check: Check) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=day_key(collection, check.stage),
        name=check.name,
        description=check.description,
        blocking=check.blocking,
        partitions_def=DAYS,
    )
    def checked(context: dg.AssetCheckExecutionContext, mirror: MirrorResource) -> dg.AssetCheckResult:
        with failures(context):
            settings = mirror.settings()
            day = dt.date.fromisoformat(context.partition_key)
            return _evaluated(check, daily_partition(settings, collection=collection, day=day), settings=settings)

    return checked


def _evaluated(check: Check, partition: PartitionRelease, *, settings: Settings) -> dg.AssetCheckResult:
    """Look at what is published.

    Raises:
        NotFoundError: nothing is.
    """
    manifest = partition.manifest(check.stage)
    if manifest is None:
        raise NotFoundError(f"{partition.key} {partition.release} has no {check.stage} yet; materialize it first")
    finding = check.look(partition, manifest, settings)
    return dg.AssetCheckResult(
        passed=finding.passed,
        severity=dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN,
        description=finding.sentence,
        metadata={"release": partition.release, **{name: rounded(value) for name, value in finding.figures.items()}},
    )
