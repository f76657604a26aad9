"""Similarity-search databases of a division: BLAST for nucleotides and proteins, DIAMOND for proteins.

``nucleotides`` and ``proteins`` produce non-redundant FASTA from a division's tables, ``programs`` runs the external
programs, ``build`` publishes the databases, and ``self_search`` tests them with the division's own records.
"""
