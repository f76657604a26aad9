"""Many names at once: in their order, what is missing at the end, and the same bytes as one by one."""

from __future__ import annotations

import dataclasses
import io
import random
from pathlib import Path

import polars as pl
import pytest

from genbank_assets.cli import main
from genbank_assets.errors import GenbankAssetsError, IntegrityError
from genbank_assets.lookup import fetch as fetch_module
from genbank_assets.lookup.fetch import fetch, fetch_all
from genbank_assets.objects.object_index import table_path
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets.tables.unique_tables import memberships_table
from genbank_assets_tests.integration.test_mirror import mirror
from genbank_assets_tests.paths import SAMPLE

PLN, VRL = PartitionKey("genbank", "pln"), PartitionKey("genbank", "vrl")


@pytest.fixture
def mirrored(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    base = dataclasses.replace(settings, source=SAMPLE.as_uri(), objects=(tmp_path / "set").as_uri())
    mirror(VRL, base)
    mirror(PLN, dataclasses.replace(base, object_layout="pack"))
    monkeypatch.setenv("GENBANK_ASSETS_STORE", str(base.store))
    monkeypatch.setenv("GENBANK_ASSETS_OBJECTS", base.objects_url)
    return base


def names_of(settings: Settings, *keys: PartitionKey) -> list[str]:
    found = []
    for key in keys:
        table = memberships_table(PartitionRelease(settings.store, key, "1.0"))
        rows = pl.read_parquet(table).filter(pl.col("sequence_sha256").is_not_null())
        found += rows["accession_version"].to_list()
    random.Random(5).shuffle(found)
    return found


def asked(settings: Settings, names: list[str], format_: str) -> tuple[bytes, dict[str, str]]:
    missing: dict[str, str] = {}

    def note(name: str, error: GenbankAssetsError) -> None:
        missing[name] = str(error)

    return b"".join(fetch_all(settings, iter(names), format_=format_, missing=note)), missing


@pytest.mark.parametrize("at_once", [7, 5000])
@pytest.mark.parametrize("format_", ["fasta", "raw", "genbank"])
def test_many_are_what_each_is_in_the_order_of_the_names(
    mirrored: Settings, monkeypatch: pytest.MonkeyPatch, format_: str, at_once: int
) -> None:
    monkeypatch.setattr(fetch_module, "BATCH_NAMES", at_once)
    names = names_of(mirrored, PLN, VRL)
    names[3:3] = [names[40].partition(".")[0], names[41].lower(), "ZZ999999"]  # the same record by other names
    one_by_one = [b"".join(fetch(mirrored, name, format_=format_)) for name in names if name != "ZZ999999"]
    together, missing = asked(mirrored, names, format_)
    assert together == b"".join(one_by_one)
    assert set(missing) == {"ZZ999999"}


def test_digests_and_accessions_go_together(mirrored: Settings) -> None:
    row = pl.read_parquet(table_path(PartitionRelease(mirrored.store, VRL, "1.0"))).row(0, named=True)
    digest = row["sequence_sha256"].hex()
    name = names_of(mirrored, PLN)[0]
    together, missing = asked(mirrored, [digest, name, "ab" * 32], "raw")
    assert together == b"".join(fetch(mirrored, digest, format_="raw")) + b"".join(fetch(mirrored, name, format_="raw"))
    assert set(missing) == {"ab" * 32}
    assert "materialize" not in missing["ab" * 32]


def test_one_damaged_text_or_object_does_not_keep_the_others_back(mirrored: Settings) -> None:
    names = names_of(mirrored, VRL)
    before = {name: b"".join(fetch(mirrored, name)) for name in names}
    key = pl.read_parquet(table_path(PartitionRelease(mirrored.store, VRL, "1.0")))["key"][0]
    path = Path(mirrored.objects_url.removeprefix("file://")) / key
    path.write_bytes(path.read_bytes()[:-1] + b"*")
    together, missing = asked(mirrored, names, "fasta")
    assert missing
    assert all("digest" in reason for reason in missing.values())
    assert together == b"".join(before[name] for name in names if name not in missing)

    partition = PartitionRelease(mirrored.store, VRL, "1.0")
    memberships = memberships_table(partition)
    table = pl.read_parquet(memberships)
    wrong = table["accession_version"][2]
    digest = pl.when(pl.col("accession_version") == wrong).then(pl.lit(b"\0" * 32)).otherwise("record_sha256")
    texts = {name: b"".join(fetch(mirrored, name, format_="genbank")) for name in table["accession_version"]}
    table.with_columns(record_sha256=digest).write_parquet(memberships)
    together, missing = asked(mirrored, table["accession_version"].to_list(), "genbank")
    assert set(missing) == {wrong}
    assert together == b"".join(text for name, text in texts.items() if name != wrong)
    with pytest.raises(IntegrityError):
        list(fetch(mirrored, wrong, format_="genbank"))


def test_the_command_takes_names_a_file_and_standard_input(
    mirrored: Settings, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = names_of(mirrored, VRL)[:4]
    expected = b"".join(b"".join(fetch(mirrored, name)) for name in names)
    capfdbinary.readouterr()
    assert main(["fetch", *names]) == 0
    assert capfdbinary.readouterr().out == expected
    (tmp_path / "names").write_text("\n".join([names[0], "", "ZZ1", *names[1:], "ZZ2"]))
    assert main(["fetch", "--from", str(tmp_path / "names")]) == 1
    out, err = capfdbinary.readouterr()
    assert out == expected
    assert [line.split(b":")[0] for line in err.splitlines()[-3:-1]] == [b"ZZ1", b"ZZ2"]
    assert b"2 name(s) not found" in err
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(names)))
    assert main(["fetch", "--from", "-"]) == 0
    assert capfdbinary.readouterr().out == expected
    assert main(["fetch"]) in {1, 2}
    assert main(["fetch", "ZZ1"]) == 1
    assert main(["fetch", "--from", str(tmp_path / "nothing")]) in {1, 2}
