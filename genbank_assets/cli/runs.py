"""The commands ``materialize`` and ``update``: Dagster runs in this process.

What is run belongs to ``defs``, which is imported only when one of these commands is given.
"""

from __future__ import annotations

import argparse
import datetime as dt

from genbank_assets.cli.commands import Commands, add_source_option
from genbank_assets.cli.progress import show_progress, tell_outcome
from genbank_assets.settings import Settings


def add_commands(commands: Commands) -> None:
    """Add ``materialize`` and ``update``."""
    materialize = commands.add(
        "materialize",
        run=_materialize,
        summary="bring partitions up to date, all five assets",
        description=(
            "Brings divisions of GenBank and sections of RefSeq up to date: raw files, tables, PostgreSQL and objects, "
            "with their checks. What is in place is not done again; after a failure or a kill, run it again."
        ),
        examples=["materialize genbank/una", "materialize genbank/phg refseq/viral"],
    )
    materialize.add_argument("partitions", nargs="+", metavar="PARTITION", help="such as genbank/phg or refseq/viral")
    add_source_option(materialize)
    materialize.add_argument(
        "--max-absent-fraction",
        type=float,
        metavar="F",
        help="share of loaded records that may be gone from the release (default 0.02)",
    )

    update = commands.add(
        "update",
        run=_update,
        summary="apply NCBI's daily updates of these days",
        description=(
            "Applies the records that NCBI added or changed on these days on top of the loaded release. A later day "
            "wins over an earlier one; a day applied twice changes nothing."
        ),
        examples=["update genbank 2026-09-02", "update refseq 2026-09-02 2026-09-03"],
    )
    update.add_argument("collection", choices=["genbank", "refseq"])
    update.add_argument("days", nargs="+", type=dt.date.fromisoformat, metavar="YYYY-MM-DD")
    add_source_option(update)


def _materialize(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.ncbi.catalog import parse_partition

    keys = list(dict.fromkeys(parse_partition(text) for text in options.partitions))
    show_progress()
    from genbank_assets.defs.run import materialize_partitions

    return tell_outcome(materialize_partitions(keys, settings=settings))


def _update(options: argparse.Namespace, settings: Settings) -> int:
    show_progress()
    from genbank_assets.defs.run import apply_days

    return tell_outcome(apply_days(options.collection, options.days, settings=settings))
