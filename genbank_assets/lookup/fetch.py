"""What ``genbank-assets fetch`` prints: residues by accession or digest, as FASTA or as they are, and original texts.

Finding a record belongs to ``records``, its text to ``text``, reading residues to ``objects.read``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

from genbank_assets.errors import NotFoundError
from genbank_assets.lookup.records import Found, find_record
from genbank_assets.lookup.text import original_text
from genbank_assets.objects.object_index import locate, locate_refget
from genbank_assets.objects.read import residues
from genbank_assets.settings import Settings

LINE_RESIDUES = 60
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
_REFGET = re.compile(r"(?:ga4gh:)?(SQ\.[A-Za-z0-9_-]{32})")


def as_fasta(name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Residues as FASTA with lines of sixty; no title before there are residues."""
    first = next(pieces, b"")
    yield f">{name}\n".encode()
    rest = b""
    for piece in itertools.chain([first], pieces):
        rest += piece
        whole = len(rest) - len(rest) % LINE_RESIDUES
        yield re.sub(rb"(.{60})", rb"\1\n", rest[:whole])
        rest = rest[whole:]
    if rest:
        yield rest + b"\n"


def fetch(
    settings: Settings, name: str, *, format_: str = "fasta", start: int = 1, end: int | None = None
) -> Iterator[bytes]:
    """What ``genbank-assets fetch`` prints: an accession's or digest's residues, or an accession's text.

    Args:
        settings: where the store and the object set are.
        name: ``ACCESSION``, ``ACCESSION.VERSION``, a SHA-256 in hex, or a refget digest (``SQ.…``).
        format_: ``fasta``, ``raw`` (residues without line breaks), or ``genbank`` (the original text).
        start: first residue, from 1.
        end: last residue; None for all.

    Raises:
        NotFoundError: no such record, or no such residues.
    """
    refget, sha256 = _REFGET.fullmatch(name), _SHA256.fullmatch(name)
    if refget or sha256:
        if format_ == "genbank":
            raise NotFoundError("a digest names residues, not a record: ask for an accession")
        title = refget[1] if refget else name.lower()
        row = locate_refget(settings, title) if refget else locate(settings, digest=bytes.fromhex(title))
        if row is None:
            known = "" if sha256 or settings.refget else " (GENBANK_ASSETS_REFGET is off: few or none are known)"
            raise NotFoundError(f"the object set has no sequence {name}{known}")
    else:
        found = find_record(settings, name, in_kept_releases=True)[0]
        if format_ == "genbank":
            if (start, end) != (1, None):
                raise NotFoundError("a range selects residues: use --format fasta or raw")
            yield from original_text(found)
            return
        title = found.row["accession_version"]
        row = object_row(settings, found)
        if row is None:
            raise NotFoundError(f"the residues of {title} are not in the object set yet: materialize object_set")
    pieces = residues(settings, row, start=start, end=end)
    if format_ == "raw":
        yield from pieces
        return
    part = "" if start == 1 and end is None else f":{start}-{row['length'] if end is None else end}"
    yield from as_fasta(f"{title}{part}", pieces)


def object_row(settings: Settings, found: Found) -> dict[str, Any] | None:
    """Where a record's residues are in the object set; None when they are not in it.

    Raises:
        NotFoundError: the record has no residues of its own.
    """
    digest = found.row["sequence_sha256"]
    if digest is None:
        name = found.row["accession_version"]
        raise NotFoundError(f"{name} has no residues of its own: it is built from others (see --format genbank)")
    return locate(settings, digest=digest, molecule_class=found.row["molecule_class"], partition=found.partition)
