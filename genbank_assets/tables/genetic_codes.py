"""NCBI's genetic codes as arrays for ``residue_text.translated``: any codon, ambiguous bases included.

A codon is three sets of bases; its amino acid is the one that all its readings share, B, Z or J where they are the
pairs these letters stand for, X otherwise. The codes are Biopython's copy of NCBI's ``gc.prt``.
"""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import numpy as np
from Bio.Data.CodonTable import unambiguous_dna_by_id

Letters = np.ndarray[Any, np.dtype[np.uint8]]
_BITS = {"A": 1, "C": 2, "G": 4, "T": 8}
_PAIRS = {frozenset("DN"): "B", frozenset("EQ"): "Z", frozenset("IL"): "J"}
CODES: tuple[int, ...] = tuple(sorted(unambiguous_dna_by_id))


@cache
def translation_tables() -> tuple[Letters, Letters]:
    """The amino acids of all codons in each of :data:`CODES`, and ``M`` for start codons (0 for others).

    Returns:
        Both as letters, (codes, 4096).
    """
    both = [_tables(code) for code in CODES]
    return np.stack([table for table, _ in both]), np.stack([starts for _, starts in both])


def _tables(code: int) -> tuple[Letters, Letters]:
    table = unambiguous_dna_by_id[code]
    forward = dict(table.forward_table)
    single = {}
    for codon in itertools.product("ACGT", repeat=3):
        text = "".join(codon)
        single[tuple(_BITS[base] for base in codon)] = forward.get(text, "*" if text in table.stop_codons else "X")
    starts = {tuple(_BITS[base] for base in codon) for codon in table.start_codons}
    letters, begins = np.full(4096, ord("X"), np.uint8), np.zeros(4096, np.uint8)
    for masks in itertools.product(range(1, 16), repeat=3):
        readings = list(itertools.product(*([bit for bit in (1, 2, 4, 8) if bit & mask] for mask in masks)))
        found = {single[reading] for reading in readings}
        at = masks[0] << 8 | masks[1] << 4 | masks[2]
        letters[at] = ord(found.pop() if len(found) == 1 else _PAIRS.get(frozenset(found), "X"))
        if all(reading in starts for reading in readings):
            begins[at] = ord("M")
    return letters, begins


def code_rows(codes: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The row of each genetic code in the tables, -1 for a number that is no code, (n,)."""
    known = np.array(CODES)
    at = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    found: np.ndarray[Any, np.dtype[np.int64]] = np.where(known[at] == codes, at, -1)
    return found
