"""The commands for single records: ``trace``, ``changes`` and ``fetch``.

The lookups belong to ``lineage``, ``postgres.lookup`` and ``lookup``.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genbank_assets.cli.commands import Commands
from genbank_assets.cli.output import say, write_bytes
from genbank_assets.cli.reading import add_place_option, published_tables
from genbank_assets.settings import Settings


def add_commands(commands: Commands) -> None:
    """Add ``trace``, ``changes`` and ``fetch``."""
    _add_trace(commands)
    _add_changes(commands)
    _add_fetch(commands)


def _add_trace(commands: Commands) -> None:
    trace = commands.add(
        "trace",
        run=_trace,
        summary="trace a record from its source file to the object store",
        description=(
            "Traces a record from NCBI's file through table row and database row to the stored object. The exit code "
            "is 1 if something is missing or does not match, or if there is no such record."
        ),
        examples=[
            "trace J02482",
            "trace NC_001422.1 --verify",
            "trace J02482 --json",
            "trace J02482 --store s3://our-bucket/genbank",
        ],
        json=True,
        store=False,
    )
    add_place_option(trace)
    trace.add_argument("accession", metavar="ACCESSION[.VERSION]")
    trace.add_argument("--verify", action="store_true", help="reread the data and recompute every digest")
    trace.add_argument("--raw", action="store_true", help="print only the record's original text")
    trace.add_argument("--prov", action="store_true", help="print W3C PROV-JSON")


def _add_changes(commands: Commands) -> None:
    changes = commands.add(
        "changes",
        run=_changes,
        summary="show how records changed between releases",
        description="Lists the changes of records in releases and daily updates, as recorded in the database.",
        examples=["changes --division phg", "changes --collection refseq --release 238 --json"],
        json=True,
    )
    changes.add_argument("--collection", help="genbank or refseq")
    changes.add_argument("--division", help="such as phg or viral")
    changes.add_argument(
        "--release",
        metavar="N",
        help="only changes in this release, such as 274, or daily update, such as 274.0.20260902",
    )


def _add_fetch(commands: Commands) -> None:
    fetch = commands.add(
        "fetch",
        run=_fetch,
        summary="print sequences or texts of records",
        description=(
            "Prints the sequences of records (or those with the given digests) from the object set, or NCBI's text of "
            "the records from the raw files. Names that are not found are listed on standard error at the end, and the "
            "exit code is then 1."
        ),
        examples=[
            "fetch NC_001422 --start 1 --end 70",
            "fetch J02482 --format genbank",
            "fetch J02482 NC_001422.1",
            "fetch --from names.txt",
            "fetch J02482 --store 's3://our-bucket/genbank?unsigned=true'",
        ],
        store=False,
    )
    add_place_option(fetch)
    fetch.add_argument(
        "names", nargs="*", metavar="ACCESSION[.VERSION]|DIGEST", help="digests are hexadecimal SHA-256 or SQ.…"
    )
    fetch.add_argument("--from", dest="file", metavar="FILE", help="file with one name per line; - for standard input")
    fetch.add_argument("--start", type=int, default=1, help="first residue (1-based, default 1)")
    fetch.add_argument("--end", type=int, help="last residue (default: end of the sequence)")
    fetch.add_argument("--format", choices=["fasta", "genbank", "raw"], default="fasta", help="default: fasta")


def _trace(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.errors import UsageError
    from genbank_assets.lineage.render import as_text
    from genbank_assets.lineage.trace import trace

    tables = published_tables(options, settings)
    if tables is not None and options.prov:
        raise UsageError("--prov requires a store: published tables have no information about runs")
    if options.raw and tables is not None:
        from genbank_assets.catalog.bucket_text import published_text

        for piece in published_text(tables.releases(), options.accession):
            write_bytes(piece)
        return 0
    if options.raw:
        from genbank_assets.lineage.search import search
        from genbank_assets.lookup.text import original_text

        for piece in original_text(search(settings, options.accession)[0].found):
            write_bytes(piece)
        return 0
    if tables is not None:
        from genbank_assets.catalog.bucket_trace import trace_published

        traces = trace_published(tables, options.accession, verify=options.verify)
    else:
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
    from genbank_assets.cli.partitions import chosen_collection, chosen_division, chosen_release
    from genbank_assets.postgres.lookup import changes
    from genbank_assets.text_table import table

    wanted = {
        "collection": chosen_collection(options.collection),
        "section": chosen_division(options.division),
        "release": chosen_release(options.release),
    }
    rows = list(changes(settings, **wanted))
    if options.json:
        print(json.dumps(rows, indent=1, default=str))
    elif rows:
        names = ("collection", "section", "release", "state", "accession_version", "previous_accession_version")
        print(table(names, [[row[name] for name in names] for row in rows]))
    if not rows and not options.quiet:
        filters = " ".join(f"{name} {value}" for name, value in wanted.items() if value)
        say(f"no changes{f' of {filters}' if filters else ''} are loaded; genbank-assets status shows what is")
    return 0


def _fetch(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.errors import GenbankAssetsError, UsageError
    from genbank_assets.lookup.fetch import fetch_all

    if not options.names and options.file is None:
        raise UsageError("give names of records, or --from FILE with one name per line")
    absent: list[tuple[str, str]] = []

    def missing(name: str, error: GenbankAssetsError) -> None:
        if options.file is None and len(options.names) == 1:
            raise error
        absent.append((name, str(error)))

    names = itertools.chain(options.names, _names_in(options.file) if options.file is not None else ())
    what: dict[str, Any] = {"format_": options.format, "start": options.start, "end": options.end, "missing": missing}
    if (tables := published_tables(options, settings)) is not None:
        from genbank_assets.catalog.bucket_fetch import fetch_published

        pieces = fetch_published(tables.releases(), names, **what)
    else:
        pieces = fetch_all(settings, names, **what)
    for piece in pieces:
        write_bytes(piece)
    for name, reason in absent:
        say(f"{name}: {reason}", prefix="")
    if absent:
        say(f"{len(absent):,} name(s) not found")
    return 1 if absent else 0


def _names_in(path: str) -> Iterator[str]:
    """Yield the names in a file, one a line; empty lines are passed over.

    Raises:
        UsageError: the file cannot be read.
    """
    from genbank_assets.errors import UsageError

    try:
        with contextlib.nullcontext(sys.stdin) if path == "-" else Path(path).open(encoding="utf-8") as lines:
            yield from filter(None, map(str.strip, lines))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the names in {path} cannot be read: {error}") from error
