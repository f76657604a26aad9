"""The command line ``genbank-assets``, one module per command group: parse arguments, call the core, print results.

The work of a command belongs to the core or to ``defs``; only options, output and exit codes belong here.

To add a command, write ``cli/<group>.py`` with a function ``add_commands(commands)``, and name the module in
``GROUPS`` of ``cli.app``::

    def add_commands(commands: Commands) -> None:
        count = commands.add(
            "count",
            run=_count,
            summary="count records",                             # one line in genbank-assets --help
            description="Counts the records of ... Says what is printed, and when the exit code is 1.",
            examples=["count genbank/phg"],                      # without "genbank-assets "
            json=True,                                           # adds --json; --store is added by default
        )
        count.add_argument("partition", metavar="PARTITION")

    def _count(options: argparse.Namespace, settings: Settings) -> int:
        from genbank_assets.tables.count import count            # heavy imports only when the command runs
        ...
        return 0                                                 # 0 success, 1 failure, as for a GenbankAssetsError

Then add the command to the table in ``README.md``; tests compare the two and parse the examples. Command groups do not
import each other; shared code belongs to ``cli.commands`` or the core.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]
STOPPED = "stopped; run it again to resume"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: the command line; None for that of this process.

    Returns:
        The exit code.
    """
    try:
        from genbank_assets.cli.app import main as run  # takes a moment, in which Ctrl-C may be pressed

        return run(arguments)
    except KeyboardInterrupt:  # before the command handles signals, or after it has ended
        sys.stderr.write(f"genbank-assets: {STOPPED}\n")
        return 130
