"""The command ``taxonomy``, which updates NCBI's taxonomy or shows taxa.

Updating belongs to ``defs``, looking up taxa to ``tables.clades``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json

from genbank_assets.cli.commands import Commands, add_source_option
from genbank_assets.cli.progress import exit_code, report_outcomes, show_progress
from genbank_assets.settings import Settings


def add_commands(commands: Commands) -> None:
    """Add ``taxonomy``."""
    command = commands.add(
        "taxonomy",
        run=_taxonomy,
        summary="fetch NCBI's taxonomy, or show a taxon and its lineage",
        description=(
            "Shows taxa, given by ID or by any of their names, with their lineage and the size of their clade. With "
            "--update, fetches NCBI's current taxonomy into the store and the database first."
        ),
        examples=["taxonomy --update", "taxonomy Mammalia 10847", "taxonomy human --json"],
        json=True,
    )
    command.add_argument("taxa", nargs="*", metavar="NAME|ID", help="ID or name of a taxon")
    command.add_argument("--update", action="store_true", help="fetch the source's current taxonomy first")
    add_source_option(command)


def _taxonomy(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.tables.clades import open_taxonomy

    if options.update:
        from genbank_assets.readiness import check_taxonomy

        check_taxonomy(settings, progress=show_progress(options))
        from genbank_assets.defs.run import Runs

        with Runs(settings, stop=options.stop, verbose=options.verbose > 0) as runs:
            done = report_outcomes((run() for run in [runs.update_taxonomy]), options=options)
        if code := exit_code(done, options=options):
            return code
    taxonomy = open_taxonomy(settings.store)
    shown = []
    for name in options.taxa:
        taxon = taxonomy.find(name)
        lineage = [f"{above.rank} {above.scientific_name}" for above in taxonomy.ancestors(taxon)]
        shown.append({**dataclasses.asdict(taxon), "taxa_in_clade": len(taxonomy.clade(taxon)), "lineage": lineage})
    if options.json:
        print(json.dumps({"date": taxonomy.date, "taxa": shown}, indent=1))
        return 0
    for entry in shown:
        print(
            f"{entry['taxon_id']}  {entry['scientific_name']}  ({entry['rank']}, {entry['taxa_in_clade']:,} taxa in "
            f"the clade)\n  {'; '.join(entry['lineage'])}"
        )
    if not shown:
        print(f"taxonomy of {taxonomy.date}: {taxonomy.manifest.rows('nodes'):,} taxa")
    return 0
