"""The closed lists of NCBI's divisions and the names of their files. Single names are in ``test_core``."""

from __future__ import annotations

import pytest

from genbank_assets.errors import NotFoundError
from genbank_assets.ncbi.catalog import (
    COLLECTIONS,
    GENBANK,
    REFSEQ,
    Collection,
    division_of_file,
    file_sort_key,
    parse_partition,
    section_of_record,
)

EVERY = [(collection, division) for collection in COLLECTIONS.values() for division in collection.divisions]


def test_there_are_twenty_divisions_and_thirteen_sections() -> None:
    assert (len(GENBANK.divisions), len(REFSEQ.divisions)) == (20, 13)
    assert "complete" not in REFSEQ.divisions


@pytest.mark.parametrize(("collection", "division"), EVERY, ids=lambda value: getattr(value, "name", value))
def test_every_division_is_a_partition_with_files(collection: Collection, division: str) -> None:
    key = parse_partition(f"{collection.name}/{division}")
    assert (key.collection, key.division) == (collection.name, division)
    name = f"gb{division}12.seq.gz" if collection is GENBANK else f"{division}.12.genomic.gbff.gz"
    assert division_of_file(name, collection=collection) == division


@pytest.mark.parametrize(
    "name",
    [
        "gbphg.seq.gz", "gbphg1.seq", "GBPHG1.SEQ.GZ", "gbphg0.seq.gz", "gbphg1.seq.gz\n", "gbphg1.seq.gz/../x",
        "..\\gbphg1.seq.gz", "gbphg1.seq.gz.part", "gbrel.txt", "gbphg12345678.seq.gz", "",
    ],
)  # fmt: skip
def test_other_names_are_not_genbank_files(name: str) -> None:
    assert division_of_file(name, collection=GENBANK) is None


@pytest.mark.parametrize(
    "name", ["viral.1.genomic.gbff", "viral.genomic.gbff.gz", "viral.1.genomic.fna.gz", "viral/1.genomic.gbff.gz", ""]
)
def test_other_names_are_not_refseq_files(name: str) -> None:
    assert division_of_file(name, collection=REFSEQ) is None


def test_parts_sort_as_numbers() -> None:
    names = ["gbpln10.seq.gz", "gbpln1000.seq.gz", "gbpln2.seq.gz", "gbbct11.seq.gz"]
    assert sorted(names, key=file_sort_key) == ["gbbct11.seq.gz", "gbpln2.seq.gz", "gbpln10.seq.gz", "gbpln1000.seq.gz"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("phg", "no collection 'phg'"), ("genbank", "no division ''"), ("genbank/xyz", "there are bct"), ("", "genbank")],
)
def test_the_error_for_a_wrong_partition_lists_valid_ones(text: str, message: str) -> None:
    with pytest.raises(NotFoundError, match=message):
        parse_partition(text)


@pytest.mark.parametrize(
    ("collection", "division", "lineage", "section"),
    [
        (GENBANK, "PHG", ["Viruses"], "phg"),
        (GENBANK, "XXX", ["Bacteria"], None),
        (GENBANK, None, ["Bacteria"], None),
        (REFSEQ, "PHG", [], "viral"),
        (REFSEQ, "VRL", ["Eukaryota"], "viral"),
        (REFSEQ, "ENV", ["Viruses", "Riboviria"], "viral"),
        (REFSEQ, "BCT", ["Archaea", "Euryarchaeota"], "archaea"),
        (REFSEQ, "BCT", ["Bacteria"], "bacteria"),
        (REFSEQ, "PLN", ["Eukaryota", "Fungi"], "fungi"),
        (REFSEQ, "PLN", ["Eukaryota", "Viridiplantae"], "plant"),
        (REFSEQ, "PLN", ["Eukaryota", "Sar"], "protozoa"),
        (REFSEQ, "ROD", ["Eukaryota", "Metazoa", "Vertebrata", "Mammalia"], "vertebrate_mammalian"),
        (REFSEQ, "VRT", ["Eukaryota", "Metazoa", "Vertebrata", "Aves"], "vertebrate_other"),
        (REFSEQ, "INV", ["Eukaryota", "Metazoa", "Arthropoda"], "invertebrate"),
        (REFSEQ, "SYN", ["other sequences"], "other"),
        (REFSEQ, "ENV", [], "other"),
        (REFSEQ, "UNA", [], "other"),
        (REFSEQ, "BCT", [], None),
        (REFSEQ, None, ["unclassified"], None),
    ],
)
def test_where_a_record_of_a_day_belongs(
    collection: Collection, division: str | None, lineage: list[str], section: str | None
) -> None:
    assert section_of_record(collection, division=division, taxonomy=lineage) == section
