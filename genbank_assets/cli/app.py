"""The command's entry point: the list of its command groups, settings, exit codes.

Exit codes: 0 done, 1 failed (one line on standard error says why), 2 wrong usage. How a command is added is told in
``genbank_assets.cli``.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import select
import signal
import sys
from collections.abc import Sequence

import genbank_assets
from genbank_assets.cli import demo, dev, objects, parse, records, runs, server, status, taxonomy
from genbank_assets.cli.commands import PROGRAM, Commands
from genbank_assets.errors import GenbankAssetsError
from genbank_assets.settings import Settings, settings_from_environment

# Every command group, in the order of --help.
GROUPS = (demo, dev, runs, taxonomy, status, records, objects, parse, server)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        settings = _settings(options)
        code: int = options.run(options, settings)
        sys.stdout.flush()
    except GenbankAssetsError as error:
        print(f"genbank-assets: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        if not _nobody_reads_on():
            raise
        # As the signal would do, which is not used: it would also end the command where a server breaks a connection.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        print("genbank-assets: stopped; run it again to go on where it was", file=sys.stderr)
        return 130
    return code


def _nobody_reads_on() -> bool:
    """Whether what is printed goes into a pipe whose reader has gone, as in ``genbank-assets fetch … | head``."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _settings(options: argparse.Namespace) -> Settings:
    settings = settings_from_environment()
    changes = {
        name: value
        for name in ("source", "store", "max_absent_fraction")
        if (value := getattr(options, name, None)) is not None
    }
    for name, value in changes.items():
        # The run reads its settings from the environment, in this process and in its workers.
        os.environ[f"GENBANK_ASSETS_{name.upper()}"] = str(value)
    return dataclasses.replace(settings, **changes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Mirror GenBank and RefSeq: raw files, Parquet tables, PostgreSQL and an object set, with lineage.",
        epilog="Settings come from GENBANK_ASSETS_* variables; docs/operating.md lists them.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {genbank_assets.__version__}")
    commands = Commands(parser)
    for group in GROUPS:
        group.add_commands(commands)
    return parser
