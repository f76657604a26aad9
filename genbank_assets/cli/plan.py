"""The command ``plan``, which estimates the requirements of a release; the estimates belong to ``planning``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from genbank_assets.cli.commands import Commands, add_source_option
from genbank_assets.cli.progress import show_progress
from genbank_assets.settings import Settings
from genbank_assets.waits import announced

if TYPE_CHECKING:
    from genbank_assets.planning.plan import PartitionPlan
    from genbank_assets.store import Stage

_GIGA = 1e9


def add_commands(commands: Commands) -> None:
    """Add ``plan``."""
    plan = commands.add(
        "plan",
        run=_plan,
        summary="estimate the requirements of the source's current release",
        description=(
            "Reads the source's release notes and listings and estimates for each partition, from measured rates, the "
            "size of the download, the duration of a first load, and the disk space of tables, database and objects. "
            "Without PARTITION, it covers both collections."
        ),
        examples=["plan genbank/phg refseq/viral", "plan --workers 16"],
        json=True,
    )
    plan.add_argument("partitions", nargs="*", metavar="PARTITION", help="such as genbank/phg (default: all)")
    plan.add_argument("--workers", type=int, metavar="N", help="number of workers (default: GENBANK_ASSETS_WORKERS)")
    plan.add_argument("--megabytes-per-second", type=float, metavar="MB", help="bandwidth to the source (default: 100)")
    add_source_option(plan)


def _plan(options: argparse.Namespace, settings: Settings) -> int:
    import dataclasses

    from genbank_assets.ncbi.catalog import COLLECTIONS, parse_partition
    from genbank_assets.planning.plan import plan_release
    from genbank_assets.planning.rates import measured_rates
    from genbank_assets.readiness import check_source
    from genbank_assets.store import PartitionKey

    keys = [parse_partition(name) for name in options.partitions] or [
        PartitionKey(collection.name, division)
        for collection in COLLECTIONS.values()
        for division in collection.divisions
    ]
    rates = measured_rates()
    if options.megabytes_per_second:
        rates = dataclasses.replace(rates, download_bytes_per_second=options.megabytes_per_second * 1e6)
    progress = show_progress(options)
    for name in dict.fromkeys(key.collection for key in keys):
        check_source(settings, name, progress=progress)  # quick to give up, unlike the listings
    with announced("the source", progress):
        plans, unknown = plan_release(keys, settings=settings, rates=rates, workers=options.workers or settings.workers)
    if options.json:
        print(json.dumps([_as_dict(plan) for plan in plans], indent=1))
        return 0
    print(_table(plans))
    print(f"\nEstimates for a first load, one division after the other, with rates of {rates.measured_on}.")
    for sentence in unknown:
        print(f"The source also has files that this version does not know: {sentence}.")
    return 0


def _as_dict(plan: PartitionPlan) -> dict[str, object]:
    names = ("release", "files", "records", "raw_bytes", "text_bytes", "table_bytes", "postgres_bytes", "object_bytes")
    return {
        "partition": str(plan.key),
        **{name: getattr(plan, name) for name in names},
        "objects": plan.objects,
        "requests": plan.requests,
        "cpu_seconds": round(plan.cpu_seconds, 1),
        "seconds": {stage: round(seconds, 1) for stage, seconds in plan.seconds.items()},
        "bottleneck": plan.bottleneck,
    }


_COLUMNS = (
    "partition", "release", "files", "records", "text GB", "download", "parse", "load", "send objects", "CPU hours",
    "bottleneck", "raw GB", "tables GB", "PostgreSQL GB", "objects GB", "requests",
)  # fmt: skip


def _table(plans: Sequence[PartitionPlan]) -> str:
    from genbank_assets.text_table import table

    rows = [_row(plan) for plan in plans]
    if len(plans) > 1:
        rows.append(_total(plans))
    return table(_COLUMNS, rows)


def _row(plan: PartitionPlan) -> list[object]:
    sizes = [plan.raw_bytes, plan.table_bytes, plan.postgres_bytes, plan.object_bytes]
    return [
        str(plan.key), plan.release, plan.files, plan.records, _gb(plan.text_bytes), *_hours(plan.seconds),
        f"{plan.cpu_seconds / 3600:,.1f}", plan.bottleneck if plan.files else "-", *map(_gb, sizes), plan.requests,
    ]  # fmt: skip


def _total(plans: Sequence[PartitionPlan]) -> list[object]:
    """Return the row of totals; the bottleneck is the stage with the largest total duration."""

    def total(name: str) -> int:
        return sum(getattr(plan, name) for plan in plans)

    seconds = {stage: sum(plan.seconds[stage] for plan in plans) for stage in plans[0].seconds}
    sizes = [total(f"{name}_bytes") for name in ("raw", "table", "postgres", "object")]
    return [
        "all", "", total("files"), total("records"), _gb(total("text_bytes")), *_hours(seconds),
        f"{total('cpu_seconds') / 3600:,.1f}", max(seconds, key=lambda stage: seconds[stage]), *map(_gb, sizes),
        total("requests"),
    ]  # fmt: skip


def _hours(seconds: Mapping[Stage, float]) -> list[str]:
    from genbank_assets.measure import duration

    return [duration(seconds[stage]) for stage in ("raw_files", "records", "postgres_table", "object_set")]


def _gb(size: int) -> str:
    return f"{size / _GIGA:,.1f}" if size >= _GIGA / 10 else f"{size / _GIGA:.3f}"
