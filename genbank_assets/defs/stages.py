"""The five assets of a collection, one factory per stage; each asset calls one function of the core.

Every asset is partitioned by division. A stage uses the newest release whose previous stage is published, so re-running
one stage never mixes releases. The work of the stages belongs to the core packages.
See https://docs.dagster.io/guides/build/assets/defining-assets
"""

from datetime import timedelta
from typing import Any

import dagster as dg
from dagster_aws.s3 import S3Resource
from pydantic import Field

from genbank_assets.defs.automation import REFRESH
from genbank_assets.defs.division_assets import division_asset, latest, locked_division, wanted_release
from genbank_assets.defs.metadata import objects_metadata, result, table_name
from genbank_assets.defs.resources import MirrorResource, object_store
from genbank_assets.defs.upstream import fetched_release, release_key
from genbank_assets.ncbi import fetch
from genbank_assets.ncbi.catalog import Collection
from genbank_assets.ncbi.unknown import read_unknown
from genbank_assets.objects import object_index, publish
from genbank_assets.postgres import load
from genbank_assets.release_facts import release_date
from genbank_assets.schema.tables import MEMBERSHIP_COLUMNS, RECORD_COLUMNS
from genbank_assets.store import (
    PartitionRelease,
)
from genbank_assets.tables import dedup, records

# NCBI publishes a release every two months and occasionally skips one. Dagster evaluates the policy for the asset as a
# whole, so it detects that a mirror has stopped, but not that a single division has (docs/decisions/0012).
FRESHNESS = dg.FreshnessPolicy.time_window(warn_window=timedelta(days=75), fail_window=timedelta(days=140))


class LoadConfig(dg.Config):
    """Limits that an operator may change for one load."""

    max_absent_fraction: float | None = Field(
        default=None,
        description=(
            "Fraction of the division's loaded records, 0 to 1, that may be missing from the release. Default: "
            "GENBANK_ASSETS_MAX_ABSENT_FRACTION."
        ),
    )


def build_stages(collection: Collection) -> list[dg.AssetsDefinition]:
    """Return the five assets of a collection, in order."""
    return [build(collection) for build in (_raw_files, _records, _unique_records, _postgres_table, _object_set)]


def _raw_files(collection: Collection) -> dg.AssetsDefinition:
    @division_asset(
        collection,
        "raw_files",
        deps=[release_key(collection)],
        kinds={"file"},
        tags={"stage": "fetch"},
        pool="ncbi",
        freshness_policy=FRESHNESS,
        code_version=fetch.CODE_VERSION,
        description=(
            f"The flat files of one division of {collection.title}'s current release, as published by NCBI (gzip). "
            "Interrupted downloads are resumed, and every file is fully verified. A release replaces the previous one "
            "only when all of its files are consistent. Freshness: NCBI publishes a release every two months and "
            "occasionally skips one, so a warning after 75 days without a fetch may be normal, but a failure after 140 "
            "days means that nothing is fetched. The check is_current_release reports whether a division is up to date."
        ),
    )
    def raw_files(context: dg.AssetExecutionContext, mirror: MirrorResource) -> dg.MaterializeResult[Any]:
        with locked_division(context, collection, mirror) as (key, options):
            manifest = fetch.fetch_division(key, release=wanted_release(context), **options)
            partition = PartitionRelease(options["settings"].store, key, manifest.release)
            context.log_event(fetched_release(partition, collection=collection))
        date = release_date(partition)
        extra = {"unknown": "; ".join(read_unknown(partition.store, collection=collection)) or "none"}
        return result(manifest, partition=partition, extra=extra | ({"release_date": date.isoformat()} if date else {}))

    return raw_files


def _records(collection: Collection) -> dg.AssetsDefinition:
    @division_asset(
        collection,
        "records",
        automation_condition=REFRESH,
        deps=[dg.AssetKey([collection.name, "raw_files"])],
        kinds={"parquet", "arrow"},
        tags={"stage": "parse"},
        code_version=records.CODE_VERSION,
        description=(
            "A Parquet table with one row per record: every header field, reference, feature and qualifier as written "
            "by NCBI, the byte offset in the file, and the SHA-256 of the text and of the residues. The residues are "
            "in a separate table. Entries that cannot be parsed are quarantined with the reason, never dropped."
        ),
    )
    def parsed(context: dg.AssetExecutionContext, mirror: MirrorResource) -> dg.MaterializeResult[Any]:
        with locked_division(context, collection, mirror) as (key, options):
            partition = latest(options["settings"], key, "raw_files", release=wanted_release(context))
            manifest = records.build_records(partition, **options)
        return result(manifest, partition=partition, columns=RECORD_COLUMNS)

    return parsed


def _unique_records(collection: Collection) -> dg.AssetsDefinition:
    @division_asset(
        collection,
        "unique_records",
        automation_condition=REFRESH,
        deps=[dg.AssetKey([collection.name, "records"])],
        kinds={"parquet", "polars"},
        tags={"stage": "dedup"},
        code_version=dedup.CODE_VERSION,
        description=(
            "The distinct sequences, by SHA-256, and a membership table that assigns each record to one of them. "
            "Records with equal residues remain separate records, so none is dropped. Records without residues, as in "
            "CON, belong to no sequence."
        ),
    )
    def unique_records(context: dg.AssetExecutionContext, mirror: MirrorResource) -> dg.MaterializeResult[Any]:
        with locked_division(context, collection, mirror) as (key, options):
            partition = latest(options["settings"], key, "records", release=wanted_release(context))
            manifest = dedup.build_unique_records(partition, **options)
        return result(manifest, partition=partition, columns=MEMBERSHIP_COLUMNS)

    return unique_records


def _postgres_table(collection: Collection) -> dg.AssetsDefinition:
    @division_asset(
        collection,
        "postgres_table",
        automation_condition=REFRESH,
        deps=[dg.AssetKey([collection.name, "unique_records"])],
        kinds={"postgres"},
        tags={"stage": "load"},
        pool="postgres",
        code_version=load.CODE_VERSION,
        description=(
            "The division in PostgreSQL, schema genbank: records, features, references, and the releases in which each "
            "record was added, changed or removed. Each file is loaded in one transaction, with a number of statements "
            "independent of its size. If a release lacks too many of the loaded records, the load fails until an "
            "operator allows it."
        ),
    )
    def postgres_table(
        context: dg.AssetExecutionContext, config: LoadConfig, mirror: MirrorResource
    ) -> dg.MaterializeResult[Any]:
        allowed = config.max_absent_fraction
        with locked_division(context, collection, mirror, max_absent_fraction=allowed) as (key, options):
            partition = latest(options["settings"], key, "unique_records", release=wanted_release(context))
            manifest = load.load_division(partition, **options)
        return result(manifest, partition=partition, extra={"dagster/table_name": table_name(options["settings"])})

    return postgres_table


def _object_set(collection: Collection) -> dg.AssetsDefinition:
    @division_asset(
        collection,
        "object_set",
        automation_condition=REFRESH,
        deps=[dg.AssetKey([collection.name, "unique_records"])],
        kinds={"s3"},
        tags={"stage": "publish"},
        pool="object_store",
        code_version=object_index.CODE_VERSION,
        description=(
            "The residues of each distinct sequence, stored once in S3 or a folder as an object named by SHA-256; "
            "short sequences may share an object. The division's manifest, "
            "manifests/COLLECTION/RELEASE/DIVISION.parquet, is written last and locates each sequence."
        ),
    )
    def object_set(
        context: dg.AssetExecutionContext, mirror: MirrorResource, s3: S3Resource
    ) -> dg.MaterializeResult[Any]:
        with locked_division(context, collection, mirror) as (key, options):
            settings = options["settings"]
            partition = latest(settings, key, "unique_records", release=wanted_release(context))
            manifest = publish.publish_division(
                partition, open_store=lambda retries: object_store(s3, settings, retries=retries), **options
            )
        return result(manifest, partition=partition, extra=objects_metadata(manifest))

    return object_set
