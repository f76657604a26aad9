"""The embedded server's life: made once, shared, started again after a kill, stopped when asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from genbank_assets.errors import DatabaseError
from genbank_assets.postgres.connection import Database, without_password
from genbank_assets.postgres_server.server import ensure_server, remove_server, stop_server


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    remove_server(tmp_path)


def pid_of(store: Path) -> int:
    return int((ensure_server(store).data / "postmaster.pid").read_text().split()[0])


def test_it_is_one_server_however_often_it_is_asked_for(store: Path) -> None:
    assert pid_of(store) == pid_of(store)


def test_it_comes_back_after_a_kill_with_what_was_committed(store: Path) -> None:
    server = ensure_server(store)
    with psycopg.connect(server.url("genbank")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(pid_of(store), signal.SIGKILL)
    with psycopg.connect(ensure_server(store).url("genbank")) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_processes_that_start_it_at_once_share_it(store: Path) -> None:
    script = (
        f"from pathlib import Path; from genbank_assets.postgres_server.server import *; ensure_server(Path({str(store)!r}))"
    )
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(4)]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]


def test_it_does_not_listen_on_the_network(store: Path) -> None:
    with psycopg.connect(ensure_server(store).url("postgres")) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_a_pid_file_whose_number_is_another_programs_does_not_stop_it(store: Path) -> None:
    server = ensure_server(store)
    stop_server(store)
    owner = server.data.stat()
    pid_file = server.data / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{server.data}\n0\n5432\n{server.socket_folder}\n\n 0 0\nready\n")
    os.chown(pid_file, owner.st_uid, owner.st_gid)
    with psycopg.connect(ensure_server(store).url("genbank")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_server_that_lost_its_socket_is_started_anew(store: Path) -> None:
    server = ensure_server(store)
    for path in server.socket_folder.iterdir():
        path.unlink()
    with psycopg.connect(ensure_server(store).url("genbank")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_long_store_with_odd_characters_has_a_short_socket(tmp_path: Path) -> None:
    store = tmp_path / "it's a store, really" / ("x" * 100)
    try:
        server = ensure_server(store)
        assert len(str(server.socket_folder)) < 60
        with psycopg.connect(server.url("dagster")) as connection:
            assert connection.execute("SHOW server_version_num").fetchone() >= ("180000",)
    finally:
        remove_server(store)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server under another account")
def test_a_store_the_account_cannot_enter_keeps_its_data_elsewhere(tmp_path: Path) -> None:
    store = tmp_path / "closed"
    store.mkdir(mode=0o700)
    server = ensure_server(store)
    try:
        assert store not in server.data.parents
        store.chmod(0o755)  # opened later: the data stays where it is
        assert ensure_server(store).data == server.data
        remove_server(store)
        assert not server.data.exists()
        assert ensure_server(store).data != server.data  # a new store does not find the old one's database
    finally:
        remove_server(store)


def test_stopping_says_whether_there_was_one(store: Path) -> None:
    assert stop_server(store) is False
    ensure_server(store)
    assert stop_server(store) is True


def test_a_server_that_cannot_be_reached_is_named_without_its_password() -> None:
    url = "postgresql://user:very-secret@127.0.0.1:1/x"
    with pytest.raises(DatabaseError) as raised, Database(url, pool_size=1):
        pass
    assert "very-secret" not in str(raised.value)
    assert without_password(url) == "postgresql://user:***@127.0.0.1:1/x"
