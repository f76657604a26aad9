"""The command ``cite``: how a partition is cited. What is in a citation belongs to ``extract.citation``."""

from __future__ import annotations

import argparse
import json

from genbank_assets.cli.commands import Commands
from genbank_assets.settings import Settings


def add_commands(commands: Commands) -> None:
    """Add ``cite``."""
    command = commands.add(
        "cite",
        run=_cite,
        summary="how a partition is cited: a sentence and BibTeX",
        description=(
            "Prints a sentence and a BibTeX entry for partitions in the store, with release, date, number of records "
            "and the digest of NCBI's files: equal digests mean the same files."
        ),
        examples=["cite genbank/phg", "cite genbank/phg refseq/viral --json"],
        json=True,
    )
    command.add_argument("partitions", nargs="+", metavar="PARTITION", help="such as genbank/phg")
    command.add_argument("--release", metavar="N", help="this release instead of the newest")


def _cite(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.extract.citation import cite

    found = cite(settings.store, options.partitions, release=options.release)
    if options.json:
        print(json.dumps([one.as_dict() for one in found], indent=1))
    else:
        print("\n\n".join(f"{one.sentence}\n\n{one.bibtex}" for one in found))
    return 0
