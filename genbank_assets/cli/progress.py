"""Prints progress and outcomes of runs on standard error; executing runs belongs to ``defs``."""

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
NOTICED_SECONDS = 0.3  # a signal that ended a run is noticed within this time


def show_progress(options: argparse.Namespace) -> Callable[[str], None]:
    """Print progress of the stages on standard error, unless ``--quiet`` is given.

    Returns:
        A callback that prints a line.
    """
    if not LOGGER.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_WithoutSecrets("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
        LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.WARNING if options.quiet else logging.INFO)
    LOGGER.propagate = False
    return LOGGER.info


def show_waits(options: argparse.Namespace) -> None:
    """Print announcements of waits for servers on standard error, unless ``--quiet`` is given."""
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
    """Execute the runs in order until a stop is requested, and print warnings, bottlenecks and failures of each."""
    done = []
    for run in runs:
        if not run.ok:
            options.stop.settle(seconds=NOTICED_SECONDS)
        if options.stop.requested and not run.ok:
            break  # the run failed because of the stop
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
    """Return 0 if every run succeeded and no stop was requested, otherwise 1."""
    return 0 if all(run.ok for run in runs) and not options.stop.requested else 1
