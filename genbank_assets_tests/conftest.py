"""Fixtures for all tests: a store, one embedded PostgreSQL per session, and the service fixtures of other modules."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from genbank_assets.postgres_server.server import EmbeddedServer, ensure_server, stop_server
from genbank_assets.settings import Settings
from genbank_assets_tests.paths import MIRROR_273, MIRROR_274

pytest_plugins = [
    "genbank_assets_tests.fix_alerts",
    "genbank_assets_tests.fix_extract",
    "genbank_assets_tests.fix_ncbi",
    "genbank_assets_tests.fix_dask",
    "genbank_assets_tests.fix_faults",  # uses the previous one
    "genbank_assets_tests.fix_postgres",
    "genbank_assets_tests.fix_s3",
    "genbank_assets_tests.fix_two_releases",
]


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    """A real PostgreSQL for the whole session, in its own folder.

    GENBANK_ASSETS_TEST_POSTGRES_DATA names the data folder of a running server of another version; its socket must be
    in that folder and admit the user ``postgres``.
    """
    if other := os.environ.get("GENBANK_ASSETS_TEST_POSTGRES_DATA"):
        yield EmbeddedServer(Path(other), Path(other))
        return
    folder = Path(tempfile.mkdtemp(prefix="gba-pg-"))
    folder.chmod(0o755)
    try:
        started = ensure_server(folder)
        # Durability is not needed; without it, CREATE and DROP DATABASE do not wait for the disk in every test.
        with psycopg.connect(started.url("postgres"), autocommit=True) as connection:
            for setting in ("fsync", "full_page_writes"):
                connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
            connection.execute("SELECT pg_reload_conf()")
        yield started
    finally:
        stop_server(folder, force=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(server: EmbeddedServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh database for one test."""
    name = f"test_{abs(hash(request.node.nodeid)) % 10**12}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield server.url(name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def settings(tmp_path: Path, postgres_url: str) -> Settings:
    """Settings with a fresh store and database; tests choose the source."""
    return Settings(store=tmp_path / "store", postgres_url=postgres_url, workers=1, requests_per_second=10_000)


@pytest.fixture
def mirror_273() -> str:
    """The earlier shared mirror as a source."""
    if not MIRROR_273.is_dir():
        pytest.skip("the shared mirrors are not here")
    return MIRROR_273.as_uri()


@pytest.fixture
def mirror_274() -> str:
    """The later shared mirror as a source."""
    if not MIRROR_274.is_dir():
        pytest.skip("the shared mirrors are not here")
    return MIRROR_274.as_uri()
