"""The command ``extract``: conditions, formats and destination; extracting belongs to ``genbank_assets.extract``."""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from genbank_assets.cli.commands import Commands
from genbank_assets.cli.output import binary_stdout, say
from genbank_assets.cli.reading import add_place_option, published_tables
from genbank_assets.errors import SettingsError
from genbank_assets.settings import Settings

if TYPE_CHECKING:
    from genbank_assets.extract.selection import Selection

MAX_SHOWN = 20


def add_commands(commands: Commands) -> None:
    """Add ``extract``."""
    command = commands.add(
        "extract",
        run=_extract,
        summary="write selected records, features or tables",
        description=(
            "Writes the records of the partitions (default: all) that meet all conditions to standard output, a file "
            "or shards, with a manifest of their sources. The exit code is 1 if a requested accession does not exist, "
            "and 0 if the conditions select nothing, which is said."
        ),
        examples=[
            "extract genbank/phg --out phg.fasta.gz",
            "extract --taxon Mammalia --not 9606 --gene cox1 --format feature --out coi.fasta",
            "extract --accessions list.txt --format genbank --out records.gb",
            "extract refseq/viral --format protein --out viral.faa.gz",
            "extract --country France --collected 2020..2021 --format tsv --columns accession_version,host",
            "extract genbank/phg --store s3://our-bucket/genbank --out phg.fasta.gz",
        ],
        store=False,
    )
    add_place_option(command)
    command.add_argument("partitions", nargs="*", metavar="PARTITION", help="such as genbank/phg (default: all)")
    _add_selection(command)
    _add_format(command)


def _add_selection(command: argparse.ArgumentParser) -> None:
    which = command.add_argument_group("records (all conditions must hold; repeated options match any of their values)")
    which.add_argument("--release", metavar="N", help="release to use (default: the newest of each partition)")
    _add_several(which, "--taxon", "NAME|ID", "taxon, including its descendants")
    _add_several(which, "--not", "NAME|ID", "taxon to exclude, including its descendants")
    _add_several(which, "--organism", "NAME", "as in ORGANISM, ignoring case")
    which.add_argument("--accessions", metavar="FILE|-", help="file of accessions, with or without version")
    which.add_argument("--exclude", metavar="FILE", help="file of accessions to exclude")
    which.add_argument("--length", metavar="MIN-MAX", help="length of the record: 500-2000, 500- or -2000")
    which.add_argument(
        "--updated-since", metavar="DATE", type=dt.date.fromisoformat, help="earliest date on the LOCUS line"
    )
    _add_several(which, "--country", "NAME", "country or sea in /geo_loc_name or /country")
    which.add_argument("--collected", metavar="FROM..TO", help="collection dates: 2020..2021-06, 2020.., 2020")
    _add_several(which, "--molecule-type", "TYPE", "as on the LOCUS line: DNA, RNA, mRNA")
    which.add_argument("--changed-since", metavar="RELEASE", help="only records new or changed since this release")
    which.add_argument("--distinct", action="store_true", help="only one record per distinct sequence")
    features = command.add_argument_group("features")
    _add_several(features, "--feature", "KEY", "feature key, such as CDS or rRNA")
    _add_several(features, "--gene", "NAME", "gene or marker, by any of its names; * matches anything")
    _add_several(features, "--product", "NAME", "product; * matches anything")


def _add_several(group: argparse._ArgumentGroup, option: str, metavar: str, help_: str) -> None:
    """Add an option that may be repeated."""
    group.add_argument(option, metavar=metavar, action="append", default=[], help=help_)


def _add_format(command: argparse.ArgumentParser) -> None:
    from genbank_assets.extract.names import FORMAT_NAMES, METADATA_NAMES, ORDERS

    how = command.add_argument_group("format")
    how.add_argument("--format", choices=FORMAT_NAMES, help="default: feature if features are selected, else fasta")
    how.add_argument(
        "--header", metavar="TEMPLATE", help="FASTA header after the identifier: '{organism} {definition}'"
    )
    how.add_argument(
        "--width", type=int, default=60, metavar="N", help="residues per line (default 60; 0: single line)"
    )
    how.add_argument("--kraken", action="store_true", help="append |kraken:taxid|N to the identifier")
    how.add_argument("--columns", metavar="A,B", help="columns for tsv and parquet")
    how.add_argument("--ranks", metavar="A,B", help="ranks for crabs, sintax and qiime2")
    how.add_argument("--order", choices=ORDERS, default="ncbi", help="order of entries (default: NCBI's order)")
    where = command.add_argument_group("output")
    where.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="output file, compressed if it ends in .gz or .zst (default: standard output)",
    )
    where.add_argument(
        "--shard-mb", type=float, metavar="N", help="split into files of about N MB of text; can be resumed"
    )
    where.add_argument("--manifest", type=Path, metavar="FILE", help="manifest (default: next to the output file)")
    where.add_argument(
        "--metadata", action="append", default=[], choices=METADATA_NAMES, help="metadata file to write as well"
    )


def selection_of(options: argparse.Namespace) -> Selection:
    """Return the selection given by the options."""
    from genbank_assets.extract.selection import Selection, parse_days, parse_length

    least, greatest = parse_length(options.length) if options.length else (None, None)
    first, last = parse_days(options.collected) if options.collected else (None, None)
    return Selection(
        partitions=tuple(options.partitions),
        release=options.release,
        taxa=tuple(options.taxon),
        not_taxa=tuple(getattr(options, "not")),
        organisms=tuple(options.organism),
        accessions=read_names(options.accessions) if options.accessions else None,
        excluded_accessions=read_names(options.exclude) if options.exclude else (),
        min_length=least,
        max_length=greatest,
        updated_since=options.updated_since,
        countries=tuple(options.country),
        collected_from=first,
        collected_to=last,
        molecule_types=tuple(options.molecule_type),
        changed_since=options.changed_since,
        distinct=options.distinct,
        features=tuple(options.feature),
        genes=tuple(options.gene),
        products=tuple(options.product),
    )


def read_names(name: str) -> tuple[str, ...]:
    """Return the distinct first words of the lines of a file, or of standard input for ``-``; ``#`` starts a comment.

    Raises:
        SettingsError: the file cannot be read.
    """
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the list of accessions {name} cannot be read: {error}") from None
    words = (line.split()[0] for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    return tuple(dict.fromkeys(words))


def _extract(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.cli.progress import show_progress

    show_progress(options)
    with _quick_start():
        from genbank_assets.extract.formats import FormatOptions
        from genbank_assets.extract.hints import hints_of
        from genbank_assets.extract.manifest import counted_entries
        from genbank_assets.extract.output import check_shard_size
        from genbank_assets.extract.run import extract

    selection = selection_of(options)
    found = extract(
        selection,
        settings=settings,
        to=binary_stdout() if str(options.out or "-") == "-" else options.out,
        format_=options.format,
        options=FormatOptions(
            header=options.header,
            width=options.width,
            kraken=options.kraken,
            columns=_words(options.columns),
            ranks=_words(options.ranks),
        ),
        order=options.order,
        shard_bytes=check_shard_size(options.shard_mb) if options.shard_mb is not None else None,
        manifest=options.manifest,
        tables=published_tables(options, settings),
        metadata=tuple(options.metadata),
    )
    if not options.quiet:
        say(f"{counted_entries(found.entries)}{'; excluded:' if found.excluded else ''}")
        for reason, count in found.excluded.items():
            say(f"  {count:,}: {reason}", prefix="")
        for hint in hints_of(selection, found):
            say(hint)
    for name in found.not_found[:MAX_SHOWN]:
        say(f"not found: {name}")
    if len(found.not_found) > MAX_SHOWN:
        more = "all are listed in the manifest" if options.out or options.manifest else "--manifest FILE lists all"
        say(f"{len(found.not_found):,} accessions were not found; {more}")
    return 1 if found.not_found else 0


@contextlib.contextmanager
def _quick_start() -> Iterator[None]:
    """Speed up imports by suspending garbage collection and disabling OpenBLAS threads."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip()) if text else ()
