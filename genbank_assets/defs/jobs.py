"""Jobs: the form of those over a collection's assets, the one that mirrors a division, and the trace of one record.

Jobs of single assets are beside these; schedules and sensors are in ``sensors``.
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
    """``mirror_genbank``, ``mirror_refseq``."""
    return f"mirror_{collection}"


class TraceConfig(dg.Config):
    """Which record to trace."""

    accession: str = Field(description="ACCESSION or ACCESSION.VERSION, such as J02482 or NC_001422.1.")
    verify: bool = Field(
        default=False,
        description="Read everything again and recompute every digest; takes as long as the files are large.",
    )


@dg.op(
    description=(
        "Follows one record from NCBI's file over the table and the database to the stored object. The result is the "
        "step's output: open its Markdown in the run."
    ),
    out=dg.Out(list, description="A trace for each division that has the record, as genbank-assets trace --json."),
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
            context.log.info(f"{where}: every step of its path is intact")
    text = "\n\n".join(as_markdown(found) for found in traces)
    return dg.Output(
        [found.as_dict() for found in traces],
        metadata={"trace": dg.MetadataValue.md(text), "ok": all(found.ok for found in traces)},
    )


@dg.job(
    description=(
        "Where a record came from and where it went: NCBI's file, place in the text, table row, duplicates, database "
        "row with its history, stored object. Name the accession in the launchpad; the answer is the Markdown of the "
        "step's output. Changes nothing."
    ),
    executor_def=dg.in_process_executor,
    config=dg.RunConfig(ops={"trace_one_record": TraceConfig(accession="NC_001422")}),
)
def trace_record() -> None:
    """One op."""
    trace_one_record()


def collection_job(name: str, collection: Collection, *, selection: dg.AssetSelection, description: str) -> Any:
    """Return a job over assets of one collection, which runs its steps in the run's own process.

    A process per step would cost seconds each and isolate nothing that matters; the project that a component is part of
    has Dagster's default, which is just that.
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
                f"Brings one division of {collection.title} up to date: all five assets and their checks. Finished "
                f"work is not repeated."
            ),
        )
        for collection in collections
    ]
