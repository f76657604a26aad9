"""BLAST and DIAMOND databases: what is found in them, under which names, with which taxa; what replaces them."""

from __future__ import annotations

import dataclasses
import io
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from genbank_assets.defs.blast import finds_its_records
from genbank_assets.errors import NotFoundError
from genbank_assets.extract import Selection, extract
from genbank_assets.generations import damaged_files
from genbank_assets.search_databases.build import STAGE, build_blast_database
from genbank_assets.search_databases.programs import Feed, run
from genbank_assets.search_databases.self_search import search_itself
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, current_release
from genbank_assets_tests.fix_extract import quiet
from genbank_assets_tests.integration.test_extract import feature, record

pytestmark = pytest.mark.slow  # programs of others, each started anew
needs_blast = pytest.mark.skipif(shutil.which("makeblastdb") is None, reason="NCBI BLAST+ is not here")
needs_diamond = pytest.mark.skipif(shutil.which("diamond") is None, reason="DIAMOND is not here")
LETTERS = "".join(random.Random(7).choices("ACDEFGHIKLMNPQRSTVWY", k=80))
OTHER_LETTERS = "".join(random.Random(8).choices("ACDEFGHIKLMNPQRSTVWY", k=80))


def residues(seed: int, length: int = 300) -> str:
    return "".join(random.Random(seed).choices("acgt", k=length))


def coding(name: str | None, letters: str) -> str:
    given = {"protein_id": name} if name else {}
    return feature("CDS", "1..240", product="a thing", **given, translation=letters)


def newest(settings: Settings, name: str) -> PartitionRelease:
    partition = current_release(settings.store, key=PartitionKey(*name.split("/")), stage="unique_records")
    assert partition is not None
    return partition


def build(settings: Settings, name: str = "genbank/phg") -> tuple[PartitionRelease, Manifest]:
    partition = newest(settings, name)
    return partition, build_blast_database(partition, settings=settings, progress=quiet, run_id="test")


def listed(partition: PartitionRelease, manifest: Manifest, database: str) -> dict[str, int]:
    text = run(
        "blastdbcmd", ["-db", str(partition.folder_of(manifest) / database), "-entry", "all", "-outfmt", "%a %T"]
    )
    return {name: int(taxon) for name, taxon in (line.split() for line in text.splitlines())}


def oddities() -> str:
    same = residues(1)
    return (
        record("AB000001", same, coding("AAA00001.1", LETTERS))
        + record("AB000002", same, coding("AAA00001.1", LETTERS)).replace("taxon:10847", "taxon:2")
        + record("AB000003", residues(2), coding("AAA00001.1", OTHER_LETTERS) + coding(None, LETTERS))
        + record("AB000004", residues(3), coding("aaa00001.1", OTHER_LETTERS))
    )


@needs_blast
def test_names_taxa_and_repetitions(store_of: Callable[..., Settings]) -> None:
    """Records that share residues are one entry with every name and taxon; a name is one protein's."""
    partition, manifest = build(store_of(phg=oddities()))
    assert manifest.extra["databases"] == {
        "nucleotide": {"sequences": 3, "names": 4},
        "protein": {"sequences": 2, "names": 3, "renamed": 1},
    }
    assert listed(partition, manifest, "nucleotide") == {
        "AB000001.1": 10847, "AB000002.1": 2, "AB000003.1": 10847, "AB000004.1": 10847,
    }  # fmt: skip
    proteins = listed(partition, manifest, "protein")
    assert [name for name in proteins if re.fullmatch(r"AAA00001\.1_[0-9a-f]{12}", name)]
    assert {"AAA00001.1", "AB000003.1_CDS_3"} < set(proteins)
    assert set(proteins.values()) == {10847}


@needs_blast
def test_a_search_names_every_record_of_a_sequence(store_of: Callable[..., Settings]) -> None:
    partition, manifest = build(store_of(phg=oddities()))
    options = ["-db", str(partition.folder_of(manifest) / "nucleotide"), "-outfmt", "6 sallacc staxids pident"]
    hits = run("blastn", options, text=f">query\n{residues(1)}\n").splitlines()
    assert hits == ["AB000001;AB000002\t2;10847\t100.000"]


@needs_blast
@needs_diamond
def test_diamond_finds_proteins(store_of: Callable[..., Settings], tmp_path: Path) -> None:
    partition, manifest = build(store_of(phg=oddities()))
    database = str(partition.folder_of(manifest) / "protein.dmnd")
    query = tmp_path / "query.fasta"
    query.write_text(f">query\n{LETTERS}\n")
    options = ["-d", database, "-q", str(query), "--masking", "0", "--quiet", "--outfmt", "6", "qseqid", "sallseqid"]
    assert run("diamond", ["blastp", *options]) == "query\tAAA00001.1;AB000003.1_CDS_3\n"


@needs_blast
@needs_diamond
def test_diamond_databases_have_taxa_with_a_taxonomy(extract_settings: Settings, tmp_path: Path) -> None:
    settings = copied(extract_settings, tmp_path)
    partition, manifest = build(settings, "refseq/viral")
    query = tmp_path / "query.fasta"
    extract(Selection(partitions=("refseq/viral",)), settings=settings, to=query, format_="protein")
    taxa = listed(partition, manifest, "protein")
    database = str(partition.folder_of(manifest) / "protein.dmnd")
    options = ["-d", database, "-q", str(query), "--masking", "0", "--quiet", "--outfmt", "6", "sseqid", "staxids"]
    found = {line.split("\t")[0]: line.split("\t")[1] for line in run("diamond", ["blastp", *options]).splitlines()}
    known = {name for name, taxon in found.items() if taxon == str(taxa[name])}
    assert len(known) > len(found) / 2
    assert {taxon for name, taxon in found.items() if name not in known} <= {"", "N/A"}


@needs_blast
def test_a_division_finds_itself(extract_settings: Settings, tmp_path: Path) -> None:
    settings = copied(extract_settings, tmp_path)
    for name in ("genbank/phg", "refseq/viral"):
        partition, manifest = build(settings, name)
        found = search_itself(partition, manifest, settings=settings)
        assert not found.missing
        assert min(len(names) for names in found.searched.values()) >= 2
        assert set(found.searched) == set(manifest.extra["databases"]) == {"nucleotide", "protein"}
        assert finds_its_records(partition, manifest, settings).passed
        names = {line.split()[0][1:] for line in text_of(settings, name).splitlines() if line.startswith(">")}
        nucleotides = listed(partition, manifest, "nucleotide")
        assert set(nucleotides) == names - set(listed(partition, manifest, "protein"))


def copied(settings: Settings, tmp_path: Path) -> Settings:
    """The store of the session is not to be written to."""
    shutil.copytree(settings.store, tmp_path / "store", symlinks=True, copy_function=os.link)
    return dataclasses.replace(settings, store=tmp_path / "store")


def text_of(settings: Settings, name: str) -> str:
    out = io.BytesIO()
    extract(Selection(partitions=(name,)), settings=settings, to=out)
    return out.getvalue().decode()


@needs_blast
def test_the_check_sees_a_wrong_taxon_and_a_record_that_lacks(
    store_of: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = store_of(phg=record("AB000001", residues(1)) + record("AB000002", residues(2)))
    partition, manifest = build(settings)
    folder = partition.folder_of(manifest)
    taxa = tmp_path / "taxa"
    taxa.write_text("AB000001.1 9\n")
    with Feed(
        "makeblastdb",
        ["-in", "-", "-dbtype", "nucl", "-parse_seqids", "-taxid_map", str(taxa), "-title", "t", "-out",
         str(folder / "nucleotide")],
    ) as feed:  # fmt: skip
        feed.write(f">AB000001.1\n{residues(1)}\n".encode())
        feed.finish()
    assert search_itself(partition, manifest, settings=settings).missing == (
        "nucleotide: AB000002.1 is not found",
        "nucleotide: AB000001.1 has the taxon 9, not [10847]",
    )


@needs_blast
def test_nothing_is_made_twice_and_what_is_damaged_is_made_again(store_of: Callable[..., Settings]) -> None:
    settings = store_of(phg=oddities())
    partition, first = build(settings)
    again = build(settings)[1]
    assert again.generation == first.generation
    assert again.report.files_now == 0
    (partition.folder_of(first) / "nucleotide.nsq").write_bytes(b"")
    mended = build(settings)[1]
    assert mended.generation != first.generation
    assert not damaged_files(mended, partition=partition, recheck=True)
    left = {path.name for path in partition.stage_folder(STAGE).iterdir()}
    assert left == {"manifest.json", first.generation, mended.generation}
    assert not any(path.is_dir() for path in partition.folder_of(mended).iterdir())


@needs_blast
def test_a_division_without_residues_has_no_database(store_of: Callable[..., Settings]) -> None:
    text = record("AB000001", residues(1))
    settings = store_of(con=text[: text.index("ORIGIN")].replace("PHG", "CON") + "CONTIG      join(X1.1:1..300)\n//\n")
    partition, manifest = build(settings, "genbank/con")
    assert (manifest.extra["databases"], manifest.files) == ({}, ())
    assert finds_its_records(partition, manifest, settings).passed


def test_missing_programs_are_named(store_of: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = store_of(phg=oddities())
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(NotFoundError, match=r"makeblastdb is not on this machine: .*apt-get install ncbi-blast\+"):
        build(settings)


@needs_blast
def test_the_command_makes_databases_and_prints_where_they_are(store_of: Callable[..., Settings]) -> None:
    settings = store_of(phg=oddities())
    command = [
        str(Path(sys.executable).parent / "genbank-assets"),
        "blast",
        "genbank/phg",
        "--store",
        str(settings.store),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("\n")) == (0, 2), done.stderr
    for line in done.stdout.splitlines():
        assert "Database: genbank/phg 9.0" in run("blastdbcmd", ["-db", line, "-info"])
    without = {**os.environ, "PATH": str(Path(sys.executable).parent)}
    refused = subprocess.run(command, capture_output=True, text=True, check=False, env=without)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "install NCBI BLAST+" in refused.stderr


@needs_blast
def test_programs_read_the_fasta(extract_settings: Settings, tmp_path: Path) -> None:
    """What other programs make of extracts: as many entries as there are, under their names."""
    path = tmp_path / "phg.fasta"
    found = extract(Selection(partitions=("genbank/phg",)), settings=extract_settings, to=path)
    names = [line.split()[0][1:] for line in path.read_text().splitlines() if line.startswith(">")]
    run("makeblastdb", ["-in", str(path), "-dbtype", "nucl", "-parse_seqids", "-out", str(tmp_path / "db")])
    text = run("blastdbcmd", ["-db", str(tmp_path / "db"), "-entry", "all", "-outfmt", "%a"])
    assert text.split() == names
    assert len(names) == found.entries


@pytest.mark.skipif(shutil.which("samtools") is None, reason="samtools is not here")
@pytest.mark.parametrize("ending", ["fasta", "fasta.gz"])
def test_samtools_indexes_the_fasta(extract_settings: Settings, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"phg.{ending}"
    extract(Selection(partitions=("genbank/phg",)), settings=extract_settings, to=path)
    run("samtools", ["faidx", str(path)])
    index = Path(f"{path}.fai").read_text().splitlines()
    whole = tmp_path / "whole.fasta"
    extract(Selection(partitions=("genbank/phg",)), settings=extract_settings, to=whole)
    entries = {}
    for entry in whole.read_text().removeprefix(">").split("\n>"):
        head, _, body = entry.partition("\n")
        entries[head.split()[0]] = body.replace("\n", "")
    assert {line.split("\t")[0]: int(line.split("\t")[1]) for line in index} == {n: len(s) for n, s in entries.items()}
    name = max(entries, key=lambda name: len(entries[name]))
    part = run("samtools", ["faidx", str(path), f"{name}:101-200"]).split("\n", 1)[1].replace("\n", "")
    assert part == entries[name][100:200]


@pytest.mark.skipif(shutil.which("seqkit") is None, reason="seqkit is not here")
@pytest.mark.parametrize("format_", ["fasta", "protein", "cds"])
def test_seqkit_counts_the_same(extract_settings: Settings, tmp_path: Path, format_: str) -> None:
    path = tmp_path / "phg.fasta"
    found = extract(Selection(partitions=("genbank/phg",)), settings=extract_settings, to=path, format_=format_)
    line = run("seqkit", ["stats", "-T", str(path)]).splitlines()[1].split("\t")
    letters = sum(len(text) for text in path.read_text().splitlines() if not text.startswith(">"))
    assert (int(line[3]), int(line[4])) == (found.entries, letters)
    assert line[2] == ("Protein" if format_ == "protein" else "DNA")
