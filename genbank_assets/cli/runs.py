"""The commands ``materialize`` and ``update``, which execute Dagster runs in this process.

The jobs belong to ``defs``, which is imported only when one of these commands runs.
"""

from __future__ import annotations

import argparse
import datetime as dt
import time

from genbank_assets.cli.commands import Commands, add_source_option
from genbank_assets.cli.partitions import chosen_partitions, chosen_release
from genbank_assets.cli.progress import exit_code, report_outcomes, show_progress
from genbank_assets.errors import UsageError
from genbank_assets.settings import Settings


def add_commands(commands: Commands) -> None:
    """Add ``materialize`` and ``update``."""
    materialize = commands.add(
        "materialize",
        run=_materialize,
        summary="bring all five assets of partitions up to date",
        description=(
            "Brings divisions of GenBank and sections of RefSeq up to date: raw files, tables, PostgreSQL and objects, "
            "with their checks. Completed work is not repeated; after a failure or an interruption, run it again to "
            "resume."
        ),
        examples=[
            "materialize genbank/una",
            "materialize genbank/phg refseq/viral",
            "materialize 'refseq/vertebrate_*' --release 238",
        ],
    )
    materialize.add_argument(
        "partitions",
        nargs="*",
        metavar="PARTITION",
        help="such as genbank/phg, or a pattern such as 'refseq/*'",
    )
    materialize.add_argument("--all", action="store_true", help="every partition of both collections")
    add_source_option(materialize)
    materialize.add_argument("--release", metavar="N", help="fail unless the source offers this release, such as 273")
    materialize.add_argument(
        "--max-absent-fraction",
        type=float,
        metavar="F",
        help="fraction of loaded records that may be missing from the release (default 0.02)",
    )

    update = commands.add(
        "update",
        run=_update,
        summary="apply NCBI's daily updates",
        description=(
            "Applies the records that NCBI added or changed on the given days to the loaded release. Later days take "
            "precedence over earlier ones; applying a day twice has no effect."
        ),
        examples=["update genbank 2026-09-02", "update refseq 2026-09-02 2026-09-03"],
    )
    update.add_argument("collection", type=str.lower, choices=["genbank", "refseq"])
    update.add_argument("days", nargs="+", type=_day, metavar="YYYY-MM-DD")
    add_source_option(update)


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date: write it as 2026-09-02") from None


def _materialize(options: argparse.Namespace, settings: Settings) -> int:
    if not options.partitions and not options.all:
        raise UsageError("name a PARTITION such as genbank/phg, or use --all")
    release = chosen_release(options.release)
    keys = chosen_partitions(options.partitions, all_=options.all)
    begun = time.monotonic()
    from genbank_assets.readiness import check_readiness

    check_readiness(settings, keys=keys, release=release, progress=show_progress(options))
    from genbank_assets.defs.run import Runs

    with Runs(settings, stop=options.stop, verbose=options.verbose > 0) as runs:
        done = report_outcomes((runs.materialize(key, release=release) for key in keys), options=options)
    if not options.quiet:
        from genbank_assets.lineage.render import status_table
        from genbank_assets.lineage.status import status

        named = {(run.key.collection, run.key.division) for run in done}
        rows = [row for row in status(settings) if (row.collection, row.division) in named]
        print(*([status_table(rows), ""] if rows else []), sep="\n", end="")
        failed = sum(not run.ok for run in done)
        left = len(keys) - len(done)
        print(
            f"{len(done) - failed} of {len(keys)} partitions are up to date"
            f"{f', {failed} failed' if failed else ''}{f', {left} not started or not finished' if left else ''}"
            f" ({time.monotonic() - begun:,.0f} s)"
        )
    return exit_code(done, options=options)


def _update(options: argparse.Namespace, settings: Settings) -> int:
    progress = show_progress(options)
    from genbank_assets.defs.run import Runs, check_days
    from genbank_assets.readiness import check_readiness
    from genbank_assets.store import PartitionKey

    days = sorted(set(options.days))
    check_days(days)
    key = PartitionKey(options.collection, "daily")
    check_readiness(settings, keys=[key], progress=progress)
    with Runs(settings, stop=options.stop, verbose=options.verbose > 0) as runs:
        done = report_outcomes((runs.apply_day(options.collection, day) for day in days), options=options)
    if not options.quiet:
        applied = sum(run.ok for run in done)
        print(f"{applied} of {len(days)} days applied")
    return exit_code(done, options=options)
