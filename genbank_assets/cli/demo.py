"""The command ``demo``, which materializes the bundled sample and prints a status table and the trace of one record.

It uses the same code as any other run; only the source differs. The sample belongs to ``ncbi.sample``.
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
release       NCBI's release number; that of the sample is 1
files         raw files; records: LOCUS blocks parsed as rows; bases: their residues, in bp or aa
distinct      distinct sequences of the records; records without residues (con) have none
quarantined   blocks that could not be parsed, kept with the reason
rows loaded   rows of genbank.record in PostgreSQL; objects: sequences of the division in the object set
seconds       duration of all five stages; peak MB: largest memory of a stage; SQL: statements of the load"""
TRACED = "NC_001422"  # bacteriophage phiX174, the first DNA genome ever sequenced


def add_commands(commands: Commands) -> None:
    """Add ``demo``."""
    commands.add(
        "demo",
        run=_demo,
        summary="materialize the bundled sample and show the result",
        description=(
            "Materializes all five assets from the bundled sample of 181 genuine records, with an embedded PostgreSQL "
            "server, and prints the result and the trace of one record. Running it again repeats no work."
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
    """Materialize the divisions that are not up to date, which is known without Dagster; return the exit code."""
    from genbank_assets.lineage.in_place import complete_partitions
    from genbank_assets.ncbi.sample import SAMPLE

    progress = show_progress(options)
    in_place = complete_partitions(settings, keys, source=SAMPLE)
    if in_place:
        progress(
            f"{len(in_place)} of {len(keys)} divisions are up to date: files, tables, rows and objects were compared"
        )
    if len(in_place) == len(keys):
        return 0
    progress("starting Dagster and, if it is not running, PostgreSQL")
    from genbank_assets.defs.run import PartitionRun, Runs

    def run_all(runs: Runs) -> Iterator[PartitionRun]:
        for number, key in enumerate(keys, 1):
            if key not in in_place:
                progress(f"{number} of {len(keys)}: {key}")
                yield runs.materialize(key)

    with Runs(settings, stop=options.stop, verbose=options.verbose > 0) as runs:
        return exit_code(report_outcomes(run_all(runs), options=options), options=options)


def _report(settings: Settings, keys: list[PartitionKey]) -> str:
    """Return the status table and the trace that are printed at the end."""
    from genbank_assets.lineage.render import as_text, status_table
    from genbank_assets.lineage.status import status
    from genbank_assets.lineage.trace import trace

    wanted = {(key.collection, key.division) for key in keys}
    rows = [row for row in status(settings) if (row.collection, row.division) in wanted]
    traced = "\n\n".join(as_text(found) for found in trace(settings, TRACED))
    return (
        f"{status_table(rows)}\n\n{COLUMNS}\n\nThe lineage of one record, from file to row and object "
        f"(genbank-assets trace {TRACED}):\n\n{traced}"
    )
