"""The asset ``blast_database`` of a collection, its check and its job; no other job or sensor requests it.

Building the databases belongs to ``search_databases``.
See https://docs.dagster.io/guides/build/assets/defining-assets
"""

import functools
from collections.abc import Iterator
from typing import Any

import dagster as dg

from genbank_assets.defs.checks import Check, build_division_checks
from genbank_assets.defs.division_assets import division_asset, latest, locked_division, wanted_release
from genbank_assets.defs.failures import failures
from genbank_assets.defs.findings import Finding
from genbank_assets.defs.jobs import collection_job
from genbank_assets.defs.metadata import result
from genbank_assets.defs.optional import is_left_out
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.ncbi.catalog import Collection
from genbank_assets.search_databases.build import CODE_VERSION, STAGE, build_blast_database
from genbank_assets.search_databases.programs import PROGRAMS, require_programs
from genbank_assets.search_databases.self_search import search_itself
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionRelease


def blast_job_name(collection: str) -> str:
    """``blast_genbank``, ``blast_refseq``."""
    return f"blast_{collection}"


def build_blast_asset(collection: Collection) -> dg.AssetsDefinition:
    """Return ``blast_database`` of a collection."""

    @division_asset(
        collection,
        STAGE,
        group=f"{collection.name}_search",
        deps=[dg.AssetKey([collection.name, "unique_records"])],
        kinds={"file"},
        tags={"stage": "search"},
        code_version=CODE_VERSION,
        output_required=False,
        description=(
            "BLAST databases of the division's distinct nucleotide and protein sequences, with the names and taxa of "
            "all records, and a DIAMOND database of the proteins if DIAMOND is installed. Requires NCBI BLAST+ "
            "(Debian: ncbi-blast+). Optional: no other asset depends on it."
        ),
    )
    def blast_database(
        context: dg.AssetExecutionContext, mirror: MirrorResource
    ) -> Iterator[dg.MaterializeResult[Any]]:
        with failures(context):
            if is_left_out(context, needs=functools.partial(require_programs, *PROGRAMS)):
                return
        with locked_division(context, collection, mirror) as (key, options):
            partition = latest(options["settings"], key, "unique_records", release=wanted_release(context))
            manifest = build_blast_database(partition, **options)
        made = {f"{name}_{kind}": count for name, counts in manifest.extra["databases"].items()
                for kind, count in counts.items()}  # fmt: skip
        yield result(manifest, partition=partition, extra=made | {"blast_version": manifest.extra["blast_version"]})

    return blast_database


def finds_its_records(partition: PartitionRelease, manifest: Manifest, settings: Settings) -> Finding:
    """Search some records in the division's databases; each must be found over its full length, with its taxon."""
    found = search_itself(partition, manifest, settings=settings)
    searched = sum(len(names) for names in found.searched.values())
    figures = {name: ", ".join(names) or "none" for name, names in found.searched.items()}
    return Finding(
        not found.missing,
        f"{searched - len(found.missing):,} of {searched:,} records and proteins were found with their taxon",
        figures | {"missing": "; ".join(found.missing) or "none"},
    )


BLAST_CHECKS = (
    Check(
        "finds_its_records", STAGE, False,  # noqa: FBT003 -- the list of checks reads as a table
        "A sample of the division's records and proteins is found in its databases over the full length, with the "
        "correct name and taxon.", finds_its_records,
    ),
)  # fmt: skip


def build_blast_checks(collection: Collection) -> list[dg.AssetChecksDefinition]:
    """Return the checks of ``blast_database``."""
    return build_division_checks(collection, BLAST_CHECKS)


def build_blast_job(collection: Collection) -> Any:
    """Return the job that builds ``blast_database``."""
    return collection_job(
        blast_job_name(collection.name),
        collection,
        selection=dg.AssetSelection.groups(f"{collection.name}_search"),
        description=f"Builds the BLAST (and DIAMOND) databases of one division of {collection.title}.",
    )
