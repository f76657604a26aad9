"""The fuzzer's corpus, replayed on the scanner as it is installed: what was once found stays mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from genbank_assets_tests.invariants import check_all
from genbank_assets_tests.paths import CORPUS

FILES = sorted(CORPUS.iterdir())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_corpus_keeps_the_invariants(path: Path) -> None:
    check_all(path.read_bytes())


def test_the_corpus_stays_small() -> None:
    sizes = [path.stat().st_size for path in FILES]
    assert len(sizes) > 50
    assert max(sizes) <= 4096
    assert sum(sizes) < 500_000
