"""Extracts against Biopython, record by record and feature by feature, on everything in the shared mirrors."""

from __future__ import annotations

import gzip
import io
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from Bio import SeqIO
from Bio.Seq import UndefinedSequenceError
from Bio.SeqFeature import SeqFeature
from Bio.SeqRecord import SeqRecord

from genbank_assets.extract.formats import FormatOptions
from genbank_assets.extract.run import extract
from genbank_assets.extract.selection import Selection
from genbank_assets.settings import Settings
from genbank_assets_tests.paths import MIRROR_273, MIRROR_274

# EST has no file in the later release: its newest is that of the earlier one.
FILES = sorted(
    [
        *(MIRROR_274 / "genbank").glob("*.seq.gz"),
        *(MIRROR_274 / "refseq").rglob("*.g[bp]ff.gz"),
        *(MIRROR_273 / "genbank").glob("gbest*.seq.gz"),
    ]
)


@cache
def records() -> dict[str, SeqRecord]:
    """Biopython's reading of all records, by accession.version."""
    found = {}
    for path in FILES:
        text = gzip.decompress(path.read_bytes()).decode("latin-1")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for record in SeqIO.parse(io.StringIO(text[text.index("LOCUS  ") :]), "genbank"):
                found.setdefault(record.id, record)
    return found


def residues_of(record: SeqRecord) -> str | None:
    try:
        return str(record.seq).upper() or None
    except UndefinedSequenceError:
        return None


def entries(settings: Settings, selection: Selection, format_: str, **options: object) -> Iterator[tuple[str, str]]:
    """(header, residues) of an extract."""
    out = io.BytesIO()
    extract(selection, settings=settings, to=out, format_=format_, options=FormatOptions(**options))  # type: ignore[arg-type]
    for entry in ("\n" + out.getvalue().decode()).split("\n>")[1:]:  # headers may hold 3'->5'
        header, _, text = entry.partition("\n")
        yield header, text.replace("\n", "")


def is_protein(record: SeqRecord) -> bool:
    return record.annotations.get("molecule_type") == "protein"


def extracted(feature: SeqFeature, record: SeqRecord) -> str | None:
    """What Biopython cuts; None where a part lies in another record or there is no location."""
    if feature.location is None or any(part.ref for part in feature.location.parts):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return str(feature.extract(record.seq)).upper()


def test_fasta_has_every_record_with_its_residues(extract_settings: Settings) -> None:
    found = dict(entries(extract_settings, Selection(), "fasta", header=""))
    expected = {name: text for name, record in records().items() if (text := residues_of(record)) is not None}
    assert found.keys() == expected.keys()
    assert all(found[name] == text for name, text in expected.items())


@pytest.mark.parametrize("width", [0, 1, 60, 70, 80])
def test_lines_have_the_width(extract_settings: Settings, width: int) -> None:
    out = io.BytesIO()
    selection = Selection(partitions=("genbank/phg", "genbank/vrl"))
    extract(selection, settings=extract_settings, to=out, options=FormatOptions(width=width))
    for entry in out.getvalue().decode().split(">")[1:]:
        lines = entry.rstrip("\n").split("\n")[1:]
        if width:
            assert all(len(line) == width for line in lines[:-1])
            assert 0 < len(lines[-1]) <= width
        else:
            assert len(lines) == 1
        name = entry.split()[0]
        assert "".join(lines) == residues_of(records()[name])


def test_every_feature_is_cut_as_biopython_cuts_it(extract_settings: Settings) -> None:
    found = dict(entries(extract_settings, Selection(), "feature", header=""))
    compared = 0
    for name, record in records().items():
        residues = residues_of(record)
        for number, feature in enumerate(record.features, 1):
            ours = found.get(f"{name}_{feature.type}_{number}")
            if residues is None:
                assert ours is None
                continue
            theirs = extracted(feature, record)
            if ours is None:
                refused = (
                    feature.location is None or theirs in (None, "") or feature.location_operator in {"bond", "one-of"}
                )
                assert refused, (name, feature.type, str(feature.location))
                continue
            assert ours == theirs, (name, feature.type, str(feature.location))
            compared += 1
    assert compared == len(found) > 40_000


def test_proteins_are_the_translations_and_the_protein_records(extract_settings: Settings) -> None:
    expected = []
    for record in records().values():
        residues = residues_of(record)
        if is_protein(record):
            if residues is not None:
                expected.append((record.id, residues))
            continue
        for number, feature in enumerate(record.features, 1):
            if feature.type == "CDS" and "translation" in feature.qualifiers:
                word = feature.qualifiers.get("protein_id", [f"{record.id}_CDS_{number}"])[0]
                expected.append((word, feature.qualifiers["translation"][0]))
    found = [(header.split()[0], text) for header, text in entries(extract_settings, Selection(), "protein")]
    # A RefSeq protein stands in its own record and in every genome that has it, and comes once.
    assert sorted(found) == sorted(set(expected))


def test_genbank_is_ncbis_bytes(extract_settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "all.gb"
    extract(Selection(partitions=("genbank/bct",)), settings=extract_settings, to=out, format_="genbank")
    text = b"".join(gzip.decompress(path.read_bytes()) for path in FILES if path.name.startswith("gbbct"))
    records_of = [part[part.index(b"LOCUS  ") :] + b"\n//\n" for part in text.split(b"\n//\n") if b"LOCUS  " in part]
    assert out.read_bytes() == b"".join(records_of)


def test_gff3_has_the_spans(extract_settings: Settings) -> None:
    out = io.BytesIO()
    extract(Selection(), settings=extract_settings, to=out, format_="gff3")
    lines = out.getvalue().decode().splitlines()
    assert lines[0] == "##gff-version 3"
    found: dict[str, list[tuple[int, int, str]]] = {}
    for line in lines[1:]:
        if line.startswith("#"):
            continue
        seqid, _, _, start, end, _, strand, _, attributes = line.split("\t")
        identity = attributes.split(";")[0].removeprefix("ID=")
        assert identity.startswith(f"{seqid}_")
        found.setdefault(identity, []).append((int(start), int(end), strand))
    compared = 0
    for name, record in records().items():
        for number, feature in enumerate(record.features, 1):
            ours = found.get(f"{name}_{number}")
            if ours is None or feature.location is None:
                continue
            parts = [
                (int(p.start) + 1, int(p.end), {1: "+", -1: "-", None: "+"}[p.strand]) for p in feature.location.parts
            ]
            if ours != parts:  # over the origin: one line that ends behind the record
                length = len(record)
                flat = [(s, e) for s, e, _ in ours]
                assert any(e > length for _, e in flat) or any(s == e for s, e in flat), (name, number, ours, parts)
                assert sum(e - s + 1 for s, e in flat) - len(feature.location) in {0, 1}
            compared += 1
    assert compared > 40_000
