"""The reader compared with other readers on one machine in one run: rates, memory, ratios.

    python benchmarks/reader.py [--megabytes 1000] [--repeats 5] [--files A.seq.gz B.seq.gz]

Without --files, two division files are made from the bundled sample (small viral records, and feature-rich bacterial
ones); their residues repeat, so they decompress faster than NCBI's. If a generator of division files is beside the
checkout, it is used instead, as for the figures in README.md. Each measurement is a separate process that has imported
everything and read a small file before its clock starts; methods alternate, so that other load affects all of them. The
table has medians, and is written to benchmarks/results/. Rates are bytes of uncompressed text per second.

The reader uses a second core, if there is one, for decompression and encoding. "One core" is the same code pinned to
one core, which is relevant if as many files are parsed in parallel as there are cores.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gzip
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from grown_sample import grown

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


def inflate(path: Path) -> int:
    """ISA-L alone: inflate and drop."""
    from genbank_assets.flatfile.inflate import inflated

    for _ in inflated(path):
        pass
    return 0


def arrow(path: Path) -> int:
    """.gz to Arrow batches with both digests."""
    from genbank_assets.flatfile.reader import FlatFileReader

    reader = FlatFileReader(path)
    for _ in reader:
        pass
    return int(reader.totals["records"])


def parquet(path: Path) -> int:
    """.gz to zstd Parquet: records and sequences."""
    from genbank_assets.tables.writer import parse_file

    with tempfile.TemporaryDirectory() as out:
        return parse_file(path, out=Path(out)).records


def biopython(path: Path) -> int:
    """Bio.SeqIO.parse, records dropped."""
    from Bio import SeqIO

    warnings.simplefilter("ignore")
    with gzip.open(path, "rt") as file:
        return sum(1 for _ in SeqIO.parse(file, "genbank"))


def biobear(path: Path) -> int:
    """Biobear's genbank_scan into an Arrow table."""
    import biobear as bb

    return int(bb.connect().sql(f"SELECT * FROM genbank_scan('{path}')").to_arrow().num_rows)


def gb_io(path: Path) -> int:
    """gb-io into Polars into zstd Parquet, with the fields it has."""
    import gb_io
    import polars as pl

    rows = []
    with gzip.open(path, "rb") as file:
        for record in gb_io.iter(file):
            rows.append(  # noqa: PERF401 -- a comprehension of this length hides what is compared
                {
                    "name": record.name,
                    "length": record.length,
                    "molecule_type": record.molecule_type,
                    "division": record.division,
                    "definition": record.definition,
                    "accession": record.accession,
                    "version": record.version,
                    "keywords": record.keywords,
                    "sequence": bytes(record.sequence),
                    "references": [
                        {"title": r.title, "authors": r.authors, "journal": r.journal} for r in record.references
                    ],
                    "features": [
                        {
                            "kind": f.kind,
                            "start": f.location.start,
                            "end": f.location.end,
                            "qualifiers": [{"key": q.key, "value": q.value} for q in f.qualifiers],
                        }
                        for f in record.features
                    ],
                }
            )
    with tempfile.TemporaryDirectory() as out:
        pl.DataFrame(rows).write_parquet(Path(out) / "x.parquet", compression="zstd")
    return len(rows)


METHODS = {
    "isal inflate": inflate,
    "ours: Arrow + digests": arrow,
    "ours: Arrow + digests, one core": arrow,
    "ours: Parquet": parquet,
    "ours: Parquet, one core": parquet,
    "biobear read": biobear,
    "gb-io + Polars + Parquet": gb_io,
    "Biopython SeqIO.parse": biopython,
}
# Idle threads of OpenBLAS spin on the core that the other threads need.
ENVIRONMENT = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
WARM_UP = ROOT / "genbank_assets" / "sample" / "genbank" / "gbsts1.seq.gz"


def measure(method: str, path: Path) -> tuple[float, int, int]:
    """(seconds, records, peak bytes) of one run in a process of its own."""
    done = subprocess.run(command(method, path), capture_output=True, text=True, check=True, env=ENVIRONMENT)
    seconds, records, peak = json.loads(done.stdout.splitlines()[-1])
    return seconds, records, peak


def command(method: str, path: Path, *, core: int = 0) -> list[str]:
    """The command line of one measurement."""
    held = ["taskset", "-c", str(core)] if "one core" in method else []
    return [*held, sys.executable, __file__, "--one", method, "--files", str(path)]


def at_once(paths: list[Path]) -> float:
    """Seconds of the slowest of files that are parsed at the same time, a core each."""
    running = [
        subprocess.Popen(
            command("ours: Parquet, one core", path, core=core), stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
        )
        for core, path in enumerate(paths)
    ]
    return max(json.loads(process.communicate()[0].splitlines()[-1])[0] for process in running)


def make_files(folder: Path, megabytes: int) -> list[Path]:
    """Two division files of about ``megabytes`` each."""
    tool = SHARED / "tools" / "make_division.py"
    for division in ("vrl", "bct"):
        if not tool.is_file():
            text = grown(megabytes, divisions=(division,))
            (folder / f"gb{division}1.seq.gz").write_bytes(gzip.compress(text, compresslevel=6))
            continue
        templates = sorted((SHARED / "mirror" / "ncbi-273" / "genbank").glob(f"gb{division}*.seq.gz"))
        command = [sys.executable, str(tool), "--division", division, "--part", "1", "--release", "273.0"]
        command += ["--megabytes", str(megabytes), "--out", str(folder), *map(str, templates)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return [folder / "gbvrl1.seq.gz", folder / "gbbct1.seq.gz"]


def table(files: list[Path], repeats: int) -> list[str]:
    """Measure everything, methods in turn, and put it in Markdown."""
    lines = ["| file | method | MB/s | records/s | peak MB | to Biopython |", "|---|---|--:|--:|--:|--:|"]
    for path in files:
        text_bytes = sum(len(piece) for piece in _pieces(path))
        runs: dict[str, list[tuple[float, int, int]]] = {method: [] for method in METHODS}
        for turn in range(repeats):
            for method, found in runs.items():
                found.append(measure(method, path))
                print(turn + 1, path.name, method, f"{text_bytes / found[-1][0] / 1e6:.0f} MB/s", flush=True)
        seconds = {method: statistics.median(run[0] for run in found) for method, found in runs.items()}
        for method, found in runs.items():
            lines.append(
                f"| {path.name} | {method} | {text_bytes / seconds[method] / 1e6:,.0f} "
                f"| {found[0][1] / seconds[method]:,.0f} | {max(run[2] for run in found) / 1e6:,.0f} "
                f"| {seconds['Biopython SeqIO.parse'] / seconds[method]:.1f}x |"
            )
        lines += [f"| {path.name} | {said} | {ratio:.2f}x | | | |" for said, ratio in _ratios(seconds)]
    one = statistics.median(at_once(files[:1]) for _ in range(repeats))
    two = statistics.median(at_once([files[0]] * 2) for _ in range(repeats))
    lines.append(f"| {files[0].name} | two files, a core each, to one file on one core | {2 * one / two:.2f}x | | | |")
    return lines


def _ratios(seconds: dict[str, float]) -> list[tuple[str, float]]:
    """What was promised: how many times as fast."""
    ours = seconds["ours: Parquet"]
    return [
        ("Arrow to inflating alone", seconds["isal inflate"] / seconds["ours: Arrow + digests"]),
        ("Parquet to gb-io + Polars + Parquet", seconds["gb-io + Polars + Parquet"] / ours),
        ("Parquet to biobear's read", seconds["biobear read"] / ours),
        ("Parquet to Biopython's read", seconds["Biopython SeqIO.parse"] / ours),
    ]


def _pieces(path: Path):
    from genbank_assets.flatfile.inflate import inflated

    return inflated(path)


def versions() -> str:
    """What was compared, and on what."""
    found = []
    for name in ("genbank-assets", "biopython", "gb-io", "biobear", "isal", "pyarrow", "polars"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} (not installed)")
    model = next(
        (x.split(":")[1].strip() for x in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in x), ""
    )
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}; " + ", ".join(found)


def main() -> None:
    """Run one measurement, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one")
    parser.add_argument("--files", nargs="+", type=Path)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    if options.one:
        from genbank_assets.measure import peak_memory_bytes

        METHODS[options.one](WARM_UP)
        begun = time.perf_counter()
        records = METHODS[options.one](options.files[0])
        print(json.dumps([time.perf_counter() - begun, records, peak_memory_bytes()]))
        return
    with tempfile.TemporaryDirectory() as folder:
        files = options.files or make_files(Path(folder), options.megabytes)
        lines = table(files, options.repeats)
    text = "\n".join([f"# Reader, {dt.date.today().isoformat()}", "", versions(), "", *lines, ""])
    target = ROOT / "benchmarks" / "results" / f"reader-{version('genbank-assets')}.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
