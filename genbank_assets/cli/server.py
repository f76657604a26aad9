"""The commands about the embedded PostgreSQL: ``psql``, ``stop``. The server itself belongs to ``postgres``."""

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
        summary="open psql on the embedded PostgreSQL of the store",
        description="Opens psql on the embedded PostgreSQL of the store, which is started if need be.",
        examples=["psql", "psql -- -c 'SELECT count(*) FROM genbank.record'"],
    )
    psql.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="of psql, after --, such as -- -c 'SELECT 1'")
    commands.add(
        "stop",
        run=_stop,
        summary="stop the embedded PostgreSQL of the store",
        description="Stops the embedded PostgreSQL of the store, which otherwise goes on when commands end.",
        examples=["stop"],
    )


def _psql(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.postgres.embedded import ensure_server
    from genbank_assets.postgres.places import find_places

    if settings.postgres_url is not None:
        raise SettingsError(
            "the data are in the server of GENBANK_ASSETS_POSTGRES_URL: connect to it with psql yourself"
        )
    url = ensure_server(settings.store).url("genbank")
    program = str(find_places(settings.store).binaries() / "psql")
    os.execv(program, [program, url, *options.arguments])  # noqa: S606 -- the program came with the server


def _stop(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.postgres.embedded import stop_server

    print("stopped" if stop_server(settings.store) else "no embedded PostgreSQL was running")
    return 0
