"""Extracts of few records out of many: accessions from a list, and clades of 0.5 to 4 % of the records.

    extract_chosen.py [RECORDS] [REPEATS]

A division of RECORDS (1,000,000 by default) generated records of 600 bp in files of 50,000 and a taxonomy for it are
loaded into a temporary store. Taxa occur in runs of 50 records, as submissions do, or are scattered record by record.
Seconds are those of the whole command, including its start; the median of the repeats.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import statistics
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
from timed_commands import timed

from genbank_assets.ncbi.fetch import fetch_division
from genbank_assets.ncbi.taxonomy import fetch_taxonomy
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets.tables.dedup import build_unique_records
from genbank_assets.tables.records import build_records
from genbank_assets.tables.taxonomy import build_taxonomy

FILE_RECORDS = 50_000
RUN_RECORDS = 50
ACCESSIONS = 1_000
PERCENTS = (0.5, 1, 2, 4)
OTHERS, IN_RUNS, SCATTERED = 100, 200, 300  # taxa
RECORD = """LOCUS       ZZ{n:08}               600 bp    DNA     linear   VRL 01-JAN-2024
DEFINITION  Generated virus isolate {n}, partial genome.
ACCESSION   ZZ{n:08}
VERSION     ZZ{n:08}.1
KEYWORDS    .
SOURCE      Generated virus {taxon}
  ORGANISM  Generated virus {taxon}
            Viruses.
FEATURES             Location/Qualifiers
     source          1..600
                     /organism="Generated virus {taxon}"
                     /mol_type="genomic DNA"
                     /db_xref="taxon:{taxon}"
     CDS             1..600
                     /product="capsid protein"
                     /protein_id="AAA{n:08}.1"
ORIGIN      
{lines}//
"""  # noqa: W291


def taxa_of(records: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the taxon of each record: every clade is one taxon, half of the clades occur in runs."""
    draw = np.random.default_rng(1)
    taxa = np.full(records, OTHERS)
    runs = draw.permutation(-(-records // RUN_RECORDS))
    used = 0
    for number, percent in enumerate(PERCENTS):
        count = round(len(runs) * percent / 100)
        for run in runs[used : used + count]:
            taxa[run * RUN_RECORDS : (run + 1) * RUN_RECORDS] = IN_RUNS + number
        used += count
    left = draw.permutation(np.flatnonzero(taxa == OTHERS))
    used = 0
    for number, percent in enumerate(PERCENTS):
        count = round(records * percent / 100)
        taxa[left[used : used + count]] = SCATTERED + number
        used += count
    return taxa


def write_source(root: Path, records: int) -> None:
    """Write the division and the taxonomy as NCBI publishes them."""
    taxa, letters = taxa_of(records), np.frombuffer(b"acgt", np.uint8)
    draw = np.random.default_rng(2)
    (root / "genbank").mkdir(parents=True)
    names = []
    for first in range(0, records, FILE_RECORDS):
        count = min(FILE_RECORDS, records - first)
        residues = letters[draw.integers(0, 4, (count, 600))].tobytes().decode()
        text = "".join(
            RECORD.format(
                n=first + n + 1, taxon=taxa[first + n], lines=_origin(residues[600 * n : 600 * n + 600])
            )
            for n in range(count)
        )  # fmt: skip
        names.append(f"gbvrl{len(names) + 1}.seq")
        (root / "genbank" / f"{names[-1]}.gz").write_bytes(gzip.compress(text.encode(), 1))
    (root / "genbank" / "GB_Release_Number").write_text("1.0\n")
    listed = "\n".join(f"{n}. {name} - Sequences, part {n}." for n, name in enumerate(names, 1))
    sizes = "\n".join(f"{1:10}     {name}" for name in names)
    (root / "genbank" / "gbrel.txt").write_text(
        "GBREL.TXT          Genetic Sequence Data Bank\n                         November 24 2026\n\n"
        "               NCBI-GenBank Flat File Release 1.0\n\n2.2 Files\n\n"
        f"  This GenBank flat file release consists of {len(names)} files.\n\n2.2.1 File Descriptions\n\n"
        f"Files included in this release are:\n\n{listed}\n\n2.2.5 File Sizes\n\n"
        f"File Size      File Name\n\n{sizes}\n"
    )
    (root / "pub" / "taxonomy").mkdir(parents=True)
    archive = root / "pub" / "taxonomy" / "taxdump.tar.gz"
    ids = [1, OTHERS, *(base + n for base in (IN_RUNS, SCATTERED) for n in range(len(PERCENTS)))]
    members = {
        "nodes.dmp": "".join(f"{n}\t|\t1\t|\tspecies\t|\t\t|\t" + "1\t|\t" * 8 + "\t|\n" for n in ids),
        "names.dmp": "".join(f"{n}\t|\tGenerated virus {n}\t|\t\t|\tscientific name\t|\n" for n in ids),
        "merged.dmp": "2\t|\t1\t|\n",
        "delnodes.dmp": "3\t|\n",
    }
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), 1_760_000_000  # the date of the taxonomy
            tar.addfile(member, io.BytesIO(content.encode()))
    digest = hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest()
    archive.with_name("taxdump.tar.gz.md5").write_text(f"{digest}  taxdump.tar.gz\n")


def _origin(residues: str) -> str:
    return "".join(
        f"{n + 1:>9} {' '.join(residues[k : k + 10] for k in range(n, n + 60, 10))}\n" for n in range(0, 600, 60)
    )


def main(records: int, repeats: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_source(folder / "source", records)
        settings = Settings(source=(folder / "source").as_uri(), store=folder / "store", workers=2)
        quiet = {"settings": settings, "progress": lambda line: None, "run_id": "benchmark"}
        key = PartitionKey("genbank", "vrl")
        partition = PartitionRelease(settings.store, key, fetch_division(key, **quiet).release)
        build_records(partition, **quiet)
        build_unique_records(partition, **quiet)
        taxonomy = fetch_taxonomy(settings=settings, progress=quiet["progress"])
        build_taxonomy(taxonomy, store=settings.store, progress=quiet["progress"])
        wanted = random.Random(3).sample(range(1, records + 1), min(ACCESSIONS, records))
        (folder / "list").write_text("".join(f"ZZ{n:08}\n" for n in wanted))
        program = Path(sys.executable).parent / "genbank-assets"
        own = f"{program} extract --quiet --store {settings.store} --out {folder}/out"
        print(f"{records:,} records in {-(-records // FILE_RECORDS)} files")
        show(f"{len(wanted):,} accessions, fasta", f"{own} --accessions {folder}/list", repeats)
        show(f"{len(wanted):,} accessions, tsv", f"{own} --format tsv --accessions {folder}/list", repeats)
        show("no record: the start alone", f"{own} --taxon 1 --not 1", repeats)
        for kind, base in (("in runs", IN_RUNS), ("scattered", SCATTERED)):
            for number, percent in enumerate(PERCENTS):
                show(f"clade of {percent} %, {kind}", f"{own} --taxon {base + number}", repeats)
        show("all, fasta", own, repeats)


def show(what: str, command: str, repeats: int) -> None:
    """Run a command a few times and print its cost."""
    runs = [run for _ in range(repeats) if (run := timed(command)) is not None]
    if runs:
        wall, cpu = (statistics.median(getattr(run, name) for run in runs) for name in ("wall_seconds", "cpu_seconds"))
        print(f"{what:32} {wall:6.2f} s   CPU {cpu:6.2f} s   {max(run.memory_mb for run in runs):5,.0f} MB", flush=True)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    main(*(numbers + [1_000_000, 3][len(numbers) :]))
