"""Each protein of RefSeq once, though its sections have many as a coding sequence and as a record."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from Bio import SeqIO

from genbank_assets.extract import Extract, Selection, extract
from genbank_assets.extract.formats.proteins import REPEATED_PROTEIN
from genbank_assets.settings import Settings
from genbank_assets_tests.integration.test_extract import entries
from genbank_assets_tests.paths import MIRROR_274

PARTITIONS = ("refseq/plastid", "refseq/vertebrate_mammalian")


def proteins_of(settings: Settings, selection: Selection) -> tuple[Extract, dict[str, str], list[str]]:
    out = io.BytesIO()
    found = extract(selection, settings=settings, to=out, format_="protein")
    text = out.getvalue().decode()
    names = [line[1:].split()[0] for line in text.splitlines() if line.startswith(">")]
    return found, {head.split()[0]: residues for head, residues in entries(text).items()}, names


def given(path: Path) -> Iterator[tuple[str, str, bool]]:
    """The proteins of a file as Biopython reads them: name, letters, whether it is a record of its own."""
    with gzip.open(path, "rt") as file:
        for record in SeqIO.parse(file, "genbank"):
            if record.annotations["molecule_type"] == "protein":
                yield record.id, str(record.seq), True
            for feature in record.features:
                if feature.type == "CDS" and "translation" in feature.qualifiers:
                    (name,) = feature.qualifiers["protein_id"]
                    yield name, feature.qualifiers["translation"][0], False


@pytest.mark.slow
def test_a_protein_comes_once_and_its_own_record_wins(extract_settings: Settings) -> None:
    release = MIRROR_274 / "refseq" / "release"
    every = [
        one for partition in PARTITIONS for path in sorted((release / partition.split("/")[1]).glob("*.g[bp]ff.gz"))
        for one in given(path)
    ]  # fmt: skip
    own = {name: letters for name, letters, is_record in every if is_record}
    translated = {name for name, _, is_record in every if not is_record}
    assert own.keys() & translated, "the mirror has none twice"
    found, letters_of, names = proteins_of(extract_settings, Selection(partitions=PARTITIONS))
    assert len(names) == len(set(names))
    assert set(names) == own.keys() | translated
    assert {name: letters_of[name] for name in own} == own
    assert found.excluded[REPEATED_PROTEIN] == len(every) - len(names)
    assert not (extract_settings.store / "extract").exists()


def test_a_translation_stays_where_its_record_is_not_wanted(extract_settings: Settings) -> None:
    both = proteins_of(extract_settings, Selection(partitions=PARTITIONS))[2]
    found, _, names = proteins_of(extract_settings, Selection(partitions=PARTITIONS, molecule_types=("mRNA",)))
    assert set(names) < set(both)
    assert names
    assert REPEATED_PROTEIN not in found.excluded
