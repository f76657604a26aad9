"""The command ``dev``, which runs Dagster's webserver and daemon until it is stopped.

Their instance belongs to ``defs.instance``, supervising the processes to ``cli.services``.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from pathlib import Path

from genbank_assets.cli.commands import Commands, add_source_option
from genbank_assets.cli.services import Service, note_address, stop_services
from genbank_assets.errors import SettingsError
from genbank_assets.settings import Settings

WATCH_SECONDS = 0.5


def add_commands(commands: Commands) -> None:
    """Add ``dev``."""
    dev = commands.add(
        "dev",
        run=_dev,
        summary="serve Dagster's UI and daemon on this machine",
        description=(
            "Serves Dagster's UI on 127.0.0.1 and runs the daemon for sensors, schedules and queued runs. Ctrl-C "
            "stops both; the embedded PostgreSQL keeps running."
        ),
        examples=["dev", "dev --sample --port 3001"],
    )
    dev.add_argument("--port", type=int, default=3000, help="port of the UI on 127.0.0.1 (default 3000)")
    source = dev.add_mutually_exclusive_group()
    add_source_option(source)
    source.add_argument("--sample", action="store_true", help="let runs read the bundled sample instead of NCBI")


def _dev(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.defs.instance import open_instance, project_file
    from genbank_assets.readiness import check_store

    _require_free_port(options.port)
    check_store(settings.store)
    if options.sample:
        from genbank_assets.ncbi.sample import sample_source

        os.environ["GENBANK_ASSETS_SOURCE"] = sample_source()
    address = f"http://127.0.0.1:{options.port}"
    os.environ.setdefault("GENBANK_ASSETS_DAGSTER_URL", address)  # for links to runs
    open_instance(settings).dispose()  # initialize it before concurrent runs would
    note_address(settings.store, address)
    os.environ.setdefault("GENBANK_ASSETS_STORE", str(settings.store.resolve()))
    scripts = Path(sys.executable).parent
    workspace = str(project_file("workspace.yaml"))
    services = [
        Service([str(scripts / "dagster-webserver"), "-h", "127.0.0.1", "-p", str(options.port), "-w", workspace]),
        Service([str(scripts / "dagster-daemon"), "run", "-w", workspace]),
    ]
    print(f"Dagster's UI: {address} (Ctrl-C stops it; the embedded PostgreSQL keeps running)", flush=True)
    options.stopped_line = (
        "Dagster's UI and daemon are stopped; to stop the embedded PostgreSQL as well, run: genbank-assets stop"
    )
    try:
        for service in services:
            service.start()
        while all(service.keep_running() for service in services):
            time.sleep(WATCH_SECONDS)
    finally:
        with options.stop.shielded():
            stop_services(services)
    return 1


def _require_free_port(port: int) -> None:
    """Check the port before anything is started.

    Raises:
        SettingsError: the port is in use or not permitted.
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
