"""The taxonomy from a server into store and database, and its check over records."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import psycopg
import pytest

from genbank_assets.errors import IntegrityError, SourceError
from genbank_assets.ncbi.sample import sample_source
from genbank_assets.ncbi.taxonomy import fetch_taxonomy
from genbank_assets.postgres.taxonomy import load_taxonomy
from genbank_assets.settings import Settings
from genbank_assets.tables.clades import open_taxonomy
from genbank_assets.tables.taxonomy import TaxonomyManifest, build_taxonomy
from genbank_assets_tests.fix_ncbi import FtpMirror, HttpMirror
from genbank_assets_tests.paths import SAMPLE


def quiet(line: str) -> None:
    pass


def take(settings: Settings) -> TaxonomyManifest:
    fetched = fetch_taxonomy(settings=settings, progress=quiet)
    return build_taxonomy(fetched, store=settings.store, progress=quiet)[0]


def serve(folder: Path) -> Path:
    shutil.copytree(SAMPLE / "pub", folder / "pub")
    return folder / "pub" / "taxonomy"


def test_a_broken_transfer_is_taken_up_again(http_mirror: HttpMirror, tmp_path: Path) -> None:
    serve(http_mirror.folder)
    http_mirror.fault = lambda method, path, times: (
        "truncate" if method == "GET" and path.endswith("taxdump.tar.gz") and times < 3 else ""
    )
    settings = Settings(source=http_mirror.url, store=tmp_path / "store", requests_per_second=10_000)
    manifest = take(settings)
    assert manifest.date == "2024-09-07"
    asked = len(http_mirror.requests)
    assert take(settings) == manifest  # the second time only the checksum is asked for
    assert len([path for method, path in http_mirror.requests[asked:] if path.endswith(".gz")]) == 0


def test_it_comes_over_ftp(ftp_mirror: FtpMirror, tmp_path: Path) -> None:
    serve(ftp_mirror.folder)
    settings = Settings(source=ftp_mirror.url, store=tmp_path / "store", requests_per_second=10_000)
    assert take(settings).archive["url"].startswith("ftp://127.0.0.1")


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    folder = serve(tmp_path / "source")
    archive = folder / "taxdump.tar.gz"
    archive.write_bytes(archive.read_bytes() + b"\0")
    settings = Settings(source=(tmp_path / "source").as_uri(), store=tmp_path / "store")
    with pytest.raises(IntegrityError, match="checksum"):
        take(settings)
    (folder / "taxdump.tar.gz.md5").unlink()
    with pytest.raises(SourceError, match="can be verified"):
        take(settings)


def test_the_database_holds_the_latest_date(settings: Settings) -> None:
    settings = dataclasses.replace(settings, source=sample_source())
    manifest = take(settings)
    first = load_taxonomy(manifest, settings=settings, progress=quiet, run_id="r1")
    assert first.is_current
    assert first.written == sum(manifest.rows(table) for table in ("nodes", "names", "merged", "deleted"))
    again = load_taxonomy(manifest, settings=settings, progress=quiet, run_id="r2")
    assert (again.is_current, again.written, again.removed) == (True, 0, 0)
    with psycopg.connect(str(settings.postgres_url), autocommit=True) as connection:
        connection.execute("INSERT INTO genbank.taxonomy_release SELECT '2025-01-01', digest || 'x', archive_sha256, "
                           "taxa, names, merged, deleted, run_id FROM genbank.taxonomy_release")  # fmt: skip
        connection.execute("DELETE FROM genbank.taxon WHERE taxon_id = 9606")
        assert not load_taxonomy(manifest, settings=settings, progress=quiet, run_id="r3").is_current
        assert connection.execute("SELECT count(*) FROM genbank.taxon WHERE taxon_id = 9606").fetchone() == (0,)
        connection.execute("DELETE FROM genbank.taxonomy_release WHERE date > '2024-12-31'")
        connection.execute("UPDATE genbank.taxonomy_release SET digest = 'other'")
        connection.execute("INSERT INTO genbank.deleted_taxon VALUES (5)")
        mended = load_taxonomy(manifest, settings=settings, progress=quiet, run_id="r4")
        assert (mended.is_current, mended.written, mended.removed) == (True, 1, 1)


def test_a_clade_is_an_index_lookup(settings: Settings) -> None:
    settings = dataclasses.replace(settings, source=sample_source())
    load_taxonomy(take(settings), settings=settings, progress=quiet, run_id="r")
    taxonomy = open_taxonomy(settings.store)
    wanted = taxonomy.clade(taxonomy.find("Mammalia")).tolist()
    with psycopg.connect(str(settings.postgres_url)) as connection:
        rows = connection.execute("SELECT taxon_id FROM genbank.clade(40674) ORDER BY 1").fetchall()
        assert [row[0] for row in rows] == wanted
        assert connection.execute("SELECT taxon_id FROM genbank.taxa_named('hUMAN')").fetchall() == [(9606,)]
        line = connection.execute("SELECT scientific_name FROM genbank.lineage(9606)").fetchall()
        assert [line[0][0], line[-1][0]] == ["root", "Homo sapiens"]
        connection.execute("SET enable_seqscan = off")
        plan = "\n".join(row[0] for row in connection.execute("EXPLAIN SELECT * FROM genbank.clade(40674)").fetchall())
        assert "taxon_left" in plan
