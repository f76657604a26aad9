"""A store with two releases and all five stages, against which every page of the documentation is tested."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from genbank_assets.ncbi.catalog import parse_partition
from genbank_assets.postgres_server.server import EmbeddedServer
from genbank_assets.settings import Settings
from genbank_assets_tests.paths import SAMPLE

PARTITIONS = ("genbank/phg", "genbank/pln", "genbank/vrl", "refseq/viral")


@pytest.fixture(scope="session")
def two_releases(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """GenBank 1.0 and 2.0 of three divisions, and one release of RefSeq viruses; read-only.

    Compared with 1.0, release 2.0 has a changed definition, a new sequence version and a new record in ``vrl``, lacks
    one of its records, and has the last record of ``pln`` in ``vrl``.
    """
    from genbank_assets_tests.integration import test_daily as made
    from genbank_assets_tests.integration.test_mirror import mirror

    folder = tmp_path_factory.mktemp("two-releases")
    source = made.Ncbi(folder / "ncbi")
    shutil.copytree(SAMPLE / "refseq", folder / "ncbi" / "refseq")
    plants = made.records_of(SAMPLE / "genbank" / "gbpln1.seq.gz")
    viral, phage = made.VIRAL, made.PHAGE
    with _database(server, "two_releases") as url:
        settings = Settings(
            store=folder / "store", source=source.folder.as_uri(), postgres_url=url, workers=1, max_absent_fraction=1
        )
        source.release("1.0", "August 15 2026", phg=phage, pln=plants, vrl=viral[:5])
        for name in PARTITIONS:
            mirror(parse_partition(name), settings)
        changed = [made.annotated(viral[0], "Changed"), made.with_new_sequence(viral[1]), *viral[2:4], viral[5]]
        source.release("2.0", "October 15 2026", phg=phage, pln=plants[:-1], vrl=[*changed, plants[-1]])
        for name in PARTITIONS[:3]:
            mirror(parse_partition(name), settings)
        yield settings


@contextlib.contextmanager
def _database(server: EmbeddedServer, name: str) -> Iterator[str]:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield server.url(name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def files_below(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its content, to check that reading changes nothing."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
