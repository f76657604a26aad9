"""NCBI's genetic codes as lookup tables for ``residue_text.translated``, including ambiguous codons.

A codon is three sets of bases. It translates to the amino acid shared by all its readings, to B, Z or J for the pairs
that these letters represent, and to X otherwise. The codes are Biopython's copy of NCBI's ``gc.prt``.
"""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import numpy as np
from Bio.Data.CodonTable import unambiguous_dna_by_id

Letters = np.ndarray[Any, np.dtype[np.uint8]]
_LETTERS = "ACDEFGHIKLMNPQRSTVWYUO*X"
CODES: tuple[int, ...] = tuple(sorted(unambiguous_dna_by_id))
#: Codes in which a codon for an amino acid is a stop if it is the last one.
WITH_AMBIGUOUS_STOPS = frozenset(
    code for code, table in unambiguous_dna_by_id.items() if set(table.stop_codons) & set(table.forward_table)
)


@cache
def translation_tables() -> tuple[Letters, Letters]:
    """Return the amino acids of all codons in each of :data:`CODES`, and ``M`` for start codons (0 for others).

    Returns:
        Both as ASCII letters, (codes, 4096).
    """
    both = [_tables(code) for code in CODES]
    return np.stack([table for table, _ in both]), np.stack([starts for _, starts in both])


def _tables(code: int) -> tuple[Letters, Letters]:
    table = unambiguous_dna_by_id[code]
    meanings, begins = np.zeros((4, 4, 4), np.int64), np.zeros((4, 4, 4), np.int64)
    for codon in itertools.product(range(4), repeat=3):
        text = "".join("ACGT"[base] for base in codon)
        letter = table.forward_table.get(text, "*" if text in table.stop_codons else "X")
        meanings[codon] = 1 << _LETTERS.index(letter)
        begins[codon] = 1 if text in table.start_codons else 2
    letters = np.full(4096, ord("X"), np.uint8)
    together = _of_sets(meanings)
    for number, letter in enumerate(_LETTERS):
        letters[together == 1 << number] = ord(letter)
    for pair, letter in (("DN", "B"), ("EQ", "Z"), ("IL", "J")):
        letters[together == sum(1 << _LETTERS.index(one) for one in pair)] = ord(letter)
    starts = np.where(_of_sets(begins) == 1, ord("M"), 0).astype(np.uint8)
    return letters, starts


def _of_sets(single: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the union of the meanings of all readings of each ambiguous codon, as bits, (4096,)."""
    found = single
    for axis in range(3):
        parts = np.moveaxis(found, axis, 0)
        union = np.zeros((16, *parts.shape[1:]), np.int64)
        for bases in range(16):
            for base in range(4):
                if bases >> base & 1:
                    union[bases] |= parts[base]
        found = np.moveaxis(union, 0, axis)
    return found.reshape(4096)


def code_rows(codes: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the table row of each genetic code; -1 for an unknown code, (n,)."""
    known = np.array(CODES)
    at = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    found: np.ndarray[Any, np.dtype[np.int64]] = np.where(known[at] == codes, at, -1)
    return found
