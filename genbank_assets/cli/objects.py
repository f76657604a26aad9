"""The commands ``objects verify``, ``objects repair`` and ``objects prune``; the work belongs to ``objects``."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from genbank_assets.cli.commands import Commands
from genbank_assets.cli.partitions import chosen_partitions
from genbank_assets.cli.progress import show_progress
from genbank_assets.cli.pruning import add_prune, run_prune
from genbank_assets.settings import Settings

if TYPE_CHECKING:
    from genbank_assets.objects.verify import Problem


def add_commands(commands: Commands) -> None:
    """Add ``objects`` with its verbs."""
    verbs = commands.add_verbs(
        "objects",
        summary="verify, repair and prune the object set",
        description="Verifies, repairs and prunes the object set against its manifests.",
    )
    verify = verbs.add(
        "verify",
        run=_verify,
        summary="check that all listed objects exist and are intact",
        description=(
            "Compares the object set with its manifests: existence, size and ETag of every object, and the digests of "
            "a random sample. The exit code is 1 if there are problems."
        ),
        examples=["objects verify", "objects verify genbank/phg --sample 1000"],
        json=True,
    )
    verify.add_argument("partitions", nargs="*", metavar="PARTITION", help="such as genbank/phg (default: all)")
    verify.add_argument("--sample", type=int, default=100, help="sequences to reread per division (default 100)")
    repair = verbs.add(
        "repair",
        run=_repair,
        summary="upload missing and damaged objects again",
        description=(
            "Verifies the object set, uploads missing and damaged objects again from the sequence tables of the store, "
            "and verifies once more. Intact objects are not touched. The exit code is 1 if problems remain."
        ),
        examples=["objects repair", "objects repair genbank/phg --sample 1000"],
        json=True,
    )
    repair.add_argument("partitions", nargs="*", metavar="PARTITION", help="such as genbank/phg (default: all)")
    repair.add_argument("--sample", type=int, default=100, help="sequences to reread per division (default 100)")
    add_prune(
        verbs,
        run=_prune,
        summary="delete objects that no manifest lists",
        description=(
            "Deletes objects that no manifest of the set lists, and unfinished uploads, if they are old enough. All "
            "are printed before the first one is deleted."
        ),
        group="objects",
    )


def _verify(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.objects.contact import require_objects
    from genbank_assets.objects.verify import verify_objects

    require_objects(settings)
    keys = chosen_partitions(options.partitions)
    found = verify_objects(settings, partitions=keys, sample=options.sample, progress=show_progress(options))
    if options.json:
        print(json.dumps(dataclasses.asdict(found), indent=1))
        return 1 if found.problem_count else 0
    _print_problems(found.problems)
    print(
        f"{found.partitions} division(s), {found.sequences:,} sequences in {found.objects:,} objects, "
        f"{found.rehashed:,} reread: {found.problem_count:,} problem(s)"
    )
    if found.unlisted:
        print(f"{found.unlisted:,} unlisted objects: see genbank-assets objects prune --dry-run")
    if found.problem_count:
        print("to upload missing and damaged objects again, run: genbank-assets objects repair")
    return 1 if found.problem_count else 0


def _repair(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.objects.contact import require_objects
    from genbank_assets.objects.repair import repair_objects

    require_objects(settings)
    keys = chosen_partitions(options.partitions)
    done = repair_objects(settings, partitions=keys, sample=options.sample, progress=show_progress(options))
    if options.json:
        print(json.dumps(dataclasses.asdict(done), indent=1))
        return 1 if done.problems or done.failed else 0
    for name in done.repaired:
        print(f"{name}: published again")
    for reason in done.failed:
        print(f"not repaired: {reason}")
    _print_problems(done.problems)
    print(
        f"{done.partitions} division(s): {done.problem_count:,} problem(s), {done.objects_put:,} objects uploaded, "
        f"{len(done.problems):,} problem(s) left"
    )
    return 1 if done.problems or done.failed else 0


def _prune(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.objects.contact import require_objects
    from genbank_assets.objects.prune import prune_objects

    require_objects(settings)
    return run_prune(options, settings, prune=prune_objects, what="objects")


def _print_problems(problems: Iterable[Problem]) -> None:
    for problem in problems:
        print(f"{problem.key}: {problem.what} ({problem.partition})")
