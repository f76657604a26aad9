"""The taxonomy: from NCBI's archive to nested intervals, and what hostile or broken archives do."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genbank_assets.errors import IntegrityError, NotFoundError, StoreError
from genbank_assets.ncbi import tar_stream
from genbank_assets.ncbi.tar_stream import members
from genbank_assets.ncbi.taxonomy import archive_date
from genbank_assets.ncbi.taxonomy_files import FetchedTaxonomy
from genbank_assets.tables import taxonomy as taxonomy_tables
from genbank_assets.tables.clades import Taxonomy, open_taxonomy
from genbank_assets.tables.nested_set import nested_set
from genbank_assets.tables.taxonomy import build_taxonomy, kept_dates, table_path

MTIME = 1767225600  # 2026-01-01
NODES = [
    (1, 1, "no rank"),
    (10, 1, "domain"),
    (20, 10, "genus"),
    (21, 20, "species"),
    (30, 1, "realm"),
    (31, 30, "genus"),
]
NAMES = [
    (1, "root", "", "scientific name"), (10, "Bacteria", "Bacteria <bacteria>", "scientific name"),
    (10, "eubacteria", "", "genbank common name"), (20, "Genus|pipe", "", "scientific name"),
    (21, "Genus species", "", "scientific name"), (30, "Riboviria", "", "scientific name"),
    (31, "Bacteria", "Bacteria <walking sticks>", "scientific name"), (31, "stick", "", "synonym"),
]  # fmt: skip


def dmp(rows: list[tuple[object, ...]]) -> bytes:
    return "".join("\t|\t".join(map(str, row)) + "\t|\n" for row in rows).encode()


def content(
    nodes: list[tuple[int, int, str]] = NODES, names: list[tuple[int, str, str, str]] = NAMES
) -> dict[str, bytes]:
    lines = [(n, p, rank, "", 8, 1, 11, 1, 0, 1, 0, 0, "") for n, p, rank in nodes]
    return {
        "nodes.dmp": dmp(lines), "names.dmp": dmp(names), "merged.dmp": dmp([(99, 21)]), "delnodes.dmp": dmp([(77,)])
    }  # fmt: skip


def archive(path: Path, files: dict[str, bytes] | list[tuple[str, bytes]], *, mtime: int = MTIME) -> Path:
    with tarfile.open(path, "w:gz", format=tarfile.USTAR_FORMAT) as tar:
        for name, text in files.items() if isinstance(files, dict) else files:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(text), mtime
            tar.addfile(entry, io.BytesIO(text))
    return path


def build(tmp_path: Path, files: dict[str, bytes] | list[tuple[str, bytes]], *, date: str = "2026-01-01") -> Taxonomy:
    path = archive(tmp_path / "taxdump.tar.gz", files)
    sha256 = str(hash(path.read_bytes()))
    fetched = FetchedTaxonomy(path=path, date=date, sha256=sha256, md5="", bytes=1, url="", transferred_bytes=0)
    manifest, _ = build_taxonomy(fetched, store=tmp_path / "store", progress=lambda line: None)
    return open_taxonomy(tmp_path / "store", date=manifest.date)


@given(st.lists(st.integers(0, 10**6), max_size=60), st.randoms(use_true_random=False))
def test_a_clade_is_what_hangs_below(parents: list[int], random) -> None:
    ids = list(range(1, len(parents) + 2))
    random.shuffle(ids)  # so that parents are not always the smaller ids
    parent_of = {ids[0]: ids[0]} | {ids[n + 1]: ids[p % (n + 1)] for n, p in enumerate(parents)}
    order = sorted(ids)
    found = nested_set(np.array(order), np.array([parent_of[i] for i in order]))
    assert sorted([*found.left, *found.right]) == list(range(1, 2 * len(ids) + 1))
    for at, node in enumerate(order):
        above, line = node, {node}
        while parent_of[above] != above:
            above = parent_of[above]
            line.add(above)
        inside = (found.left <= found.left[at]) & (found.right >= found.right[at])
        assert {order[i] for i in np.flatnonzero(inside)} == line
        assert found.depth[at] == len(line) - 1


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        ([(1, 1, "no rank"), (2, 3, "genus"), (3, 2, "genus")], "cycle"),
        ([(1, 1, "no rank"), (2, 9, "genus")], "no taxon 9"),
        ([(1, 1, "no rank"), (2, 2, "genus")], "2 roots"),
        ([(1, 1, "no rank"), (2, 1, "genus"), (2, 1, "genus")], "twice"),
        ([], "no nodes"),
    ],
)
def test_an_invalid_tree_is_rejected(tmp_path: Path, nodes: list[tuple[int, int, str]], says: str) -> None:
    names = [(n, f"name {n}", "", "scientific name") for n, _, _ in nodes]
    with pytest.raises(IntegrityError, match=says):
        build(tmp_path, content(nodes, names))
    assert kept_dates(tmp_path / "store") == []


def test_tables_hold_what_the_archive_says(tmp_path: Path) -> None:
    taxonomy = build(tmp_path, content())
    nodes = pl.read_parquet(table_path(tmp_path / "store", taxonomy.manifest, "nodes"))
    assert nodes["left_value"].is_sorted()
    assert set(nodes.select("taxon_id", "parent_id", "rank", "genetic_code").iter_rows()) == {
        (n, None if n == p else p, rank, 11) for n, p, rank in NODES
    }
    names = pl.read_parquet(table_path(tmp_path / "store", taxonomy.manifest, "names"))
    assert set(names.select("taxon_id", "name", "name_class").iter_rows()) == {(n, name, c) for n, name, _, c in NAMES}
    assert names["name_key"].is_sorted()


def test_names_and_numbers_lead_to_taxa(tmp_path: Path) -> None:
    taxonomy = build(tmp_path, content())
    assert taxonomy.find("genus SPECIES").taxon_id == 21
    assert taxonomy.find("99").taxon_id == 21  # merged
    assert taxonomy.find("EUBACTERIA").taxon_id == 10
    assert taxonomy.find("bacteria <walking sticks>").taxon_id == 31
    assert taxonomy.clade(taxonomy.find("10")).tolist() == [10, 20, 21]
    assert [t.taxon_id for t in taxonomy.ancestors(taxonomy.find("21"))] == [1, 10, 20]
    for name, says in (("Bacteria", "10 .domain Bacteria.*31"), ("77", "deleted"), ("5", "no taxon 5"), ("x", "named")):
        with pytest.raises(NotFoundError, match=says):
            taxonomy.find(name)


def test_resolving_reports_merged_deleted_and_unknown_taxa(tmp_path: Path) -> None:
    found = build(tmp_path, content()).resolve(np.array([21, 99, 77, 5]))
    assert found.taxon_ids.tolist() == [21, 21, 77, 5]
    assert found.merged.tolist() == [False, True, False, False]
    assert found.deleted.tolist() == [False, False, True, False]
    assert found.unknown.tolist() == [False, False, False, True]


def test_lineages_at_the_known_ranks(tmp_path: Path) -> None:
    taxonomy = build(tmp_path, content())
    assert taxonomy.ranks == {"no rank", "domain", "genus", "species", "realm"}
    assert taxonomy.lineage(np.array([21, 31, 5]), ranks=["domain", "realm", "genus", "species"]) == [
        ("Bacteria", None, "Genus|pipe", "Genus species"), (None, "Riboviria", "Bacteria", None), (None,) * 4,
    ]  # fmt: skip


def test_a_later_archive_of_a_day_takes_its_place(tmp_path: Path) -> None:
    build(tmp_path, content())
    taxonomy = build(tmp_path, content(names=[*NAMES, (21, "another", "", "synonym")]))
    assert kept_dates(tmp_path / "store") == ["2026-01-01"]
    assert taxonomy.find("another").taxon_id == 21
    build(tmp_path, content(), date="2025-12-01")
    assert kept_dates(tmp_path / "store") == ["2025-12-01", "2026-01-01"]


def test_an_archive_that_comes_back_has_the_tables_that_it_had_unless_they_are_damaged(tmp_path: Path) -> None:
    first, other = build(tmp_path, content()), content(names=[*NAMES, (21, "another", "", "synonym")])
    nodes = table_path(tmp_path / "store", first.manifest, "nodes")
    inode, bytes_of_it = nodes.stat().st_ino, nodes.read_bytes()
    build(tmp_path, other)
    assert build(tmp_path, content()).manifest == first.manifest
    assert nodes.stat().st_ino == inode
    build(tmp_path, other)
    nodes.write_bytes(bytes_of_it[:-5] + b"x" + bytes_of_it[-4:])
    build(tmp_path, content())
    assert nodes.read_bytes() == bytes_of_it


def test_tables_are_not_touched_by_an_archive_that_fails(tmp_path: Path) -> None:
    first = build(tmp_path, content())
    nodes = table_path(tmp_path / "store", first.manifest, "nodes")
    nodes.unlink()  # so that they are made again
    (nodes.parents[1] / ".building.left").mkdir()  # by a killed run
    before = {path.name for path in nodes.parent.iterdir()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(taxonomy_tables, "_write_tables", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(StoreError, match="the disk is full"):
            build(tmp_path, content())
    assert {path.name for path in nodes.parent.iterdir()} == before
    assert {path.name for path in nodes.parents[1].iterdir()} == {"manifest.json", first.manifest.generation}


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({k: v for k, v in content().items() if k != "names.dmp"}, "names.dmp"),
        ([*content().items(), ("nodes.dmp", b"")], "twice"),
        (content() | {"merged.dmp": b"9\t|\tx\t|\n"}, "not a number"),
        (content() | {"nodes.dmp": b"1\t|\t1\t|\n"}, "columns"),
        (content() | {"merged.dmp": b"9\t|\t1\t|\n9\n"}, "without taxon_id"),
        (content() | {"delnodes.dmp": b"7\t|\n8"}, "in the middle of a line"),
        (content(names=NAMES[1:]), "without a scientific name, such as 1"),
    ],
)
def test_broken_archives_publish_nothing(tmp_path: Path, files: dict[str, bytes], says: str) -> None:
    with pytest.raises(IntegrityError, match=says):
        build(tmp_path, files)
    assert kept_dates(tmp_path / "store") == []


def test_names_in_an_archive_are_not_paths(tmp_path: Path) -> None:
    hostile = [("../../evil", b"x"), ("/etc/evil", b"x"), ("./nodes.dmp", content()["nodes.dmp"])]
    rest = [(name, text) for name, text in content().items() if name != "nodes.dmp"]
    build(tmp_path, hostile + rest)
    assert not (tmp_path / "evil").exists()
    assert {p.name for p in tmp_path.iterdir()} == {"store", "taxdump.tar.gz"}


def test_an_absurd_size_in_a_header_costs_nothing(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("nodes.dmp")
    entry.size = 7 * 1024**3
    path = tmp_path / "taxdump.tar.gz"
    path.write_bytes(gzip.compress(entry.tobuf(tarfile.GNU_FORMAT) + b"x" * 512))
    with pytest.raises(IntegrityError, match="before the end of a member"):
        list(members(path))


def test_what_is_not_utf8_is_kept(tmp_path: Path) -> None:
    files = content()
    files["names.dmp"] += "21\t|\tMüller\t|\t\t|\tauthority\t|\n".encode()
    files["names.dmp"] += "21\t|\tNiño\t|\t\t|\tauthority\t|\n".encode("latin-1")
    taxonomy = build(tmp_path, files)
    assert taxonomy.find("müller").taxon_id == taxonomy.find("niño").taxon_id == 21


def test_the_date_is_the_newest_members(tmp_path: Path) -> None:
    assert archive_date(archive(tmp_path / "a.tar.gz", content())).isoformat() == "2026-01-01"
    with pytest.raises(IntegrityError, match="no member has a plausible date"):
        archive_date(archive(tmp_path / "b.tar.gz", content(), mtime=0))
    for day in ("2026-01-01", "2024-02-29"):  # a member of the distant future is not believed, nor one before NCBI
        path = tmp_path / f"{day}.tar.gz"
        with tarfile.open(path, "w:gz", format=tarfile.GNU_FORMAT) as tar:
            for seconds in (0, int(dt.datetime.fromisoformat(f"{day}T12:00Z").timestamp()), 2**36, 1):
                entry = tarfile.TarInfo("x")
                entry.mtime = seconds
                tar.addfile(entry)
        assert archive_date(path).isoformat() == day


def test_an_archive_is_read_member_by_member_and_refused_where_it_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tar.gz"
    files = {f"{number}.dmp": bytes([65 + number]) * (500 * number + 13) for number in range(4)}
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(link)
        for name, text in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size, entry.mtime = len(text), 2**33 + 7  # more than eleven octal digits hold
            tar.addfile(entry, io.BytesIO(text))
    whole = path.read_bytes()
    path.write_bytes(gzip.compress(whole))
    found = [(one.name, one.size_bytes, one.modified_seconds, b"".join(one.pieces)) for one in members(path)]
    assert found == [(name, len(text), 2**33 + 7, text) for name, text in files.items()]
    assert [one.name for one in members(path)] == list(files)  # whatever the caller does not read is passed over
    monkeypatch.setattr(tar_stream, "MAX_MEMBERS", 4)
    assert len(list(members(path))) == 4
    monkeypatch.setattr(tar_stream, "MAX_MEMBERS", 3)
    with pytest.raises(IntegrityError, match="more than 3 members"):
        list(members(path))
    monkeypatch.undo()
    for damaged, says in (
        (whole[:700], "in the middle of a header"),
        (whole[:600] + b"?" + whole[601:], "checksum of a member's header"),
        (whole[:5200], "before the end of a member"),
        (whole[:124] + b"8" * 11 + whole[135:], "for a number|checksum"),
        (whole[:148] + b"notoctal" + whole[156:], "for a number"),
    ):
        path.write_bytes(gzip.compress(damaged))
        with pytest.raises(IntegrityError, match=says):
            list(members(path))
    path.write_bytes(gzip.compress(whole)[:-30])
    with pytest.raises(IntegrityError, match="cannot be read"):
        list(members(path))
