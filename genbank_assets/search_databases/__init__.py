"""Databases to search a division by similarity: BLAST of nucleotides and of proteins, DIAMOND of proteins.

``nucleotides`` and ``proteins`` make FASTA without repetitions out of a division's tables, ``programs`` runs what reads
it, ``build`` publishes what was made, ``self_search`` looks for the division's own records in it.
"""
