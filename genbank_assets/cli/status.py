"""The commands ``status`` and ``metrics``, which print figures of the store; collecting them belongs to ``lineage``."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from genbank_assets.cli.commands import Commands
from genbank_assets.cli.output import say
from genbank_assets.settings import Settings


def add_commands(commands: Commands) -> None:
    """Add ``status`` and ``metrics``."""
    commands.add(
        "status",
        run=_status,
        summary="show the contents of the store, one row per partition",
        description=(
            "Prints the newest release of each partition in the store with its figures, from the manifests only, "
            "without contacting NCBI or the database."
        ),
        examples=["status", "status --json"],
        json=True,
    )
    metrics = commands.add(
        "metrics",
        run=_metrics,
        summary="print the store's figures in Prometheus text format",
        description=(
            "Prints the figures of every division and stage in Prometheus text format, or writes them atomically to a "
            "file, for node_exporter's textfile collector."
        ),
        examples=["metrics", "metrics --out /var/lib/prometheus/node-exporter/genbank_assets.prom"],
    )
    metrics.add_argument("--out", type=Path, metavar="FILE", help="write to a file atomically instead of printing")


def _status(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.lineage.render import status_table
    from genbank_assets.lineage.status import status
    from genbank_assets.ncbi.catalog import COLLECTIONS
    from genbank_assets.ncbi.unknown import read_unknown, unknown_sentence

    rows = status(settings)
    for collection in COLLECTIONS.values():
        if said := unknown_sentence(read_unknown(settings.store, collection=collection), collection=collection):
            say(f"warning: {said}")
    if options.json:
        print(json.dumps([dataclasses.asdict(row) for row in rows], indent=1))
    elif rows:
        print(status_table(rows))
    else:
        print(f"nothing is materialized in {settings.store} yet; start with: genbank-assets materialize genbank/una")
    return 0


def _metrics(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.lineage.metrics import metrics, write_metrics

    if options.out is not None:
        write_metrics(settings, options.out)
    else:
        print(metrics(settings), end="")
    return 0
