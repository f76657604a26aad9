"""Collection dates, missing-value terms, markers' names, genetic codes and translations with all their exceptions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import pyarrow.parquet as pq
import pytest
from Bio.Data.CodonTable import unambiguous_dna_by_id
from Bio.Seq import Seq
from hypothesis import given
from hypothesis import strategies as st

from genbank_assets.extract.markers import MARKERS, folded, marker_named
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets.tables.collection_date import MISSING_TERMS, missing_term, parse_collection_date
from genbank_assets.tables.derived import build_derived
from genbank_assets.tables.genetic_codes import CODES, translation_tables
from genbank_assets.tables.residue_text import complemented, fasta_text, spliced, translated
from genbank_assets_tests.integration.test_extract import feature, record

DECLARED = "an exception is declared"


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("text", "first", "last", "precision"),
    [
        ("1952", "1952-01-01", "1952-12-31", "year"),
        ("Oct-1952", "1952-10-01", "1952-10-31", "month"),
        ("21-Oct-1952", "1952-10-21", "1952-10-21", "day"),
        ("1952-10", "1952-10-01", "1952-10-31", "month"),
        ("1952-10-21", "1952-10-21", "1952-10-21", "day"),
        ("1952-10-21T11:43Z", "1952-10-21", "1952-10-21", "time"),
        ("1952-10-21T11Z", "1952-10-21", "1952-10-21", "time"),
        ("2015-10-11T17:53:03Z", "2015-10-11", "2015-10-11", "time"),
        ("1990-05/1991-06", "1990-05-01", "1991-06-30", "month"),
        ("21-Oct-1952/15-Feb-1953", "1952-10-21", "1953-02-15", "day"),
        ("1952/21-Oct-1953", "1952-01-01", "1953-10-21", "year"),
        ("Feb-2020", "2020-02-01", "2020-02-29", "month"),
        ("Dec-1999", "1999-12-01", "1999-12-31", "month"),
    ],
)
def test_collection_dates(text: str, first: str, last: str, precision: str) -> None:
    assert parse_collection_date(text) == (day(first), day(last), precision)


@pytest.mark.parametrize(
    "text", ["", "2020/2019", "31-Feb-2000", "21-Foo-1999", "2000-13", "last week", "1/2/2003", "2020-"]
)
def test_an_invalid_date_is_none(text: str) -> None:
    assert parse_collection_date(text) is None


def test_missing_terms_are_known_in_any_writing() -> None:
    for term in MISSING_TERMS:
        assert missing_term(term) == missing_term(f" {term.upper()} ") == missing_term(term.replace(": ", ":")) == term
    assert missing_term("missing person") is missing_term(None) is None


def test_every_marker_is_found_by_its_names_and_by_one_alone() -> None:
    for wanted in ("COI", "COII", "cytb", "12S", "16S", "18S", "28S", "ITS", "rbcL", "matK", "16S bacteria"):
        assert marker_named(wanted) is not None, wanted
    names = [folded(name) for marker in MARKERS for name in {folded(n) for n in marker.names}]
    assert len(names) == len(set(names))
    assert marker_named("cox-1") is marker_named("CO I") is marker_named("mt-co1") is not marker_named("cox2")
    certain = [{folded(n) for n in (*m.genes, *m.products)} for m in MARKERS]
    for number, marker in enumerate(MARKERS):
        for other, theirs in enumerate(certain):
            assert number == other or not theirs & certain[number], (marker.names, MARKERS[other].names)


@pytest.mark.filterwarnings("ignore:This table contains")  # codons that are stops in some places only
@given(st.text("ACGTRYSWKMBDHVN", max_size=60), st.sampled_from(CODES), st.integers(0, 2))
def test_translations_are_biopythons(residues: str, code: int, skip: int) -> None:
    tables = translation_tables()
    letters, places, cut_short = translated(
        residues.encode(), [0, len(residues)], [skip], [CODES.index(code)], np.array([False]), *tables
    )
    ours = letters[: places[1]].decode()
    coding = residues[skip:]
    whole = coding[: len(coding) - len(coding) % 3]
    theirs = str(Seq(whole).translate(table=code))
    assert bool(cut_short[0]) == (len(coding) % 3 > 0)
    assert len(ours) == len(theirs) + int(cut_short[0])
    for a, b in zip(ours, theirs, strict=False):
        assert a == b or b == "X" or (a in "BZJ" and b == "X"), (residues, code)


def test_start_codons_are_the_codes_own() -> None:
    _, starts = translation_tables()
    bits = {"A": 1, "C": 2, "G": 4, "T": 8}
    for row, code in enumerate(CODES):
        for codon in unambiguous_dna_by_id[code].start_codons:
            at = bits[codon[0]] << 8 | bits[codon[1]] << 4 | bits[codon[2]]
            assert starts[row, at] == ord("M")


@given(st.text("ACGTUNRYSWKMBDHV", max_size=80))
def test_the_other_strand_is_biopythons(residues: str) -> None:
    ours = complemented(residues.encode()).decode()
    assert ours == str(Seq(residues.replace("U", "T")).reverse_complement())


@given(
    st.lists(st.text("ACGT", max_size=30), min_size=1, max_size=8),
    st.integers(0, 12),
    st.randoms(use_true_random=False),
)
def test_lines_do_not_depend_on_how_residues_come(texts: list[str], width: int, random) -> None:
    expected = "".join(
        f">{n}\n" + "".join(f"{t[i:i + width]}\n" for i in range(0, len(t), width or max(1, len(t)))) if width else
        f">{n}\n" + (f"{t}\n" if t else "")
        for n, t in enumerate(texts)
    )  # fmt: skip
    out, column, pieces = b"", 0, []
    for n, text in enumerate(texts):
        cut = random.randint(0, len(text))
        pieces += [(n, True, text[:cut]), (n, False, text[cut:])]
    for number, (n, begins, piece) in enumerate(pieces):
        head = f">{n}\n".encode() if begins else b""
        offsets = [0, len(head)] if begins else [0]
        data, _, column = fasta_text(
            piece.encode(), [0], [len(piece)], np.array([begins]), head, offsets, width=width, column=column,
            close=number == len(pieces) - 1,
        )  # fmt: skip
        out += bytes(data)
    assert out.decode() == expected


def test_native_loops_refuse_what_lies_outside() -> None:
    with pytest.raises(IndexError):
        spliced(b"ACGT", [0], [0, 1], [3], [5], np.array([False]))
    with pytest.raises(IndexError):
        spliced(b"ACGT", [0], [0, 1], [0], [2], np.array([False]))
    with pytest.raises(IndexError):
        fasta_text(b"ACGT", [0], [5], np.array([True]), b">x\n", [0, 3])
    with pytest.raises(IndexError):
        fasta_text(b"ACGT", [0], [4], np.array([True]), b">x\n", [0, 9])
    with pytest.raises(IndexError):
        translated(b"ACG", [0, 3], [0], [99], np.array([False]), *translation_tables())


@pytest.mark.parametrize(
    ("residues", "location", "qualifiers", "check"),
    [
        ("atgaaatag", "1..9", {"translation": "MK"}, "same"),
        ("gtgaaatag", "1..9", {"translation": "MK", "transl_table": "11"}, "same"),
        ("gtgaaatag", "1..9", {"translation": "MK"}, "another first residue"),
        ("gtgaaatag", "<1..9", {"translation": "VK"}, "same"),
        ("aatgaaata", "<1..9", {"translation": "MK", "codon_start": "2"}, "same"),
        ("atgaaagc", "1..>8", {"translation": "MKA"}, "same"),
        ("atgaaagc", "1..>8", {"translation": "MK"}, "same"),
        ("ctatttcat", "complement(1..9)", {"translation": "MK"}, "same"),
        ("atgtgaaaataa", "1..12", {"translation": "MUK", "transl_except": "(pos:4..6,aa:Sec)"}, "same"),
        ("atgtgaaaataa", "1..12", {"translation": "MUK"}, "other residues"),
        ("ttattttcacat", "complement(1..12)", {"translation": "MUK", "transl_except": "(pos:complement(7..9),aa:Sec)"},
         "same"),
        ("atgaaagggtag", "join(1..6,6..10)", {"translation": "MKR"}, "same"),
        ("atgaaagggtag", "1..12", {"translation": "MKR", "ribosomal_slippage": ""}, DECLARED),
        ("atgaaatag", "1..9", {"translation": "MR", "exception": "RNA editing"}, DECLARED),
        ("atgnnntag", "1..9", {"translation": "MK"}, "residues that are ambiguous"),
        ("atgaaaaaatag", "1..12", {"translation": "MK"}, "another length"),
        ("atgaaatag", "1..9", {"pseudo": "x"}, "no translation is given for a pseudogene"),
        ("atgaaatag", "join(1..3,X1.1:1..9)", {"translation": "MK"}, "a span lies in another record"),
        ("atgaaatag", "1..9", {"translation": "MK", "transl_table": "77"}, "the genetic code is none of NCBI's"),
        ("atgtgatga", "1..9", {"translation": "MW", "transl_table": "27"}, "same"),
        ("atga", "1..4", {"translation": "M", "transl_except": "(pos:4,aa:TERM)"}, "same"),
        ("atgaaatag", "1..9", {"translation": "MR", "transl_except": "(pos:99..101,aa:Arg)"}, "other residues"),
    ],
)  # fmt: skip
def test_translations_are_compared(
    store_of: Callable[..., Settings], residues: str, location: str, qualifiers: dict[str, str], check: str
) -> None:
    settings = store_of(phg=record("AB000001", residues, feature("CDS", location, **qualifiers)))
    partition = PartitionRelease(settings.store, PartitionKey("genbank", "phg"), "9.0")
    made = build_derived(partition, stage="cds", settings=settings, progress=lambda line: None, run_id="t")
    assert made.extra["checks"] == {check: 1}
    path = partition.folder_of(made) / made.files[0]["name"]
    assert pq.read_table(path)["location"].to_pylist() == [location]
    again = build_derived(partition, stage="cds", settings=settings, progress=lambda line: None, run_id="u")
    assert (again.digest, again.report.files_now, again.report.bytes_now) == (made.digest, 0, 0)
    assert made.report.bytes_now == path.stat().st_size


def test_samples_say_what_the_source_features_say(store_of: Callable[..., Settings]) -> None:
    def sampled(name: str, **qualifiers: str) -> str:
        lines = "".join(f'                     /{key}="{value}"\n' for key, value in qualifiers.items())
        return record(name, "acgt" * 5).replace('                     /db_xref="taxon:10847"\n', lines)

    first = sampled(
        "AB000001", mol_type="genomic DNA", strain="K-12", isolate="i7", host="Homo sapiens",
        isolation_source="missing", geo_loc_name="Italy:Lazio , Rome, centre", lat_lon="41.9 n 12.5 W",
        collection_date="2019/2021-06",
        specimen_voucher="V1", culture_collection="DSM:1", organelle="mitochondrion", environmental_sample="",
    )  # fmt: skip
    both = sampled("AB000002", db_xref="BOLD:1", country="Sea: North", lat_lon="91 S 181 E").replace(
        "FEATURES             Location/Qualifiers\n",
        "FEATURES             Location/Qualifiers\n"
        '     source          1..4\n                     /db_xref="taxon:7"\n                     /db_xref="taxon:8"\n'
        '                     /lat_lon="3.5 S 4 E"\n                     /collection_date="once"\n',
    )
    settings = store_of(phg=first, bct=first + both)  # the first has no cross-reference at all
    made = {}
    for division in ("phg", "bct"):
        partition = PartitionRelease(settings.store, PartitionKey("genbank", division), "9.0")
        manifest = build_derived(partition, stage="samples", settings=settings, progress=print, run_id="t")
        made[division] = pq.read_table(partition.folder_of(manifest) / manifest.files[0]["name"]).to_pylist()
    (one,) = made["phg"]
    assert one == made["bct"][0] | {"section": "phg", "source_file": one["source_file"]}
    assert {name: value for name, value in one.items() if value is not None} == {
        "accession": "AB000001", "accession_version": "AB000001.1", "collection": "genbank", "section": "phg",
        "release": "9.0", "source_file": "gbphg1.seq.gz", "record_ordinal": 0, "feature_ordinal": 0,
        "location": "1..20", "organism": "Some phage", "organelle": "mitochondrion", "molecule_type": "genomic DNA",
        "strain": "K-12", "isolate": "i7", "host": "Homo sapiens", "country": "Italy", "region": "Lazio",
        "locality": "Rome, centre", "latitude": 41.9, "longitude": -12.5, "collected_from": day("2019-01-01"),
        "collected_to": day("2021-06-30"), "collection_precision": "year", "specimen_voucher": "V1",
        "culture_collection": "DSM:1", "is_environmental": True, "geo_loc_name": "Italy:Lazio , Rome, centre",
        "lat_lon": "41.9 n 12.5 W", "collection_date": "2019/2021-06", "isolation_source_missing": "missing",
    }  # fmt: skip
    names = ("feature_ordinal", "location", "taxon_id", "country", "region", "latitude", "longitude", "collected_from",
             "is_environmental")  # fmt: skip
    assert [tuple(row[name] for name in names) for row in made["bct"][1:]] == [
        (0, "1..4", 7, None, None, -3.5, 4.0, None, False),
        (1, "1..20", None, "Sea", "North", None, None, None, False),
    ]
