"""The store's instance: its pools are there before runs ask for them, also after the default has changed."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest

from genbank_assets.definitions import build_defs
from genbank_assets.defs.instance import POOLS, STORAGE_VARIABLE, open_instance
from genbank_assets.postgres_server.server import EmbeddedServer
from genbank_assets.settings import Settings
from genbank_assets.store import STAGES


@pytest.fixture
def store(tmp_path: Path, server: EmbeddedServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    database = postgres_url.split("postgres@/")[1].split("?")[0]
    monkeypatch.setenv(STORAGE_VARIABLE, server.sqlalchemy_url(database))
    monkeypatch.setenv("DAGSTER_HOME", "")
    return tmp_path / "store"


def limits(instance: dg.DagsterInstance) -> dict[str, tuple[int, bool]]:
    return {pool.name: (pool.limit, pool.from_default) for pool in instance.event_log_storage.get_pool_limits()}


def test_the_pools_are_those_of_the_graph() -> None:
    assets = build_defs().resolve_asset_graph()
    used = {
        pool
        for collection in ("genbank", "refseq")
        for stage in STAGES
        for pool in assets.get(dg.AssetKey([collection, stage])).pools or ()
    }
    assert used == set(POOLS)


def test_the_pools_are_there_before_a_run_asks(store: Path) -> None:
    with open_instance(Settings(store=store)) as instance:
        assert limits(instance) == dict.fromkeys(POOLS, (4, True))


def test_commands_that_start_together_make_the_pools_once(store: Path) -> None:
    with open_instance(Settings(store=store)) as instance:
        for name in POOLS:
            instance.event_log_storage.delete_concurrency_limit(name)
        failures: list[Exception] = []

        def command() -> None:
            try:
                open_instance(Settings(store=store)).dispose()
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=command) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert limits(instance) == dict.fromkeys(POOLS, (4, True))


def test_a_changed_default_reaches_the_pools_and_a_set_limit_stays(store: Path) -> None:
    with open_instance(Settings(store=store)) as instance:
        instance.event_log_storage.set_concurrency_slots("ncbi", 2)
    home = Path(os.environ["DAGSTER_HOME"])
    text = (home / "dagster.yaml").read_text()
    (home / "dagster.yaml").write_text(text.replace("default_limit: 4", "default_limit: 3"))
    with open_instance(Settings(store=store)) as instance:
        assert limits(instance) == {"ncbi": (2, False), "postgres": (3, True), "object_store": (3, True)}


def test_an_instance_keeps_one_connection_and_makes_it_anew_when_it_died(store: Path, server: EmbeddedServer) -> None:
    def ours(connection: psycopg.Connection[Any]) -> list[int]:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid() ORDER BY 1", [name]
        )
        return [row[0] for row in rows]

    name = os.environ[STORAGE_VARIABLE].split("@/")[1].split("?")[0]
    with psycopg.connect(server.url("postgres"), autocommit=True) as watching:
        with open_instance(Settings(store=store)) as instance:
            kept = ours(watching)
            for _ in range(3):
                instance.get_runs(limit=1)
                instance.event_log_storage.get_pool_limits()
            assert ours(watching) == kept
            assert len(kept) == 1
            watching.execute("SELECT pg_terminate_backend(%s)", kept)
            assert instance.get_runs(limit=1) == []
            assert len(ours(watching)) == 1
        for _ in range(100):
            if not ours(watching):
                break
            time.sleep(0.02)
        assert ours(watching) == []
