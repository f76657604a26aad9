"""How commands are declared: name, options that several share, description and examples of ``--help``.

Knows no command; they are listed in ``cli.app``.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from genbank_assets.settings import Settings

PROGRAM = "genbank-assets"
RunCommand = Callable[[argparse.Namespace, Settings], int]


class Commands:
    """Takes the commands of a parser, or the verbs of a command."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parsers: Any = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(
        self,
        name: str,
        *,
        run: RunCommand,
        summary: str,
        description: str,
        examples: Sequence[str],
        store: bool = True,
        json: bool = False,
    ) -> argparse.ArgumentParser:
        """Add a command.

        Args:
            name: what follows ``genbank-assets``.
            run: called with the parsed options and the settings; returns the exit code.
            summary: the line that the list of commands shows.
            description: what ``--help`` says about it, in sentences.
            examples: command lines without their ``genbank-assets``, simplest first.
            store: whether it takes ``--store``. All take ``-q`` and ``-v``.
            json: whether it takes ``--json``.

        Returns:
            The command's parser, for its own arguments.
        """
        parser = self._parser(name, summary=summary, description=description, examples=examples)
        if store:
            parser.add_argument(
                "--store",
                type=Path,
                metavar="DIR",
                help="folder that keeps everything (GENBANK_ASSETS_STORE, default ./data)",
            )
        parser.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors and warnings")
        parser.add_argument(
            "-v", "--verbose", action="count", default=0, help="say more; -vv shows where an error came from"
        )
        if json:
            parser.add_argument("--json", action="store_true", help="print JSON instead of text")
        parser.set_defaults(run=run)
        return parser

    def add_verbs(self, name: str, *, summary: str, description: str) -> Commands:
        """Add a command that only has verbs, as ``objects`` has ``verify`` and ``prune``."""
        return Commands(self._parser(name, summary=summary, description=description, examples=()))

    def _parser(self, name: str, *, summary: str, description: str, examples: Sequence[str]) -> argparse.ArgumentParser:
        lines = ["examples:", *(f"  {PROGRAM} {example}" for example in examples)] if examples else []
        parser: argparse.ArgumentParser = self._parsers.add_parser(
            name,
            help=summary,
            description=textwrap.fill(description, 78),
            epilog="\n".join(lines),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        return parser


def option_of(name: str) -> str:
    """Return the option that sets a setting: ``max_absent_fraction`` has ``--max-absent-fraction``."""
    return f"--{name.replace('_', '-')}"


def add_source_option(parser: argparse._ActionsContainer) -> None:
    """``--source`` for commands that read from NCBI."""
    parser.add_argument("--source", help="https://, ftp:// or file:// (GENBANK_ASSETS_SOURCE, default NCBI)")
