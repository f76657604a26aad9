"""Declares commands: names, shared options, and the description and examples of ``--help``.

The commands themselves are listed in ``cli.app``.
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
    """Adds commands to a parser, or verbs to a command."""

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
            name: name of the command.
            run: called with the parsed options and the settings; returns the exit code.
            summary: one line for the list of commands.
            description: text of ``--help``, in full sentences.
            examples: command lines without ``genbank-assets``, simplest first.
            store: whether the command has ``--store``. All commands have ``-q`` and ``-v``.
            json: whether the command has ``--json``.

        Returns:
            The command's parser, for further arguments.
        """
        parser = self._parser(name, summary=summary, description=description, examples=examples)
        if store:
            parser.add_argument(
                "--store",
                type=Path,
                metavar="DIR",
                help="folder that holds all files (GENBANK_ASSETS_STORE, default ./data)",
            )
        parser.add_argument("-q", "--quiet", action="store_true", help="print only errors and warnings")
        parser.add_argument(
            "-v", "--verbose", action="count", default=0, help="print more messages; -vv adds tracebacks"
        )
        if json:
            parser.add_argument("--json", action="store_true", help="print JSON instead of text")
        parser.set_defaults(run=run)
        return parser

    def add_verbs(self, name: str, *, summary: str, description: str) -> Commands:
        """Add a command that consists of verbs, such as ``objects verify`` and ``objects prune``."""
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
    """Return the option of a setting, such as ``--max-absent-fraction`` for ``max_absent_fraction``."""
    return f"--{name.replace('_', '-')}"


def add_source_option(parser: argparse._ActionsContainer) -> None:
    """Add ``--source`` to a command that reads from NCBI."""
    parser.add_argument("--source", help="https://, ftp:// or file:// (GENBANK_ASSETS_SOURCE, default NCBI)")
