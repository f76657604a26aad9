"""Extracts of all records compared with other programs in the same run: time and memory, without building the tables.

    extract.py [FILE.seq.gz] [REPEATS]

FILE is a GenBank division file (gbXXXN.seq.gz); by default, 400 MB are generated from the bundled sample. It is first
loaded into a separate store with the table of coding sequences. Then each program writes all records, proteins or
features to a file. Other programs read the .seq.gz, through zcat if they cannot decompress it. Programs that are not
installed or cannot read the file are skipped. Wall and CPU seconds are the best of the repeats; memory is the peak of
the largest process of a program.
"""

from __future__ import annotations

import gzip
import itertools
import re
import shutil
import sys
import tempfile
from pathlib import Path

from grown_sample import grown
from timed_commands import Timed, timed

from genbank_assets.durable import file_sha256
from genbank_assets.ncbi.catalog import GENBANK, division_of_file
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, publish_manifest
from genbank_assets.tables.dedup import build_unique_records
from genbank_assets.tables.derived import build_derived
from genbank_assets.tables.records import build_records

MEGABYTES = 400
GB_IO = """
import sys, gb_io
with open(sys.argv[1], "w") as out:
    for r in gb_io.iter(sys.stdin.buffer):
        {body}
"""
GB_IO_FASTA = """s = bytes(r.sequence).decode(); out.write(f">{r.version} {r.definition}\\n")
        out.writelines(s[i:i + 60] + "\\n" for i in range(0, len(s), 60))"""
GB_IO_PROTEIN = """
        for f in r.features:
            if f.kind == "CDS":
                q = {x.key: x.value for x in f.qualifiers}
                t = (q.get("translation") or "").replace("\\n", "")
                if t:
                    out.write(f">{q.get('protein_id')} {q.get('product')}\\n")
                    out.writelines(t[i:i + 60] + "\\n" for i in range(0, len(t), 60))"""
BIOPYTHON_FASTA = """
import sys
from Bio import SeqIO
SeqIO.write(SeqIO.parse(sys.stdin, "genbank"), sys.argv[1], "fasta")
"""
BIOPYTHON_PROTEIN = """
import sys
from Bio import SeqIO
with open(sys.argv[1], "w") as out:
    for r in SeqIO.parse(sys.stdin, "genbank"):
        for f in r.features:
            if f.type == "CDS" and "translation" in f.qualifiers:
                q = f.qualifiers
                t = q["translation"][0]
                out.write(f">{q.get('protein_id', ['?'])[0]} {q.get('product', [''])[0]}\\n")
                out.writelines(t[i:i + 60] + "\\n" for i in range(0, len(t), 60))
"""
SCRIPTS = {
    "gb-io-fasta": GB_IO.replace("{body}", GB_IO_FASTA),
    "gb-io-protein": GB_IO.replace("{body}", GB_IO_PROTEIN),
    "biopython-fasta": BIOPYTHON_FASTA,
    "biopython-protein": BIOPYTHON_PROTEIN,
}


def store_of(file: Path, folder: Path) -> Settings:
    """Return settings of a store with the tables of one file."""
    settings = Settings(store=folder / "store", workers=2)
    division = division_of_file(file.name, collection=GENBANK)
    if division is None:
        raise SystemExit(f"{file.name} is no name of a GenBank division file")
    with gzip.open(file, "rt", encoding="latin-1") as text:
        said = re.search(r"Flat File Release (\d+\.\d+)", "".join(itertools.islice(text, 10)))
    release = said[1] if said else "1.0"
    partition = PartitionRelease(settings.store, PartitionKey("genbank", division), release)
    raw = partition.generation_folder("raw_files", "0" * 16)
    raw.mkdir(parents=True)
    shutil.copyfile(file, raw / file.name)
    entry = {"name": file.name, "bytes": file.stat().st_size, "sha256": file_sha256(file)}
    manifest = Manifest(
        stage="raw_files", code_version="1", collection="genbank", release=release, division=division, input_digest="",
        files=(entry,), generation="0" * 16,
    )  # fmt: skip
    publish_manifest(manifest, partition=partition)
    quiet = {"settings": settings, "progress": lambda line: None, "run_id": "benchmark"}
    build_records(partition, **quiet)
    build_unique_records(partition, **quiet)
    build_derived(partition, stage="cds", **quiet)
    return settings


def commands(file: Path, folder: Path, store: Path) -> dict[str, dict[str, str]]:
    """Return the commands by output and program."""
    out, python = folder / "out", sys.executable
    own = f"{Path(python).parent / 'genbank-assets'} extract --quiet --store {store} --out {out}"
    records = f"zcat '{file}' | sed -n '/^LOCUS  /,$p'"
    for name, text in SCRIPTS.items():
        (folder / f"{name}.py").write_text(text)
    found = {
        "fasta": {
            "genbank-assets": own,
            "any2fasta": f"{records} | any2fasta -q - > {out}",
            "seqret": f"zcat '{file}' | seqret genbank::stdin fasta::{out} -auto",
            "gb-io": f"{records} | {python} {folder}/gb-io-fasta.py {out}",
            "Biopython": f"{records} | {python} -W ignore {folder}/biopython-fasta.py {out}",
        },
        "protein": {
            "genbank-assets": f"{own} --format protein",
            "gb-io": f"{records} | {python} {folder}/gb-io-protein.py {out}",
            "Biopython": f"{records} | {python} -W ignore {folder}/biopython-protein.py {out}",
        },
    }
    for format_ in ("cds", "feature", "gff3", "genbank", "tsv", "accession2taxid"):
        found[format_] = {"genbank-assets": f"{own} --format {format_}"}
    needed = {"any2fasta": "any2fasta", "seqret": "seqret"}
    return {
        what: {name: text for name, text in programs.items() if name not in needed or shutil.which(needed[name])}
        for what, programs in found.items()
    }


def main(file: Path | None, repeats: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if file is None:
            file = folder / "gbbct1.seq.gz"
            file.write_bytes(gzip.compress(grown(MEGABYTES, divisions=("bct", "pln", "phg", "vrl")), 1))
        settings = store_of(file, folder)
        with gzip.open(file, "rb") as text:
            text_mb = sum(len(piece) for piece in iter(lambda: text.read(1 << 24), b"")) / 1e6
        print(f"{file.name}: {text_mb:,.0f} MB of text, {file.stat().st_size / 1e6:,.0f} MB packed")
        for what, programs in commands(file, folder, settings.store).items():
            best: dict[str, Timed] = {}
            for _, (program, command) in itertools.product(range(repeats), programs.items()):
                if (run := timed(command)) is not None:
                    best[program] = run.better(best.get(program))
            ours = best["genbank-assets"]
            for program, run in best.items():
                print(
                    f"{what:15} {program:15} {run.wall_seconds:8.2f} s {text_mb / run.wall_seconds:7,.0f} MB/s "
                    f"{run.wall_seconds / ours.wall_seconds:6.1f} x   CPU {run.cpu_seconds:8.2f} s "
                    f"{run.cpu_seconds / ours.cpu_seconds:6.1f} x   {run.memory_mb:6,.0f} MB"
                )


if __name__ == "__main__":
    given = sys.argv[1:]
    main(
        next((Path(word) for word in given if not word.isdigit()), None),
        next((int(word) for word in given if word.isdigit()), 1),
    )
