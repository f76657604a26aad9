"""Detects content of a source that this version does not support: a new division, or files of a new kind.

Such content is not mirrored, so runs, sensor ticks and ``status`` report it. It is recorded in
``STORE/<collection>/unknown.json`` until a poll no longer finds it. Known divisions and file names belong to
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
# Other formats of the same records, which are not mirrored.
_GENBANK_KINDS = {"seq.gz", "aso.gz", "fsa_nt.gz", "fsa_aa.gz", "gnp.gz", "qscore.gz"}
_REFSEQ_KINDS = {
    *(f"genomic.{form}.gz" for form in ("gbff", "fna", "bna")),
    *(f"rna.{form}.gz" for form in ("gbff", "fna", "bna")),
    *(f"protein.{form}.gz" for form in ("gpff", "faa", "bna")),
}
REPEATED_SECTION = "complete"  # RefSeq's copy of all other sections


def unknown_parts(names: Iterable[str], *, collection: Collection) -> tuple[str, ...]:
    """Return a phrase for each unknown division and unknown kind of file among some file names.

    Args:
        names: listed or promised file names of a release; unrelated names are ignored.
        collection: the collection of the release.
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
    """Combine phrases of :func:`unknown_parts` into a message; "" without phrases."""
    parts = list(unknown)
    if not parts:
        return ""
    return (
        f"{collection.title} contains parts that this version does not know and does not mirror: {'; '.join(parts)}. "
        "Look for a newer version of genbank-assets."
    )


def note_unknown(store: Path, unknown: Iterable[str], *, collection: Collection) -> None:
    """Record the result of :func:`unknown_parts` for ``status``."""
    path, parts = _path(store, collection), list(unknown)
    if parts != list(read_unknown(store, collection=collection)):
        write_atomically(path, json.dumps(parts).encode())


def read_unknown(store: Path, *, collection: Collection) -> tuple[str, ...]:
    """Return the phrases recorded last."""
    with contextlib.suppress(OSError, ValueError):
        parts = json.loads(_path(store, collection).read_text(encoding="utf-8"))
        if isinstance(parts, list):
            return tuple(str(part) for part in parts)
    return ()


def _path(store: Path, collection: Collection) -> Path:
    return store / collection.name / "unknown.json"
