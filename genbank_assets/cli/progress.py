"""Progress and outcome of runs for people: lines on standard error. What is run belongs to ``defs``."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from genbank_assets.cli.output import say
from genbank_assets.redaction import redacted
from genbank_assets.waits import LOGGER as WAITS

if TYPE_CHECKING:
    from genbank_assets.defs.run import PartitionRun

LOGGER = logging.getLogger("genbank_assets.progress")
NOTICED_SECONDS = 0.3  # a signal that failed a run is known to the command within this


def show_progress(options: argparse.Namespace) -> Callable[[str], None]:
    """Let progress lines of the stages go to standard error, unless people want quiet.

    Returns:
        What writes such a line.
    """
    if not LOGGER.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_WithoutSecrets("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
        LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.WARNING if options.quiet else logging.INFO)
    LOGGER.propagate = False
    return LOGGER.info


def show_waits(options: argparse.Namespace) -> None:
    """Let what is said of waits for servers go to standard error, unless people want quiet."""
    if not WAITS.handlers:
        WAITS.addHandler(_Said())
    WAITS.setLevel(logging.ERROR if options.quiet else logging.WARNING)
    WAITS.propagate = False


class _Said(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


class _WithoutSecrets(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def report_outcomes(runs: Iterable[PartitionRun], *, options: argparse.Namespace) -> list[PartitionRun]:
    """Run one after another until there are no more or somebody wants a stop, and say of each what went wrong."""
    done = []
    for run in runs:
        if not run.ok:
            options.stop.settle(seconds=NOTICED_SECONDS)
        if options.stop.requested and not run.ok:
            break  # its failure is the stop
        done.append(run)
        for line in run.warnings:
            say(f"{run.key}: warning: {line}")
        if run.bottleneck is not None:
            LOGGER.info("%s: %s", run.key, run.bottleneck)
        if not run.ok:
            say(f"{run.key} failed: {run.reason} (Dagster run {run.run_id})")
        if options.stop.requested:
            break
    return done


def exit_code(runs: list[PartitionRun], *, options: argparse.Namespace) -> int:
    """0 when every run went through and nobody wanted a stop before the last."""
    return 0 if all(run.ok for run in runs) and not options.stop.requested else 1
