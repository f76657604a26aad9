"""The command ``cite``, which prints citations of partitions and extracts; their contents belong to ``extract``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from genbank_assets.cli.commands import Commands
from genbank_assets.errors import SettingsError
from genbank_assets.settings import Settings

if TYPE_CHECKING:
    from genbank_assets.extract.citation import Citation, ExtractCitation

FORMATS = ("text", "bibtex", "croissant", "ro-crate")


def add_commands(commands: Commands) -> None:
    """Add ``cite``."""
    command = commands.add(
        "cite",
        run=_cite,
        summary="print a citation of a partition or an extract",
        description=(
            "Prints a citation and a BibTeX entry for partitions in the store, with release, date, number of records "
            "and the digest of NCBI's files (equal digests mean equal files), or for extracts, given their manifests. "
            "For a manifest, it can also print Croissant and RO-Crate metadata."
        ),
        examples=[
            "cite genbank/phg",
            "cite genbank/phg refseq/viral --json",
            "cite phages.fasta.manifest.json",
            "cite phages.fasta.manifest.json --format croissant",
        ],
        json=True,
    )
    command.add_argument(
        "cited", nargs="+", metavar="PARTITION|MANIFEST", help="such as genbank/phg or NAME.manifest.json"
    )
    command.add_argument("--release", metavar="N", help="release to cite (default: the newest)")
    command.add_argument(
        "--format", choices=FORMATS, default="text", help="croissant and ro-crate require a single MANIFEST"
    )


def _cite(options: argparse.Namespace, settings: Settings) -> int:
    manifests = [name for name in options.cited if name.endswith(".json")]
    if options.format in {"croissant", "ro-crate"}:
        if options.cited != manifests or len(manifests) != 1:
            raise SettingsError(f"--format {options.format} requires the manifest of an extract, NAME.manifest.json")
        print(_metadata(Path(manifests[0]), options.format), end="")
        return 0
    found = _citations(options, settings)
    if options.json:
        print(json.dumps([one.as_dict() for one in found], indent=1))
    elif options.format == "bibtex":
        print("\n\n".join(one.bibtex for one in found))
    else:
        print("\n\n".join(f"{one.sentence}\n\n{one.bibtex}" for one in found))
    return 0


def _citations(options: argparse.Namespace, settings: Settings) -> list[Citation | ExtractCitation]:
    """Return the citations of the arguments, in order."""
    from genbank_assets.extract.citation import cite, cite_extract
    from genbank_assets.extract.manifest import Extract

    found: list[Citation | ExtractCitation] = []
    for name in options.cited:
        if name.endswith(".json"):
            found.append(cite_extract(Extract.read(Path(name))))
        else:
            found += cite(settings.store, [name], release=options.release)
    return found


def _metadata(path: Path, format_: str) -> str:
    from genbank_assets.extract.manifest import SUFFIX, Extract
    from genbank_assets.extract.metadata import as_text, croissant, ro_crate

    extract, name = Extract.read(path), path.name.removesuffix(SUFFIX)
    return as_text((croissant if format_ == "croissant" else ro_crate)(extract, name=name))
