"""The command ``dev``: Dagster's web server and daemon as children of this process.

The instance they work on belongs to ``defs.instance``.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from genbank_assets.cli.commands import Commands, add_source_option
from genbank_assets.errors import SettingsError
from genbank_assets.settings import Settings


def add_commands(commands: Commands) -> None:
    """Add ``dev``."""
    dev = commands.add(
        "dev",
        run=_dev,
        summary="serve Dagster's UI and daemon on this machine",
        description=(
            "Serves Dagster's UI on 127.0.0.1 and runs its daemon, for sensors, schedules and queued runs. Ctrl-C "
            "stops both; the embedded PostgreSQL stays up."
        ),
        examples=["dev", "dev --sample --port 3001"],
    )
    dev.add_argument("--port", type=int, default=3000, help="port of the UI on 127.0.0.1 (default 3000)")
    source = dev.add_mutually_exclusive_group()
    add_source_option(source)
    source.add_argument("--sample", action="store_true", help="let runs read the bundled sample instead of NCBI")


def _dev(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.defs.instance import open_instance, project_file

    _require_free_port(options.port)
    if options.sample:
        from genbank_assets.ncbi.sample import sample_source

        os.environ["GENBANK_ASSETS_SOURCE"] = sample_source()
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
