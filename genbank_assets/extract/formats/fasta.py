"""FASTA of whole records, formatted directly from the table's buffers.

The first word of a header is ``accession.version``. Features belong to ``features``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genbank_assets.errors import IntegrityError
from genbank_assets.extract.formats.base import Block, Format, FormatOptions
from genbank_assets.extract.headers import Header, Piece
from genbank_assets.extract.plan import Ints
from genbank_assets.extract.scan import Scan
from genbank_assets.extract.selection import Selection
from genbank_assets.tables.residue_text import fasta_text
from genbank_assets.tables.residues import ResidueReader

if TYPE_CHECKING:
    from genbank_assets.tables.clades import Taxonomy

NO_RESIDUES = "no residues of its own"
#: Columns of a record that may be used in a header.
FIELDS = (
    "accession", "version", "accession_version", "locus_name", "collection", "division", "molecule_type",
    "strandedness", "topology", "update_date", "length", "definition", "source", "organism", "taxon_id", "release",
)  # fmt: skip


class Fasta(Format):
    """``>NC_001422.1 Escherichia phage phiX174, complete genome`` and residues."""

    name = "fasta"
    suffix = "fasta"
    supports = frozenset({"header", "width", "kraken"})
    #: Prefix of the comma-separated names of other records with the same residues.
    others = "also={}"

    def __init__(self, selection: Selection, options: FormatOptions, taxonomy: Taxonomy | None) -> None:
        super().__init__(selection, options, taxonomy)
        template = "{definition}" if options.header is None else options.header
        self._header = Header(template, fields=FIELDS)
        self._columns = dict.fromkeys(
            ["accession_version", "length", "sequence_sha256", *self._header.fields, *(["taxon_id"] * options.kraken)]
        )

    def blocks(self, scan: Scan) -> Iterator[Block]:
        for batch in scan.batches(list(self._columns)):
            filled = batch.column("sequence_sha256").is_valid()
            if filled.false_count:
                scan.counts[NO_RESIDUES] += filled.false_count
                batch = batch.filter(filled)
            if batch.num_rows:
                yield from record_blocks(
                    batch,
                    headers=self._header.join(
                        batch.column,
                        word=first_word(batch, kraken=self.options.kraken),
                        last=_others(scan, batch.column("record_ordinal").to_numpy(), self.others),
                    ),
                    reader=scan.reader,
                    width=self.options.width,
                    file=scan.plan.file.name,
                )


def first_word(batch: pa.RecordBatch, *, kraken: bool) -> list[Piece]:
    """Return the identifier of each record: accession.version, optionally with ``|kraken:taxid|N`` (0 for no taxon)."""
    name: list[Piece] = [batch.column("accession_version")]
    return [*name, b"|kraken:taxid|", pc.fill_null(batch.column("taxon_id"), 0)] if kraken else name


def _others(scan: Scan, ordinals: Ints, template: str) -> pa.Array | None:
    """Return ``also=B.1,C.1`` for records that represent others with the same residues; null for the rest."""
    if scan.plan.also is None:
        return None
    shared, names = scan.plan.also
    at = np.minimum(np.searchsorted(shared, ordinals), len(shared) - 1)
    known = shared[at] == ordinals
    words = [template.format(names[n]) if there else None for n, there in zip(at.tolist(), known.tolist(), strict=True)]
    return pa.array(words, pa.string())


def record_blocks(
    batch: pa.RecordBatch, *, headers: tuple[Any, Ints], reader: ResidueReader, width: int, file: str
) -> Iterator[Block]:
    """Yield a batch of records, all of which have residues, as FASTA.

    Raises:
        IntegrityError: a record's number of residues differs from its length.
    """
    lines, line_at = headers
    ordinals, lengths = batch.column("record_ordinal").to_numpy(), batch.column("length").to_numpy()
    names = batch.column("accession_version")
    got = np.zeros(len(ordinals), np.int64)
    begun = column = 0
    for chunks in reader.chunks(ordinals):
        np.add.at(got, np.searchsorted(ordinals, chunks.ordinal), chunks.end - chunks.start)
        entries = int(chunks.is_first.sum())
        last = begun + entries == len(ordinals) and bool((got == lengths)[-1])
        data, starts, column = fasta_text(
            chunks.text, chunks.start, chunks.end, chunks.is_first, lines, line_at[begun : begun + entries + 1],
            width=width, column=column, close=last,
        )  # fmt: skip
        yield Block(data, starts, names.slice(begun, entries))
        begun += entries
    wrong = np.flatnonzero(got != lengths)
    if len(wrong):
        n = int(wrong[0])
        raise IntegrityError(
            f"{file}: {names[n]} has {int(lengths[n]):,} residues, its table holds {int(got[n]):,}; "
            "materialize records again"
        )
