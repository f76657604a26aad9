"""The commands ``genbank-assets objects verify`` and ``objects prune``: arguments in, answers printed.

What they do belongs to ``objects.verify`` and ``objects.prune``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from datetime import timedelta

from genbank_assets.cli.commands import Commands
from genbank_assets.cli.partitions import chosen_partitions
from genbank_assets.settings import Settings


def add_commands(commands: Commands) -> None:
    """Add ``objects`` with its two verbs."""
    verbs = commands.add_verbs(
        "objects",
        summary="compare the object set with its manifests, remove left-overs",
        description="Looks after the object set: is everything there that manifests list, and what does none list?",
    )
    verify = verbs.add(
        "verify",
        run=_verify,
        summary="is everything there that manifests list?",
        description=(
            "Compares the object set with the manifests: presence, bytes and ETag of every object, and the digest of a "
            "random sample. The exit code is 1 when there is a problem."
        ),
        examples=["objects verify", "objects verify genbank/phg --sample 1000"],
        json=True,
    )
    verify.add_argument("partitions", nargs="*", metavar="PARTITION", help="such as genbank/phg; all by default")
    verify.add_argument("--sample", type=int, default=100, help="sequences to read again per division (default 100)")
    prune = verbs.add(
        "prune",
        run=_prune,
        summary="delete residues that no manifest lists",
        description="Deletes residues that no manifest in the set lists, and unfinished uploads, once they are old.",
        examples=["objects prune --dry-run", "objects prune --older-than 48"],
        json=True,
    )
    prune.add_argument("--dry-run", action="store_true", help="only list them")
    prune.add_argument("--older-than", type=float, default=24.0, metavar="HOURS", help="least age (default 24)")


def _verify(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.objects.verify import verify_objects

    keys = chosen_partitions(options.partitions)
    found = verify_objects(settings, partitions=keys, sample=options.sample)
    if options.json:
        print(json.dumps(dataclasses.asdict(found), indent=1))
        return 1 if found.problems else 0
    for problem in found.problems:
        print(f"{problem.key}: {problem.what} ({problem.partition})")
    print(
        f"{found.partitions} division(s), {found.sequences:,} sequences in {found.objects:,} objects, "
        f"{found.rehashed:,} read again: {len(found.problems):,} problem(s)"
    )
    if found.unlisted:
        print(f"{found.unlisted:,} objects that no manifest lists: see genbank-assets objects prune --dry-run")
    return 1 if found.problems else 0


def _prune(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.objects.prune import prune_objects

    orphans = []
    for orphan in prune_objects(settings, older_than=timedelta(hours=options.older_than), dry_run=options.dry_run):
        orphans.append(orphan.bytes)
        if options.json:
            print(json.dumps(dataclasses.asdict(orphan)))
        else:
            print(f"{orphan.key}  {orphan.bytes:,} bytes  {orphan.modified}")
    done = "would be deleted" if options.dry_run else "deleted"
    print(f"{len(orphans):,} objects with {sum(orphans):,} bytes {done}", file=sys.stderr)
    return 0
