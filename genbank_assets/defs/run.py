"""Executes jobs for the command line: one Dagster run per partition, in this process.

The runs are recorded in the store's instance, so the UI shows them like any other. Arguments and output belong to
``cli``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import logging
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from genbank_assets.defs.blast import blast_job_name
from genbank_assets.defs.daily import daily_job_name
from genbank_assets.defs.instance import open_instance
from genbank_assets.defs.jobs import mirror_job_name
from genbank_assets.defs.metadata import CONSOLE
from genbank_assets.defs.origin import run_as_of_the_code_location
from genbank_assets.defs.partitions import DAYS
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.defs.taxonomy import TAXONOMY_JOB
from genbank_assets.defs.upstream import RELEASE_TAG
from genbank_assets.defs.waits import report_pool_waits
from genbank_assets.errors import UsageError
from genbank_assets.planning.bottleneck import Bottleneck, bottleneck
from genbank_assets.reports import StageReport
from genbank_assets.settings import Settings
from genbank_assets.stopping import StopSignals
from genbank_assets.store import PartitionKey
from genbank_assets.waits import announced


@dataclasses.dataclass(frozen=True)
class PartitionRun:
    """The outcome of a partition's run.

    Attributes:
        key: the partition.
        run_id: Dagster's run id.
        ok: whether every asset was materialized and no blocking check failed.
        reason: the reason for the failure, in one line; "" if ok.
        warnings: failed non-blocking checks, one line each.
        seconds: duration of the run.
        bottleneck: the slowest stage and what limited it; None if no stage was executed.
    """

    key: PartitionKey
    run_id: str
    ok: bool
    reason: str
    warnings: tuple[str, ...]
    seconds: float = 0.0
    bottleneck: Bottleneck | None = None


class Runs:
    """Executes jobs of this graph in this process, one after another.

    Use it as a context manager, which keeps the store's instance open.

    Args:
        settings: settings of the runs.
        stop: signals that end the current run as canceled.
        verbose: whether to write Dagster's log to standard error.
    """

    def __init__(self, settings: Settings, *, stop: StopSignals, verbose: bool = False) -> None:
        self._settings = settings
        self._stop = stop
        self._log_level = "INFO" if verbose else "CRITICAL"

    def __enter__(self) -> Runs:
        with announced("Dagster's graph and storage", CONSOLE.info):
            from genbank_assets.definitions import build_defs  # importing it builds the graph

            self._definitions = build_defs(resources={"mirror": MirrorResource.of(self._settings)})
            logging.getLogger("dagster").setLevel(self._log_level)
            self._instance = open_instance(self._settings, captures_output=False)
        run_as_of_the_code_location(self._instance)
        return self

    def __exit__(self, *_: object) -> None:
        self._instance.dispose()

    def materialize(self, key: PartitionKey, *, release: str | None = None) -> PartitionRun:
        """Bring one partition up to date.

        Args:
            key: the partition.
            release: the required release; None accepts the one that the source offers.
        """
        allowed = self._settings.max_absent_fraction  # a changed limit is recorded in the run's configuration
        config = {"max_absent_fraction": allowed} if allowed != Settings.max_absent_fraction else {}
        return self._run(
            mirror_job_name(key.collection),
            key,
            partition_key=key.division,
            run_config={"ops": {f"{key.collection}__postgres_table": {"config": config}}},
            tags={RELEASE_TAG: release} if release else {},
        )

    def apply_day(self, collection: str, day: dt.date) -> PartitionRun:
        """Apply one daily update."""
        return self._run(
            daily_job_name(collection),
            PartitionKey(collection, f"daily/{day}"),
            partition_key=day.isoformat(),
        )

    def update_taxonomy(self) -> PartitionRun:
        """Update NCBI's taxonomy."""
        return self._run(TAXONOMY_JOB, PartitionKey("ncbi", "taxonomy"))

    def make_blast_database(self, key: PartitionKey) -> PartitionRun:
        """Build the search databases of a partition."""
        return self._run(blast_job_name(key.collection), key, partition_key=key.division)

    def _run(
        self, job: str, key: PartitionKey, *, run_config: dict[str, Any] | None = None, **options: Any
    ) -> PartitionRun:
        run_id = str(uuid.uuid4())
        begun = time.monotonic()
        report_pool_waits(self._instance, run_id=run_id, progress=CONSOLE.info)
        with _cancelled_by(self._stop, instance=self._instance, run_id=run_id):
            result = self._definitions.resolve_job_def(job).execute_in_process(
                instance=self._instance,
                raise_on_error=False,
                run_id=run_id,
                run_config={
                    **(run_config or {}),
                    "loggers": {"console": {"config": {"log_level": self._log_level}}},
                },
                **options,
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
            # Dagster's own message does not say which blocking check failed.
            reason = "; ".join(f"check {e.check_name}: {e.description}" for e in blocking) or _reason(result)
        seconds = time.monotonic() - begun
        reports = _reports(result)
        return PartitionRun(
            key=key,
            run_id=run_id,
            ok=result.success,
            reason=reason,
            warnings=lines,
            seconds=seconds,
            bottleneck=bottleneck(reports, run_seconds=seconds, settings=self._settings) if reports else None,
        )


def materialize_partitions(keys: Sequence[PartitionKey], *, settings: Settings) -> list[PartitionRun]:
    """Bring partitions up to date with exactly these settings, independent of the environment.

    Args:
        keys: the partitions, in the order of their runs.
        settings: settings of the runs.

    Returns:
        The outcome of each run; after a failed run, the next one is still executed.
    """
    with Runs(settings, stop=StopSignals(announce=lambda line: None)) as runs:
        return [runs.materialize(key) for key in keys]


def check_days(days: Sequence[dt.date]) -> None:
    """Check that each of these days is a partition.

    Raises:
        UsageError: a day is not.
    """
    known = set(DAYS.get_partition_keys())
    for day in days:
        if day.isoformat() not in known:
            raise UsageError(
                f"there is no daily update for {day}: days range from {min(known)} to {max(known)}; earlier changes "
                "are part of a full release"
            )


@contextlib.contextmanager
def _cancelled_by(stop: StopSignals, *, instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Mark a run that is ended by a signal as canceled; Dagster would record a failure, and an alert would be sent.

    The run must be marked as canceling before the interrupt arrives, and Dagster does not finish a run that is
    interrupted between steps.
    """

    def report_canceling() -> None:
        run = instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            instance.report_run_canceling(run)

    try:
        with stop.calling(report_canceling):
            yield
    finally:
        if stop.requested:
            stop.settle()
            run = instance.get_run_by_id(run_id)
            if run is not None and run.status not in {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.CANCELED}:
                instance.report_run_canceled(run)


def _reports(result: dg.ExecuteInProcessResult) -> dict[str, StageReport]:
    """Return the figures of the stages that this run completed, by stage."""
    found = {}
    for event in result.get_asset_materialization_events():
        if event.asset_key is not None and "seconds" in event.materialization.metadata:
            figures = {name: value.value for name, value in event.materialization.metadata.items()}
            found[event.asset_key.path[-1]] = StageReport.from_dict(figures)
    return found


def _reason(result: dg.ExecuteInProcessResult) -> str:
    """Return the first informative step failure, in one line."""
    for event in result.filter_events(lambda event: event.is_step_failure):
        data = event.step_failure_data
        if data.user_failure_data is not None and data.user_failure_data.description:
            return str(data.user_failure_data.description)
        if data.error is not None:
            cause = data.error.cause or data.error
            return str(cause.message).strip().splitlines()[0]
    return ""
