"""Daily updates: five assets per collection in stage order, partitioned by day, with a job and a schedule each.

The stages are those of a division, built from a day's files; only the load differs, because a day is applied to the
loaded release. The schedules are off by default. Applying a day to the divisions belongs to ``postgres.daily``.
See https://docs.dagster.io/guides/build/partitions-and-backfills/partitioning-assets
"""

import contextlib
import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import dagster as dg
from dagster_aws.s3 import S3Resource

from genbank_assets.defs.division_assets import OWNERS
from genbank_assets.defs.failures import failures
from genbank_assets.defs.jobs import collection_job
from genbank_assets.defs.metadata import objects_metadata, progress_of, result, table_name
from genbank_assets.defs.partitions import DAYS, TIMEZONE
from genbank_assets.defs.resources import MirrorResource, object_store
from genbank_assets.errors import SettingsError
from genbank_assets.lineage.status import is_whole
from genbank_assets.locks import exclusive
from genbank_assets.ncbi import daily as source
from genbank_assets.ncbi.catalog import COLLECTIONS, Collection
from genbank_assets.objects import object_index
from genbank_assets.objects.publish import publish_division
from genbank_assets.postgres import daily
from genbank_assets.schema.tables import MEMBERSHIP_COLUMNS, RECORD_COLUMNS, Column
from genbank_assets.store import Manifest, PartitionRelease, Stage
from genbank_assets.tables import dedup, records

RECHECK_DAYS = 7  # NCBI keeps RefSeq's days for four weeks


def daily_asset_name(collection: str) -> str:
    """Return ``genbank_daily`` or ``refseq_daily``, the group and first part of the asset keys."""
    return f"{collection}_daily"


def day_key(collection: Collection, stage: Stage) -> dg.AssetKey:
    """Return a key such as ``genbank_daily/records``."""
    return dg.AssetKey([daily_asset_name(collection.name), stage])


def daily_job_name(collection: str) -> str:
    """Return ``update_genbank`` or ``update_refseq``."""
    return f"update_{collection}"


def build_daily(collections: Iterable[Collection] = COLLECTIONS.values()) -> list[dg.AssetsDefinition]:
    """Return the five assets of each collection, in order."""
    builders = (_raw_files, _records, _unique_records, _postgres_table, _object_set)
    return [build(collection) for collection in collections for build in builders]


def _asset(
    collection: Collection, stage: Stage, *, after: Stage | None = None, **options: Any
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Return the asset decorator shared by all stages of a day."""
    decorator: Callable[[Callable[..., Any]], dg.AssetsDefinition] = dg.asset(
        key=day_key(collection, stage),
        deps=[*([day_key(collection, after)] if after else []), *options.pop("more_deps", [])],
        partitions_def=DAYS,
        group_name=daily_asset_name(collection.name),
        owners=OWNERS,
        **options,
    )
    return decorator


@contextlib.contextmanager
def _working(
    context: dg.AssetExecutionContext, collection: Collection, mirror: MirrorResource
) -> Iterator[tuple[PartitionRelease, dict[str, Any]]]:
    """Lock the collection's days, and give the partition of this run's day and the arguments of every stage."""
    with failures(context):
        settings = mirror.settings()
        partition = source.daily_partition(
            settings, collection=collection, day=dt.date.fromisoformat(context.partition_key)
        )
        options: dict[str, Any] = {
            "settings": settings,
            "progress": progress_of(context),
            "run_id": context.run.run_id,
        }
        with exclusive(settings, str(partition.key), progress=options["progress"], run_id=options["run_id"]):
            yield partition, options


def _raw_files(collection: Collection) -> dg.AssetsDefinition:
    @_asset(
        collection,
        "raw_files",
        kinds={"file"},
        tags={"stage": "fetch"},
        pool="ncbi",
        code_version=source.CODE_VERSION,
        description=(
            f"The flat files with a day's new and changed records of all divisions of {collection.title}, fully "
            "verified. A day for which NCBI published no file is empty."
        ),
    )
    def day_files(context: dg.AssetExecutionContext, mirror: MirrorResource) -> dg.MaterializeResult[Any]:
        with _working(context, collection, mirror) as (partition, options):
            day = dt.date.fromisoformat(context.partition_key)
            manifest = source.fetch_daily(collection, day=day, **options)
        return result(manifest, partition=partition)

    return day_files


def _tables(
    collection: Collection, stage: Stage, build: Callable[..., Manifest], *, columns: tuple[Column, ...], **options: Any
) -> dg.AssetsDefinition:
    """Return an asset that builds tables from the day's files with one function of the core."""

    @_asset(collection, stage, **options)
    def day_tables(context: dg.AssetExecutionContext, mirror: MirrorResource) -> dg.MaterializeResult[Any]:
        with _working(context, collection, mirror) as (partition, given):
            manifest = build(partition, **given)
        return result(manifest, partition=partition, columns=columns)

    return day_tables


def _records(collection: Collection) -> dg.AssetsDefinition:
    return _tables(
        collection,
        "records",
        records.build_records,
        columns=RECORD_COLUMNS,
        after="raw_files",
        kinds={"parquet", "arrow"},
        tags={"stage": "parse"},
        code_version=records.CODE_VERSION,
        description="The day's records as a Parquet table with the same columns as that of a release.",
    )


def _unique_records(collection: Collection) -> dg.AssetsDefinition:
    return _tables(
        collection,
        "unique_records",
        dedup.build_unique_records,
        columns=MEMBERSHIP_COLUMNS,
        after="records",
        kinds={"parquet", "polars"},
        tags={"stage": "dedup"},
        code_version=dedup.CODE_VERSION,
        description="The day's distinct sequences, and a table that assigns each record to one of them.",
    )


def _postgres_table(collection: Collection) -> dg.AssetsDefinition:
    changes = dg.AssetKey([collection.name, "postgres_table"])

    @_asset(
        collection,
        "postgres_table",
        after="unique_records",
        more_deps=[dg.AssetDep(changes, partition_mapping=dg.AllPartitionMapping())],
        kinds={"postgres"},
        tags={"stage": "load"},
        pool="postgres",
        code_version=daily.CODE_VERSION,
        description=(
            f"The day's records, applied to the loaded divisions of {collection.title} in PostgreSQL. Later days take "
            "precedence over earlier ones, and the next full release supersedes the days before it. Divisions that "
            "are not loaded are skipped."
        ),
    )
    def day_table(context: dg.AssetExecutionContext, mirror: MirrorResource) -> dg.MaterializeResult[Any]:
        with _working(context, collection, mirror) as (partition, options):
            manifest = daily.apply_day(partition, **options)
        counts = {name: manifest.extra[name] for name in ("not_mirrored", "superseded_by_release", "unplaced")}
        changed = {"day": context.partition_key, "applied": manifest.extra["applied"], **manifest.extra["states"]}
        context.log_event(dg.AssetObservation(changes, metadata=changed, description="changed by a daily update"))
        name = {"dagster/table_name": table_name(options["settings"])}
        return result(manifest, partition=partition, extra={"release": manifest.extra["label"], **counts, **name})

    return day_table


def _object_set(collection: Collection) -> dg.AssetsDefinition:
    @_asset(
        collection,
        "object_set",
        after="unique_records",
        kinds={"s3"},
        tags={"stage": "publish"},
        pool="object_store",
        code_version=object_index.CODE_VERSION,
        description="The residues of the day's distinct sequences in the object set, with a manifest of their keys.",
    )
    def day_objects(
        context: dg.AssetExecutionContext, mirror: MirrorResource, s3: S3Resource
    ) -> dg.MaterializeResult[Any]:
        with _working(context, collection, mirror) as (partition, options):
            settings = options["settings"]
            manifest = publish_division(
                partition, open_store=lambda retries: object_store(s3, settings, retries=retries), **options
            )
        return result(manifest, partition=partition, extra=objects_metadata(manifest))

    return day_objects


def build_daily_jobs(collections: Iterable[Collection] = COLLECTIONS.values()) -> list[Any]:
    """Return the jobs ``update_genbank`` and ``update_refseq``, which apply one day."""
    return [
        collection_job(
            daily_job_name(collection.name),
            collection,
            selection=dg.AssetSelection.groups(daily_asset_name(collection.name)),
            description=f"Fetches, parses, loads, publishes and checks one daily update of {collection.title}.",
        )
        for collection in collections
    ]


def build_daily_schedules(collections: Iterable[Collection] = COLLECTIONS.values()) -> list[dg.ScheduleDefinition]:
    """Return one schedule per job: daily at 9:00 Eastern time, for the days of the last week that are missing."""
    return [_schedule(collection) for collection in collections]


def _schedule(collection: Collection) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{collection.name}_daily_schedule",
        job_name=daily_job_name(collection.name),
        cron_schedule="0 9 * * *",
        execution_timezone=TIMEZONE,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=(
            f"Requests the previous day's update, and those of the last {RECHECK_DAYS} days that are missing because "
            "a file was late or a run failed."
        ),
    )
    def every_morning(
        context: dg.ScheduleEvaluationContext, mirror: MirrorResource
    ) -> list[dg.RunRequest] | dg.SkipReason:
        try:
            settings = mirror.settings()
        except SettingsError as error:
            return dg.SkipReason(str(error))
        today = context.scheduled_execution_time.date()
        days = [today - dt.timedelta(days=ago) for ago in range(RECHECK_DAYS, 0, -1)]
        missing = [
            day for day in days if not is_whole(source.daily_partition(settings, collection=collection, day=day))
        ]
        if not missing:
            return dg.SkipReason(f"All days up to {days[-1]} are loaded.")
        return [
            dg.RunRequest(run_key=f"{collection.name}-daily-{day}-asked-{today}", partition_key=day.isoformat())
            for day in missing
        ]

    found: dg.ScheduleDefinition = every_morning
    return found
