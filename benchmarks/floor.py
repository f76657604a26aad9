"""The reader against its floor: what its primitives take alone, and what they take within it, in one run.

Floor of a .gz that becomes tables with both digests: ISA-L inflating the file, OpenSSL's SHA-256 of each record's text
and residues, and the encoding of the finished Arrow batches. What the reader takes beyond them is finding records,
fields and features. CPU milliseconds per MB of text, medians, one process held to one core; Biopython reads the same
text in a process of its own.

    python benchmarks/floor.py [--megabytes 200] [--repeats 5] [--file X.seq.gz]
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from grown_sample import grown
from isal import igzip, igzip_lib

from genbank_assets import __version__
from genbank_assets.flatfile.inflate import inflated
from genbank_assets.flatfile.reader import FlatFileReader
from genbank_assets.schema.tables import RECORD_SCHEMA, SEQUENCE_SCHEMA
from genbank_assets.tables.table_file import TableFile
from genbank_assets.tables.writer import parse_file

ROOT = Path(__file__).parent.parent
KINDS = ("vrl", "bct")
WARM_UP = ROOT / "genbank_assets" / "sample" / "genbank" / "gbsts1.seq.gz"
_PIECE_BYTES = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=200, help="of text")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--biopython", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.biopython:
        print(json.dumps(cpu_milliseconds(lambda: biopython(options.biopython))))
        return
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        works_of(WARM_UP, Path(folder), warm=True)
        for kind in KINDS[: 1 if options.file else None]:
            path = options.file or Path(folder) / f"gb{kind}1.seq.gz"
            if not options.file:
                path.write_bytes(igzip.compress(grown(options.megabytes, divisions=(kind,)), compresslevel=2))
            rows += measured(path, Path(folder), repeats=options.repeats)
    page = "\n".join([
        f"# The reader's floor {__version__}, {dt.date.today()}", "",
        f"CPU ms per MB of text, medians of {options.repeats}, one core.", "",
        "| file | primitive | floor | ours |", "|---|---|--:|--:|", *rows, "",
    ])  # fmt: skip
    print(page)
    (ROOT / "benchmarks" / "results" / f"floor-{__version__}.md").write_text(page, encoding="utf-8")


def works_of(path: Path, folder: Path, *, warm: bool = False) -> tuple[int, dict[str, Callable[[], object]]]:
    """Bytes of text, and what is measured; ``warm`` does all of it once."""
    text = b"".join(bytes(piece) for piece in inflated(path))
    batches = [(table, batch) for table, batch in FlatFileReader(path)]
    spans = spans_of(batches)
    residues = residues_of(batches)
    works: dict[str, Callable[[], object]] = {
        "inflate": lambda: inflate(path),
        "inflated": lambda: [None for _ in inflated(path)],
        "digests": lambda: digests(text, spans, residues),
        "encode": lambda: encode(batches, folder),
        "read": lambda: [None for _ in FlatFileReader(path)],
        "parse": lambda: parse_file(path, out=folder / "out"),
    }
    if warm:
        for work in works.values():
            work()
    return len(text), works


def measured(path: Path, folder: Path, *, repeats: int) -> list[str]:
    """Rows of the table for one file; what is compared takes turns."""
    text_bytes, works = works_of(path, folder)
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            found[name].append(cpu_milliseconds(work))
    command = [sys.executable, __file__, "--biopython", str(path)]
    peer = float(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    ms = {name: statistics.median(times) / (text_bytes / 1e6) for name, times in found.items()}
    peer /= text_bytes / 1e6
    floor = ms["inflate"] + ms["digests"] + ms["encode"]

    def row(what: str, least: float | None, ours: float | str) -> str:
        shown = ours if isinstance(ours, str) else f"{ours:.2f}"
        return f"| {path.name} | {what} | {'–' if least is None else f'{least:.2f}'} | {shown} |"

    return [
        row("inflate", ms["inflate"], ms["inflated"]),
        row("both SHA-256", ms["digests"], "within the next line"),
        row("records, fields, features and digests", None, ms["read"] - ms["inflated"]),
        row("encode both tables", ms["encode"], ms["parse"] - ms["read"]),
        row("all", floor, ms["parse"]),
        row("ours to the floor", None, f"{ms['parse'] / floor:.2f}x"),
        row("Biopython, records dropped", None, peer),
        row("Biopython to ours", None, f"{peer / ms['parse']:.1f}x"),
    ]


def cpu_milliseconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return 1000 * (time.process_time() - begun)


def inflate(path: Path) -> None:
    """ISA-L and nothing else."""
    with path.open("rb") as file:
        unpacker = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        while not unpacker.eof:
            unpacker.decompress(file.read(_PIECE_BYTES) if unpacker.needs_input else b"", _PIECE_BYTES)


def spans_of(batches: Sequence[tuple[str, pa.RecordBatch]]) -> list[tuple[int, int]]:
    """Begin and end of each record's text."""
    found = []
    for table, batch in batches:
        if table == "records":
            begins, sizes = batch["record_offset"].to_pylist(), batch["record_bytes"].to_pylist()
            found += [(begin, begin + size) for begin, size in zip(begins, sizes, strict=True)]
    return found


def residues_of(batches: Sequence[tuple[str, pa.RecordBatch]]) -> list[bytes]:
    """Residues, a chunk each, as they are hashed."""
    columns = [batch["residues"] for table, batch in batches if table == "sequences"]
    return [value.as_buffer().to_pybytes() for column in columns for value in column]


def digests(text: bytes, spans: Sequence[tuple[int, int]], residues: Sequence[bytes]) -> None:
    view = memoryview(text)
    for begin, end in spans:
        hashlib.sha256(view[begin:end]).digest()
    for chunk in residues:
        hashlib.sha256(chunk).digest()


def encode(batches: Sequence[tuple[str, pa.RecordBatch]], folder: Path) -> None:
    """Both tables from batches that are there, as the reader's caller writes them."""
    paths: tuple[Any, Any] = (folder / "records.parquet", folder / "sequences.parquet")
    with TableFile(paths[0], RECORD_SCHEMA) as records, TableFile(paths[1], SEQUENCE_SCHEMA) as sequences:
        for table, batch in batches:
            if table == "records":
                sequences.write_keys(batch)
                records.write(batch)
            else:
                sequences.write(batch)


def biopython(path: Path) -> int:
    from Bio import SeqIO

    warnings.simplefilter("ignore")
    with igzip.open(path, "rt") as file:
        return sum(1 for _ in SeqIO.parse(file, "genbank"))


if __name__ == "__main__":
    main()
