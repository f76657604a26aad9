"""The asset ``table_bundle``, its check and its job: an immutable, dated snapshot of the published tables.

It has no partitions, because a bundle covers everything that both collections have published. Building bundles belongs
to ``table_set.bundles``.
See https://docs.dagster.io/guides/build/assets/defining-assets
"""

import functools
from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster_aws.s3 import S3Resource

from genbank_assets.catalog.bundle_layout import BUNDLE_MANIFEST, CATALOG, LATEST, bundle_folder
from genbank_assets.defs.division_assets import OWNERS
from genbank_assets.defs.failures import failures
from genbank_assets.defs.metadata import progress_of
from genbank_assets.defs.optional import is_left_out
from genbank_assets.defs.resources import MirrorResource, object_store
from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.table_set.bundle_reading import broken_files, read_bundle
from genbank_assets.table_set.bundles import make_bundle
from genbank_assets.table_set.manifests import tables_settings
from genbank_assets.table_set.send import RETRIES

BUNDLE_KEY = dg.AssetKey(["table_bundle"])
BUNDLE_JOB = "bundle_tables"
CODE_VERSION = "1"


@dg.asset(
    key=BUNDLE_KEY,
    deps=[dg.AssetKey([name, "table_set"]) for name in COLLECTIONS],
    group_name="reading",
    owners=OWNERS,
    kinds={"duckdb", "s3"},
    tags={"stage": "publish"},
    code_version=CODE_VERSION,
    output_required=False,
    description=(
        "An immutable snapshot of all published tables, under today's date and as latest: copies of the manifests, a "
        "DuckLake catalog for SQL, a README, a LICENSE, and a manifest with their digests. Tables are not copied; they "
        "are kept while a bundle lists them. If nothing has changed, the newest bundle is returned."
    ),
)
def table_bundle(
    context: dg.AssetExecutionContext, mirror: MirrorResource, s3: S3Resource
) -> Iterator[dg.MaterializeResult[Any]]:
    """Create a bundle of the published tables."""
    with failures(context):
        settings = mirror.settings()
        if is_left_out(context, needs=functools.partial(tables_settings, settings)):
            return
        store = object_store(s3, tables_settings(settings), retries=RETRIES)
        bundle, is_new = make_bundle(settings, progress=progress_of(context), store=store)
    url = str(settings.tables).rstrip("/")
    folder = f"{url}/{bundle_folder(bundle.name)}"
    releases = sorted({f"{one.collection} {one.release}" for one in bundle.divisions})
    yield dg.MaterializeResult(
        metadata={
            "summary": dg.MetadataValue.md(
                f"**{bundle.name}**: {bundle.records:,} records, {bundle.tables:,} tables of {len(bundle.divisions):,} "
                f"division releases, {bundle.table_bytes:,} bytes; {'new' if is_new else 'already existed'}."
            ),
            "bundle": bundle.name,
            "made_now": is_new,
            "releases": ", ".join(releases),
            "dagster/uri": f"{folder}/{BUNDLE_MANIFEST}",
            "dagster/row_count": bundle.records,
            "tables": bundle.tables,
            "bytes_out": bundle.table_bytes,
            "files": len(bundle.files),
            "read_with": dg.MetadataValue.md(f"```python\nopen_mirror({f'{url}?bundle={bundle.name}'!r})\n```"),
            "attach": dg.MetadataValue.md(f"```sql\nATTACH 'ducklake:{folder}/{CATALOG}' AS mirror (READ_ONLY);\n```"),
        },
        data_version=dg.DataVersion(bundle.name),
    )


@dg.asset_check(
    asset=BUNDLE_KEY,
    name="bundle_is_whole",
    description="All files of the newest bundle exist and have the digests in its manifest.",
)
def bundle_is_whole(mirror: MirrorResource, s3: S3Resource) -> dg.AssetCheckResult:
    """Read the bundle's files again."""
    settings = mirror.settings()
    store = object_store(s3, tables_settings(settings), retries=RETRIES)
    bundle = read_bundle(store, LATEST)
    broken = broken_files(store, bundle) if bundle is not None else [f"{bundle_folder(LATEST)}/{BUNDLE_MANIFEST}"]
    return dg.AssetCheckResult(
        passed=not broken,
        severity=dg.AssetCheckSeverity.ERROR,
        description=(
            f"missing or damaged: {', '.join(broken[:3])}; remove it (genbank-assets tables bundle --remove) and "
            "materialize table_bundle again"
            if broken
            else f"{len(bundle.files) if bundle else 0:,} file(s) have the correct digests"
        ),
        metadata={"files": len(bundle.files) if bundle else 0, "broken": len(broken)},
    )


bundle_tables = dg.define_asset_job(
    BUNDLE_JOB,
    selection=dg.AssetSelection.assets(BUNDLE_KEY) | dg.AssetSelection.checks(bundle_is_whole),
    description="Creates a bundle of the published tables, under today's date and as latest.",
)
