"""The command ``genbank-assets``: a module a command group, arguments in, core functions called, answers printed.

What a command does belongs to the core and to ``defs``; here are options, answers and exit codes alone.

To add a command, write ``cli/<group>.py`` with a function ``add_commands(commands)``, and name the module in
``GROUPS`` of ``cli.app``::

    def add_commands(commands: Commands) -> None:
        count = commands.add(
            "count",
            run=_count,
            summary="count records",                                # a line of genbank-assets --help
            description="Counts the records of ... What is printed, and when the exit code is 1.",
            examples=["count genbank/phg"],                      # what follows "genbank-assets "
            json=True,                                           # gives it --json; every command has --store
        )
        count.add_argument("partition", metavar="PARTITION")

    def _count(options: argparse.Namespace, settings: Settings) -> int:
        from genbank_assets.tables.count import count            # heavy imports only when the command runs
        ...
        return 0                                                 # 0 done, 1 failed; GenbankAssetsError becomes 1

Then add it to the table of commands in ``README.md``: tests compare the two, and run the examples' options.
No group imports another one; what several need is in ``cli.commands`` or the core.
"""

from genbank_assets.cli.app import main

__all__ = ["main"]
