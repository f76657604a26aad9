"""Citations and metadata of extracts, read by the libraries that others read them with."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genbank_assets import __version__
from genbank_assets.cli import main
from genbank_assets.errors import NotFoundError, SettingsError
from genbank_assets.extract import Extract, FormatOptions, Selection, extract
from genbank_assets.extract.citation import cite, cite_extract
from genbank_assets.settings import Settings
from genbank_assets_tests.integration.test_extract import record

StoreOf = Callable[..., Settings]
BOTH = ("croissant", "ro-crate")
COLUMNS = ("accession_version", "length", "update_date", "gc_fraction", "secondary_accessions", "features")


def two(store_of: StoreOf) -> Settings:
    return store_of(phg=record("AB000001", "acgt") + record("AB000002", "acgtaa", day="02-FEB-2021"))


def read_croissant(path: Path) -> Any:
    """The dataset, as mlcroissant reads it; what it complains of is an error here."""
    mlcroissant = pytest.importorskip("mlcroissant")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries below it
        dataset = mlcroissant.Dataset(jsonld=str(path))
    issues = dataset.metadata.ctx.issues
    assert not issues.errors, issues.report()
    assert not issues.warnings, issues.report()
    return dataset


def rows_of(dataset: Any, name: str) -> list[dict[str, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [{key.partition("/")[2]: value for key, value in row.items()} for row in dataset.records(name)]


@pytest.mark.parametrize("name", ["some.tsv", "some.tsv.gz", "some.parquet"])
def test_croissant_readers_read_the_rows_of_a_table(store_of: StoreOf, tmp_path: Path, name: str) -> None:
    settings = two(store_of)
    options = FormatOptions(columns=COLUMNS)
    to = tmp_path / name
    format_ = "parquet" if name.endswith("parquet") else "tsv"
    extract(Selection(), settings=settings, to=to, format_=format_, options=options, metadata=("croissant",))
    dataset = read_croissant(tmp_path / f"{name}.croissant.json")
    rows = rows_of(dataset, "entries")
    assert [row["accession_version"] for row in rows] == [b"AB000001.1", b"AB000002.1"]
    assert [row["length"] for row in rows] == [4, 6]
    assert [str(row["update_date"])[:10] for row in rows] == ["2020-01-01", "2021-02-02"]
    assert [round(row["gc_fraction"], 3) for row in rows] == [0.5, 0.333]
    assert ("features" in rows[0]) == (format_ == "tsv")  # Croissant has no lists of structures


def test_accession2taxid_is_a_table_too(store_of: StoreOf, tmp_path: Path) -> None:
    to = tmp_path / "some.accession2taxid"
    extract(Selection(), settings=two(store_of), to=to, format_="accession2taxid", metadata=("croissant",))
    rows = rows_of(read_croissant(tmp_path / f"{to.name}.croissant.json"), "entries")
    assert [(row["accession.version"], row["taxid"]) for row in rows] == [
        (b"AB000001.1", 10847),
        (b"AB000002.1", 10847),
    ]


def test_files_are_described_with_their_digests(store_of: StoreOf, tmp_path: Path) -> None:
    to = tmp_path / "some.fasta.gz"
    found = extract(Selection(), settings=two(store_of), to=to, metadata=BOTH)
    (file,) = read_croissant(tmp_path / "some.fasta.gz.croissant.json").metadata.distribution
    assert file.sha256 == hashlib.sha256(to.read_bytes()).hexdigest() == found.files[0].sha256
    assert file.content_url == to.name
    assert gzip.decompress(to.read_bytes()).startswith(b">AB000001.1")


@pytest.mark.parametrize("shard_bytes", [None, 800])
def test_a_crate_names_every_file_and_what_it_was_made_of(
    store_of: StoreOf, tmp_path: Path, shard_bytes: int | None
) -> None:
    crates = pytest.importorskip("rocrate.rocrate")
    text = "".join(record(f"AB0000{n:02}", "acgt" * 200) for n in range(4))
    settings = store_of(phg=text)
    folder = tmp_path / "out"
    to = folder / "some.fasta"
    extract(Selection(), settings=settings, to=to, shard_bytes=shard_bytes, metadata=("ro-crate",))
    crate = crates.ROCrate(folder)
    named = {entity.id for entity in crate.data_entities if entity.type == "File"}
    assert named == {path.name for path in folder.iterdir()} - {"ro-crate-metadata.json"}
    assert len(named) == (2 if shard_bytes is None else 5)
    for entity in crate.data_entities:
        if entity.type == "File":
            content = (folder / entity.id).read_bytes()
            assert entity["sha256"] == hashlib.sha256(content).hexdigest()
            assert int(entity["contentSize"]) == len(content)
    (run,) = [entity for entity in crate.get_entities() if entity.type == "CreateAction"]
    assert run["instrument"]["name"] == "genbank-assets"
    assert run["instrument"]["version"] == __version__
    source = run["object"]
    assert source["identifier"] == f"sha256:{cite(settings.store, ['genbank/phg'])[0].digest}"
    assert (source["version"], source["datePublished"]) == ("9.0", "2026-11-24")
    assert crate.root_dataset["license"]["name"]
    assert str(crate.root_dataset["datePublished"]) == "2026-11-24"
    content = json.loads((folder / "ro-crate-metadata.json").read_text())
    ids = {entity["@id"] for entity in content["@graph"]}
    assert references_of(content["@graph"]) <= ids | {"https://w3id.org/ro/crate/1.2"}
    assert keys_of(content["@graph"]) <= terms_of(Path(crates.__file__).parent) | {"@id", "@type", "conformsTo"}


def references_of(content: object) -> set[str]:
    if isinstance(content, dict):
        if content.keys() == {"@id"}:
            return {content["@id"]}
        return set().union(*(references_of(value) for value in content.values()))
    return set().union(*(references_of(value) for value in content)) if isinstance(content, list) else set()


def keys_of(graph: list[dict[str, object]]) -> set[str]:
    return {key for entity in graph for key in entity}


def terms_of(package: Path) -> set[str]:
    """What RO-Crate's context takes from schema.org, as the library carries it."""
    schema = json.loads((package / "data" / "schema.jsonld").read_text())
    return {str(one["@id"]).removeprefix("schema:") for one in schema["@graph"]}


def test_the_same_extract_has_the_same_metadata(store_of: StoreOf, tmp_path: Path) -> None:
    settings = two(store_of)
    texts = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        extract(Selection(), settings=settings, to=folder / "x.fasta", metadata=BOTH)
        texts.append([path.read_bytes() for path in sorted(folder.iterdir())])
    assert len(texts[0]) == 4
    assert texts[0] == texts[1]


def test_a_crate_of_something_else_stays(store_of: StoreOf, tmp_path: Path) -> None:
    settings = two(store_of)
    extract(Selection(), settings=settings, to=tmp_path / "x.fasta", metadata=("ro-crate",))
    before = (tmp_path / "ro-crate-metadata.json").read_bytes()
    with pytest.raises(SettingsError, match="a folder of its own"):
        extract(Selection(), settings=settings, to=tmp_path / "y.fasta", metadata=("ro-crate",))
    assert not (tmp_path / "y.fasta").exists()
    extract(Selection(min_length=6), settings=settings, to=tmp_path / "x.fasta", metadata=("ro-crate",))
    assert (tmp_path / "ro-crate-metadata.json").read_bytes() != before


def test_metadata_lie_beside_a_file(store_of: StoreOf) -> None:
    with pytest.raises(SettingsError, match="--out"):
        extract(Selection(), settings=two(store_of), to=io.BytesIO(), metadata=BOTH)


def test_an_extract_is_cited_by_its_manifest(
    store_of: StoreOf, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = two(store_of)
    to = tmp_path / "odd_name & more.fasta"
    selection = Selection(min_length=5, organisms=("Some phage",))
    found = extract(selection, settings=settings, to=to, metadata=("croissant",))
    manifest = tmp_path / f"{to.name}.manifest.json"
    assert Extract.read(manifest) == found
    cited = cite_extract(found)
    assert cited.digest == hashlib.sha256(manifest.read_bytes()).hexdigest()
    (source,) = cited.sources
    assert source == cite(settings.store, ["genbank/phg"])[0]
    assert cited.sentence.startswith(
        "1 entry (format=fasta; order=ncbi; organisms=Some phage; min_length=5) of GenBank, "
    )
    assert source.digest in cited.sentence
    first, second = cited.bibtex.split("\n\n")
    assert first.startswith(f"@misc{{odd-name-more.fasta-{cited.digest[:12]},")
    assert r"min\_length=5" in first
    assert second == source.bibtex
    assert main(["cite", str(manifest), "--format", "bibtex"]) == 0
    assert capsys.readouterr().out == f"{cited.bibtex}\n"
    assert main(["cite", str(manifest), "--format", "croissant"]) == 0
    assert capsys.readouterr().out == (tmp_path / f"{to.name}.croissant.json").read_text()


def test_other_objects_than_manifests_are_not_cited(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"query": 3}')
    with pytest.raises(SettingsError, match="not the manifest of an extract"):
        Extract.read(tmp_path / "x.json")
    with pytest.raises(NotFoundError):
        Extract.read(tmp_path / "y.json")
