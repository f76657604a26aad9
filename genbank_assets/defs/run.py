"""Materializes partitions from a command: one Dagster run per partition, in this process.

The runs are recorded in the store's instance, so the UI shows them like any other. Command-line parsing and tables
for people belong to ``cli`` and ``demo``.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
from collections.abc import Sequence
from typing import Any

import dagster as dg

from genbank_assets.defs.daily import daily_job_name
from genbank_assets.defs.instance import open_instance
from genbank_assets.defs.jobs import mirror_job_name
from genbank_assets.defs.taxonomy import TAXONOMY_JOB
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey


@dataclasses.dataclass(frozen=True)
class PartitionRun:
    """How one partition's run ended.

    Attributes:
        key: the partition.
        run_id: Dagster's run id.
        ok: whether every asset was materialized and no blocking check failed.
        reason: why not, in one line; "" when ok.
        warnings: checks that failed without blocking, one line each.
    """

    key: PartitionKey
    run_id: str
    ok: bool
    reason: str
    warnings: tuple[str, ...]


def materialize_partitions(keys: Sequence[PartitionKey], *, settings: Settings) -> list[PartitionRun]:
    """Run the mirror job of each partition, one after another."""
    from genbank_assets.definitions import build_defs  # builds the graph: only when something is to be run

    definitions = build_defs()
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    with open_instance(settings) as instance:
        return [_run(definitions, key, settings=settings, instance=instance) for key in keys]


def apply_days(collection: str, days: Sequence[dt.date], *, settings: Settings) -> list[PartitionRun]:
    """Run the daily job of each day, in order of date."""
    from genbank_assets.definitions import build_defs

    job = build_defs().resolve_job_def(daily_job_name(collection))
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    runs = []
    with open_instance(settings) as instance:
        for day in sorted(set(days)):
            result = job.execute_in_process(
                partition_key=day.isoformat(),
                instance=instance,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                tags={"ncbi/collection": collection, "ncbi/day": day.isoformat()},
            )
            key = PartitionKey(collection, f"daily/{day}")
            reason = "" if result.success else _reason(result)
            runs.append(PartitionRun(key=key, run_id=result.run_id, ok=result.success, reason=reason, warnings=()))
    return runs


def run_taxonomy_update(*, settings: Settings) -> PartitionRun:
    """Run the job that brings NCBI's taxonomy up to date."""
    from genbank_assets.definitions import build_defs

    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    with open_instance(settings) as instance:
        result = (
            build_defs()
            .resolve_job_def(TAXONOMY_JOB)
            .execute_in_process(
                instance=instance,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        )
    failed = [evaluation for evaluation in result.get_asset_check_evaluations() if not evaluation.passed]
    return PartitionRun(
        key=PartitionKey("ncbi", "taxonomy"),
        run_id=result.run_id,
        ok=result.success,
        reason="" if result.success else _reason(result),
        warnings=tuple(f"check {e.check_name}: {e.description}" for e in failed),
    )


def _run(
    definitions: dg.Definitions, key: PartitionKey, *, settings: Settings, instance: dg.DagsterInstance
) -> PartitionRun:
    load: dict[str, Any] = {"ops": {f"{key.collection}__postgres_table": {"config": {}}}}
    if settings.max_absent_fraction is not None:
        load["ops"][f"{key.collection}__postgres_table"]["config"] = {
            "max_absent_fraction": settings.max_absent_fraction
        }
    result = definitions.resolve_job_def(mirror_job_name(key.collection)).execute_in_process(
        partition_key=key.division,
        instance=instance,
        raise_on_error=False,
        run_config={**load, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        tags={"ncbi/collection": key.collection, "ncbi/division": f"{key.collection}-{key.division}"},
    )
    failed = [evaluation for evaluation in result.get_asset_check_evaluations() if not evaluation.passed]
    lines = tuple(
        f"check {e.asset_key.to_user_string()} {e.check_name}: {e.description}"
        for e in failed
        if e.severity == dg.AssetCheckSeverity.WARN
    )
    blocking = [e for e in failed if e.severity == dg.AssetCheckSeverity.ERROR]
    reason = ""
    if not result.success:
        # Dagster itself says only that some blocking check failed.
        reason = "; ".join(f"check {e.check_name}: {e.description}" for e in blocking) or _reason(result)
    return PartitionRun(key=key, run_id=result.run_id, ok=result.success, reason=reason, warnings=lines)


def _reason(result: dg.ExecuteInProcessResult) -> str:
    """The first step failure that says something, in one line."""
    for event in result.filter_events(lambda event: event.is_step_failure):
        data = event.step_failure_data
        if data.user_failure_data is not None and data.user_failure_data.description:
            return str(data.user_failure_data.description)
        if data.error is not None:
            cause = data.error.cause or data.error
            return str(cause.message).strip().splitlines()[0]
    return ""
