"""The command ``parse``, which converts flat files to Parquet in parallel, without a store.

Writing a file's tables belongs to ``tables.writer``.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from genbank_assets.cli.commands import Commands
from genbank_assets.errors import GenbankAssetsError, printable
from genbank_assets.settings import Settings

if TYPE_CHECKING:
    from genbank_assets.compute.results import TaskResult
    from genbank_assets.tables.writer import ParsedFile


@dataclasses.dataclass(frozen=True)
class _Task:
    """A file to parse and the stem of its tables' names; small and picklable."""

    path: Path
    out: Path
    stem: str

    def __str__(self) -> str:
        return printable(self.path.name)


def add_commands(commands: Commands) -> None:
    """Add ``parse``."""
    parse = commands.add(
        "parse",
        run=_parse,
        summary="convert flat files to Parquet, without a store",
        description=(
            "Converts flat files to Parquet tables, one file per core, without store, database or Dagster. After a "
            "file that cannot be parsed, it continues with the others and exits with 1."
        ),
        examples=[
            "parse gbphg1.seq.gz --out tables",
            "parse *.gbff --out tables --workers 4 --json",
            "parse my.gb --out tables --strict",
        ],
        store=False,
        json=True,
    )
    parse.add_argument("files", nargs="+", type=Path, metavar="FILE", help="flat file, plain or gzip")
    parse.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the tables")
    parse.add_argument(
        "--strict",
        action="store_true",
        help="also list feature keys, qualifiers, keywords, accessions, locations and header forms never seen in "
        "NCBI's files; the exit code is 1 if there are any",
    )
    parse.add_argument(
        "--workers",
        type=int,
        default=len(os.sched_getaffinity(0)),
        help="number of files parsed in parallel (default: number of cores)",
    )


def _parse(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.compute.local import run_tasks

    stems = _table_stems(options.files)
    if stems is None:
        print("genbank-assets: two files have the same name: parse them with different --out folders", file=sys.stderr)
        return 2
    tasks = [_Task(path, options.out, stem) for path, stem in stems.items()]

    done: dict[_Task, ParsedFile | str] = {}
    unreported = collections.deque(tasks)

    def report(task: _Task, result: TaskResult[ParsedFile | str]) -> None:
        done[task] = result.value
        while unreported and unreported[0] in done:
            reported = unreported.popleft()
            _report(reported, done[reported], as_json=options.json)

    results = run_tasks(_parsed, tasks, workers=options.workers, on_done=report)
    failed = any(isinstance(result.value, str) for result in results)
    drifted = 0
    if options.strict:
        drifted = sum(_report_unseen(task, done[task], as_json=options.json) for task in tasks)
    return 1 if failed or drifted else 0


def _report_unseen(task: _Task, parsed: ParsedFile | str, *, as_json: bool) -> bool:
    """List a file's values that were never seen in NCBI's files, and return whether there are any."""
    from genbank_assets.tables.drift import unseen_forms

    if isinstance(parsed, str):
        return False
    unseen = unseen_forms(task.out / parsed.records_file)
    if as_json:
        print(json.dumps({"file": parsed.file, "unseen": unseen}), flush=True)
        return bool(unseen)
    for kind, values in unseen.items():
        shown = ", ".join(f"{value} ({count:,})" for value, count in values.items())
        print(f"{parsed.file}: {kind} not known: {shown}", flush=True)
    return bool(unseen)


def _table_stems(paths: Sequence[Path]) -> dict[Path, str] | None:
    """Return the stem of each file's tables, complete file names where stems collide; None if those collide as well."""
    from genbank_assets.tables.writer import table_stems

    by_name = table_stems(path.name for path in paths)
    stems = {path: by_name[path.name] for path in paths}
    return stems if len(set(stems.values())) == len(stems) else None


def _parsed(task: _Task) -> ParsedFile | str:
    """Parse a file; return the result, or the error message so that the other files are parsed as well."""
    from genbank_assets.tables.writer import parse_file

    try:
        return parse_file(task.path, out=task.out, stem=task.stem)
    except GenbankAssetsError as error:
        return str(error)
    except OSError as error:
        return f"{printable(str(error.filename or task.path))}: {error.strerror}"


def _report(task: _Task, parsed: ParsedFile | str, *, as_json: bool) -> None:
    """Print the result of a file."""
    if isinstance(parsed, str):
        print(f"genbank-assets: {parsed}", file=sys.stderr)
        if as_json:
            print(json.dumps({"file": str(task), "error": parsed}), flush=True)
    elif as_json:
        print(json.dumps(dataclasses.asdict(parsed)), flush=True)
    else:
        print(
            f"{parsed.file}: {parsed.records:,} records, {parsed.quarantined:,} quarantined, "
            f"{parsed.noted:,} with notes, "
            f"{parsed.residues:,} residues, {parsed.bytes:,} bytes in {parsed.seconds:.2f} s",
            flush=True,
        )
