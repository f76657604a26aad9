"""Names used by the command line, in a module without heavy imports, so that ``--help`` is fast."""

from __future__ import annotations

FORMAT_NAMES = (
    "fasta", "genbank", "protein", "cds", "feature", "gff3", "tsv", "parquet", "accession2taxid", "crabs", "sintax",
    "qiime2", "qiime2-taxonomy",
)  # fmt: skip
ORDERS = ("ncbi", "accession")
METADATA_NAMES = ("croissant", "ro-crate")
