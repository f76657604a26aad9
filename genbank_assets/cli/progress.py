"""Progress and outcome of runs for people: lines on standard error. What is run belongs to ``defs``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genbank_assets.defs.run import PartitionRun


def show_progress() -> None:
    """Progress lines of the stages go to standard error."""
    logger = logging.getLogger("genbank_assets.progress")
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def tell_outcome(runs: Sequence[PartitionRun]) -> int:
    """Say what went wrong; returns the exit code."""
    for run in runs:
        for line in run.warnings:
            print(f"genbank-assets: {run.key}: warning: {line}", file=sys.stderr)
        if not run.ok:
            print(f"genbank-assets: {run.key} failed: {run.reason} (Dagster run {run.run_id})", file=sys.stderr)
    return 0 if all(run.ok for run in runs) else 1
