"""``python -m genbank_assets_tests.faults --points 200 --seed 1``: runs the whole fault suite (make test-faults)."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from genbank_assets_tests.faults.suite import WAYS, run_suite


def main() -> int:
    """Run the given number of points and report the result."""
    parser = argparse.ArgumentParser(prog="make test-faults", description=__doc__)
    parser.add_argument("--points", type=int, default=200, help="disturbed attempts (default 200)")
    parser.add_argument("--seed", type=int, help="of the first round; those after it count on from it (default: any)")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), metavar="WAY", help="only these")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    begun = time.monotonic()
    print(f"POINTS={options.points} SEED={seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="gba-faults-", ignore_cleanup_errors=True) as folder:
        result = run_suite(
            Path(folder), points=options.points, seed=seed, ways=options.ways,
            tell=lambda line: print(line, flush=True),
        )  # fmt: skip
    print(f"{result.points} points in {time.monotonic() - begun:,.0f} s: {dict(result.ways)}, {dict(result.outcomes)}")
    print(f"stages: {dict(result.stages)}; {result.missed} attempts were over before they could be disturbed")
    for problem in result.problems:
        print(f"PROBLEM {problem}")
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
