"""Rows as SeqRecords, against what Bio.GenBank makes of the same records."""

from __future__ import annotations

import gzip
import warnings
from pathlib import Path

import pytest
from Bio import SeqIO

from genbank_assets.flatfile import to_seqrecord
from genbank_assets_tests.flatfiles import scan
from genbank_assets_tests.paths import SAMPLE


@pytest.mark.parametrize("path", sorted(SAMPLE.rglob("*.gz")), ids=lambda path: path.name)
def test_a_row_becomes_the_record_biopython_reads(path: Path) -> None:
    _, rows, residues = scan(gzip.decompress(path.read_bytes()))
    with warnings.catch_warnings(), gzip.open(path, "rt") as file:
        warnings.simplefilter("ignore")
        theirs = list(SeqIO.parse(file, "genbank"))
    for row, their in zip(rows, theirs, strict=True):
        ours = to_seqrecord(row, residues.get(row["record_ordinal"]))
        assert (ours.id, ours.name, len(ours)) == (their.id, their.name, len(their))
        assert ours.annotations["organism"] == their.annotations["organism"]
        assert ours.annotations.get("date") == their.annotations.get("date")
        assert ours.annotations["molecule_type"] == their.annotations["molecule_type"]
        assert [f.type for f in ours.features] == [f.type for f in their.features]
        for our_feature, their_feature in zip(ours.features, their.features, strict=True):
            if their_feature.type == "CDS" and not any(part.ref for part in their_feature.location.parts) and residues:
                assert our_feature.extract(ours.seq) == their_feature.extract(their.seq).upper()
