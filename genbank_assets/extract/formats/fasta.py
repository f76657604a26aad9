"""FASTA of whole records: residues straight from the table's buffers into lines.

The first word of a header is ``accession.version``. Features belong to ``features``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from genbank_assets.errors import IntegrityError
from genbank_assets.extract.formats.base import Block, Format, FormatOptions
from genbank_assets.extract.headers import Header, fit_for_a_word
from genbank_assets.extract.plan import Ints
from genbank_assets.extract.scan import Scan
from genbank_assets.extract.selection import Selection
from genbank_assets.tables.clades import Taxonomy
from genbank_assets.tables.residue_text import fasta_text
from genbank_assets.tables.residues import ResidueReader

NO_RESIDUES = "no residues of its own"
#: Columns of a record that a header may show.
FIELDS = (
    "accession", "version", "accession_version", "locus_name", "collection", "division", "molecule_type",
    "strandedness", "topology", "update_date", "length", "definition", "source", "organism", "taxon_id", "release",
)  # fmt: skip


class Fasta(Format):
    """``>NC_001422.1 Escherichia phage phiX174, complete genome`` and residues."""

    name = "fasta"
    suffix = "fasta"
    supports = frozenset({"header", "width", "kraken"})
    #: What the header of a record says of others with the same residues, whose names come with commas.
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
                    headers=self._header.lines(
                        frame_of(batch, self._header.fields),
                        first_word=self._first_word(),
                        last_words=_others(scan, batch.column("record_ordinal").to_numpy(), self.others),
                    ),
                    reader=scan.reader,
                    width=self.options.width,
                    file=scan.plan.file.name,
                )

    def _first_word(self) -> pl.Expr:
        return with_kraken(fit_for_a_word("accession_version"), wanted=self.options.kraken)


def _others(scan: Scan, ordinals: Ints, template: str) -> pl.Expr | None:
    """Such as ``also=B.1,C.1`` for records that stand for others with the same residues; null for the rest."""
    if scan.plan.also is None:
        return None
    shared, names = scan.plan.also
    at = np.minimum(np.searchsorted(shared, ordinals), len(shared) - 1)
    known = shared[at] == ordinals
    words = [template.format(names[n]) if there else None for n, there in zip(at.tolist(), known.tolist(), strict=True)]
    return pl.lit(pl.Series(words, dtype=pl.String))


def with_kraken(word: pl.Expr, *, wanted: bool) -> pl.Expr:
    """The word, followed by ``|kraken:taxid|N`` where that is wanted; 0 stands for no taxon."""
    if not wanted:
        return word
    return pl.concat_str([word, pl.lit("|kraken:taxid|"), pl.col("taxon_id").fill_null(0).cast(pl.String)])


def frame_of(batch: pa.RecordBatch, fields: Sequence[str]) -> pl.DataFrame:
    """The flat columns of a batch for headers: those fields, the name, and the taxon where it is there."""
    wanted = {*fields, "accession_version", *({"taxon_id"} & set(batch.schema.names))}
    return pl.DataFrame({name: pl.from_arrow(batch.column(name)) for name in sorted(wanted)})


def record_blocks(
    batch: pa.RecordBatch, *, headers: tuple[Any, Ints], reader: ResidueReader, width: int, file: str
) -> Iterator[Block]:
    """The residues of a batch of records, all of which have some, as FASTA.

    Raises:
        IntegrityError: a record's residues are not as many as its length says.
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
