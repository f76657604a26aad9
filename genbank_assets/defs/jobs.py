"""Jobs: a helper for jobs over a collection's assets, the job that mirrors a division, and the trace of one record.

Jobs of other assets are defined with these assets, sensors in ``sensors``.
See https://docs.dagster.io/guides/build/jobs
"""

from collections.abc import Iterable
from typing import Any

import dagster as dg
from pydantic import Field

from genbank_assets.defs.failures import failures
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.lineage.render import as_markdown
from genbank_assets.lineage.trace import trace
from genbank_assets.ncbi.catalog import COLLECTIONS, Collection


def mirror_job_name(collection: str) -> str:
    """Return ``mirror_genbank`` or ``mirror_refseq``."""
    return f"mirror_{collection}"


class TraceConfig(dg.Config):
    """The record to trace."""

    accession: str = Field(description="ACCESSION or ACCESSION.VERSION, such as J02482 or NC_001422.1.")
    verify: bool = Field(
        default=False,
        description="Reread the record's files and recompute every digest; takes longer for large files.",
    )


@dg.op(
    description=(
        "Traces one record from NCBI's file through table and database to the stored object. The step's output shows "
        "the result as Markdown."
    ),
    out=dg.Out(list, description="One trace per division that has the record, as in genbank-assets trace --json."),
    tags={"stage": "trace"},
)
def trace_one_record(
    context: dg.OpExecutionContext, config: TraceConfig, mirror: MirrorResource
) -> dg.Output[list[dict[str, Any]]]:
    """Trace a record and show it as Markdown."""
    with failures(context):
        traces = trace(mirror.settings(), config.accession, verify=config.verify)
    for found in traces:
        where = f"{found.accession_version} of {found.collection}/{found.division}, release {found.release}"
        wrong = [f"{hop.stage} {hop.status}: {hop.problem}" for hop in found.hops if hop.status not in {"ok", "none"}]
        if wrong:
            context.log.warning(f"{where}: {'; '.join(wrong)}")
        else:
            context.log.info(f"{where}: all stages are intact")
    text = "\n\n".join(as_markdown(found) for found in traces)
    return dg.Output(
        [found.as_dict() for found in traces],
        metadata={"trace": dg.MetadataValue.md(text), "ok": all(found.ok for found in traces)},
    )


@dg.job(
    description=(
        "Shows the lineage of a record: NCBI's file, offset in the text, table row, records with the same sequence, "
        "database row with its history, and stored object. Enter the accession in the launchpad; the result is the "
        "Markdown of the step's output. Read-only."
    ),
    executor_def=dg.in_process_executor,
    config=dg.RunConfig(ops={"trace_one_record": TraceConfig(accession="NC_001422")}),
)
def trace_record() -> None:
    """One op."""
    trace_one_record()


def collection_job(name: str, collection: Collection, *, selection: dg.AssetSelection, description: str) -> Any:
    """Return a job over assets of one collection that executes its steps in the run's own process.

    Set per job, because a project that uses the component may have Dagster's default executor, whose process per step
    would add seconds to every step for no isolation.
    """
    return dg.define_asset_job(
        name,
        selection=selection,
        description=description,
        tags={"ncbi/collection": collection.name},
        executor_def=dg.in_process_executor,
    )


def build_mirror_jobs(collections: Iterable[Collection] = COLLECTIONS.values()) -> list[Any]:
    """Return the mirror job of each collection."""
    return [
        collection_job(
            mirror_job_name(collection.name),
            collection,
            selection=dg.AssetSelection.groups(collection.name),
            description=(
                f"Brings one division of {collection.title} up to date: all five assets and their checks. Completed "
                f"work is not repeated."
            ),
        )
        for collection in collections
    ]
