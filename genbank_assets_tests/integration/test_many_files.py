"""Divisions of many files: nothing that grows with the number of files is done once a file."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest

from genbank_assets.catalog.bucket import TableBucket
from genbank_assets.catalog.bucket_fetch import fetch_published
from genbank_assets.catalog.table_layout import TablesManifest
from genbank_assets.errors import GenbankAssetsError
from genbank_assets.extract.run import extract
from genbank_assets.extract.selection import Selection
from genbank_assets.lookup.fetch import fetch_all
from genbank_assets.objects.publish import publish_division
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest
from genbank_assets.table_set.publish import publish_tables
from genbank_assets_tests.fix_postgres import Divisions, Entry

FILES = (2, 9)


def missing(name: str, error: GenbankAssetsError) -> None:
    raise AssertionError(name) from error


def test_manifests_are_read_and_folders_listed_as_often_for_many_files_as_for_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, int] = {}

    def counted(name: str, call: Any) -> Any:
        def counting(*arguments: Any, **options: Any) -> Any:
            seen[name] = seen.get(name, 0) + 1
            return call(*arguments, **options)

        return counting

    monkeypatch.setattr(Manifest, "from_json", counted("manifests", Manifest.from_json))
    monkeypatch.setattr(TablesManifest, "from_json", counted("published manifests", TablesManifest.from_json))
    monkeypatch.setattr(os, "listdir", counted("folders", os.listdir))
    found: dict[str, list[dict[str, int]]] = {}

    def step(name: str) -> None:
        found.setdefault(name, []).append(dict(seen))
        seen.clear()

    for files in FILES:
        folder = tmp_path / str(files)
        settings = Settings(
            store=folder / "store", tables=(folder / "bucket").as_uri(), workers=1, publish_raw_files=True
        )
        entries = [Entry(f"AB{n:06}", residues="acgt" * (n + 3)) for n in range(files)]
        names = [f"{entry.accession}.1" for entry in entries]
        options: dict[str, Any] = {"settings": settings, "progress": lambda line: None}
        made = Divisions(settings)
        seen.clear()
        partition = made.make("genbank/bct", "1.0", {f"gbbct{n}.seq.gz": [entry] for n, entry in enumerate(entries, 1)})
        step("records and unique_records")
        publish_division(partition, run_id="test", **options)
        step("object_set")
        publish_tables(settings, partition.key, run_id="test", progress=lambda line: None)
        step("table_set")
        for format_ in ("fasta", "genbank"):
            assert b"".join(fetch_all(settings, names, missing=missing, format_=format_))
            step(f"fetch --format {format_}")
        assert extract(Selection(), to=io.BytesIO(), format_="genbank", **options).entries == files
        step("extract --format genbank")
        there = TableBucket(settings.tables or "").releases()
        for format_ in ("fasta", "genbank"):
            assert b"".join(fetch_published(there, names, missing=missing, format_=format_))
            step(f"fetch --format {format_} from the bucket")
    few_and_many = {name: counts for name, counts in found.items() if counts[0] != counts[1]}
    assert not few_and_many
