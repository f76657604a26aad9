"""The asset ``ncbi/taxonomy``, its check, its job and its schedule.

Both collections use the same taxonomy, so it has no partitions. Fetching, building and loading it belong to
``ncbi.taxonomy``, ``tables.taxonomy`` and ``postgres.taxonomy``.
See https://docs.dagster.io/guides/build/assets/defining-assets
"""

from typing import Any

import dagster as dg

from genbank_assets.defs.division_assets import OWNERS
from genbank_assets.defs.failures import failures
from genbank_assets.defs.metadata import progress_of, table_schema
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.locks import exclusive
from genbank_assets.ncbi.taxonomy import fetch_taxonomy
from genbank_assets.ncbi.taxonomy_files import taxonomy_folder
from genbank_assets.postgres.taxonomy import load_taxonomy
from genbank_assets.schema.taxonomy import NODE_COLUMNS
from genbank_assets.tables import taxonomy as tables
from genbank_assets.tables.clades import open_taxonomy
from genbank_assets.tables.taxon_audit import MAX_LISTED, NamedTaxon, audit_taxa

TAXONOMY_KEY = dg.AssetKey(["ncbi", "taxonomy"])
TAXONOMY_JOB = "update_taxonomy"
_LOCK = "taxonomy/taxonomy"


@dg.asset(
    key=TAXONOMY_KEY,
    group_name="ncbi",
    owners=OWNERS,
    kinds={"parquet", "postgres"},
    tags={"stage": "fetch"},
    pool="ncbi",
    code_version=tables.CODE_VERSION,
    description=(
        "NCBI's current taxonomy: nodes with parent, rank, genetic codes and nested-set values, all names, merged and "
        "deleted taxa, as Parquet in STORE/taxonomy/DATE and as genbank.taxon in PostgreSQL. A clade is a single range "
        "of the nested-set index. Required for extracts by taxon."
    ),
)
def taxonomy(context: dg.AssetExecutionContext, mirror: MirrorResource) -> dg.MaterializeResult[Any]:
    """Fetch the taxonomy, build its tables and load them."""
    settings, progress = mirror.settings(), progress_of(context)
    with failures(context), exclusive(settings, _LOCK, progress=progress, run_id=context.run.run_id):
        fetched = fetch_taxonomy(settings=settings, progress=progress)
        manifest, _ = tables.build_taxonomy(fetched, store=settings.store, progress=progress)
        load = load_taxonomy(manifest, settings=settings, progress=progress, run_id=context.run.run_id)
    folder = (taxonomy_folder(settings.store) / manifest.date / manifest.generation).resolve()
    rows = {name: manifest.rows(name) for name in ("nodes", "names", "merged", "deleted")}
    return dg.MaterializeResult(
        metadata={
            "summary": dg.MetadataValue.md(
                f"**NCBI's taxonomy of {manifest.date}**: {rows['nodes']:,} taxa, {rows['names']:,} names, "
                f"{rows['merged']:,} merged and {rows['deleted']:,} deleted taxa."
            ),
            "date": manifest.date,
            **rows,
            "rows_written_to_postgres": load.written,
            "sql_statements": load.totals.statements,
            "dagster/table_name": "genbank.taxon",
            "dagster/column_schema": table_schema(NODE_COLUMNS),
            "dagster/row_count": rows["nodes"],
            "path": dg.MetadataValue.path(str(folder)),
            "dagster/uri": folder.as_uri(),
            "manifest_sha256": manifest.digest,
        },
        data_version=dg.DataVersion(manifest.digest),
    )


@dg.asset_check(
    asset=TAXONOMY_KEY,
    name="taxa_resolve",
    description=(
        "Every taxon of a record in the store is in the taxonomy or listed there as merged or deleted. Fails if the "
        "records are newer than the taxonomy: materialize ncbi/taxonomy again."
    ),
)
def taxa_resolve(context: dg.AssetCheckExecutionContext, mirror: MirrorResource) -> dg.AssetCheckResult:
    """Look up the taxa of all records."""
    settings = mirror.settings()
    with failures(context):
        found = audit_taxa(settings.store, open_taxonomy(settings.store))
    return dg.AssetCheckResult(
        passed=not found.unknown,
        severity=dg.AssetCheckSeverity.WARN,
        description=(
            f"{found.taxa - len(found.unknown):,} of {found.taxa:,} taxa of {found.records:,} records resolve, "
            f"{len(found.merged):,} of them merged and {len(found.deleted):,} deleted since"
        ),
        metadata={
            "records": found.records,
            "records_without_taxon": found.without_taxon,
            "taxa": found.taxa,
            "unknown": len(found.unknown),
            "merged": len(found.merged),
            "deleted": len(found.deleted),
            **{
                f"{name}_taxa": _listed(taxa)
                for name, taxa in (("unknown", found.unknown), ("merged", found.merged), ("deleted", found.deleted))
                if taxa
            },
        },
    )


def _listed(taxa: tuple[NamedTaxon, ...]) -> dg.MetadataValue:
    lines = ["| taxon | merged into | records | example |", "|--:|--:|--:|---|"]
    lines += [f"| {t.taxon_id} | {t.now or ''} | {t.records:,} | {t.example} |" for t in taxa[:MAX_LISTED]]
    if len(taxa) > MAX_LISTED:
        lines.append(f"| … and {len(taxa) - MAX_LISTED:,} more | | | |")
    return dg.MetadataValue.md("\n".join(lines))


update_taxonomy = dg.define_asset_job(
    TAXONOMY_JOB,
    selection=dg.AssetSelection.assets(TAXONOMY_KEY),
    description="Updates NCBI's taxonomy and checks the taxa of all records against it.",
    executor_def=dg.in_process_executor,
)
taxonomy_schedule = dg.ScheduleDefinition(
    name="taxonomy_schedule",
    job=update_taxonomy,
    cron_schedule="0 7 * * 1",
    execution_timezone="America/New_York",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Fetches NCBI's taxonomy every Monday at 7:00 Eastern time.",
)
