"""Peak memory of parsing: many small records, ten times as many, and one record of a gigabase.

    python benchmarks/memory.py [--quick]

The files are generated. Each is parsed to Parquet in a separate process, whose peak resident memory is reported; the
table is written to benchmarks/results/. --quick omits the files that take minutes to generate.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
from isal import igzip

ROOT = Path(__file__).parent.parent
PIECE = 6_000_000  # residues written at a time; whole lines

HEADER = """\
LOCUS       {name:<16} {length:>11} bp    DNA     linear   ENV 01-JAN-2026
DEFINITION  Uncultured bacterium clone {number} 16S ribosomal RNA gene, partial
            sequence.
ACCESSION   {name}
VERSION     {name}.1
KEYWORDS    ENV.
SOURCE      uncultured bacterium
  ORGANISM  uncultured bacterium
            Bacteria; environmental samples.
REFERENCE   1  (bases 1 to {length})
  AUTHORS   Doe,J. and Roe,R.
  TITLE     Direct Submission
  JOURNAL   Submitted (01-JAN-2026) Department of Microbiology
FEATURES             Location/Qualifiers
     source          1..{length}
                     /organism="uncultured bacterium"
                     /mol_type="genomic DNA"
                     /isolation_source="soil"
                     /db_xref="taxon:77133"
                     /clone="{number}"
     rRNA            <1..>{length}
                     /product="16S ribosomal RNA"
ORIGIN
"""


def write_file(path: Path, *, records: int, residues: int) -> None:
    """A flat file of ``records`` records of ``residues`` residues each."""
    random = np.random.default_rng(1)
    with igzip.open(path, "wb", compresslevel=1) as file:
        for number in range(records):
            file.write(HEADER.format(name=f"ZZ{number:08d}", length=residues, number=number).encode())
            for start in range(0, residues, PIECE):
                letters = np.frombuffer(b"acgt", np.uint8)[
                    random.integers(0, 4, min(PIECE, residues - start))
                ].tobytes()
                file.writelines(
                    b"%9d %s\n"
                    % (start + at + 1, b" ".join(letters[i : min(i + 10, at + 60)] for i in range(at, at + 60, 10)))
                    for at in range(0, len(letters), 60)
                )
            file.write(b"//\n")


def measure(path: Path) -> tuple[int, float, int]:
    """(records, MB/s of text, peak bytes) of parsing in a process of its own."""
    command = [sys.executable, __file__, "--one", str(path)]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    records, rate, peak = json.loads(done.stdout.splitlines()[-1])
    return records, rate, peak


def one(path: Path) -> None:
    """Parse a file and print what it took."""
    from genbank_assets.measure import peak_memory_bytes
    from genbank_assets.tables.writer import parse_file

    with tempfile.TemporaryDirectory() as out:
        parsed = parse_file(path, out=Path(out))
    print(json.dumps([parsed.records, parsed.bytes / parsed.seconds / 1e6, peak_memory_bytes()]))


def main() -> None:
    """Make the files, measure, keep the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.one:
        one(options.one)
        return
    sizes = [(10_000, 5_000), (100_000, 5_000), (10_000, 500), (100_000, 500)]
    if not options.quick:
        sizes += [(1_000_000, 500), (1, 1_200_000_000)]
    lines = ["| records | residues each | MB/s | peak MB |", "|--:|--:|--:|--:|"]
    with tempfile.TemporaryDirectory() as folder:
        for records, residues in sizes:
            path = Path(folder) / f"{records}x{residues}.seq.gz"
            write_file(path, records=records, residues=residues)
            read, rate, peak = measure(path)
            if read != records:
                raise SystemExit(f"{path.name}: {read} of {records} records")
            lines.append(f"| {records:,} | {residues:,} | {rate:,.0f} | {peak / 1e6:,.0f} |")
            print(lines[-1], flush=True)
            path.unlink()
    text = "\n".join([f"# Memory of the reader, {dt.date.today().isoformat()}", "", *lines, ""])
    (ROOT / "benchmarks" / "results" / f"memory-{version('genbank-assets')}.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
