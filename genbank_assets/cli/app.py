"""Entry point of the command line: list of command groups, settings, exit codes and error messages.

Exit codes: 0 success, 1 failure (with one line on standard error), 2 usage error, 128 + N terminated by signal N.
``genbank_assets.cli`` describes how to add a command.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import select
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import genbank_assets
from genbank_assets.cli import (
    STOPPED,
    blast,
    catalog,
    cite,
    completion,
    demo,
    dev,
    extract,
    objects,
    parse,
    plan,
    records,
    runs,
    server,
    status,
    tables,
    taxonomy,
    upkeep,
)
from genbank_assets.cli.commands import PROGRAM, Commands, option_of
from genbank_assets.cli.output import prepare_streams, say
from genbank_assets.cli.progress import show_waits
from genbank_assets.cli.services import noted_address
from genbank_assets.errors import GenbankAssetsError, SettingsError, UsageError, causes, one_line, printable
from genbank_assets.redaction import redacted
from genbank_assets.settings import Settings, settings_from_environment, unknown_variables
from genbank_assets.stopping import StopSignals

# Every command group, in the order of --help.
GROUPS = (
    demo,
    dev,
    plan,
    runs,
    taxonomy,
    status,
    records,
    extract,
    cite,
    blast,
    upkeep,
    catalog,
    objects,
    tables,
    parse,
    server,
    completion,
)
_ANY_BYTES = {"files", "arguments"}  # files to parse; arguments of psql
DEBUG_VARIABLE = "GENBANK_ASSETS_DEBUG"
DISK_FULL = "53100"  # https://www.postgresql.org/docs/current/errcodes-appendix.html


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code."""
    prepare_streams()
    options = build_parser().parse_args(arguments)
    show_waits(options)
    with StopSignals(say) as options.stop:
        try:
            _check_encoding(options)
            code: int = options.run(options, _settings(options))
            if sys.stdout is not None:
                sys.stdout.flush()
        except KeyboardInterrupt:
            return _stopped(options)
        except BrokenPipeError as error:
            if not _stdout_is_closed():
                return _failed(error, options)
            # Same exit code as for the signal, which stays ignored: it would also be raised by a broken connection.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 128 + signal.SIGPIPE
        except (SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # panics of Rust libraries are not derived from Exception
            if "interrupted" in str(error).lower():  # DuckDB may report Ctrl-C before the signal is noticed here
                options.stop.settle()
            return _stopped(options) if options.stop.requested else _failed(error, options)
    if options.stop.requested and code:
        return _stopped(options)
    return code


def _stopped(options: argparse.Namespace) -> int:
    code: int = options.stop.exit_code
    say(getattr(options, "stopped_line", STOPPED))
    return code


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Mirror GenBank and RefSeq: raw files, Parquet tables, PostgreSQL and an object set, with lineage.",
        epilog=(
            "Settings are GENBANK_ASSETS_* environment variables, listed in docs/operating.md. Exit codes: 0 success, "
            "1 failure, 2 usage error, 128 + N terminated by signal N."
        ),
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {genbank_assets.__version__}")
    commands = Commands(parser)
    for group in GROUPS:
        group.add_commands(commands)
    return parser


def _check_encoding(options: argparse.Namespace) -> None:
    """Check that all arguments are valid text, except those that may be any bytes.

    Raises:
        UsageError: an argument contains bytes that are invalid in the environment's encoding.
    """
    for name, value in vars(options).items():
        for one in value if isinstance(value, list) else [value]:
            if name in _ANY_BYTES or not isinstance(one, str | Path) or printable(str(one)) == str(one):
                continue
            raise UsageError(
                f"{printable(str(one))} contains bytes that are invalid in this environment's encoding: "
                "set LC_ALL=C.UTF-8, or use another name"
            )


def _settings(options: argparse.Namespace) -> Settings:
    settings = settings_from_environment()
    if not options.quiet:
        for sentence in unknown_variables():
            say(f"warning: {sentence}")
    if not os.environ.get("GENBANK_ASSETS_DAGSTER_URL") and (
        address := noted_address(_store_of(options) or settings.store)
    ):
        os.environ["GENBANK_ASSETS_DAGSTER_URL"] = address
        settings = dataclasses.replace(settings, dagster_url=address)
    for name in ("source", "store", "max_absent_fraction"):
        value: Any = _store_of(options) if name == "store" else getattr(options, name, None)
        if value is None:
            continue
        try:
            settings = dataclasses.replace(settings, **{name: value})
        except SettingsError as error:
            raise UsageError(str(error).replace(f"GENBANK_ASSETS_{name.upper()}", option_of(name))) from None
        # Runs read their settings from the environment, in this process and in workers.
        os.environ[f"GENBANK_ASSETS_{name.upper()}"] = str(value)
    return settings


def _store_of(options: argparse.Namespace) -> Path | None:
    """Return the folder given with ``--store``; None if there is none or if it is a bucket (see ``cli.reading``)."""
    store = getattr(options, "store", None)
    return store if isinstance(store, Path) else None


def _failed(error: BaseException, options: argparse.Namespace) -> int:
    """Print a one-sentence error message and, in debug mode, the traceback; return the exit code."""
    if options.verbose > 1 or os.environ.get(DEBUG_VARIABLE):
        say(redacted("".join(traceback.format_exception(error))).rstrip(), prefix="")
    if isinstance(error, GenbankAssetsError):
        say(str(error))
    elif isinstance(error, OSError) and error.strerror:
        where = error.filename or ("standard output" if _is_of_printing(error) else "")
        say(f"{error.strerror}{f': {where}' if where else ''}")
    elif isinstance(error, MemoryError):
        say("out of memory: use fewer workers (GENBANK_ASSETS_WORKERS) or a larger machine")
    elif (reason := _database_reason(error)) is not None:
        say(reason)
    else:
        say(
            f"unexpected error: {type(error).__name__}: {' '.join(str(error).split())[:500]} "
            f"({_place_of(error)}); run it again with -vv and report the traceback"
        )
    return 2 if isinstance(error, UsageError) else 1


def _database_reason(error: BaseException) -> str | None:
    """Return a message without SQL for a failure of Dagster's storage; None for other errors.

    The storage raises SQLAlchemy errors whose ``orig`` is the driver's: https://peps.python.org/pep-0249/#exceptions
    """
    for one in causes(error):
        origin = getattr(one, "orig", None)
        if not isinstance(origin, Exception):
            continue
        if getattr(origin, "pgcode", None) == DISK_FULL:
            return "the disk of Dagster's database is full: free some space and run it again"
        if type(one).__name__ in {"OperationalError", "InterfaceError", "InternalError"}:
            said = one_line(redacted(str(origin))).rstrip(" .;")
            return f"Dagster's database failed: {said}; check that it is running, and run it again"
    return None


def _place_of(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(genbank_assets.__file__).parent in Path(frame.filename).parents]
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "outside of genbank_assets"


def _is_of_printing(error: BaseException) -> bool:
    """Return whether the error was raised while printing, not while the core wrote to a named file."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and Path(frames[-1].filename).parent == Path(__file__).parent


def _stdout_is_closed() -> bool:
    """Return whether standard output is a pipe whose reader has exited, as in ``genbank-assets fetch … | head``."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


if __name__ == "__main__":
    sys.exit(main())
