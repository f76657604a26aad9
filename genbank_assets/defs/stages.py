"""The five assets of a collection, one factory per stage; each body calls one function of the core.

Every asset is partitioned by division. A stage works on the newest release whose previous stage is published, so a
re-run of one stage never mixes releases. What the stages do belongs to the core packages.
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

# NCBI builds GenBank and RefSeq every two months and occasionally skips a release. Dagster looks at the asset
# as a whole, not at its partitions: this says that a mirror stopped, not that a division did (docs/decisions/0012).
FRESHNESS = dg.FreshnessPolicy.time_window(warn_window=timedelta(days=75), fail_window=timedelta(days=140))


class LoadConfig(dg.Config):
    """What a person may allow for one load."""

    max_absent_fraction: float | None = Field(
        default=None,
        description=(
            "Share of the division's loaded records, 0 to 1, that may be missing from the release. Left out, it is "
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
            f"The flat files of one division of {collection.title}'s current release, as NCBI publishes them (gzip). A "
            "broken transfer is resumed, every file verified to the last byte. Either all files of one coherent "
            "release are here or the release before it stays. Freshness: NCBI builds a release every two months and "
            "now and then leaves one out, so a warning after 75 days without any fetch may be NCBI's doing; a failure "
            "after 140 days means that nobody fetches. The check is_current_release says whether a division is NCBI's "
            "newest."
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
            "The entries of the files as a Parquet table, one row per record: every header field, reference, feature "
            "and qualifier as NCBI wrote it, the place in the file, and a SHA-256 each of the text and of the "
            "residues. The residues are in a table beside it. An entry that cannot be read is quarantined with the "
            "reason, never dropped."
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
            "Which records have the same residues: a table of distinct sequences, by SHA-256, and one that says for "
            "every record which sequence is its. No record is dropped, because records with equal residues stay "
            "different records; those without residues of their own, as in CON, share nothing."
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
            "The division in PostgreSQL, schema genbank: records, features, references, and since which release each "
            "is new, changed or absent. One transaction per file, a fixed number of statements whatever its size. A "
            "release that lacks too many of the loaded records stops here until a person allows it."
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
            "The residues of each distinct sequence, once, as an object in S3 or a folder, named by their SHA-256; "
            "short ones may share an object. The division's list, manifests/COLLECTION/RELEASE/DIVISION.parquet, is "
            "written last and says where each sequence is."
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
