"""Partitioned asset checks: integrity checks block downstream assets, threshold checks warn.

The core refuses to publish inconsistent data; the checks verify published data independently, per division or day. The
checks themselves are in ``findings``.
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
    """A check of a stage.

    Attributes:
        name: the check's name in Dagster.
        stage: the stage whose asset is checked.
        blocking: whether a failure blocks downstream assets.
        description: what is compared; shown in the UI.
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
        "NCBI still offers the loaded release. Fails if there is a newer one to materialize, or if the source cannot "
        "be reached.", findings.is_current_release,
    ),
    Check(
        "control_totals", "records", True,
        "No record was lost in parsing. For each file, four counts agree: LOCUS lines, table rows plus quarantined "
        "blocks, the entries stated in the file header, and those in the release notes.",
        findings.control_totals,
    ),
    Check(
        "quarantine_share", "records", False,
        "At most GENBANK_ASSETS_MAX_QUARANTINED_FRACTION of the entries could not be parsed. These are in the "
        "quarantine table with the reason.", findings.quarantine_share,
    ),
    Check("memory", "records", False, "Every parsing process used less than 5 GB of memory.", findings.memory),
    Check(
        "records_per_second", "records", False,
        "More than 100 records were parsed per second; runs of fewer than 10,000 records always pass.",
        findings.records_per_second,
    ),
    Check(
        "conservation", "unique_records", True,
        "Deduplication neither lost nor duplicated a record: every record is in the membership table, and the member "
        "counts of the distinct sequences add up to the number of records with residues.",
        findings.duplicate_conservation,
    ),
    Check(
        "database_totals", "postgres_table", True,
        "PostgreSQL has exactly one current row for each accession in the tables, and counts and digests agree, in "
        "total and with the ledger entry of each file. Files that differ are listed.",
        findings.database_totals,
    ),
    Check(
        "shrink", "postgres_table", False,
        "The release lacks at most GENBANK_ASSETS_MAX_ABSENT_FRACTION of the records loaded before. Larger losses are "
        "loaded only if an operator allows it, and are reported by this check.",
        findings.shrinkage,
    ),
    Check(
        "statements_per_second", "postgres_table", False,
        "The load sent fewer than 100 SQL statements per second, which leaves capacity for other users.",
        findings.statements_per_second,
    ),
    Check(
        "object_totals", "object_set", True,
        "The division's manifest in the object set lists every distinct sequence once.", findings.object_totals,
    ),
    Check(
        "upload_errors", "object_set", False,
        "Fewer than 1 % of the uploads exhausted their retries; more suggest that the object store is throttling.",
        findings.upload_errors,
    ),
)  # fmt: skip


# The checks that also apply to a day, which is independent of the loaded release.
_OF_DAYS = (
    "control_totals", "quarantine_share", "memory", "records_per_second", "conservation", "statements_per_second",
    "object_totals", "upload_errors",
)  # fmt: skip
DAY_CHECKS = (
    *(check for check in CHECKS if check.name in _OF_DAYS),
    Check(
        "day_totals", "postgres_table", True,
        "The database's ledger has every record of the day that was applied to a division.", findings.day_totals,
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
    """Return checks of other assets that are partitioned by division."""
    with _preview_accepted():
        return [_build_for_division(collection, check) for check in checks]


@contextlib.contextmanager
def _preview_accepted() -> Iterator[None]:
    """Hide the warning that partitioned checks are in preview in Dagster 1.13, which users cannot act on."""
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
    """Run a check on the published stage.

    Raises:
        NotFoundError: the stage is not published.
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
