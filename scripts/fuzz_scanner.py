"""Fuzzes the native scanner under AddressSanitizer and UndefinedBehaviorSanitizer for a bounded time.

    fuzz_scanner.py [--seconds 60] [--seed N] [--replay FILE ...] [--corpus FOLDER ...]

The scanner is compiled anew with both sanitizers into a temporary folder; the installed one stays as it is. Each case
is a file of the corpus (the bundled sample by default), damaged at random, fed in random pieces; it must end, account
for every LOCUS line, and read the same when fed whole. A case that fails stays in ``fuzz-failures/SEED.seq``;
--replay reads such files again. Mutations know the format's words but are not guided by coverage.
"""

from __future__ import annotations

import argparse
import gzip
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LARGEST_CASE_BYTES = 60_000
# memcpy(NULL, NULL, 0) is what empty columns do, and what every C library allows.
SANITIZERS = [
    "-fsanitize=address,undefined", "-fno-sanitize=nonnull-attribute", "-fno-sanitize-recover=undefined",
    "-fno-omit-frame-pointer", "-g", "-O1",
]  # fmt: skip
WORDS = [
    b"LOCUS  ", b"//\n", b"\nORIGIN\n", b"FEATURES             Location/Qualifiers\n", b"     CDS             ",
    b"join(", b"complement(", b"order(", b"<1..>9", b"^", b"one-of(", b"gap(unk100)", b"AB000001.1:1..5", b'/note="',
    b'""', b"\n                     /", b"VERSION     ", b"ACCESSION   A-B\n", b" bp ", b" aa ", b" rc ", b"\r\n",
    b"9" * 19, b"99999999999999999999999", b"-1", b"\0", b"\xff\xfe", b" " * 80, b"CONTIG      join(", b"COMMENT     ",
    b"##X-START##\nA :: B\n##X-END##\n", b"DBLINK      A: b\n", b"WGS         A-B\n", b"REFERENCE   1\n",
]  # fmt: skip


def main() -> int:
    """Build, then run the cases in a process that has the sanitizers loaded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None, help="first case (default: the clock)")
    parser.add_argument("--replay", nargs="+", type=Path, default=[])
    parser.add_argument("--corpus", nargs="+", type=Path, default=[ROOT / "genbank_assets" / "sample"])
    parser.add_argument("--cases", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cases:
        return run_cases(options)
    compiler = os.environ.get("CC") or (sysconfig.get_config_var("CC") or "cc").split()[0]
    with tempfile.TemporaryDirectory(prefix="genbank-assets-fuzz-") as folder:
        runtime = build(Path(folder), compiler=compiler)
        environment = os.environ | {
            "PYTHONPATH": folder,
            "LD_PRELOAD": runtime,
            "PYTHONMALLOC": "malloc",
            # Arrow and the interpreter keep memory to the end; only the scanner's errors are wanted.
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:abort_on_error=0",
            "UBSAN_OPTIONS": "print_stacktrace=1",
        }
        return subprocess.run(
            [sys.executable, "-P", __file__, "--cases", *sys.argv[1:]], env=environment, cwd=ROOT, check=False
        ).returncode


def build(folder: Path, *, compiler: str) -> str:
    """Put a sanitized copy of the package into ``folder``; returns the runtime libraries to load first."""
    runtimes = []
    for library in ("libasan.so", "libubsan.so"):
        said = subprocess.run([compiler, f"-print-file-name={library}"], capture_output=True, text=True, check=True)
        path = Path(said.stdout.strip())
        if not path.is_absolute():
            raise SystemExit(
                f"{compiler} has no {library}: install the sanitizers of gcc (Debian: apt-get install gcc)"
            )
        runtimes.append(str(path))
    package = folder / "genbank_assets"
    ignored = shutil.ignore_patterns("sample", "__pycache__", "*.so", "scanner.c")
    shutil.copytree(ROOT / "genbank_assets", package, ignore=ignored)
    source = package / "flatfile" / "scanner.c"
    module = source.with_suffix(sysconfig.get_config_var("EXT_SUFFIX"))
    print("building the scanner with AddressSanitizer ...", flush=True)
    subprocess.run(
        [sys.executable, "-m", "cython", "-3", str(source.with_suffix(".pyx")), "-o", str(source)], check=True
    )
    include = [f"-I{sysconfig.get_path('include')}", f"-I{source.parent}"]
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-w", *SANITIZERS, *include, str(source), "-o", str(module)], check=True
    )
    return " ".join(runtimes)


def run_cases(options: argparse.Namespace) -> int:
    """Replay the given files, or damaged files of the corpus until the time is over."""
    if options.replay:
        for path in options.replay:
            check(path.read_bytes(), chance=random.Random(0))
            print(f"{path}: fine")
        return 0
    corpus = [data for folder in options.corpus for path in sorted(folder.rglob("*")) if (data := contents(path))]
    if not corpus:
        raise SystemExit("the corpus has no flat files")
    failures = ROOT / "fuzz-failures"
    seed = options.seed if options.seed is not None else time.time_ns() % 10**12
    begun, cases = time.monotonic(), 0
    while time.monotonic() - begun < options.seconds:
        chance = random.Random(seed + cases)
        data = damaged(chance.choice(corpus), chance)
        failures.mkdir(exist_ok=True)
        # Written before the case runs: a sanitizer ends the process on the spot.
        case = failures / f"{seed + cases}.seq"
        case.write_bytes(data)
        check(data, chance=chance)
        case.unlink()
        cases += 1
    if not any(failures.iterdir()):
        failures.rmdir()
    print(f"{cases:,} cases from seed {seed} in {time.monotonic() - begun:.0f} s: no memory error, no lost block")
    return 0


def contents(path: Path) -> bytes:
    """The beginning of a flat file, or b"" for anything else."""
    if not path.is_file():
        return b""
    raw = path.read_bytes()
    data = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    return data[: 2 * LARGEST_CASE_BYTES] if b"LOCUS  " in data else b""


def damaged(data: bytes, chance: random.Random) -> bytes:
    """A stretch of a file with bytes changed, removed, doubled and the format's own words put in."""
    size = chance.randrange(200, LARGEST_CASE_BYTES)
    start = chance.choice([0, 0, chance.randrange(len(data))])
    result = bytearray(data[start : start + size])
    for _ in range(chance.choice([1, 3, 10, 60])):
        at = chance.randrange(len(result) + 1)
        kind = chance.randrange(6)
        if kind == 0 and at < len(result):
            result[at] = chance.randrange(256)
        elif kind == 1:
            del result[at : at + chance.choice([1, 5, 80, 2000])]
        elif kind == 2:
            result[at:at] = result[at : at + chance.choice([1, 12, 80, 2000])]
        elif kind == 3:
            other = chance.randrange(len(result) + 1)
            result[at:at] = result[other : other + chance.choice([10, 80, 800])]
        else:
            result[at:at] = chance.choice(WORDS)
    return bytes(result)


def check(data: bytes, *, chance: random.Random) -> None:
    """Read a case whole and in pieces; both must end, agree, and account for every LOCUS line."""
    from genbank_assets.flatfile.scanner import Scanner

    totals = []
    for step in (max(1, len(data)), chance.choice([1, 7, 61, 500, 4096])):
        limits = {"chunk_bytes": chance.choice([64, 500, 100_000]), "batch_bytes": chance.choice([1000, 1_000_000])}
        scanner = Scanner(source_file="case.seq", **limits)
        batches = []
        for start in range(0, len(data), step):
            batches += scanner.feed(data[start : start + step])
        batches += scanner.finish()
        for _, batch in batches:
            batch.validate(full=True)
        totals.append(scanner.totals)
    whole, pieces = totals
    assert whole == pieces, f"fed in pieces it reads otherwise: {whole} / {pieces}"
    assert whole["records"] + whole["quarantined"] == whole["locus_lines"], whole
    assert whole["text_bytes"] == len(data), whole


if __name__ == "__main__":
    raise SystemExit(main())
