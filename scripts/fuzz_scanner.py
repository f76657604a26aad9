"""Coverage-guided fuzzing of the native scanner under AddressSanitizer and UndefinedBehaviorSanitizer.

    fuzz_scanner.py [--seconds 60] [--merge] [LIBFUZZER-OPTION ...]
    fuzz_scanner.py --replay FILE [FILE ...]

The scanner is compiled with clang in a temporary folder, with sanitizers, coverage and small limits (see
scanner_limits.h); the installed one is not changed. libFuzzer, through atheris, mutates inputs and keeps those that
reach new code; ``genbank_assets_tests/invariants.py`` defines the invariants. It starts from the repository's corpus
and the inputs that earlier runs stored in ``fuzz-corpus/``. A failure ends the run and is stored in ``fuzz-failures/``:
--replay reproduces it, and after the fix it is added to the corpus under a descriptive name. --merge adds the inputs in
``fuzz-corpus/`` that reach new code to the repository's corpus.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "genbank_assets_tests" / "corpus"
GROWN = ROOT / "fuzz-corpus"
FAILURES = ROOT / "fuzz-failures"
MAX_INPUT_BYTES = 4096
# memcpy(NULL, NULL, 0) and NULL + 0 are what empty columns do, and what every compiler allows.
SANITIZERS = [
    "-fsanitize=address,undefined,fuzzer-no-link", "-fno-sanitize=nonnull-attribute,pointer-overflow,function",
    "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g", "-O1",
]  # fmt: skip
LIMITS = {
    "RAW_LIMIT": 1000, "LINE_LIMIT": 2000, "RESIDUE_LINE_LIMIT": 300, "RESIDUE_STEP": 50, "FIRST_LINE_LIMIT": 400,
    "PREAMBLE_LIMIT": 5,
}  # fmt: skip
WORDS = [
    b"LOCUS       ", b"\nLOCUS       A 60 bp DNA linear BCT 01-JAN-2020\n", b"\n//\n", b"\nORIGIN\n",
    b"\nFEATURES             Location/Qualifiers\n", b"\n     CDS             ", b"\n     source          ",
    b"\n                     /", b'/note="', b'/db_xref="taxon:', b'/translation="', b'/rpt_unit_seq="', b'""', b'"\n',
    b"join(", b"complement(", b"order(", b"bond(", b"one-of(", b"<1..>9", b"(1.9)", b"1^2", b"gap(unk100)", b"gap()",
    b"AB000001.1:1..5", b" bp ", b" aa ", b" rc ", b" circular ", b"ss-RNA", b"29-FEB-2024", b"\r\n", b"\r", b"\t",
    b"\nDEFINITION  ", b"\nACCESSION   ", b" REGION: ", b"\nVERSION     ", b"\nDBLINK      A: b, c\n",
    b"\nKEYWORDS    ", b"\nSEGMENT     ", b"\nSOURCE      ", b"\n  ORGANISM  ", b"\nREFERENCE   1  (bases 1 to 9)\n",
    b"\n  AUTHORS   ", b"\n   PUBMED   ", b"\nCOMMENT     ", b"##A-START##\n", b"\n            B :: C",
    b"\n            ##A-END##",
    b"\nPRIMARY     ", b"\nDBSOURCE    ", b"\nCONTIG      join(", b"\nWGS         ", b"\nBASE COUNT  ",
    b"\n        1 acgtacgtac acgtacgtac acgtacgtac acgtacgtac acgtacgtac acgtacgtac\n", b"99999999999999999999",
    b"\xc3\xa9", b"\xff", b"\xef\xbb\xbf", b"\n\t", b'/5-a b="', b'" /b="', b"\n  DEFINITION  x\n",
    b"\n     4..5)", b"CIRCULAR", b"PRT",
    b"\nUNIMARK     ", b"\nORIGIN      a\n", b"complement (", b"5^9", b"\n       61 ", b"\nVERSION     .\n",
]  # fmt: skip


def main() -> int:
    """Build, then fuzz or replay in a process with the sanitizers loaded; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument(
        "--merge", action="store_true", help="add inputs that reach new code to the repository's corpus"
    )
    parser.add_argument("--replay", nargs="+", type=Path, default=[])
    parser.add_argument("--inside", default=None, help=argparse.SUPPRESS)
    options, more = parser.parse_known_args()
    if options.inside:
        return replay(options.replay) if options.replay else fuzz([options.inside, *more])
    if options.replay:
        arguments = ["--replay", *(str(path.resolve()) for path in options.replay)]
    else:
        for folder in (GROWN, FAILURES):
            folder.mkdir(exist_ok=True)
        arguments = [f"-artifact_prefix={FAILURES}/", "-timeout=10", "-rss_limit_mb=4096", "-print_final_stats=1"]
        # Merging goes by code reached, not by how often: one input for each place is what a small corpus needs.
        arguments += ["-merge=1", "-use_counters=0"] if options.merge else [f"-max_total_time={options.seconds}"]
        arguments += [f"-max_len={MAX_INPUT_BYTES}", *more]
        arguments += [str(folder) for folder in ((CORPUS, GROWN) if options.merge else (GROWN, CORPUS))]
    known = set(FAILURES.glob("*"))
    with tempfile.TemporaryDirectory(prefix="genbank-assets-fuzz-") as folder:
        runtime = build(Path(folder))
        code = run(arguments, folder=Path(folder), runtime=runtime)
    for found in sorted(set(FAILURES.glob("*")) - known):
        name = os.path.relpath(found)
        print(f"found: {name}; again with: {sys.executable} scripts/fuzz_scanner.py --replay {name}", file=sys.stderr)
    return code


def build(folder: Path) -> Path:
    """Build a sanitized copy of the package in ``folder``; return the runtime library to preload.

    Raises:
        SystemExit: there is no clang or no atheris, or the scanner does not compile.
    """
    compiler = os.environ.get("CLANG") or shutil.which("clang")
    if compiler is None:
        raise SystemExit("fuzzing needs clang (Debian: apt-get install clang libclang-rt-dev), or CLANG=/path/to/clang")
    atheris = find_spec("atheris")
    if atheris is None or atheris.origin is None:
        raise SystemExit("fuzzing needs atheris: pip install atheris (Linux on x86-64 only)")
    package = folder / "genbank_assets"
    ignored = shutil.ignore_patterns("sample", "__pycache__", "scanner*.so", "scanner.c")
    shutil.copytree(ROOT / "genbank_assets", package, ignore=ignored)
    source = package / "flatfile" / "scanner.c"
    module = source.with_suffix(sysconfig.get_config_var("EXT_SUFFIX"))
    print("building the scanner with sanitizers and coverage ...", flush=True)
    cython = [sys.executable, "-m", "cython", "-3", str(source.with_suffix(".pyx")), "-o", str(source)]
    include = [f"-I{sysconfig.get_path('include')}", f"-I{source.parent}"]
    limits = [f"-D{name}={value}" for name, value in LIMITS.items()]
    clang = [compiler, "-shared", "-fPIC", "-w", *SANITIZERS, *limits, *include, str(source), "-o", str(module)]
    for command in (cython, clang):
        if subprocess.run(command, check=False).returncode:
            raise SystemExit(f"{command[0]} could not build the scanner")
    return Path(atheris.origin).parent.parent / "asan_with_fuzzer.so"


def run(arguments: list[str], *, folder: Path, runtime: Path) -> int:
    """Return the command that runs this script with the copy in ``folder`` instead of the package."""
    words = folder / "words.dict"
    words.write_text("".join('"' + "".join(rf"\x{byte:02x}" for byte in word) + '"\n' for word in WORDS))
    environment = os.environ | {
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
        "LD_PRELOAD": str(runtime),
        "PYTHONMALLOC": "malloc",  # else small buffers lie in the interpreter's pools, where nothing is watched
        # Arrow and the interpreter keep memory to the end; only the scanner's errors are wanted.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    more = [] if "--replay" in arguments else [f"-dict={words}"]
    # A program of its own, because libFuzzer starts itself again for merging.
    program = folder / "fuzz"
    inside = shlex.join([sys.executable, "-P", __file__, "--inside", str(program)])
    program.write_text(f'#!/bin/sh\nexec {inside} "$@"\n')
    program.chmod(0o700)
    return subprocess.run([program, *more, *arguments], env=environment, cwd=ROOT, check=False).returncode


def fuzz(arguments: list[str]) -> int:
    """Start libFuzzer's loop, which exits the process."""
    import atheris

    from genbank_assets_tests.invariants import check_some

    atheris.Setup(arguments, check_some)
    atheris.Fuzz()
    return 0


def replay(paths: list[Path]) -> int:
    """Test each file once as the fuzzer does, and once with every buffer size."""
    from genbank_assets_tests.invariants import check_all, check_some

    for path in paths:
        print(path, flush=True)
        check_some(path.read_bytes())
        check_all(path.read_bytes())
    print(f"{len(paths)} files: no memory error, nothing lost")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
