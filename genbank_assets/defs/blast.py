"""The asset ``blast_database`` of a collection, its check and its job; it is made only when somebody asks for it.

What it does belongs to ``search_databases``.
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
    """Return the asset of a collection."""

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
            "BLAST databases of the division's different nucleotide sequences and of its different proteins, with the "
            "names and taxa of all records; the same proteins for DIAMOND where it is installed. Needs NCBI BLAST+ "
            "(Debian: ncbi-blast+). Nothing waits for it."
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
    """Some records of the division are searched in its databases and found whole, with their taxon."""
    found = search_itself(partition, manifest, settings=settings)
    searched = sum(len(names) for names in found.searched.values())
    figures = {name: ", ".join(names) or "none" for name, names in found.searched.items()}
    return Finding(
        not found.missing,
        f"{searched - len(found.missing):,} of {searched:,} records and proteins are found with their taxon",
        figures | {"missing": "; ".join(found.missing) or "none"},
    )


BLAST_CHECKS = (
    Check(
        "finds_its_records", STAGE, False,  # noqa: FBT003 -- the list of checks reads as a table
        "Records and proteins of the division, searched in its own databases, are found whole, under their own name "
        "and with their taxon.", finds_its_records,
    ),
)  # fmt: skip


def build_blast_checks(collection: Collection) -> list[dg.AssetChecksDefinition]:
    """Return the check of the asset."""
    return build_division_checks(collection, BLAST_CHECKS)


def build_blast_job(collection: Collection) -> Any:
    """Return the job that makes it."""
    return collection_job(
        blast_job_name(collection.name),
        collection,
        selection=dg.AssetSelection.groups(f"{collection.name}_search"),
        description=f"Makes the BLAST (and DIAMOND) databases of one division of {collection.title}.",
    )
