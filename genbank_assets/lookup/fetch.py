"""Fetches residues by accession or digest, as FASTA or raw text, and original records, for ``genbank-assets fetch``.

Names are looked up in batches of thousands. Resolving names belongs to ``names``, reading residues to ``sequences``,
original text to ``texts``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from genbank_assets.errors import GenbankAssetsError, NotFoundError
from genbank_assets.lookup.names import Missing
from genbank_assets.lookup.records import Lookup
from genbank_assets.lookup.sequences import SequenceReader, located
from genbank_assets.lookup.texts import texts_of
from genbank_assets.settings import Settings

BATCH_NAMES = 5000


def fetch(
    settings: Settings, name: str, *, format_: str = "fasta", start: int = 1, end: int | None = None
) -> Iterator[bytes]:
    """Yield an accession's or digest's residues, or an accession's original text, in pieces.

    Args:
        settings: name the store and the object set.
        name: ``ACCESSION``, ``ACCESSION.VERSION``, a hex SHA-256, or a refget digest (``SQ.…``).
        format_: ``fasta``, ``raw`` (residues without line breaks), or ``genbank`` (the original text).
        start: first residue, 1-based.
        end: last residue; None for all.

    Raises:
        GenbankAssetsError: there are no such record or residues, they do not match their digest, or the store failed.
    """

    def missing(_: str, error: GenbankAssetsError) -> None:
        raise error

    yield from fetch_all(settings, [name], format_=format_, start=start, end=end, missing=missing)


def fetch_all(
    settings: Settings,
    names: Iterable[str],
    *,
    missing: Missing,
    format_: str = "fasta",
    start: int = 1,
    end: int | None = None,
) -> Iterator[bytes]:
    """Yield the same as :func:`fetch` for many names, in order; a name repeated within a batch is given once.

    Args:
        settings: name the store and the object set.
        names: any number of names as in :func:`fetch`.
        missing: called with a message for each name without a record or with damaged residues, instead of raising.
        format_: see :func:`fetch`.
        start: first residue of each.
        end: last residue of each; None for all.

    Raises:
        NotFoundError: a range was requested for texts.
        IntegrityError: a long sequence does not match its digest, after part of it was already yielded.
        ObjectStoreError: the store kept failing.
    """
    if format_ == "genbank" and (start, end) != (1, None):
        raise NotFoundError("a range selects residues: use --format fasta or raw")
    lookup = Lookup(settings)
    waiting = iter(names)
    while batch := list(dict.fromkeys(itertools.islice(waiting, BATCH_NAMES))):
        if format_ == "genbank":
            yield from texts_of(lookup, batch, missing)
        elif wanted := located(settings, lookup, batch, missing):
            yield from SequenceReader(settings, missing, is_fasta=format_ == "fasta", start=start, end=end).read(wanted)
