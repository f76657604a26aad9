"""FASTA and proteins of all records compared with other programs: the cost of an extract from existing tables.

    extract.py FILE.seq.gz [REPEATS]

FILE is a GenBank division file (gbXXXN.seq.gz). It is first loaded into a separate store, including the table of coding
sequences; then each program writes all records and all proteins to a file. The others read the .seq.gz, through zcat if
they cannot decompress. Programs that are not installed are skipped. Wall time is the minimum over the repeats.
"""

from __future__ import annotations

import gzip
import itertools
import math
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from genbank_assets.durable import file_sha256
from genbank_assets.ncbi.catalog import GENBANK, division_of_file
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, publish_manifest
from genbank_assets.tables.dedup import build_unique_records
from genbank_assets.tables.derived import build_derived
from genbank_assets.tables.records import build_records

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
BIOPYTHON = """
import sys
from Bio import SeqIO
SeqIO.write(SeqIO.parse(sys.stdin, "genbank"), sys.argv[1], "fasta")
"""


def store_of(file: Path, folder: Path) -> Settings:
    """A store with the tables of one file."""
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


def main(file: Path, repeats: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = store_of(file, folder)
        out, python = folder / "out", sys.executable
        own = [
            str(Path(python).parent / "genbank-assets"),
            "extract",
            "--store",
            str(settings.store),
            "--out",
            str(out),
        ]
        records = f"zcat '{file}' | sed -n '/^LOCUS  /,$p'"
        (folder / "fasta.py").write_text(GB_IO.replace("{body}", GB_IO_FASTA))
        (folder / "protein.py").write_text(GB_IO.replace("{body}", GB_IO_PROTEIN))
        (folder / "biopython.py").write_text(BIOPYTHON)
        programs = {
            "fasta": {
                "genbank-assets": " ".join(own),
                "any2fasta": f"{records} | any2fasta -q - > {out}" if shutil.which("any2fasta") else "",
                "seqret": f"zcat '{file}' | seqret genbank::stdin fasta::{out} -auto" if shutil.which("seqret") else "",
                "gb-io": f"{records} | {python} {folder / 'fasta.py'} {out}",
                "Biopython": f"{records} | {python} -W ignore {folder / 'biopython.py'} {out}",
            },
            "protein": {
                "genbank-assets": " ".join([*own, "--format", "protein"]),
                "gb-io": f"{records} | {python} {folder / 'protein.py'} {out}",
            },
        }
        for what, commands in programs.items():
            best = {name: min(timed(command) for _ in range(repeats)) for name, command in commands.items() if command}
            ours = best["genbank-assets"]
            for program, seconds in best.items():
                print(f"{what:8} {program:15} {seconds:7.2f} s  {seconds / ours:5.1f} x")


def timed(command: str) -> float:
    """Seconds of a command; endless, with its last line, where it failed: a peer may not read the file."""
    begun = time.perf_counter()
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], check=False, capture_output=True, text=True)
    if done.returncode:
        print(f"failed: {' '.join(done.stderr.splitlines()[-1:])}", file=sys.stderr)
        return math.inf
    return time.perf_counter() - begun


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
