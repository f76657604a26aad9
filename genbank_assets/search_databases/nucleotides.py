r"""A division's distinct nucleotide sequences as FASTA for ``makeblastdb``, and the taxon of every record.

Records with the same residues share an entry, with their names separated by ``\x01`` as in NCBI's own databases, so
that each can be found by name and with its taxon. Proteins belong to ``proteins``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from genbank_assets.extract.conditions import Condition
from genbank_assets.extract.distinct import choose_distinct
from genbank_assets.extract.engine import run_stretches
from genbank_assets.extract.formats import Block, Format, FormatOptions
from genbank_assets.extract.formats.fasta import Fasta
from genbank_assets.extract.formats.features import flags_of
from genbank_assets.extract.formats.words import as_word
from genbank_assets.extract.inputs import Input
from genbank_assets.extract.plan import Plan, make_plan
from genbank_assets.extract.scan import Scan, stretches
from genbank_assets.extract.selection import Selection

# Private-use characters, which do not occur in flat files; control characters would be removed from headers.
_MARK = "\ue000\ue000\ue000"
_OTHERS = re.compile(rb" " + _MARK.encode() + rb"([^\n]*)")
_IDENTITY = ("accession_version", "taxon_id", "sequence_sha256")
NOT_PROTEIN = Condition(
    "protein", ("length_unit",), lambda batch: ~flags_of(pc.equal(batch.column("length_unit"), "aa"))
)


class _SearchFasta(Fasta):
    """FASTA whose headers name all records of a sequence."""

    others = _MARK + "{}"

    def blocks(self, scan: Scan) -> Iterator[Block]:
        for block in super().blocks(scan):
            data = bytes(block.data)
            if _MARK.encode() in data:
                data = _OTHERS.sub(lambda found: b"\x01" + found[1].replace(b",", b"\x01"), data)
            yield Block(data, block.starts, block.names)


class Nucleotides:
    """The nucleotide sequences of one division.

    Attributes:
        ids: number of records with nucleotides; available after the taxa were written.
        sequences: number of entries; available after all text was read.
    """

    def __init__(self, one: Input) -> None:
        self.ids = self.sequences = 0
        key = str(one.partition.key)
        self._selection = Selection(partitions=(key,), release=one.partition.release, distinct=True)
        self._plan: Plan = make_plan([one], self._selection)

    def write_taxa(self, path: Path) -> None:
        """Write a line ``ACCESSION.VERSION TAXON`` for each record that has a taxon."""
        with path.open("w", encoding="utf-8") as file:
            for stretch in stretches(self._plan.files, whole_files=True):
                for batch in Scan(stretch, [NOT_PROTEIN]).batches(_IDENTITY):
                    file.write(self._taxa_of(batch))

    def _taxa_of(self, batch: pa.RecordBatch) -> str:
        frame = pl.DataFrame({name: pl.from_arrow(batch.column(name)) for name in _IDENTITY})
        frame = frame.filter(pl.col("sequence_sha256").is_not_null())
        self.ids += len(frame)
        frame = frame.filter(pl.col("taxon_id").is_not_null())
        line = pl.concat_str([as_word("accession_version"), pl.col("taxon_id").cast(pl.String)], separator=" ")
        return "".join(f"{text}\n" for text in frame.select(line=line)["line"])

    def text(self, *, scratch: Path, workers: int) -> Iterator[Any]:
        """Yield the FASTA text in pieces."""
        writer: Format = _SearchFasta(self._selection, FormatOptions(), None)
        plan = choose_distinct(self._plan, [NOT_PROTEIN], scratch=scratch, format_=writer)
        every = stretches(plan.files, whole_files=False)
        for item in run_stretches(every, format_=writer, conditions=[NOT_PROTEIN], workers=workers):
            if isinstance(item, Block):
                self.sequences += len(item.starts)
                yield item.data
