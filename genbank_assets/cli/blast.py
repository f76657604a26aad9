"""The command ``blast``, which builds search databases of partitions; building belongs to ``search_databases``."""

from __future__ import annotations

import argparse

from genbank_assets.cli.commands import Commands
from genbank_assets.cli.partitions import chosen_partitions
from genbank_assets.cli.progress import exit_code, report_outcomes, show_progress
from genbank_assets.settings import Settings


def add_commands(commands: Commands) -> None:
    """Add ``blast``."""
    command = commands.add(
        "blast",
        run=_blast,
        summary="build BLAST and DIAMOND databases of partitions",
        description=(
            "Builds BLAST databases of the distinct nucleotide sequences and proteins of partitions in the store, with "
            "the names and taxa of all records, and DIAMOND databases if DIAMOND is installed. Prints their paths, "
            "for use with blastn -db. Requires NCBI BLAST+."
        ),
        examples=["blast genbank/phg", "blast genbank/phg refseq/viral"],
    )
    command.add_argument("partitions", nargs="+", metavar="PARTITION", help="such as genbank/phg")


def _blast(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.defs.run import Runs
    from genbank_assets.search_databases.build import STAGE
    from genbank_assets.search_databases.programs import PROGRAMS, SEARCH_PROGRAMS, require_programs
    from genbank_assets.store import current_release

    keys = chosen_partitions(options.partitions)
    require_programs(*PROGRAMS, *SEARCH_PROGRAMS)
    show_progress(options)
    with Runs(settings, stop=options.stop, verbose=options.verbose > 0) as runs:
        done = report_outcomes((runs.make_blast_database(key) for key in keys), options=options)
    for key in keys:
        partition = current_release(settings.store, key=key, stage=STAGE)
        manifest = partition.manifest(STAGE) if partition else None
        if partition is not None and manifest is not None:
            for name in manifest.extra["databases"]:
                print(partition.folder_of(manifest) / name)
    return exit_code(done, options=options)
