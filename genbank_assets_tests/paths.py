"""Paths of test input: the bundled sample, and the shared mirrors if they exist."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "genbank_assets" / "sample"
CORPUS = ROOT / "genbank_assets_tests" / "corpus"
SHARED = ROOT.parent / "shared"
MIRROR_273 = SHARED / "mirror" / "ncbi-273"
MIRROR_274 = SHARED / "mirror" / "ncbi-274"
