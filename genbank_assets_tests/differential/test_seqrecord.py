"""Rows as SeqRecords, against what Bio.GenBank makes of the same records."""

from __future__ import annotations

import gzip
import re
import warnings
from pathlib import Path

import pytest
from Bio import SeqIO
from Bio.SeqFeature import OneOfPosition, WithinPosition
from Bio.SeqRecord import SeqRecord

from genbank_assets.flatfile import to_seqrecord
from genbank_assets_tests.flatfiles import record, scan
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
        assert ours.description == their.description
        check_annotations(ours, their)
        check_locations(ours, their)
        for our_feature, their_feature in zip(ours.features, their.features, strict=True):
            if their_feature.type == "CDS" and not any(part.ref for part in their_feature.location.parts) and residues:
                assert our_feature.extract(ours.seq) == their_feature.extract(their.seq).upper()


def check_annotations(ours: SeqRecord, their: SeqRecord) -> None:
    """Every annotation Biopython makes of a record, but for those whose numbers NCBI retired and the table lacks."""
    lacking = {"gi", "nid", "pid"}
    for key in set(their.annotations) - lacking - {"references", "comment", "source"}:
        assert ours.annotations[key] == their.annotations[key], key
    # theirs leaves out the empty lines between paragraphs
    comment = re.sub(r"\n+", "\n", their.annotations.get("comment", "")).strip("\n")
    assert re.sub(r"\n+", "\n", ours.annotations.get("comment", "")).strip("\n") == comment
    assert ours.annotations["source"].rstrip(".") == their.annotations["source"]
    our_references, their_references = (record.annotations.get("references", []) for record in (ours, their))
    assert [vars(reference) for reference in our_references] == [vars(reference) for reference in their_references]


def check_locations(ours: SeqRecord, their: SeqRecord) -> None:
    assert [f.type for f in ours.features] == [f.type for f in their.features]
    for our_feature, their_feature in zip(ours.features, their.features, strict=True):
        if their_feature.location is not None:
            assert repr(our_feature.location) == repr(their_feature.location)


@pytest.mark.parametrize("path", sorted(SAMPLE.rglob("*.gz")), ids=lambda path: path.name)
def test_a_row_written_by_biopython_is_the_row_again(path: Path) -> None:
    _, rows, residues = scan(gzip.decompress(path.read_bytes()))
    for row in rows:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text = to_seqrecord(row, residues.get(row["record_ordinal"])).format("genbank")
        _, (again,), residues_again = scan(text)
        for name in ("accession", "accession_version", "locus_name", "length", "length_unit", "topology", "division"):
            assert again[name] == row[name], name
        for name in ("definition", "organism", "taxonomy", "keywords", "update_date", "sequence_sha256"):
            assert again[name] == row[name], name
        assert [f["key"] for f in again["features"]] == [f["key"] for f in row["features"]]
        assert residues_again.get(0) == residues.get(row["record_ordinal"])


@pytest.mark.parametrize(("location", "kind"), [("(5.9)..10", WithinPosition), ("one-of(1,3)..9", OneOfPosition)])
def test_fuzzy_positions_are_biopythons_own(location: str, kind: type) -> None:
    _, (row,), _ = scan(record(features=f"     CDS             {location}\n"))
    assert isinstance(to_seqrecord(row).features[0].location.start, kind)


@pytest.mark.parametrize("location", ["9..2", "-3..5", "1..2,4..5", "replace(5..6,1)"])
def test_what_biopython_cannot_hold_is_left_out_and_named(location: str) -> None:
    _, (row,), _ = scan(record(features=f"     CDS             {location}\n     gene            1..2\n"))
    ours = to_seqrecord(row)
    assert [f.type for f in ours.features] == ["gene"]
    assert ours.annotations["features_left_out"] == [f"CDS {location}"]
    assert "gene            1..2" in ours.format("genbank")
