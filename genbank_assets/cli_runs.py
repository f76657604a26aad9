"""The commands that run Dagster: ``demo``, ``dev``, ``materialize``, ``update``; progress and outcome are told.

What is run belongs to ``defs``, which is imported only when one of these commands is given.
"""

from __future__ import annotations

import argparse
import datetime as dt
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genbank_assets.errors import SettingsError
from genbank_assets.settings import Settings

if TYPE_CHECKING:
    from genbank_assets.defs.run import PartitionRun


def add_run_commands(commands: Any, *, store: argparse.ArgumentParser) -> None:
    """Add the four commands to the command's parser."""
    demo = commands.add_parser("demo", parents=[store], help="materialize the bundled sample and show what came of it")
    demo.set_defaults(run=_demo)

    dev = commands.add_parser("dev", parents=[store], help="serve Dagster's UI and daemon on this machine")
    dev.add_argument("--port", type=int, default=3000, help="port of the UI on 127.0.0.1 (default 3000)")
    source = dev.add_mutually_exclusive_group()
    source.add_argument("--source", help="https://, ftp:// or file:// (GENBANK_ASSETS_SOURCE, default NCBI)")
    source.add_argument("--sample", action="store_true", help="let runs read the bundled sample instead of NCBI")
    dev.set_defaults(run=_dev)

    materialize = commands.add_parser(
        "materialize", parents=[store], help="bring partitions up to date, all five assets"
    )
    materialize.add_argument("partitions", nargs="+", metavar="PARTITION", help="such as genbank/phg or refseq/viral")
    materialize.add_argument("--source", help="https://, ftp:// or file:// (GENBANK_ASSETS_SOURCE, default NCBI)")
    materialize.add_argument(
        "--max-absent-fraction",
        type=float,
        metavar="F",
        help="share of loaded records that may be gone from the release (default 0.02)",
    )
    materialize.set_defaults(run=_materialize)

    update = commands.add_parser("update", parents=[store], help="apply NCBI's daily updates of these days")
    update.add_argument("collection", choices=["genbank", "refseq"])
    update.add_argument("days", nargs="+", type=dt.date.fromisoformat, metavar="YYYY-MM-DD")
    update.add_argument("--source", help="https://, ftp:// or file:// (GENBANK_ASSETS_SOURCE, default NCBI)")
    update.set_defaults(run=_update)


def _show_progress() -> None:
    """Progress lines of the stages go to standard error."""
    logger = logging.getLogger("genbank_assets.progress")
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _demo(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.demo import demo_settings, report, sample_partitions

    settings = demo_settings(settings)
    os.environ["GENBANK_ASSETS_SOURCE"] = settings.source
    keys = sample_partitions()
    code = _materialize_keys([str(key) for key in keys], settings)
    if code == 0:
        print(report(settings, keys))
        print("\nOpen the UI: make dev SAMPLE=1, then http://127.0.0.1:3000 (asset graph, partitions, checks, plots).")
    return code


def _materialize(options: argparse.Namespace, settings: Settings) -> int:
    return _materialize_keys(options.partitions, settings)


def _materialize_keys(partitions: Sequence[str], settings: Settings) -> int:
    from genbank_assets.ncbi.catalog import parse_partition

    keys = list(dict.fromkeys(parse_partition(text) for text in partitions))
    _show_progress()
    from genbank_assets.defs.run import materialize_partitions

    return _told(materialize_partitions(keys, settings=settings))


def _update(options: argparse.Namespace, settings: Settings) -> int:
    _show_progress()
    from genbank_assets.defs.run import apply_days

    return _told(apply_days(options.collection, options.days, settings=settings))


def _told(runs: Sequence[PartitionRun]) -> int:
    """Say what went wrong; returns the exit code."""
    for run in runs:
        for line in run.warnings:
            print(f"genbank-assets: {run.key}: warning: {line}", file=sys.stderr)
        if not run.ok:
            print(f"genbank-assets: {run.key} failed: {run.reason} (Dagster run {run.run_id})", file=sys.stderr)
    return 0 if all(run.ok for run in runs) else 1


def _dev(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.defs.instance import open_instance, project_file

    _require_free_port(options.port)
    if options.sample:
        from genbank_assets.demo import demo_settings

        os.environ["GENBANK_ASSETS_SOURCE"] = demo_settings(settings).source
    address = f"http://127.0.0.1:{options.port}"
    os.environ.setdefault("GENBANK_ASSETS_DAGSTER_URL", address)  # the runs' links lead here
    open_instance(settings).dispose()  # what it lacks is made before runs ask for it at the same time
    os.environ.setdefault("GENBANK_ASSETS_STORE", str(settings.store.resolve()))
    scripts = Path(sys.executable).parent
    workspace = str(project_file("workspace.yaml"))
    commands = [
        [str(scripts / "dagster-webserver"), "-h", "127.0.0.1", "-p", str(options.port), "-w", workspace],
        [str(scripts / "dagster-daemon"), "run", "-w", workspace],
    ]
    print(f"Dagster's UI: {address} (Ctrl-C stops it; the embedded PostgreSQL stays up)", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that both are stopped with us
    running = [subprocess.Popen(command) for command in commands]
    try:
        return running[0].wait()
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


def _require_free_port(port: int) -> None:
    """Say so in a sentence before anything is started.

    Raises:
        SettingsError: something listens on the port, or it may not be used.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise SettingsError(
                f"port {port} of 127.0.0.1 cannot be used ({reason}): choose another with --port N, or make dev PORT=N"
            ) from None
