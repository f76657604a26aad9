"""The command ``demo``: the bundled sample through all five assets, a table, one traced record.

Uses the same code as any other run; only the source differs. What the sample is belongs to ``ncbi.sample``.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Iterator

from genbank_assets.cli.commands import Commands
from genbank_assets.cli.progress import exit_code, report_outcomes, show_progress
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey

COLUMNS = """\
release       as NCBI numbers it; the sample's own is 1
files         raw files; records: their LOCUS blocks that became rows; bases: residues of these, bp or aa
distinct      different sequences among the records: a record without residues (con) has none
quarantined   blocks that could not be read, kept with the reason
rows loaded   rows of genbank.record in PostgreSQL; objects: sequences that the object set holds for the division
seconds       of all five stages together; peak MB: most memory of a stage; SQL: statements of the load"""
TRACED = "NC_001422"  # bacteriophage phiX174, the first DNA genome ever sequenced


def add_commands(commands: Commands) -> None:
    """Add ``demo``."""
    commands.add(
        "demo",
        run=_demo,
        summary="materialize the bundled sample and show the result",
        description=(
            "Takes the bundled sample, 181 genuine records, through all five assets, with an embedded PostgreSQL, and "
            "shows the result and one record's path from file to database. Running it again repeats no work."
        ),
        examples=["demo", "demo --store /tmp/genbank-demo"],
    )


def _demo(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.ncbi.sample import sample_partitions, sample_source

    settings = dataclasses.replace(settings, source=sample_source())
    os.environ["GENBANK_ASSETS_SOURCE"] = settings.source
    keys = sample_partitions()
    code = _materialize(keys, settings=settings, options=options)
    if code == 0:
        print(_report(settings, keys))
        print(
            f"\nOpen the UI: make dev SAMPLE=1, then {settings.dagster_url} (asset graph, partitions, checks, plots)."
        )
    return code


def _materialize(keys: list[PartitionKey], *, settings: Settings, options: argparse.Namespace) -> int:
    """Run what is not in place already, which is known without Dagster; returns the exit code."""
    from genbank_assets.lineage.in_place import complete_partitions
    from genbank_assets.ncbi.sample import SAMPLE

    progress = show_progress(options)
    in_place = complete_partitions(settings, keys, source=SAMPLE)
    if in_place:
        progress(
            f"{len(in_place)} of {len(keys)} divisions are in place: files, tables, rows and objects were compared"
        )
    if len(in_place) == len(keys):
        return 0
    progress("starting Dagster and, where there is none, PostgreSQL")
    from genbank_assets.defs.run import PartitionRun, Runs

    def run_all(runs: Runs) -> Iterator[PartitionRun]:
        for number, key in enumerate(keys, 1):
            if key not in in_place:
                progress(f"{number} of {len(keys)}: {key}")
                yield runs.materialize(key)

    with Runs(settings, stop=options.stop, verbose=options.verbose > 0) as runs:
        return exit_code(report_outcomes(run_all(runs), options=options), options=options)


def _report(settings: Settings, keys: list[PartitionKey]) -> str:
    """Return what the demonstration shows at its end."""
    from genbank_assets.lineage.render import as_text, status_table
    from genbank_assets.lineage.status import status
    from genbank_assets.lineage.trace import trace

    wanted = {(key.collection, key.division) for key in keys}
    rows = [row for row in status(settings) if (row.collection, row.division) in wanted]
    traced = "\n\n".join(as_text(found) for found in trace(settings, TRACED))
    return (
        f"{status_table(rows)}\n\n{COLUMNS}\n\nOne record, from the byte in the file to the row and the object "
        f"(genbank-assets trace {TRACED}):\n\n{traced}"
    )
