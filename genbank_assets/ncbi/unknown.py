"""What a source shows that this version does not know: a division NCBI added, files of a new kind.

It is not fetched, and nobody would notice: therefore runs, ticks and ``status`` report it, and it is kept as
``STORE/<collection>/unknown.json`` until a look finds it gone. Which divisions and names there are belongs to
``catalog``.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from genbank_assets.ncbi.catalog import GENBANK, Collection, file_sort_key
from genbank_assets.store import write_atomically

_GENBANK_FILE = re.compile(r"gb([a-z]{3})[0-9]+\.([A-Za-z0-9_.]+)")
_REFSEQ_FILE = re.compile(
    r"([a-z_]+?)\.(?:(?:wp_protein|nonredundant_protein)\.)?[0-9]+(?:\.[0-9]+)?\.([a-z]+)\.([A-Za-z0-9_.]+)"
)
# Other forms of the same records, which are not mirrored.
_GENBANK_KINDS = {"seq.gz", "aso.gz", "fsa_nt.gz", "fsa_aa.gz", "gnp.gz", "qscore.gz"}
_REFSEQ_KINDS = {
    *(f"genomic.{form}.gz" for form in ("gbff", "fna", "bna")),
    *(f"rna.{form}.gz" for form in ("gbff", "fna", "bna")),
    *(f"protein.{form}.gz" for form in ("gpff", "faa", "bna")),
}
REPEATED_SECTION = "complete"  # RefSeq's copy of all other sections


def unknown_parts(names: Iterable[str], *, collection: Collection) -> tuple[str, ...]:
    """Return what file names tell of divisions and kinds of files that this version does not know; a phrase each.

    Args:
        names: file names of a release, listed or promised; other names say nothing.
        collection: whose.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for name in set(names):
        if part := _unknown_part(name, collection=collection):
            found[part].append(name)
    return tuple(
        f"{part} ({len(files)} file{'s' if len(files) > 1 else ''}, such as {min(files, key=file_sort_key)})"
        for part, files in sorted(found.items())
    )


def _unknown_part(name: str, *, collection: Collection) -> str:
    match = (_GENBANK_FILE if collection is GENBANK else _REFSEQ_FILE).fullmatch(name)
    if match is None or match[1] == REPEATED_SECTION:
        return ""
    if match[1] not in collection.divisions:
        return f"{'division' if collection is GENBANK else 'section'} {match[1]}"
    kind = match[2] if collection is GENBANK else f"{match[2]}.{match[3]}"
    return "" if kind in (_GENBANK_KINDS if collection is GENBANK else _REFSEQ_KINDS) else f"files of kind {kind}"


def unknown_sentence(unknown: Iterable[str], *, collection: Collection) -> str:
    """Return the phrases as a sentence for people; "" where there is none."""
    parts = list(unknown)
    if not parts:
        return ""
    return (
        f"{collection.title} contains parts that this version does not know and does not mirror: {'; '.join(parts)}. "
        "Look for a newer version of genbank-assets."
    )


def note_unknown(store: Path, unknown: Iterable[str], *, collection: Collection) -> None:
    """Keep what a look at the whole collection found, for ``status``; nothing found is kept as well."""
    path, parts = _path(store, collection), list(unknown)
    if parts != list(read_unknown(store, collection=collection)):
        write_atomically(path, json.dumps(parts).encode())


def read_unknown(store: Path, *, collection: Collection) -> tuple[str, ...]:
    """Return what the last look found."""
    with contextlib.suppress(OSError, ValueError):
        parts = json.loads(_path(store, collection).read_text(encoding="utf-8"))
        if isinstance(parts, list):
            return tuple(str(part) for part in parts)
    return ()


def _path(store: Path, collection: Collection) -> Path:
    return store / collection.name / "unknown.json"
