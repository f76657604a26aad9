"""The shared files by other writers against the values that their list says are right."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from genbank_assets_tests.flatfiles import scan
from genbank_assets_tests.paths import SHARED

FOLDER = SHARED / "dialects"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared files are not here")


def rows_of(name: str) -> list[dict[str, Any]]:
    return scan((FOLDER / name).read_bytes())[1]


def table(row: dict[str, Any]) -> list[tuple[str, str, list[tuple[str, str | None]]]]:
    return [
        (f["key"], f["location"], [(q["key"], q["value"]) for q in f["qualifiers"]])
        for f in row["features"]
        if f["key"] != "source"
    ]


def test_torn_values() -> None:
    for name, text in (
        ("newline_upper.gb", "Strong promoter. See the protocol. ATTENTION check the orientation."),
        ("newline_kw.gb", "Ordered from SOURCE BioScience catalogue."),
        ("reference_col1.gb", "details in REFERENCE 12 of the lab list"),
    ):
        (row,) = rows_of(name)
        first, *others = table(row)
        assert (first[2], len(others)) == ([("note", text)], 2 if "newline" in name else 1)
        assert (row["source"], row["references"], row["other_lines"]) == ("synthetic DNA construct", [], [])
        assert row["notes"]


def test_qualifier_names() -> None:
    (row,) = rows_of("split_product.gbk")
    assert table(row)[0][2][:2] == [
        ("product", "ribulose-1"),
        ("5-bisphosphate carboxylase/oxygenase small subunit", "true"),
    ]
    (row,) = rows_of("geneious_feat.gb")
    assert table(row)[2][2] == [("Transferred Similarity", "98.51%"), ("NCBI Join Type", "join")]


def test_tabs() -> None:
    (row,) = rows_of("tabfeatures.gb")
    assert [f["key"] for f in row["features"]] == ["source", "gene", "CDS", "tRNA"]
    assert table(row)[1] == ("CDS", "complement(1..20)", [("locus_tag", "b"), ("product", "wrapped value")])


def test_full_lines() -> None:
    (row,) = rows_of("hyphen_fullcut.gbk")
    values = dict(table(row)[0][2])
    assert all(" " not in value for key, value in values.items() if key != "note")
    assert values["note"].count(" ") == 3
    assert values["domain_id"] == "nrpspksdomains_isolate-07_contig-12_00345_Condensation_LCL.1_copy"


def test_locations() -> None:
    (row,) = rows_of("upper_circular.gb")
    assert (row["topology"], row["features"][1]["spans_origin"]) == ("circular", True)
    assert [(f["location"], f["strand"]) for f in row["features"][1:]] == [
        ("complement(110..5)", -1),
        ("complement(10..20)", -1),
    ]
    (row,) = rows_of("rev_loc_ranges.gb")
    noted = " ".join(row["notes"])
    assert len(row["features"]) == 20
    for location in ("complement(20..5)", "join(5..3,9..12)", "10..5", "6^5", "5^9", "5..9..12", "group(1..2,5..6)"):
        assert f": {location}" in noted, location
    (row,) = rows_of("negative_loc.gbk")
    assert [note.split(": ")[1] for note in row["notes"]] == [
        "-63..56", "0..12", "complement(-5..10)", "100..200", "50..20",
    ]  # fmt: skip


def test_names_and_links() -> None:
    (row,) = rows_of("geneious_urn.gb")
    assert (row["version"], row["accession"]) == (None, row["accession_version"])
    (row,) = rows_of("snapgene.gb")
    assert (row["accession"], row["version"], row["organism"]) == ("Exported", None, "unspecified")
    assert row["references"][0]["authors"] is None
    (row,) = rows_of("project2.gb")
    assert [link["value"] for link in row["dblinks"]] == ["13543", "99999"]
    (row,) = rows_of("ape_dblink.gb")
    assert [tuple(link.values()) for link in row["dblinks"]] == [
        ("BioProject", "PRJNA225"),
        ("BioSample", "SAMN02604091"),
    ]
    assert row["organism"] == "Escherichia coli str. K-12 substr. MG1655"
    assert (row["taxonomy"][0], row["taxonomy"][-1], len(row["taxonomy"])) == ("Bacteria", "Escherichia", 6)
    (row,) = rows_of("second_source_taxon.gb")
    assert (row["taxon_id"], row["taxon_ids"]) == (None, [9606])


def test_comments() -> None:
    (row,) = rows_of("antismash_ok.gbk")
    items = {item["key"]: item["value"] for item in row["structured_comments"][0]["items"]}
    assert items["Run date"] == "2023-02-27 13:28:17"
    (row,) = rows_of("sc_colons.gb")
    items = {item["key"]: item["value"] for item in row["structured_comments"][0]["items"]}
    assert list(items) == ["Annotation Provider", "Annotation Method", "Annotation Version", "Empty"]
    assert items["Annotation Method"].endswith("built with Bio::SeqIO and Bio::Tools::Run of BioPerl")
    (row,) = rows_of("slashslash_in_comment.gb")
    assert (row["comment"], len(row["features"])) == ("see\n//www.example.org/x\nmore", 1)


def test_quoted_positions() -> None:
    (row,) = rows_of("bioperl_anticodon.gb")
    expected = "(pos:complement(1123552..1123554),aa:Leu,seq:caa)"
    assert [value for _, value in table(row)[0][2]] == [expected, expected]


def test_locus_lines() -> None:
    (row,) = rows_of("locus2lines.gb")
    assert [row[name] for name in ("topology", "division", "update_date")] == ["circular", "SYN", dt.date(2021, 2, 5)]
    molecules = [row["molecule_type"] for row in rows_of("locus_variants.gb")]
    assert molecules[7:10] == ["transcribed RNA", "other DNA", "genomic DNA"]


def test_text_files_of_windows_and_of_word_processors() -> None:
    assert [row["accession"] for row in rows_of("bom.gb")] == ["BOM1", "BOM2"]
    scanner, rows, _ = scan((FOLDER / "nbsp.gb").read_bytes())
    assert rows == []
    assert "\u00a0promoter" in scanner.quarantine[0][5]
    (row,) = rows_of("lonecr.gb")
    assert table(row)[0][2] == [("note", "first line second line"), ("label", "a b")]


def test_text_without_a_column() -> None:
    (row,) = rows_of("unimark.gb")
    assert row["other_lines"] == [{"keyword": "UNIMARK", "text": "TST001 features"}]
    (row,) = rows_of("colzero_subkeys.gb")
    assert (row["organism"], row["references"][0]["journal"]) == (
        "unspecified",
        "Exported Jun 13, 2018 from SnapGene 4.1.2 http://www.snapgene.com",
    )
