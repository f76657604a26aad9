"""Jobs: mirror a division of a collection, and trace one record.

Selections and the trace job only; schedules and sensors are in ``sensors``.
See https://docs.dagster.io/guides/build/jobs
"""

from typing import Any

import dagster as dg

from genbank_assets.defs.metadata import failures
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.lineage.render import as_markdown
from genbank_assets.lineage.trace import trace
from genbank_assets.ncbi.catalog import COLLECTIONS


def mirror_job_name(collection: str) -> str:
    """``mirror_genbank``, ``mirror_refseq``."""
    return f"mirror_{collection}"


class TraceConfig(dg.Config):
    """Which record to trace.

    Attributes:
        accession: ``ACCESSION`` or ``ACCESSION.VERSION``.
        verify: recompute every digest from the raw file on.
    """

    accession: str
    verify: bool = False


@dg.op(description="Follow one record from the raw file to the row and the object; the result is the step's output.")
def trace_one_record(context: dg.OpExecutionContext, config: TraceConfig, mirror: MirrorResource) -> dg.Output[Any]:
    """Trace a record and show it as Markdown."""
    with failures():
        traces = trace(mirror.settings(), config.accession, verify=config.verify)
    text = "\n\n".join(as_markdown(found) for found in traces)
    context.log.info(text)
    return dg.Output(
        [found.as_dict() for found in traces],
        metadata={"trace": dg.MetadataValue.md(text), "ok": all(found.ok for found in traces)},
    )


@dg.job(description="Where a record came from and where it went. Configure the accession in the launchpad.")
def trace_record() -> None:
    """One op."""
    trace_one_record()


def build_jobs() -> list[Any]:
    """The mirror job of each collection, and the trace."""
    mirrors: list[Any] = [
        dg.define_asset_job(
            mirror_job_name(name),
            selection=dg.AssetSelection.groups(name),
            description=f"All five assets and their checks for one division of {collection.title}.",
            tags={"ncbi/collection": name},
        )
        for name, collection in COLLECTIONS.items()
    ]
    return [*mirrors, trace_record]
