"""The asset ``catalog``, its check and its job: SQL over the tables of both collections.

It has no partitions, because one catalog covers the whole store. Building it belongs to ``catalog.ducklake``.
See https://docs.dagster.io/guides/build/assets/defining-assets
"""

from typing import Any

import dagster as dg

from genbank_assets.catalog.ducklake import build_catalog, catalog_path
from genbank_assets.catalog.mirror import open_mirror
from genbank_assets.catalog.sql import open_catalog
from genbank_assets.defs.division_assets import OWNERS
from genbank_assets.defs.failures import failures
from genbank_assets.defs.metadata import progress_of
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.locks import exclusive
from genbank_assets.ncbi.catalog import COLLECTIONS

CATALOG_KEY = dg.AssetKey(["catalog"])
CODE_VERSION = "1"
CATALOG_JOB = "update_catalog"
_LOCK = "catalog/catalog"


@dg.asset(
    key=CATALOG_KEY,
    deps=[dg.AssetKey([name, "unique_records"]) for name in COLLECTIONS],
    group_name="reading",
    owners=OWNERS,
    kinds={"duckdb", "parquet"},
    tags={"stage": "read"},
    code_version=CODE_VERSION,
    description=(
        "A DuckLake catalog of the store's Parquet tables (records, features, sequences, samples, cds and changes) for "
        "SQL, with one snapshot per release of a division for queries as of an earlier release. It copies no data and "
        "can be rebuilt from the manifests at any time."
    ),
)
def catalog(context: dg.AssetExecutionContext, mirror: MirrorResource) -> dg.MaterializeResult[Any]:
    """Bring the catalog up to date with the manifests."""
    settings, progress = mirror.settings(), progress_of(context)
    with failures(context), exclusive(settings, _LOCK, progress=progress, run_id=context.run.run_id):
        report = build_catalog(settings.store, progress=progress)
    path = report.path.resolve()
    return dg.MaterializeResult(
        metadata={
            "summary": dg.MetadataValue.md(
                f"**{report.records:,} records** in {report.files:,} file(s); {report.steps:,} division releases, "
                f"{report.steps_now:,} added by this run."
            ),
            "attach": dg.MetadataValue.md(f"```sql\nATTACH 'ducklake:{path}' AS mirror (READ_ONLY);\n```"),
            "releases_of_divisions": report.steps,
            "added_now": report.steps_now,
            "files": report.files,
            "dagster/row_count": report.records,
            "left_out": ", ".join(report.left_out) or "none",
            "path": dg.MetadataValue.path(str(path)),
        }
    )


@dg.asset_check(
    asset=CATALOG_KEY,
    name="counts_of_the_manifests",
    description="The record count of each division in the catalog is that of its manifest.",
)
def counts_of_the_manifests(mirror: MirrorResource) -> dg.AssetCheckResult:
    """Count the records through the catalog."""
    settings = mirror.settings()
    expected = {
        (row["collection"], row["section"]): row["records"]
        for row in open_mirror(settings.store).divisions().filter("is_newest").iter_rows(named=True)
        if row["records"]
    }
    with open_catalog(settings.store) as connection:
        found = {
            (collection, section): records
            for collection, section, records in connection.execute(
                "SELECT collection, section, count(*) FROM records GROUP BY ALL"
            ).fetchall()
        }
    differing = sorted("/".join(key) for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
    sentence = f"the record counts of {len(expected)} division(s) match their manifests"
    if differing:
        sentence = f"record counts differ from the manifests: {', '.join(differing)}; materialize catalog again"
    return dg.AssetCheckResult(
        passed=not differing,
        severity=dg.AssetCheckSeverity.WARN,
        description=sentence,
        metadata={"path": dg.MetadataValue.path(str(catalog_path(settings.store).resolve()))},
    )


update_catalog = dg.define_asset_job(
    CATALOG_JOB,
    selection=dg.AssetSelection.assets(CATALOG_KEY) | dg.AssetSelection.checks(counts_of_the_manifests),
    description="Brings the SQL catalog up to date with the store.",
)
