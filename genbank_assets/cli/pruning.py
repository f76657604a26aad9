"""Shared code of the verbs ``prune``: options, and printing the whole list before anything is deleted.

Deleting belongs to ``objects.prune`` and ``table_set.prune``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from genbank_assets.cli.commands import Commands, RunCommand
from genbank_assets.cli.progress import show_progress
from genbank_assets.settings import Settings

if TYPE_CHECKING:
    from genbank_assets.objects.prune import Pruned
    from genbank_assets.objects.prune_plan import Orphan


def add_prune(verbs: Commands, *, run: RunCommand, summary: str, description: str, group: str) -> None:
    """Add ``prune`` to a group of commands."""
    prune = verbs.add(
        "prune",
        run=run,
        summary=summary,
        description=description,
        examples=[f"{group} prune --dry-run", f"{group} prune --older-than 48"],
        json=True,
    )
    prune.add_argument("--dry-run", action="store_true", help="list without deleting")
    prune.add_argument("--older-than", type=float, default=24.0, metavar="HOURS", help="minimum age (default 24)")


def run_prune(options: argparse.Namespace, settings: Settings, *, prune: Callable[..., Pruned], what: str) -> int:
    """Print the list, delete it unless ``--dry-run`` is given, and print a summary; return the exit code."""

    def announce(orphan: Orphan) -> None:
        if options.json:
            print(json.dumps(dataclasses.asdict(orphan)))
        else:
            print(f"{orphan.key}  {orphan.bytes:,} bytes  {orphan.modified}")

    def announced() -> None:
        sys.stdout.flush()  # a closed pipe stops the command here, before anything is deleted

    pruned = prune(
        settings,
        older_than=timedelta(hours=options.older_than),
        dry_run=options.dry_run,
        announce=announce,
        announced=announced,
        progress=show_progress(options),
    )
    done = "would be deleted" if pruned.dry_run else "deleted"
    print(f"{pruned.objects:,} {what} with {pruned.bytes:,} bytes {done}", file=sys.stderr)
    return 0
