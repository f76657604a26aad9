"""The commands ``catalog`` and ``sql`` for SQL over the store's tables; the SQL catalog belongs to ``catalog``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from genbank_assets.cli.commands import Commands
from genbank_assets.cli.progress import show_progress
from genbank_assets.cli.reading import add_place_option, published_tables
from genbank_assets.settings import Settings

if TYPE_CHECKING:
    import duckdb


def add_commands(commands: Commands) -> None:
    """Add ``catalog`` and ``sql``."""
    catalog = commands.add(
        "catalog",
        run=_catalog,
        summary="bring the SQL catalog up to date with the store",
        description=(
            "Updates STORE/catalog/genbank.ducklake, a DuckLake catalog of the store's tables with one snapshot per "
            "release of a division. It copies no tables and can be rebuilt at any time. The catalog of published "
            "tables is kept in the user's cache."
        ),
        examples=["catalog", "catalog --store s3://our-bucket/genbank"],
        store=False,
    )
    add_place_option(catalog)
    sql = commands.add(
        "sql",
        run=_sql,
        summary="query the tables in SQL (DuckDB), current or as of a release",
        description=(
            "Queries the tables records, features, sequences, memberships and changes with DuckDB, without a database "
            "server. Without QUERY, reads queries from standard input, each ending in a semicolon."
        ),
        examples=[
            'sql "SELECT section, count(*) FROM records GROUP BY section"',
            "sql --release 273.0 \"SELECT count(*) FROM features WHERE gene = 'cox1'\"",
            "sql --out cox1.parquet \"SELECT * EXCLUDE (qualifiers, spans) FROM features WHERE gene = 'cox1'\"",
            'sql --store s3://our-bucket/genbank "SELECT count(*) FROM records"',
        ],
        store=False,
    )
    add_place_option(sql)
    sql.add_argument("query", nargs="?", metavar="QUERY", help="one query (default: read queries from standard input)")
    sql.add_argument("--release", metavar="R", help="query the state as of this release: 273.0, or refseq 237")
    sql.add_argument("--out", type=Path, metavar="FILE", help="write the rows to FILE.parquet or FILE.csv")


def _catalog(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.catalog.ducklake import build_catalog
    from genbank_assets.catalog.sql import bucket_catalog

    tables = published_tables(options, settings)
    report = build_catalog(settings.store, progress=print) if tables is None else bucket_catalog(tables, progress=print)
    print(
        f"{report.path}: {report.records:,} records in {report.files:,} file(s), {report.steps:,} division releases, "
        f"{report.steps_now:,} added now"
    )
    for name in report.left_out:
        print(f"skipped: {name} has tables of version 0.1.0; materialize records again (no file is parsed)")
    return 0


def _sql(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.catalog.sql import open_catalog, write_rows

    place = published_tables(options, settings) or settings.store
    with open_catalog(place, release=options.release, progress=show_progress(options)) as connection:
        if options.query is not None and options.out is not None:
            rows = write_rows(connection, options.query, out=options.out)
            print(f"{options.out}: {rows:,} rows")
        elif options.query is not None:
            _show(connection, options.query)
        else:
            for query in _queries():
                _show(connection, query)
    return 0


def _show(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    from genbank_assets.catalog.sql import answer

    if (text := answer(connection, query)) is not None:
        print(text)


def _queries() -> Iterator[str]:
    """Yield each query on standard input as soon as a line ends with a semicolon."""
    if sys.stdin.isatty():
        print("Queries end with ; and Ctrl-D ends the session.", file=sys.stderr)
    lines: list[str] = []
    for line in sys.stdin:
        lines.append(line)
        if line.rstrip().endswith(";"):
            yield "".join(lines)
            lines = []
    if "".join(lines).strip():
        yield "".join(lines)
