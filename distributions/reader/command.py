"""The command ``genbank-assets-reader``: ``parse`` of genbank-assets, alone. What it does belongs to ``cli.parse``."""

from __future__ import annotations

import argparse
import sys

import genbank_assets_reader
from genbank_assets_reader.cli import parse
from genbank_assets_reader.cli.commands import Commands
from genbank_assets_reader.errors import GenbankAssetsError
from genbank_assets_reader.settings import settings_from_environment


def main() -> int:
    """Run a command; returns the exit code: 0 done, 1 failed, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="genbank-assets-reader", description="Flat files of GenBank into Parquet.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {genbank_assets_reader.__version__}")
    parse.add_commands(Commands(parser))
    options = parser.parse_args()
    try:
        code: int = options.run(options, settings_from_environment())
    except GenbankAssetsError as error:
        print(f"genbank-assets-reader: {error}", file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
