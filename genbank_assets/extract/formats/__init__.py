"""Output formats by name; each is loaded on first use, because most need more dependencies than FASTA."""

from __future__ import annotations

from importlib import import_module

from genbank_assets.errors import SettingsError
from genbank_assets.extract.formats.base import Block, Format, FormatOptions

_HOMES = {
    "fasta": "fasta:Fasta", "genbank": "genbank:Genbank", "protein": "proteins:ProteinFasta",
    "cds": "features:CdsFasta", "feature": "features:FeatureFasta", "gff3": "gff3:Gff3", "tsv": "tables:Tsv",
    "parquet": "tables:Parquet", "accession2taxid": "tables:AccessionToTaxid", "crabs": "lineages:Crabs",
    "sintax": "lineages:Sintax", "qiime2": "lineages:Qiime2", "qiime2-taxonomy": "lineages:Qiime2Taxonomy",
}  # fmt: skip


def format_named(name: str) -> type[Format]:
    """Return the format with a name.

    Raises:
        SettingsError: there is no such format.
    """
    if name not in _HOMES:
        raise SettingsError(f"there is no format {name!r}: there are {', '.join(_HOMES)}")
    module, _, kind = _HOMES[name].partition(":")
    found: type[Format] = getattr(import_module(f"{__name__}.{module}"), kind)
    return found


__all__ = ["Block", "Format", "FormatOptions", "format_named"]
