"""The commands ``verify`` and ``repair`` for all published data; the work belongs to ``lineage.store_check``."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import TYPE_CHECKING

from genbank_assets.cli.commands import Commands
from genbank_assets.cli.partitions import chosen_partitions
from genbank_assets.cli.progress import show_progress
from genbank_assets.settings import Settings
from genbank_assets.store import STAGES

if TYPE_CHECKING:
    from genbank_assets.lineage.store_check import StoreCheck


def add_commands(commands: Commands) -> None:
    """Add ``verify`` and ``repair``."""
    verify = commands.add(
        "verify",
        run=_verify,
        summary="check that everything published still matches its manifest",
        description=(
            "Compares all published data with their manifests: digest, size and rows of every file, the input of every "
            "stage, the records in the database by their digests, and the object set. Reads every byte of the files. "
            "Each problem is printed with a remedy, and the exit code is then 1."
        ),
        examples=["verify", "verify genbank/phg refseq/viral", "verify --stage records --stage unique_records"],
        json=True,
    )
    verify.add_argument("partitions", nargs="*", metavar="PARTITION", help="such as genbank/phg (default: all)")
    verify.add_argument(
        "--stage",
        dest="stages",
        action="append",
        choices=STAGES,
        help="stage to verify (default: all; can be repeated)",
    )
    verify.add_argument("--sample", type=int, default=100, help="sequences to reread per division (default 100)")
    repair = commands.add(
        "repair",
        run=_repair,
        summary="rebuild damaged tables and resend missing records and objects",
        description=(
            "Verifies all published data, rebuilds damaged tables from the previous stage, resends missing or damaged "
            "records and objects, and verifies once more. Intact data are not touched. Remaining problems are printed "
            "with a remedy, and the exit code is then 1."
        ),
        examples=["repair", "repair genbank/phg"],
        json=True,
    )
    repair.add_argument("partitions", nargs="*", metavar="PARTITION", help="such as genbank/phg (default: all)")
    repair.add_argument("--sample", type=int, default=100, help="sequences to reread per division (default 100)")


def _verify(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.lineage.store_check import verify_store

    if not options.stages or "object_set" in options.stages:
        _meet(settings)
    check = verify_store(
        settings,
        partitions=chosen_partitions(options.partitions),
        stages=options.stages or STAGES,
        sample=options.sample,
        progress=show_progress(options),
    )
    if options.json:
        print(json.dumps(dataclasses.asdict(check), indent=1))
    else:
        _print(check)
    return 1 if check.problems else 0


def _repair(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.lineage.store_check import repair_store

    _meet(settings)
    repair = repair_store(
        settings,
        partitions=chosen_partitions(options.partitions),
        sample=options.sample,
        progress=show_progress(options),
    )
    if options.json:
        print(json.dumps(dataclasses.asdict(repair), indent=1))
    else:
        for line in repair.done:
            print(line)
        _print(repair.check)
    return 1 if repair.check.problems else 0


def _meet(settings: Settings) -> None:
    """Fail early if the object store does not respond, before hours of reading."""
    from genbank_assets.objects.contact import require_objects

    require_objects(settings)


def _print(check: StoreCheck) -> None:
    for problem in check.problems:
        file = f" {problem.name}" if problem.name else ""
        print(f"{problem.partition} {problem.stage}{file}: {problem.what}; {problem.remedy}")
    print(
        f"{check.partitions} division release(s), {check.files:,} files with {check.bytes:,} bytes, "
        f"{check.objects:,} objects: {len(check.problems):,} problem(s)"
    )
