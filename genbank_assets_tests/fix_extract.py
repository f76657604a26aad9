"""Stores with two releases of the shared mirrors, or with text written by a test, without database and objects."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from genbank_assets.ncbi.catalog import COLLECTIONS, division_of_file
from genbank_assets.ncbi.fetch import fetch_division
from genbank_assets.ncbi.taxonomy import fetch_taxonomy
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets.tables.dedup import build_unique_records
from genbank_assets.tables.records import build_records
from genbank_assets.tables.taxonomy import build_taxonomy
from genbank_assets_tests.paths import MIRROR_273, MIRROR_274


def quiet(line: str) -> None:
    pass


def take_release(root: Path, settings: Settings) -> None:
    """Build all tables of a mirror, including its taxonomy if it has one."""
    for collection in COLLECTIONS.values():
        files = (root / collection.path).rglob("*.gz")
        divisions = {division_of_file(path.name, collection=collection) for path in files} - {None}
        for division in collection.divisions:
            if division in divisions:
                key = PartitionKey(collection.name, division)
                manifest = fetch_division(key, settings=settings, progress=quiet, run_id="test")
                partition = PartitionRelease(settings.store, key, manifest.release)
                build_records(partition, settings=settings, progress=quiet, run_id="test")
                build_unique_records(partition, settings=settings, progress=quiet, run_id="test")
    if (root / "pub").is_dir():
        fetched = fetch_taxonomy(settings=settings, progress=quiet)
        build_taxonomy(fetched, store=settings.store, progress=quiet)


def settings_of(root: Path, store: Path) -> Settings:
    return Settings(source=root.as_uri(), store=store, workers=2, requests_per_second=10_000)


@pytest.fixture(scope="session")
def extract_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A read-only store with both releases of the shared mirrors."""
    if not MIRROR_274.is_dir():
        pytest.skip("the shared mirrors are not here")
    store = tmp_path_factory.mktemp("extract") / "store"
    for root in (MIRROR_273, MIRROR_274):
        take_release(root, settings_of(root, store))
    yield settings_of(MIRROR_274, store)
    shutil.rmtree(store, ignore_errors=True)


@pytest.fixture
def store_of(tmp_path: Path) -> Callable[..., Settings]:
    """Make a store from flat-file text: ``store_of(phg=TEXT)`` is GenBank 9.0 with one division."""

    def make(**divisions: str) -> Settings:
        root = tmp_path / "source"
        (root / "genbank").mkdir(parents=True, exist_ok=True)
        (root / "genbank" / "GB_Release_Number").write_text("9.0\n")
        names = []
        for division, text in divisions.items():
            name = f"gb{division}1.seq"
            (root / "genbank" / f"{name}.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
            names.append(f"  {name}")
        listed = "\n".join(f"{n}. {name.strip()} - Sequences, part 1." for n, name in enumerate(names, 1))
        sizes = "\n".join(f"{1:10}     {name.strip()}" for name in names)
        (root / "genbank" / "gbrel.txt").write_text(
            "GBREL.TXT          Genetic Sequence Data Bank\n                         November 24 2026\n\n"
            "               NCBI-GenBank Flat File Release 9.0\n\n2.2 Files\n\n"
            f"  This GenBank flat file release consists of {len(names)} files.\n\n2.2.1 File Descriptions\n\n"
            f"Files included in this release are:\n\n{listed}\n\n2.2.5 File Sizes\n\n"
            f"File Size      File Name\n\n{sizes}\n"
        )
        settings = settings_of(root, tmp_path / "store")
        take_release(root, settings)
        return settings

    return make
