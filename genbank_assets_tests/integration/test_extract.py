"""Selections, outputs and odd features of extracts, on stores of a few records written here."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import zstandard

from genbank_assets.durable import is_special
from genbank_assets.errors import IntegrityError, NotFoundError, SettingsError, StoreError
from genbank_assets.extract import Extract, FormatOptions, Selection, extract
from genbank_assets.extract.citation import cite
from genbank_assets.extract.hints import hints_of
from genbank_assets.extract.output import Shards
from genbank_assets.ncbi.taxonomy import fetch_taxonomy
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets.tables.derived import build_derived
from genbank_assets.tables.taxonomy import build_taxonomy
from genbank_assets_tests.fix_extract import quiet
from genbank_assets_tests.paths import SAMPLE

StoreOf = Callable[..., Settings]


def record(name: str, residues: str, features: str = "", *, topology: str = "linear", day: str = "01-JAN-2020") -> str:
    lines = "".join(
        f"{n + 1:>9} {' '.join(residues[n : n + 60][k : k + 10] for k in range(0, len(residues[n : n + 60]), 10))}\n"
        for n in range(0, len(residues), 60)
    )
    return (
        f"LOCUS       {name:<16} {len(residues):>11} bp    DNA     {topology:<8} PHG {day}\n"
        f"DEFINITION  Record {name}.\nACCESSION   {name}\nVERSION     {name}.1\nKEYWORDS    .\nSOURCE      x\n"
        f"  ORGANISM  Some phage\n            Viruses.\nFEATURES             Location/Qualifiers\n"
        f"     source          1..{len(residues)}\n                     /organism=\"Some phage\"\n"
        f"                     /db_xref=\"taxon:10847\"\n{features}ORIGIN      \n{lines}//\n"
    )  # fmt: skip


def feature(key: str, location: str, **qualifiers: str) -> str:
    lines = "".join(f'                     /{name}="{value}"\n' for name, value in qualifiers.items())
    return f"     {key:<15} {location}\n{lines}"


def text_of(settings: Settings, selection: Selection | None = None, format_: str = "fasta", **options: object) -> str:
    out = io.BytesIO()
    extract(
        selection or Selection(), settings=settings, to=out, format_=format_, options=FormatOptions(**options)  # type: ignore[arg-type]
    )  # fmt: skip
    return out.getvalue().decode()


def entries(text: str) -> dict[str, str]:
    found = {}
    for entry in ("\n" + text).split("\n>")[1:]:
        head, _, body = entry.partition("\n")
        found[head] = body.replace("\n", "")
    return found


def run(settings: Settings, to: Path, selection: Selection | None = None, **options: object) -> Extract:
    return extract(selection or Selection(), settings=settings, to=to, **options)  # type: ignore[arg-type]


def test_features_over_the_origin_reversed_partial_remote_and_empty(store_of: StoreOf) -> None:
    residues = "acgtaaccggtt" + "a" * 48
    features = (
        feature("misc_feature", "join(59..60,1..4)", note="o")
        + feature("misc_feature", "58..2", note="over")
        + feature("misc_feature", "complement(58..2)", note="over, other strand")
        + feature("gene", "complement(join(1..3,7..9))", gene="g")
        + feature("CDS", "complement(<1..>6)", gene="g")
        + feature("misc_feature", "join(1..3,XX000001.1:5..9)", note="remote")
        + feature("misc_feature", "3^4", note="between")
        + feature("misc_feature", "order(1..2,5..6)", note="order")
        + feature("misc_feature", "55..99", note="outside")
    )
    settings = store_of(phg=record("AB000001", residues, features, topology="circular"))
    found = entries(text_of(settings, format_="feature", header="{partial}"))
    assert found["AB000001.1_misc_feature_2"] == "AAACGT"
    assert found["AB000001.1_misc_feature_3"] == "AAAAC"
    assert found["AB000001.1_misc_feature_4"] == "GTTTT"
    assert found["AB000001.1_gene_5"] == "CCGCGT"[:0] + "CGGCGT"
    assert found["AB000001.1_CDS_6 5',3'"] == "TTACGT"
    assert found["AB000001.1_misc_feature_9"] == "ACAA"
    out = io.BytesIO()
    manifest = extract(Selection(features=("misc_feature",)), settings=settings, to=out, format_="feature")
    assert manifest.excluded == {
        "feature: a place between residues": 1,
        "feature: a span lies in another record": 1,
        "feature: a span lies outside of the record": 1,
    }


def test_what_the_release_has_twice_comes_once(store_of: StoreOf) -> None:
    settings = store_of(phg=record("AB000001", "acgt" * 5), vrl=record("AB000002", "acgt" * 5))
    assert len(entries(text_of(settings))) == 2
    one = text_of(settings, Selection(distinct=True), header="")
    assert one == ">AB000001.1 also=AB000002.1\n" + "ACGT" * 5 + "\n"


def test_conditions_count_what_they_leave_out(store_of: StoreOf, tmp_path: Path) -> None:
    settings = store_of(
        phg=record("AB000001", "a" * 10)
        + record("AB000002", "c" * 20, day="05-MAY-2024")
        + record("AB000003", "g" * 30)
    )
    found = run(settings, tmp_path / "x.fa", Selection(min_length=20, updated_since=dt.date(2024, 1, 1)))
    assert (found.entries, found.excluded) == (1, {"another length": 1, "last updated before": 1})
    found = run(settings, tmp_path / "x.fa", Selection(excluded_accessions=("AB000001", "AB000003.1")))
    assert (found.entries, found.excluded) == (1, {"its accession is excluded": 2})
    names = ("AB000003.1", "ab000001", "AB000002.9", "ZZ1")
    found = run(settings, tmp_path / "x.fa", Selection(accessions=names))
    assert found.not_found == ("AB000002.9", "ZZ1")
    assert list(entries((tmp_path / "x.fa").read_text())) == [
        "AB000001.1 Record AB000001",
        "AB000003.1 Record AB000003",
    ]
    assert json.loads((tmp_path / "x.fa.manifest.json").read_text())["not_found"] == ["AB000002.9", "ZZ1"]


def test_samples_are_conditions_too(store_of: StoreOf) -> None:
    def sampled(name: str, **qualifiers: str) -> str:
        lines = "".join(f'                     /{key}="{value}"\n' for key, value in qualifiers.items())
        return record(name, "acgt" * 5).replace('/db_xref="taxon:10847"\n', f'/db_xref="taxon:10847"\n{lines}')

    settings = store_of(
        phg=sampled("AB000001", geo_loc_name="France: Paris", collection_date="2020-05")
        + sampled("AB000002", country="France", collection_date="2019/2021")
        + sampled("AB000003", geo_loc_name="missing: lab stock", collection_date="05-Jun-2020")
    )
    assert list(entries(text_of(settings, Selection(countries=("FRANCE",)), header=""))) == ["AB000001.1", "AB000002.1"]
    days = Selection(collected_from=dt.date(2020, 1, 1), collected_to=dt.date(2020, 12, 31))
    assert list(entries(text_of(settings, days, header=""))) == ["AB000001.1", "AB000003.1"]
    columns = ("accession_version", "country", "region", "collected_to", "geo_loc_name_missing")
    table = text_of(settings, format_="tsv", columns=columns).splitlines()
    assert table[1:] == [
        "AB000001.1\tFrance\tParis\t2020-05-31\t", "AB000002.1\tFrance\t\t2021-12-31\t",
        "AB000003.1\t\t\t2020-06-05\tmissing: lab stock",
    ]  # fmt: skip


def test_files_are_packed_and_their_manifest_is_true(store_of: StoreOf, tmp_path: Path) -> None:
    settings = store_of(phg="".join(record(f"AB{n:06}", "acgtn" * 40) for n in range(1, 400)))
    plain = run(settings, tmp_path / "x.fa")
    text = (tmp_path / "x.fa").read_bytes()
    run(settings, tmp_path / "x.fa.gz")
    assert gzip.decompress((tmp_path / "x.fa.gz").read_bytes()) == text
    run(settings, tmp_path / "x.fa.zst")
    assert zstandard.ZstdDecompressor().decompressobj().decompress((tmp_path / "x.fa.zst").read_bytes()) == text
    first = (tmp_path / "x.fa.manifest.json").read_bytes()
    assert run(settings, tmp_path / "x.fa").files == plain.files
    assert (tmp_path / "x.fa.manifest.json").read_bytes() == first
    run(settings, tmp_path / "x.parquet", format_="parquet", options=FormatOptions(columns=("accession", "length")))
    assert pq.read_table(tmp_path / "x.parquet").column_names == ["accession", "length"]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_shards_end_between_entries_and_are_taken_up_again(
    store_of: StoreOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = store_of(
        phg="".join(record(f"AB{n:06}", "acgtn" * (n % 70 + 1)) for n in range(1, 300)),
        vrl="".join(record(f"AC{n:06}", "acg" * (n % 70 + 1)) for n in range(1, 300)),
    )
    whole = text_of(settings)
    found = run(settings, tmp_path / "a" / "x.fa", shard_bytes=5_000)
    texts = [(tmp_path / "a" / file.name).read_text() for file in found.files]
    assert "".join(texts) == whole
    assert all(text.startswith(">") and len(text) >= 5_000 for text in texts[:-1])
    assert sum(file.entries for file in found.files) == found.entries == 598
    for after in (1, 3, len(found.files) - 1):
        folder = tmp_path / f"b{after}"
        with monkeypatch.context() as patch:
            _stop_after(patch, after)
            with pytest.raises(KeyboardInterrupt):
                run(settings, folder / "x.fa", shard_bytes=5_000)
        times = {path.name: path.stat().st_mtime_ns for path in folder.glob("x.*.fa")}
        assert len(times) == after
        again = run(settings, folder / "x.fa", shard_bytes=5_000)
        assert again == found
        assert "".join((folder / file.name).read_text() for file in again.files) == whole
        assert all((folder / name).stat().st_mtime_ns == at for name, at in times.items())


def _stop_after(patch: pytest.MonkeyPatch, shards: int) -> None:
    """Let Ctrl-C come when so many shards are finished."""
    original, seen = Shards._end_shard, []

    def stop(self: Shards) -> None:
        seen.append(1)
        original(self)
        if len(seen) == shards:
            raise KeyboardInterrupt

    patch.setattr(Shards, "_end_shard", stop)


def test_entries_can_be_sorted(store_of: StoreOf) -> None:
    settings = store_of(
        phg=record("AC000001", "a" * 61) + record("AB000009", "c" * 10), vrl=record("AB000001", "g" * 5)
    )
    out = io.BytesIO()
    extract(Selection(), settings=settings, to=out, order="accession", options=FormatOptions(header=""))
    assert list(entries(out.getvalue().decode())) == ["AB000001.1", "AB000009.1", "AC000001.1"]
    assert sorted(out.getvalue()) == sorted(text_of(settings, header="").encode())


def test_a_child_has_the_gene_that_it_lies_in(store_of: StoreOf) -> None:
    """Mitochondria have two genes of the name trnL."""
    features = "".join(
        feature("gene", place, gene="trnL") + feature("tRNA", place, gene="trnL", product="tRNA-Leu")
        for place in ("1..20", "complement(31..50)")
    ) + feature("gene", "51..55", gene="rps12") + feature("CDS", "join(51..52,57..60)", gene="rps12")  # fmt: skip
    settings = store_of(phg=record("AB000001", "a" * 60, features))
    lines = [line.split("\t") for line in text_of(settings, format_="gff3").splitlines() if line[0] != "#"]
    told = [(line[2], dict(pair.split("=") for pair in line[8].split(";"))) for line in lines]
    parents = [(kind, at["ID"], at.get("Parent")) for kind, at in told if kind in {"tRNA", "CDS"}]
    assert parents == [
        ("tRNA", "AB000001.1_3", "AB000001.1_2"),
        ("tRNA", "AB000001.1_5", "AB000001.1_4"),
        ("CDS", "AB000001.1_7", "AB000001.1_6"),
        ("CDS", "AB000001.1_7", "AB000001.1_6"),
    ]


def gff3_of(settings: Settings, selection: Selection | None = None) -> list[tuple[list[str], dict[str, str]]]:
    """The lines of features, each with its attributes; no attribute may stand twice or be empty."""
    found = []
    for line in text_of(settings, selection, format_="gff3").splitlines():
        if not line.startswith("#"):
            *columns, last = line.split("\t")
            pairs = [pair.split("=") for pair in last.split(";")]
            assert len({name for name, _ in pairs}) == len(pairs)
            assert all(value for _, value in pairs), line
            found.append((columns, dict(pairs)))
    return found


def test_gff3_is_what_strict_readers_take(store_of: StoreOf) -> None:
    bare = '                     /partial\n                     /replace=""\n                     /pseudo=""\n'
    features = (
        feature("variation", "3^4", note="a=b; c, 50% & d|\u00e9")
        + feature("variation", "60^1")
        + feature("gene", "<1..30", gene="g", EC_number="1.1.1.1")
        + bare
        + feature("CDS", "1..30", gene="g")
        + feature("mat_peptide", "4..12", gene="g")
        + feature("misc_feature", "4..12", gene="g")
        + feature("gene", "join(58..60,1..4)", gene="o")
    )
    settings = store_of(phg=record("AB000001", "acgt" * 15, features, topology="circular"))
    lines = gff3_of(settings)
    assert [(c[2], c[3], c[4]) for c, _ in lines] == [
        ("region", "1", "60"), ("sequence_alteration", "3", "3"), ("sequence_alteration", "60", "60"),
        ("gene", "1", "30"), ("CDS", "1", "30"), ("mature_protein_region", "4", "12"),
        ("sequence_feature", "4", "12"), ("gene", "58", "64"),
    ]  # fmt: skip
    attributes = [at for _, at in lines]
    assert attributes[0]["Is_circular"] == "true"
    assert attributes[1]["Note"] == "a%3Db%3B c%2C 50%25 %26 d|\u00e9"
    gene = {key: attributes[3].get(key) for key in ("ec_number", "partial", "pseudo", "replace")}
    assert gene == {"ec_number": "1.1.1.1", "partial": "true", "pseudo": "true", "replace": None}
    related = [(at.get("Parent"), at.get("Derives_from")) for at in attributes[4:7]]
    assert related == [("AB000001.1_4", None), (None, "AB000001.1_5"), (None, None)]


def test_a_line_over_the_origin_stands_with_its_circle(store_of: StoreOf) -> None:
    over = record("AB000001", "acgt" * 15, feature("gene", "join(58..60,1..4)", gene="o"), topology="circular")
    settings = store_of(phg=over + record("AB000002", "acgt"))
    text = text_of(settings, Selection(genes=("o",), features=("gene",)), format_="gff3")
    assert text.splitlines()[1:] == [
        "##sequence-region AB000001.1 1 60",
        "AB000001.1\tGenbank\tregion\t1\t60\t.\t+\t.\tID=AB000001.1:1..60;Is_circular=true",
        "AB000001.1\tGenbank\tgene\t58\t64\t.\t+\t.\tID=AB000001.1_2;Name=o;gbkey=gene;gene=o",
    ]


@pytest.mark.parametrize("format_", ["fasta", "genbank", "tsv", "accession2taxid"])
def test_formats_of_records_take_those_that_have_such_a_feature(store_of: StoreOf, format_: str) -> None:
    text = record("AB000001", "acgt" * 3, feature("CDS", "1..9", gene="MT-CO1")) + record(
        "AB000002", "acgt" * 3, feature("CDS", "1..9", gene="g") + feature("gene", "1..9", gene="COI")
    )
    settings = store_of(phg=text)
    out = io.BytesIO()
    found = extract(Selection(genes=("cox1",), distinct=format_ == "fasta"), settings=settings, to=out, format_=format_)
    assert (found.entries, found.excluded) == (1, {"no such feature": 1})
    assert b"AB000001" in out.getvalue()
    assert b"AB000002" not in out.getvalue()


def test_counts_of_a_manifest_add_up(store_of: StoreOf) -> None:
    features = feature("CDS", "1..6", gene="a") + feature("CDS", "3^4", gene="b") + feature("CDS", "XX1.1:1..9")
    settings = store_of(
        phg=record("AB000001", "acgtac", features) + record("AB000002", "acgt") + record("AB000003", "acg")
    )
    for format_ in ("fasta", "gff3", "tsv", "genbank"):
        found = extract(Selection(min_length=4), settings=settings, to=io.BytesIO(), format_=format_)
        of_features = sum(count for reason, count in found.excluded.items() if reason.startswith("feature: "))
        assert found.records == 3 == found.entries + sum(found.excluded.values()) - of_features
    found = extract(Selection(), settings=settings, to=io.BytesIO(), format_="cds")
    assert (found.records, found.features, found.entries) == (3, 3, 1)
    assert found.excluded.pop("no such feature") == 2
    assert sum(found.excluded.values()) == 2


def test_what_a_killed_run_left_goes_and_nothing_else(store_of: StoreOf, tmp_path: Path) -> None:
    settings = store_of(phg=record("AB000001", "acgt"))
    done = subprocess.run([sys.executable, "-c", f"""if True:
        import os, pathlib
        from genbank_assets.extract.output import FileOutput
        FileOutput(pathlib.Path({str(tmp_path / "x.fa")!r}), preamble=b"")
        os.kill(os.getpid(), 9)"""], check=False)  # fmt: skip
    assert done.returncode == -9
    assert len(list(tmp_path.glob(".x.fa.*.tmp"))) == 1
    for name in (".x.fa.tmp", ".y.fa.h-1-99999999-abcdefab.tmp"):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (0, 0))
    run(settings, tmp_path / "x.fa")
    there = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert there == {".x.fa.tmp", ".y.fa.h-1-99999999-abcdefab.tmp", "x.fa", "x.fa.manifest.json"}


def test_a_full_disk_is_reported_with_the_file(store_of: StoreOf, tmp_path: Path) -> None:
    settings = store_of(phg=record("AB000001", "a" * 100_000))
    with pytest.raises(StoreError, match="cannot write /dev/full: the disk is full"):  # noqa: SIM117
        with Path("/dev/full").open("wb", buffering=0) as to:
            extract(Selection(), settings=settings, to=to)  # type: ignore[arg-type]
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file: a part of the path is a file"):
        run(settings, tmp_path / "file" / "x.fa")


def test_long_records_can_be_sorted_too(store_of: StoreOf) -> None:
    """Their text comes in several blocks, most of which begin no entry."""
    long = "acgtacgtac" * 900_000
    settings = store_of(phg=record("AC000001", "a" * 61) + record("AB000009", long) + record("AB000001", "g" * 5))
    out = io.BytesIO()
    extract(Selection(), settings=settings, to=out, order="accession", options=FormatOptions(header=""))
    found = entries(out.getvalue().decode())
    assert list(found) == ["AB000001.1", "AB000009.1", "AC000001.1"]
    assert found["AB000009.1"] == long.upper()


def test_proteins_are_the_same_from_the_table(store_of: StoreOf) -> None:
    cds = feature("CDS", "1..9", product="P", protein_id="PP1.1", translation="MKK") + feature("CDS", "1..9", gene="g")
    settings = store_of(phg=record("AB000001", "atgaaaaaa", cds) + record("AB000002", "acgt"))
    before = text_of(settings, format_="protein")
    assert before == ">PP1.1 P [Some phage]\nMKK\n"
    partition = PartitionRelease(settings.store, PartitionKey("genbank", "phg"), "9.0")
    made = build_derived(partition, stage="cds", settings=settings, progress=lambda line: None, run_id="t")
    assert made.extra["checks"] == {"no translation is given": 1, "same": 1}
    assert text_of(settings, format_="protein") == before
    counted = extract(Selection(), settings=settings, to=io.BytesIO(), format_="protein").excluded
    assert counted == {"feature: no translation is given": 1, "no such feature": 1}


def test_headers_stay_one_line(store_of: StoreOf) -> None:
    settings = store_of(phg=record("AB000001", "acgt"))
    assert text_of(settings, header="{organism} | {length} bp") == ">AB000001.1 Some phage | 4 bp\nACGT\n"
    assert text_of(settings, header="", kraken=True) == ">AB000001.1|kraken:taxid|10847\nACGT\n"
    for template in ("{nothing}", "{", "{length:>10}"):
        with pytest.raises(SettingsError):
            text_of(settings, header=template)


def test_impossible_requests_are_rejected_before_anything_is_written(store_of: StoreOf, tmp_path: Path) -> None:
    settings = store_of(phg=record("AB000001", "acgt"))
    for selection, options, error in (
        (Selection(partitions=("genbank/xyz",)), {}, NotFoundError),
        (Selection(release="8.0"), {}, NotFoundError),
        (Selection(taxa=("Viruses",)), {}, NotFoundError),
        (Selection(changed_since="8.0"), {}, NotFoundError),
        (Selection(), {"format_": "crabs"}, NotFoundError),
        (Selection(), {"format_": "nothing"}, SettingsError),
        (Selection(), {"format_": "gff3", "options": FormatOptions(width=70)}, SettingsError),
        (Selection(distinct=True), {"format_": "cds"}, SettingsError),
    ):
        with pytest.raises(error):
            run(settings, tmp_path / "out" / "x", selection, **options)
        assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_folder_is_no_file_to_write(store_of: StoreOf, tmp_path: Path) -> None:
    settings = store_of(phg=record("AB000001", "acgt"))
    (tmp_path / "out").mkdir()
    with pytest.raises(SettingsError, match="out is a folder: specify a file in it"):
        run(settings, tmp_path / "out")


def test_reference_sets_have_the_formats_of_their_programs(store_of: StoreOf) -> None:
    settings = store_of(phg=record("AB000001", "acgt") + record("AB000002", "acgg").replace("taxon:10847", "taxon:1"))
    sample = dataclasses.replace(settings, source=SAMPLE.as_uri())
    build_taxonomy(fetch_taxonomy(settings=sample, progress=quiet), store=settings.store, progress=quiet)
    names = ["Viruses", "Phixviricota", "Malgrandaviricetes", "Petitvirales", "Microviridae", "Sinsheimervirus"]
    names.append("Sinsheimervirus phiX174")
    ranks = dict(zip(["d", "p", "c", "o", "f", "g", "s"], names, strict=True))
    crabs = [["AB000001", "Some phage", "10847", *names, "ACGT"], ["AB000002", "Some phage", "1", *["NA"] * 7, "ACGG"]]
    assert text_of(settings, format_="crabs") == "".join("\t".join(line) + "\n" for line in crabs)
    sintax = ",".join(f"{letter}:{name.replace(' ', '_')}" for letter, name in ranks.items())
    wanted = f">AB000001.1;tax={sintax};\nACGT\n>AB000002.1;tax=;\nACGG\n"
    assert text_of(settings, format_="sintax") == wanted
    assert text_of(settings, format_="qiime2") == ">AB000001.1\nACGT\n>AB000002.1\nACGG\n"
    lines = [
        "Feature ID\tTaxon",
        "AB000001.1\t" + "; ".join(f"{letter}__{name}" for letter, name in ranks.items()),
        "AB000002.1\t" + "; ".join(f"{letter}__" for letter in ranks),
    ]
    assert text_of(settings, format_="qiime2-taxonomy") == "\n".join(lines) + "\n"
    table = text_of(settings, format_="qiime2-taxonomy", ranks=("family", "subfamily", "species"))
    assert table.splitlines()[1] == "AB000001.1\tf__Microviridae; fs__Bullavirinae; s__Sinsheimervirus phiX174"
    for format_, rank in (("sintax", "subfamily"), ("crabs", "famly")):
        with pytest.raises(SettingsError, match=f"rank .*{rank}"):
            text_of(settings, format_=format_, ranks=("family", rank))


def test_accession2taxid_has_the_gi_of_older_files(store_of: StoreOf) -> None:
    old = record("AB000001", "acgt").replace("VERSION     AB000001.1", "VERSION     AB000001.1  GI:4514523")
    settings = store_of(phg=old + record("AB000002", "acgt"))
    header = "accession\taccession.version\ttaxid\tgi\n"
    rows = "AB000001\tAB000001.1\t10847\t4514523\nAB000002\tAB000002.1\t10847\t0\n"
    assert text_of(settings, format_="accession2taxid") == header + rows


def test_a_pipe_is_written_in_place_and_never_replaced(store_of: StoreOf, tmp_path: Path) -> None:
    settings = store_of(phg=record("AB000001", "acgt"))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        found = run(settings, pipe)
        assert reader.communicate()[0] == b">AB000001.1 Record AB000001\nACGT\n"
    assert (found.entries, found.files[0].name) == (1, "-")
    assert pipe.is_fifo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pipe", "source", "store"]
    with pytest.raises(SettingsError, match="Parquet goes into one file"):
        run(settings, Path("/dev/null"), format_="parquet")
    with pytest.raises(StoreError, match="cannot write /dev/full: the disk is full"):
        run(settings, Path("/dev/full"))
    with pytest.raises(StoreError, match=r"cannot write /proc/x: .*is a device|cannot write /proc/x: No such file"):
        run(settings, Path("/proc/x"))
    with pytest.raises(StoreError, match="pipe: it is a device or a pipe, and would be replaced; name a file"):
        run(settings, tmp_path / "out.fasta", manifest=pipe)


def test_devices_and_open_files_are_special(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    special = ["/dev/null", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]
    assert [path for path in special if not is_special(Path(path))] == []
    ordinary = [tmp_path, tmp_path / "file", tmp_path / "link", tmp_path / "none", Path("/dev/shm/x")]
    assert [path for path in ordinary if is_special(path)] == []


def test_a_query_that_selects_nothing_says_why(store_of: StoreOf) -> None:
    settings = store_of(phg=record("AB000001", "acgt" * 9, feature("CDS", "1..9", gene="known", product="a protein")))

    def hints(**selection: Any) -> str:
        chosen = Selection(**selection)
        return "\n".join(hints_of(chosen, extract(chosen, settings=settings, to=io.BytesIO())))

    assert hints(features=("cds",), genes=("KNOWN",)) == ""
    assert "1 record(s) examined, none of which meets all conditions" in hints(organisms=("nobody",))
    assert "has the gene 'unheard', and it is not one of the markers" in hints(genes=("unheard",))
    assert "no CDS of these records has the gene 'matK' under any of its names" in hints(
        features=("CDS",), genes=("matK",)
    )
    assert "product 'protein'; * matches anything, as in '*protein*'" in hints(products=("protein",))
    assert "CDSS is not a feature key of NCBI's: did you mean CDS?" in hints(features=("CDSS",))
    assert "has the gene" not in hints(genes=("known",), min_length=100)
    assert "the list of accessions is empty" in hints(accessions=())


def test_a_damaged_table_publishes_nothing(store_of: StoreOf, tmp_path: Path) -> None:
    settings = store_of(phg=record("AB000001", "acgt" * 500))
    (table,) = settings.store.glob("genbank/9.0/phg/records/*/sequences/*.parquet")
    table.chmod(0o644)
    table.write_bytes(table.read_bytes()[:-20])
    with pytest.raises(IntegrityError, match="materialize"):
        run(settings, tmp_path / "x.fa")
    assert not list(tmp_path.glob("*x.fa*"))


def test_a_partition_is_cited_with_release_date_and_digest(store_of: StoreOf) -> None:
    settings = store_of(phg=record("AB000001", "acgt") + record("AB000002", "acgt"))
    (found,) = cite(settings.store, ["genbank/phg"])
    raw = settings.store / "genbank/9.0/phg/raw_files"
    (path,) = raw.glob("*/gbphg1.seq.gz")
    line = f"gbphg1.seq.gz {hashlib.sha256(path.read_bytes()).hexdigest()}\n"
    expected = hashlib.sha256(line.encode()).hexdigest()
    assert (found.release, found.date, found.records, found.digest) == ("9.0", "2026-11-24", 2, expected)
    assert "release 9.0 of 2026-11-24 (2 records)" in found.sentence
    assert found.bibtex.startswith("@misc{genbank-phg-9.0,")
    assert found.bibtex.count("{") == found.bibtex.count("}")
    with pytest.raises(NotFoundError):
        cite(settings.store, ["genbank/vrl"])
