"""The formats, by the name users call them."""

from __future__ import annotations

from genbank_assets.extract.formats.base import Block, Format, FormatOptions
from genbank_assets.extract.formats.fasta import Fasta
from genbank_assets.extract.formats.features import CdsFasta, FeatureFasta
from genbank_assets.extract.formats.genbank import Genbank
from genbank_assets.extract.formats.gff3 import Gff3
from genbank_assets.extract.formats.lineages import Crabs, Qiime2, Qiime2Taxonomy, Sintax
from genbank_assets.extract.formats.proteins import ProteinFasta
from genbank_assets.extract.formats.tables import AccessionToTaxid, Parquet, Tsv

FORMATS: dict[str, type[Format]] = {
    format_.name: format_
    for format_ in (
        Fasta, Genbank, ProteinFasta, CdsFasta, FeatureFasta, Gff3, Tsv, Parquet, AccessionToTaxid, Crabs, Sintax,
        Qiime2, Qiime2Taxonomy,
    )
}  # fmt: skip

__all__ = ["FORMATS", "Block", "Format", "FormatOptions"]
