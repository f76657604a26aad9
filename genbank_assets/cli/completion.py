"""The command ``completion``, which prints a shell script that completes commands, options, partitions and files.

shtab generates the script from the parser. Completion of arguments depends on their metavar.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from genbank_assets.cli.commands import PROGRAM, Commands
from genbank_assets.cli.partitions import all_partitions
from genbank_assets.settings import Settings

SHELLS = ("bash", "zsh", "tcsh")
_FUNCTION = "_genbank_assets_partitions"


def add_commands(commands: Commands) -> None:
    """Add ``completion``."""
    completion = commands.add(
        "completion",
        run=_completion,
        summary="print a shell completion script",
        description=(
            "Prints a script that lets your shell complete commands, options, partitions and file names. Save it in "
            "the shell's folder for completions, or source it from the shell's start-up file."
        ),
        examples=[
            "completion bash > ~/.local/share/bash-completion/completions/genbank-assets",
            "completion zsh > ~/.zsh/completions/_genbank-assets",
        ],
        store=False,
    )
    completion.add_argument("shell", choices=SHELLS)


def _completion(options: argparse.Namespace, settings: Settings) -> int:
    import shtab

    from genbank_assets.cli.app import build_parser

    parser = build_parser()
    names = " ".join(map(str, all_partitions()))
    partitions = {"bash": _FUNCTION, "zsh": f"({names})", "tcsh": f"({names})"}
    kinds = {"PARTITION": partitions, "FILE": shtab.FILE, "DIR": shtab.DIRECTORY}
    for action in _actions(parser):
        if str(action.metavar) in kinds:
            action.complete = kinds[str(action.metavar)]  # type: ignore[attr-defined]  # shtab looks for it
    preamble = {"bash": f'{_FUNCTION}() {{ compgen -W "{names}" -- "$1"; }}'}
    print(shtab.complete(parser, shell=options.shell, root_prefix=PROGRAM.replace("-", "_"), preamble=preamble))  # type: ignore[arg-type]
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a parser and of all its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
