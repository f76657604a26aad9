"""The asset ``table_set`` of a collection, its check and its job: tables published in a bucket for other readers.

It requires ``GENBANK_ASSETS_TABLES`` and is not part of the mirror's job. Publishing belongs to the package
``table_set``.
See https://docs.dagster.io/guides/build/assets/defining-assets
"""

import functools
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster_aws.s3 import S3Resource

from genbank_assets.catalog.table_layout import RAW_FILES
from genbank_assets.defs.division_assets import division_asset, wanted_release
from genbank_assets.defs.failures import failures
from genbank_assets.defs.jobs import collection_job
from genbank_assets.defs.metadata import progress_of
from genbank_assets.defs.optional import is_left_out
from genbank_assets.defs.partitions import DIVISIONS
from genbank_assets.defs.resources import MirrorResource, object_store
from genbank_assets.ncbi.catalog import Collection
from genbank_assets.store import PartitionKey
from genbank_assets.table_set.manifests import tables_settings
from genbank_assets.table_set.publish import CODE_VERSION, publish_tables
from genbank_assets.table_set.verify import verify_tables


def table_set_job_name(collection: str) -> str:
    """Return ``publish_genbank_tables`` or ``publish_refseq_tables``."""
    return f"publish_{collection}_tables"


def build_table_set(collection: Collection) -> dg.AssetsDefinition:
    """Return ``table_set`` of a collection."""

    @division_asset(
        collection,
        "table_set",
        group="reading",
        deps=[dg.AssetKey([collection.name, "unique_records"])],
        kinds={"parquet", "s3"},
        tags={"stage": "publish"},
        code_version=CODE_VERSION,
        output_required=False,
        description=(
            "The division's tables in the bucket or folder GENBANK_ASSETS_TABLES, where DuckDB, polars, Spark and "
            "open_mirror read them without a store. Tables are immutable; a manifest lists those of a release, and an "
            "index lists the manifests."
        ),
    )
    def table_set(
        context: dg.AssetExecutionContext, mirror: MirrorResource, s3: S3Resource
    ) -> Iterator[dg.MaterializeResult[Any]]:
        with failures(context):
            settings = mirror.settings()
            if is_left_out(context, needs=functools.partial(tables_settings, settings)):
                return
            tables = tables_settings(settings)
            done = publish_tables(
                settings,
                PartitionKey(collection.name, context.partition_key),
                release=wanted_release(context),
                run_id=context.run.run_id,
                progress=progress_of(context),
                open_store=lambda retries: object_store(s3, tables, retries=retries),
            )
        manifest = done.manifest
        size = sum(table.bytes for table in manifest.tables)
        counts = Counter(table.kind for table in manifest.tables)
        yield dg.MaterializeResult(
            metadata={
                "summary": dg.MetadataValue.md(
                    f"**{len(manifest.tables):,} tables** of release {manifest.release}, {size:,} bytes; "
                    f"{done.sent:,} uploaded by this run."
                ),
                "release": manifest.release,
                "dagster/uri": f"{done.url}/{manifest.key}",
                "read_with": dg.MetadataValue.md(f"```python\nopen_mirror({done.url!r})\n```"),
                "tables": len(manifest.tables),
                "bytes_out": size,
                "files_now": done.sent,
                "bytes_now": done.sent_bytes,
                "retired_releases": ", ".join(done.retired) or "none",
                **{k if k == RAW_FILES else f"{k}_tables": number for k, number in sorted(counts.items())},
            },
            data_version=dg.DataVersion(manifest.input_digest),
        )

    return table_set


def build_table_set_check(collection: Collection) -> dg.AssetChecksDefinition:
    """Return the check that compares the published tables with their manifests."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Specifying a partitions_def", dg.PreviewWarning)

        @dg.asset_check(
            asset=dg.AssetKey([collection.name, "table_set"]),
            name="published_tables",
            description="All tables in the manifests exist with the correct size and ETag, and the index is complete.",
            blocking=True,
            partitions_def=DIVISIONS[collection.name],
        )
        def published_tables(
            context: dg.AssetCheckExecutionContext, mirror: MirrorResource, s3: S3Resource
        ) -> dg.AssetCheckResult:
            with failures(context):
                settings = mirror.settings()
                found = verify_tables(
                    settings,
                    partitions=[PartitionKey(collection.name, context.partition_key)],
                    store=object_store(s3, tables_settings(settings), retries=8),
                )
            first = "; ".join(f"{problem.key} {problem.what}" for problem in found.problems[:3])
            return dg.AssetCheckResult(
                passed=found.manifests > 0 and not found.problems,
                severity=dg.AssetCheckSeverity.ERROR,
                description=first or f"{found.tables:,} tables of {found.manifests} release(s) are intact",
                metadata={"tables": found.tables, "bytes": found.bytes, "read_again": found.reread},
            )

    return published_tables


def build_table_set_job(collection: Collection) -> Any:
    """Return the job that publishes the tables of a division."""
    return collection_job(
        table_set_job_name(collection.name),
        collection,
        selection=dg.AssetSelection.assets(dg.AssetKey([collection.name, "table_set"])),
        description=f"Publishes the tables of one division of {collection.title} in GENBANK_ASSETS_TABLES.",
    )
