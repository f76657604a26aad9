"""The optional assets ``samples`` and ``cds`` of a collection, their checks and their job.

They are built from ``records``, and no stage depends on them: a release is complete without them. Building the tables
belongs to ``tables.derived``.
See https://docs.dagster.io/guides/build/assets/defining-assets
"""

from typing import Any

import dagster as dg
import pyarrow.compute as pc
import pyarrow.parquet as pq

from genbank_assets.defs.checks import Check, build_division_checks
from genbank_assets.defs.division_assets import division_asset, latest, locked_division, wanted_release
from genbank_assets.defs.findings import Finding
from genbank_assets.defs.jobs import collection_job
from genbank_assets.defs.metadata import result
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.ncbi.catalog import Collection
from genbank_assets.schema.derived import CDS_COLUMNS, SAMPLE_COLUMNS
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionRelease
from genbank_assets.tables import cds
from genbank_assets.tables.derived import CODE_VERSIONS, Derived, build_derived
from genbank_assets.tables.splicing import REASONS

MAX_DIFFERING_FRACTION = 0.01
_KEYS: dict[Derived, str] = {"samples": "source", "cds": "CDS"}
_COLUMNS = {"samples": SAMPLE_COLUMNS, "cds": CDS_COLUMNS}
_DESCRIPTIONS: dict[Derived, str] = {
    "samples": (
        "One typed row per source feature: taxon, host, country, latitude and longitude, and collection date as first "
        "and last day. Terms that state why a value is missing have separate columns, and raw values are kept."
    ),
    "cds": (
        "One row per CDS feature: protein, gene, product, spans, genetic code, translation, and whether the spans "
        "translate to it."
    ),
}


def derived_job_name(collection: str) -> str:
    """``derive_genbank``, ``derive_refseq``."""
    return f"derive_{collection}"


def build_derived_assets(collection: Collection) -> list[dg.AssetsDefinition]:
    """Return ``samples`` and ``cds`` of a collection."""
    return [_build(collection, stage) for stage in _KEYS]


def _build(collection: Collection, stage: Derived) -> dg.AssetsDefinition:
    @division_asset(
        collection,
        stage,
        group=f"{collection.name}_derived",
        deps=[dg.AssetKey([collection.name, "records"])],
        kinds={"parquet", "polars"},
        tags={"stage": "derive"},
        code_version=CODE_VERSIONS[stage],
        description=_DESCRIPTIONS[stage],
    )
    def derived(context: dg.AssetExecutionContext, mirror: MirrorResource) -> dg.MaterializeResult[Any]:
        with locked_division(context, collection, mirror) as (key, options):
            partition = latest(options["settings"], key, "records", release=wanted_release(context))
            manifest = build_derived(partition, stage=stage, **options)
        return result(manifest, partition=partition, columns=_COLUMNS[stage])

    return derived


def every_feature_has_a_row(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """Compare the rows with the features of the key, counted in the record tables."""
    records = partition.manifest("records")
    key = _KEYS["cds" if manifest.stage == "cds" else "samples"]
    counted = 0
    for entry in records.files if records else ():
        assert records is not None
        with pq.ParquetFile(partition.folder_of(records) / entry["records_file"]) as file:
            for batch in file.iter_batches(columns=["features.list.element.key"]):
                keys = batch.column("features").flatten().field("key")
                counted += pc.sum(pc.equal(keys, key)).as_py() or 0
    folder = partition.folder_of(manifest)
    rows = sum(pq.read_metadata(folder / entry["name"]).num_rows for entry in manifest.files)
    return Finding(
        rows == counted == manifest.extra["rows"],
        f"{counted:,} {key} features, {rows:,} rows",
        {"features": counted, "rows": rows},
    )


def translations_agree(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """Compare the number of translations that differ from the given ones with the allowed fraction."""
    counts = manifest.extra["checks"]
    same = counts.get(cds.SAME, 0)
    declared = counts.get(cds.DIFFERENCES[0], 0)
    differing = sum(counts.get(reason, 0) for reason in cds.DIFFERENCES[1:])
    compared = same + declared + differing
    left_out = sum(counts.get(reason, 0) for reason in (*REASONS, cds.NOT_GIVEN, cds.PSEUDO, cds.UNKNOWN_CODE))
    return Finding(
        differing <= MAX_DIFFERING_FRACTION * compared,
        f"{same:,} of {compared:,} translations match, {declared:,} declare an exception, {differing:,} differ; "
        f"{left_out:,} cannot be compared",
        {reason: count for reason, count in counts.items() if reason != cds.SAME} | {"same": same},
    )


DERIVED_CHECKS = (
    Check(
        "every_source_has_a_row", "samples", True,  # noqa: FBT003 -- the list of checks reads as a table
        "The table has one row for each source feature of the record tables.", every_feature_has_a_row,
    ),
    Check(
        "every_cds_has_a_row", "cds", True,  # noqa: FBT003
        "The table has one row for each CDS feature of the record tables.", every_feature_has_a_row,
    ),
    Check(
        "translations", "cds", False,  # noqa: FBT003
        "At most 1 % of the coding sequences do not translate to their /translation, not counting those that declare "
        "an exception. Differences are counted by reason; the column translation_check has the reason of each.",
        translations_agree,
    ),
)  # fmt: skip


def build_derived_checks(collection: Collection) -> list[dg.AssetChecksDefinition]:
    """Return the checks of ``samples`` and ``cds``."""
    return build_division_checks(collection, DERIVED_CHECKS)


def build_derived_job(collection: Collection) -> Any:
    """Return the job that builds ``samples`` and ``cds``."""
    return collection_job(
        derived_job_name(collection.name),
        collection,
        selection=dg.AssetSelection.groups(f"{collection.name}_derived"),
        description=f"Builds the tables of samples and coding sequences of one division of {collection.title}.",
    )
