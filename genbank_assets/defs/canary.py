"""The canary: a weekly job that parses one small division and fails if NCBI's format has changed.

It uses a separate store, ``STORE/canary``, so the mirror is not affected. The known vocabulary of the format belongs to
``tables.drift``, notification about the failed run to ``alerts``.
See https://docs.dagster.io/guides/automate/schedules
"""

import collections
import dataclasses
from typing import Any

import dagster as dg
from pydantic import Field

from genbank_assets.defs.failures import failures
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.errors import NotFoundError
from genbank_assets.locks import exclusive
from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.ncbi.fetch import fetch_division
from genbank_assets.reports import RecordsReport
from genbank_assets.retention import prune_releases
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets.tables.drift import unseen_forms
from genbank_assets.tables.records import build_records

CANARY = "canary"
MAX_LISTED = 50


class CanaryConfig(dg.Config):
    """The division to parse."""

    partition: str = Field(default="genbank/una", description="A small division, such as genbank/una.")


@dg.op(
    description=(
        "Fetches and parses one small division in a separate store and lists feature keys, qualifiers, keywords and "
        "LOCUS line forms that are not in the parser's vocabulary, and entries that cannot be parsed. Fails if there "
        "are any."
    ),
    out=dg.Out(dict, description="Counts by kind and value; empty if everything is known."),
    tags={"stage": "canary"},
    pool="ncbi",
)
def read_a_small_division(
    context: dg.OpExecutionContext, config: CanaryConfig, mirror: MirrorResource
) -> dg.Output[dict[str, dict[str, int]]]:
    """Fetch and parse the division and look for unknown forms."""
    with failures(context):
        settings = mirror.settings()
        settings = dataclasses.replace(settings, store=settings.store / CANARY, executor="local", keep_releases=1)
        key = _key_of(config.partition)
        with exclusive(settings, f"{CANARY}/{key.division}", progress=context.log.info, run_id=context.run_id):
            options = {"settings": settings, "progress": context.log.info, "run_id": context.run_id}
            fetched = fetch_division(key, **options)  # type: ignore[arg-type]
            partition = PartitionRelease(settings.store, key, fetched.release)
            manifest = build_records(partition, **options)  # type: ignore[arg-type]
            found: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
            for entry in manifest.files:
                for kind, counts in unseen_forms(partition.folder_of(manifest) / entry["records_file"]).items():
                    found[kind].update(counts)
            prune_releases(settings.store, key=key, keep=1, grace_seconds=0)
    if quarantined := manifest.report_as(RecordsReport).quarantined:
        found["entries that cannot be read"]["quarantined"] = quarantined
    text = as_markdown(found, what=f"{key} {partition.release}", records=manifest.report.records or 0)
    metadata: dict[str, Any] = {
        "canary": dg.MetadataValue.md(text),
        "unseen": sum(len(counts) for counts in found.values()),
    }
    if found:
        kinds = ", ".join(f"{len(counts)} {kind}" for kind, counts in sorted(found.items()))
        raise dg.Failure(
            description=f"{key} {partition.release} contains forms never seen in NCBI's files: {kinds}",
            metadata=metadata,
            allow_retries=False,
        )
    return dg.Output({}, metadata=metadata)


def as_markdown(found: dict[str, collections.Counter[str]], *, what: str, records: int) -> str:
    """Return the unknown values as a Markdown table, most frequent first."""
    if not found:
        return f"**{what}**: {records:,} records, all in known forms."
    lines = [
        f"**{what}**: {records:,} records; the following forms were never seen before.",
        "",
        "| kind | value | times |",
        "|---|---|--:|",
    ]
    for kind, counts in sorted(found.items()):
        for value, times in counts.most_common(MAX_LISTED):
            shown = value.replace("|", "&#124;")[:120]
            lines.append(f"| {kind} | `{shown}` | {times:,} |")
        if len(counts) > MAX_LISTED:
            lines.append(f"| {kind} | … and {len(counts) - MAX_LISTED:,} more | |")
    return "\n".join(lines)


def _key_of(name: str) -> PartitionKey:
    collection, _, division = name.strip().lower().partition("/")
    if collection not in COLLECTIONS or division not in COLLECTIONS[collection].divisions:
        raise NotFoundError(f"there is no partition {name!r}: name one such as genbank/una")
    return PartitionKey(collection, division)


@dg.job(
    description="Parses one small division and fails if NCBI's format has changed. The mirror is not affected.",
    executor_def=dg.in_process_executor,
    config=dg.RunConfig(ops={"read_a_small_division": CanaryConfig()}),
)
def canary() -> None:
    """One op."""
    read_a_small_division()


canary_schedule = dg.ScheduleDefinition(
    name="canary_schedule",
    job=canary,
    cron_schedule="0 8 * * 1",
    execution_timezone="America/New_York",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Parses a small division every Monday at 8:00 Eastern time.",
)
