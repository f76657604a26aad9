"""The bundled sample is what it says: whole genuine records in NCBI's layout, each with its origin."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
import warnings
from pathlib import Path

import pytest
from Bio import SeqIO
from Bio.Seq import UndefinedSequenceError

from genbank_assets.ncbi.catalog import COLLECTIONS, GENBANK, REFSEQ, division_of_file
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.releases import read_number
from genbank_assets.ncbi.sources import open_source
from genbank_assets_tests.paths import SAMPLE

FILES = sorted([*(SAMPLE / "genbank").rglob("*.gz"), *(SAMPLE / "refseq").rglob("*.gz")])
MAX_BYTES = 2_000_000


def text_of(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode("ascii")


def test_it_is_small_and_wide() -> None:
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) <= MAX_BYTES
    divisions = {division_of_file(path.name, collection=GENBANK) for path in FILES} - {None}
    sections = {division_of_file(path.name, collection=REFSEQ) for path in FILES} - {None}
    assert len(divisions) >= 8
    assert len(sections) >= 3


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_record_is_whole(path: Path) -> None:
    """By Biopython, not by our reader, which chose them."""
    text = text_of(path)
    records = text[text.index("LOCUS  ") :]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = list(SeqIO.parse(io.StringIO(records), "genbank"))
    loci = re.findall(r"^LOCUS +\S+ +(\d+) (?:bp|aa)", records, re.MULTILINE)
    assert len(parsed) == len(loci) == records.count("\n//\n")
    for record, length in zip(parsed, loci, strict=True):
        assert len(record.seq) == int(length)
        try:
            bytes(record.seq)
        except UndefinedSequenceError:
            assert record.annotations["contig"]


def test_every_record_has_an_origin_and_is_there_once() -> None:
    with (SAMPLE / "ORIGIN.tsv").open(encoding="utf-8") as file:
        origin = [(row["accession_version"], row["file"]) for row in csv.DictReader(file, delimiter="\t")]
    there = [
        (name, path.name) for path in FILES for name in re.findall(r"^VERSION +(\S+)", text_of(path), re.MULTILINE)
    ]
    assert sorted(origin) == sorted(there)
    assert len({name.split(".")[0] for name, _ in there}) == len(there)


def test_division_headers_and_release_notes_tell_the_numbers() -> None:
    notes = (SAMPLE / "genbank" / "gbrel.txt").read_text(encoding="ascii")
    for path in (SAMPLE / "genbank").glob("*.seq.gz"):
        text = text_of(path)
        header = re.search(r"^ *(\d+) loci, +(\d+) bases, from +(\d+) reported sequences", text, re.MULTILINE)
        assert header is not None
        lengths = [int(n) for n in re.findall(r"^LOCUS +\S+ +(\d+) bp", text, re.MULTILINE)]
        division = path.name[2:5].upper()
        bases = 0 if division == "CON" else sum(lengths)
        assert header.groups() == (str(len(lengths)), str(bases), str(len(lengths)))
        assert f"{path.name[:-3]} - " in notes
        assert re.search(rf"^ *{len(text)} +{path.name[:-3]}$", notes, re.MULTILINE)
        if division != "CON":
            assert re.search(rf"^{division}1 +{len(lengths)} +{bases}$", notes, re.MULTILINE)


def test_refseq_lists_its_files_with_their_md5() -> None:
    listing = (SAMPLE / "refseq/release/release-catalog/release1.files.installed").read_text(encoding="ascii")
    said = {name: md5 for md5, name in (line.split("\t") for line in listing.splitlines())}
    there = {
        path.name: hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        for path in (SAMPLE / "refseq").rglob("*.gz")
    }
    assert said == there


def test_it_does_not_pass_for_a_release_of_ncbi(tmp_path: Path) -> None:
    limiter = Limiter(tmp_path, requests_per_second=1000)
    with open_source(SAMPLE.as_uri(), limiter=limiter) as source:
        assert [read_number(source, collection=c) for c in COLLECTIONS.values()] == ["1.0", "1"]
    assert "This is no release of NCBI's" in (SAMPLE / "genbank" / "gbrel.txt").read_text(encoding="ascii")


def test_the_gzip_files_carry_no_time() -> None:
    assert {path.read_bytes()[4:8] for path in FILES} == {bytes(4)}
