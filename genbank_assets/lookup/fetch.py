"""What ``genbank-assets fetch`` prints: residues by accession or digest, as FASTA or as they are, and original texts.

Names are looked up some thousand at a time. Which records they mean belongs to ``names``, residues to ``sequences``,
texts to ``texts``.
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
    """An accession's or digest's residues, or an accession's text.

    Args:
        settings: where the store and the object set are.
        name: ``ACCESSION``, ``ACCESSION.VERSION``, a SHA-256 in hex, or a refget digest (``SQ.…``).
        format_: ``fasta``, ``raw`` (residues without line breaks), or ``genbank`` (the original text).
        start: first residue, from 1.
        end: last residue; None for all.

    Raises:
        GenbankAssetsError: no such record or residues, or not what was parsed, or the store failed.
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
    """What :func:`fetch` gives, for many names, in their order; a name that comes twice in a batch is given once.

    Args:
        settings: where the store and the object set are.
        names: as of :func:`fetch`; any number.
        missing: called, instead of an error, with a sentence for each name that has no record or no right residues.
        format_: as of :func:`fetch`.
        start: first residue of each.
        end: last residue of each; None for all.

    Raises:
        NotFoundError: a range was asked of texts.
        IntegrityError: a long sequence, of which a part was given already, does not have its digest.
        ObjectStoreError: the store failed for longer than is waited for.
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
