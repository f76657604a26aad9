"""Finds the bottleneck of a run: the stage that took most of its time, and the resource that limited it.

Derived from the figures that all stages report. Estimates before a run belong to ``plan``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from genbank_assets.reports import StageReport
from genbank_assets.settings import Settings

BUSY_FRACTION = 0.7  # fraction of the available CPU time from which a stage counts as CPU-bound
GRAPH = "checks and Dagster's records"


@dataclasses.dataclass(frozen=True)
class Bottleneck:
    """The bottleneck of a run.

    Attributes:
        stage: the stage, or :data:`GRAPH` for the time between stages.
        seconds: wall time of the stage.
        run_seconds: wall time of the run.
        bound_by: ``processor``, ``network``, ``disk`` or ``database``; :data:`GRAPH` is bound by ``database``, which
            stores events.
    """

    stage: str
    seconds: float
    run_seconds: float
    bound_by: str

    def __str__(self) -> str:
        took = f"{self.stage} took {self.seconds:,.1f} of {self.run_seconds:,.1f} s"
        return f"{took}, bound by the {self.bound_by}"


def bottleneck(reports: Mapping[str, StageReport], *, run_seconds: float, settings: Settings) -> Bottleneck:
    """Return the bottleneck of a run.

    Args:
        reports: reports of the stages that ran.
        run_seconds: wall time of the run.
        settings: the number of processes, the source and the destinations of the run.
    """
    seconds = {stage: report.seconds or 0.0 for stage, report in reports.items()}
    seconds[GRAPH] = max(0.0, run_seconds - sum(seconds.values()))
    stage = max(seconds, key=lambda name: seconds[name])
    bound_by = "database" if stage == GRAPH else _bound_by(stage, reports[stage], settings)
    return Bottleneck(stage, seconds[stage], run_seconds, bound_by)


def _bound_by(stage: str, report: StageReport, settings: Settings) -> str:
    """Return ``processor`` if the CPU was busy, otherwise the resource that this kind of stage waits for."""
    processes = max(1, min(settings.workers, report.files_now or 1))
    if (report.cpu_seconds or 0.0) >= BUSY_FRACTION * processes * (report.seconds or 0.0):
        return "processor"
    if stage == "postgres_table":
        return "database"
    if stage == "raw_files":
        return "disk" if settings.source.startswith("file://") else "network"
    if stage == "object_set":
        return "network" if settings.objects_url.startswith("s3://") else "disk"
    return "disk"
