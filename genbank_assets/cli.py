"""The command ``genbank-assets``: arguments in, core functions called, answers printed.

Exit codes: 0 done, 1 failed (one line on standard error says why), 2 wrong usage. What the commands do belongs to the
core and to ``defs``, which is imported only by commands that run Dagster.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import select
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import genbank_assets
from genbank_assets.cli_objects import add_objects_command
from genbank_assets.cli_parse import add_parse_command
from genbank_assets.cli_runs import add_run_commands
from genbank_assets.errors import GenbankAssetsError, SettingsError
from genbank_assets.settings import Settings, settings_from_environment


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
        prog="genbank-assets",
        description="Mirror GenBank and RefSeq: raw files, Parquet tables, PostgreSQL and an object set, with lineage.",
        epilog="Settings come from GENBANK_ASSETS_* variables; docs/operating.md lists them.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {genbank_assets.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    store = argparse.ArgumentParser(add_help=False)
    store.add_argument("--store", type=Path, help="folder that keeps everything (GENBANK_ASSETS_STORE, default ./data)")
    json_option = argparse.ArgumentParser(add_help=False)
    json_option.add_argument("--json", action="store_true", help="print JSON instead of text")

    add_run_commands(commands, store=store)

    add_parse_command(commands, parents=[json_option])

    status = commands.add_parser(
        "status", parents=[store, json_option], help="what the store holds, a row per partition"
    )
    status.set_defaults(run=_status)

    metrics = commands.add_parser("metrics", parents=[store], help="the store's figures in Prometheus' text format")
    metrics.add_argument("--out", type=Path, metavar="FILE", help="write to a file at once instead of printing")
    metrics.set_defaults(run=_metrics)

    trace = commands.add_parser("trace", parents=[store, json_option], help="where a record came from and went to")
    trace.add_argument("accession", metavar="ACCESSION[.VERSION]")
    trace.add_argument("--verify", action="store_true", help="recompute every digest from the raw file on")
    trace.add_argument("--raw", action="store_true", help="print the record's original text instead")
    trace.add_argument("--prov", action="store_true", help="print W3C PROV-JSON: entities, runs, software, relations")
    trace.set_defaults(run=_trace)

    changes = commands.add_parser("changes", parents=[store, json_option], help="how records changed between releases")
    changes.add_argument("--collection", help="genbank or refseq")
    changes.add_argument("--division", help="such as phg or viral")
    changes.add_argument("--release", help="only the changes this release brought")
    changes.set_defaults(run=_changes)

    fetch = commands.add_parser("fetch", parents=[store], help="print a record's residues or text")
    fetch.add_argument("name", metavar="ACCESSION[.VERSION]|DIGEST", help="a digest is a SHA-256 in hex or SQ.…")
    fetch.add_argument("--start", type=int, default=1, help="first residue, from 1")
    fetch.add_argument("--end", type=int, help="last residue")
    fetch.add_argument("--format", choices=["fasta", "genbank", "raw"], default="fasta")
    fetch.set_defaults(run=_fetch)

    add_objects_command(commands, parents=[store, json_option])

    psql = commands.add_parser("psql", parents=[store], help="open psql on the embedded PostgreSQL of the store")
    psql.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="of psql, after --, such as -- -c 'SELECT 1'")
    psql.set_defaults(run=_psql)

    stop = commands.add_parser("stop", parents=[store], help="stop the embedded PostgreSQL of the store")
    stop.set_defaults(run=_stop)
    return parser


def _status(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.demo import status_table
    from genbank_assets.lineage.status import status

    rows = status(settings)
    if options.json:
        print(json.dumps([dataclasses.asdict(row) for row in rows], indent=1))
    elif rows:
        print(status_table(rows))
    else:
        print(f"nothing is materialized in {settings.store} yet; begin with: genbank-assets materialize genbank/una")
    return 0


def _metrics(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.lineage.metrics import metrics, write_metrics

    if options.out is not None:
        write_metrics(settings, options.out)
    else:
        print(metrics(settings), end="")
    return 0


def _trace(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.lineage.render import as_text
    from genbank_assets.lineage.trace import trace

    if options.raw:
        from genbank_assets.lineage.search import search
        from genbank_assets.objects.fetch import original_text

        for piece in original_text(search(settings, options.accession)[0].found):
            sys.stdout.buffer.write(piece)
        return 0
    traces = trace(settings, options.accession, verify=options.verify)
    if options.prov:
        from genbank_assets.lineage.prov import as_prov_json

        print(as_prov_json(settings, traces))
    elif options.json:
        print(json.dumps([found.as_dict() for found in traces], indent=1, default=str))
    else:
        print("\n\n".join(as_text(found) for found in traces))
    return 0 if all(found.ok for found in traces) else 1


def _changes(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.postgres.lookup import changes
    from genbank_assets.show import table

    rows = list(changes(settings, collection=options.collection, division=options.division, release=options.release))
    if options.json:
        print(json.dumps(rows, indent=1, default=str))
    else:
        names = ("collection", "division", "release", "state", "accession_version", "previous_accession_version")
        print(table(names, [[row[name] for name in names] for row in rows]))
    return 0


def _fetch(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.objects.fetch import fetch

    for piece in fetch(settings, options.name, format_=options.format, start=options.start, end=options.end):
        sys.stdout.buffer.write(piece)
    return 0


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


if __name__ == "__main__":
    sys.exit(main())
