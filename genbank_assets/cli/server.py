"""The commands ``psql`` and ``stop`` for the embedded PostgreSQL, which belongs to ``postgres_server``."""

from __future__ import annotations

import argparse
import os

from genbank_assets.cli.commands import Commands
from genbank_assets.errors import SettingsError
from genbank_assets.settings import Settings


def add_commands(commands: Commands) -> None:
    """Add ``psql`` and ``stop``."""
    psql = commands.add(
        "psql",
        run=_psql,
        summary="open psql on the store's embedded PostgreSQL",
        description="Opens psql on the store's embedded PostgreSQL, which is started if it is not running.",
        examples=["psql", "psql -- -c 'SELECT count(*) FROM genbank.record'"],
    )
    psql.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="arguments of psql, such as -- -c 'SELECT 1'")
    stop = commands.add(
        "stop",
        run=_stop,
        summary="stop the store's embedded PostgreSQL",
        description=(
            "Stops the store's embedded PostgreSQL, which otherwise keeps running after commands end. Refuses while "
            "dev, a run or another program uses it."
        ),
        examples=["stop", "stop --force"],
    )
    stop.add_argument("--force", action="store_true", help="stop it even while programs use it")


def _psql(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.database_url import genbank_url
    from genbank_assets.postgres_server.server import client_program

    if settings.postgres_url is not None:
        raise SettingsError(
            "GENBANK_ASSETS_POSTGRES_URL is set, so there is no embedded server: connect to that URL with psql directly"
        )
    url = genbank_url(settings, create=False)
    program = str(client_program(settings.store, "psql"))
    os.execv(program, [program, url, *options.arguments])  # noqa: S606 -- the program came with the server


def _stop(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.postgres_server.server import stop_server

    print("stopped" if stop_server(settings.store, force=options.force) else "no embedded PostgreSQL was running")
    return 0
