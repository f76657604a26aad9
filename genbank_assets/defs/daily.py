"""Daily updates as assets partitioned by day, one per collection, with a job and a schedule each.

A day is small, so one asset goes all the way: fetch, parse, deduplicate, apply to PostgreSQL, publish the residues. The
schedules are stopped until somebody turns them on. What a day does to a division belongs to ``postgres.daily``.
See https://docs.dagster.io/guides/build/partitions-and-backfills/partitioning-assets
"""

import datetime as dt
from typing import Any

import dagster as dg
from dagster_aws.s3 import S3Resource

from genbank_assets.defs.failures import failures
from genbank_assets.defs.metadata import progress_of, result
from genbank_assets.defs.resources import MirrorResource, object_store
from genbank_assets.defs.stages import OWNERS
from genbank_assets.ncbi import daily as source
from genbank_assets.ncbi.catalog import COLLECTIONS, Collection
from genbank_assets.objects.publish import publish_division
from genbank_assets.postgres import daily
from genbank_assets.store import lock_partition
from genbank_assets.tables.dedup import build_unique_records
from genbank_assets.tables.records import build_records

# NCBI keeps GenBank's days for about 180 days and RefSeq's for four weeks; older partitions were made in their time.
FIRST_DAY = "2026-01-01"
# NCBI's files appear in the morning of its own time zone.
TIMEZONE = "America/New_York"
DAYS = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, timezone=TIMEZONE, end_offset=1)


def daily_asset_name(collection: str) -> str:
    """``genbank_daily``, ``refseq_daily``."""
    return f"{collection}_daily"


def daily_job_name(collection: str) -> str:
    """``update_genbank``, ``update_refseq``."""
    return f"update_{collection}"


def build_daily() -> list[dg.AssetsDefinition]:
    """The asset of each collection."""
    return [_build(collection) for collection in COLLECTIONS.values()]


def _build(collection: Collection) -> dg.AssetsDefinition:
    @dg.asset(
        name=daily_asset_name(collection.name),
        partitions_def=DAYS,
        group_name=f"{collection.name}_daily",
        owners=OWNERS,
        kinds={"ncbi", "postgres", "s3"},
        tags={"stage": "daily"},
        pool="postgres",
        code_version=f"{source.CODE_VERSION}.{daily.CODE_VERSION}",
        description=(
            f"A day's new and changed records of {collection.title} on top of the newest release: as tables of their "
            "own, and applied to the loaded divisions in PostgreSQL. A later day wins over an earlier one; the next "
            "full release supersedes the days before it."
        ),
    )
    def daily_update(
        context: dg.AssetExecutionContext, mirror: MirrorResource, s3: S3Resource
    ) -> dg.MaterializeResult[Any]:
        settings = mirror.settings()
        day = dt.date.fromisoformat(context.partition_key)
        partition = source.daily_partition(settings, collection=collection, day=day)
        options: dict[str, Any] = {
            "settings": settings, "progress": progress_of(context), "run_id": context.run.run_id,
        }  # fmt: skip
        with failures(context), lock_partition(settings.store, partition.key):
            source.fetch_daily(collection, day=day, **options)
            build_records(partition, **options)
            build_unique_records(partition, **options)
            applied = daily.apply_day(partition, **options)
            publish_division(
                partition, open_store=lambda retries: object_store(s3, settings, retries=retries), **options
            )
        counts = {name: applied.extra[name] for name in ("not_mirrored", "superseded_by_release", "unplaced")}
        return result(applied, partition=partition, extra={"release": applied.extra["label"], **counts})

    return daily_update


def build_daily_jobs() -> list[Any]:
    """``update_genbank``, ``update_refseq``: one day."""
    return [
        dg.define_asset_job(
            daily_job_name(name),
            selection=dg.AssetSelection.assets(dg.AssetKey(daily_asset_name(name))),
            description=f"One day's update of {collection.title}.",
            tags={"ncbi/collection": name},
        )
        for name, collection in COLLECTIONS.items()
    ]


def build_daily_schedules() -> list[dg.ScheduleDefinition]:
    """One per job: every day at nine, Eastern time, the day before."""
    return [_schedule(name) for name in COLLECTIONS]


def _schedule(collection: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{collection}_daily_schedule",
        job_name=daily_job_name(collection),
        cron_schedule="0 9 * * *",
        execution_timezone=TIMEZONE,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Asks for the daily update of the day before.",
    )
    def every_morning(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        day = (context.scheduled_execution_time.date() - dt.timedelta(days=1)).isoformat()
        return dg.RunRequest(run_key=f"{collection}-daily-{day}", partition_key=day, tags={"ncbi/day": day})

    found: dg.ScheduleDefinition = every_morning
    return found
