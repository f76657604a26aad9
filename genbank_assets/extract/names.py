"""Names that the command line offers, without what stands behind them: ``--help`` should not load a table library."""

from __future__ import annotations

FORMAT_NAMES = (
    "fasta", "genbank", "protein", "cds", "feature", "gff3", "tsv", "parquet", "accession2taxid", "crabs", "sintax",
    "qiime2", "qiime2-taxonomy",
)  # fmt: skip
ORDERS = ("ncbi", "accession")
METADATA_NAMES = ("croissant", "ro-crate")
