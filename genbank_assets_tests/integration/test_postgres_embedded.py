"""The embedded server's life: made once, shared, started again after a kill, stopped when asked."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from genbank_assets.errors import DatabaseError, DatabaseInUseError, NoDatabaseError
from genbank_assets.postgres.connection import Database, open_database
from genbank_assets.postgres.lookup import changes, last_states, record_row
from genbank_assets.postgres_server.account import run_as
from genbank_assets.postgres_server.cluster_paths import TWIN, processes_in
from genbank_assets.postgres_server.leftovers import POLL_SECONDS, watch
from genbank_assets.postgres_server.programs import PACKAGE
from genbank_assets.postgres_server.server import ensure_server, remove_server, stop_server
from genbank_assets.settings import Settings
from genbank_assets_tests.paths import ROOT
from genbank_assets_tests.processes import wait_until

pytestmark = pytest.mark.slow  # a server of its own in each; all tests of the database use one


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
        "import sys, pathlib; from genbank_assets.postgres_server.server import ensure_server;"
        "ensure_server(pathlib.Path(sys.argv[1]))"
    )
    processes = [subprocess.Popen([sys.executable, "-c", script, str(store)]) for _ in range(4)]
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


def test_a_long_store_path_with_unusual_characters_has_a_short_socket(tmp_path: Path) -> None:
    store = tmp_path / 'it\'s a "store", really: $HOME `exit` \\' / ("x" * 100)
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
    assert "postgresql://user:***@127.0.0.1:1/x" in str(raised.value)


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["store", "x" * 120], ids=["plain", "socket-in-tmp"])
def test_a_deleted_store_leaves_no_server_and_no_socket_behind(tmp_path: Path, name: str) -> None:
    store = tmp_path / name
    server, process = ensure_server(store), pid_of(store)
    shutil.rmtree(store)
    assert wait_until(lambda: not is_alive(process))
    assert wait_until(lambda: not server.socket_folder.exists())


@pytest.mark.slow
def test_a_store_made_anew_at_once_keeps_its_own_server(tmp_path: Path) -> None:
    store = tmp_path / ("x" * 120)  # whose socket folder has the same path again
    process = pid_of(store)
    shutil.rmtree(store)
    try:
        anew = pid_of(store)
        assert wait_until(lambda: not is_alive(process))
        time.sleep(3)
        assert is_alive(anew)
        psycopg.connect(ensure_server(store).url("genbank")).close()
    finally:
        remove_server(store)


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server under another account")


@pytest.mark.slow
@as_root
@pytest.mark.parametrize("kept_by", ["hard link", "open file"])
def test_a_deleted_store_leaves_no_data_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept_by: str
) -> None:
    if kept_by == "open file":  # as in a store on a file system of its own
        monkeypatch.setattr(Path, "hardlink_to", lambda *_: (_ for _ in ()).throw(OSError("another file system")))
    store = tmp_path / "closed"
    store.mkdir(mode=0o700)
    server, process = ensure_server(store), pid_of(store)
    assert (server.data.parent / TWIN).exists() == (kept_by == "hard link")
    store = store.rename(tmp_path / "moved")
    time.sleep(2 * POLL_SECONDS)
    assert is_alive(process)  # a store that only moved keeps its server and its data
    assert ensure_server(store).data == server.data
    shutil.rmtree(store)
    assert wait_until(lambda: not is_alive(process))
    assert wait_until(lambda: not server.data.parent.exists())


@pytest.mark.slow
@as_root
def test_data_elsewhere_of_a_store_that_was_deleted_while_its_server_was_down_are_swept(tmp_path: Path) -> None:
    deleted, moved, other = tmp_path / "deleted", tmp_path / "moved", tmp_path / "other"
    for store in (deleted, moved, other):
        store.mkdir(mode=0o700)
    gone, kept = ensure_server(deleted), ensure_server(moved)
    assert stop_server(deleted)
    assert stop_server(moved)
    shutil.rmtree(deleted)
    moved = moved.rename(tmp_path / "moved-on")
    try:
        ensure_server(other)
        assert not gone.data.parent.exists()
        assert ensure_server(moved).data == kept.data
    finally:
        remove_server(moved)
        remove_server(other)


def test_a_watcher_that_starts_while_its_folder_is_removed_adds_nothing_to_it(tmp_path: Path) -> None:
    home, store_file = tmp_path / "home", tmp_path / "store.json"
    home.mkdir()
    store_file.touch()
    watch(store_file, home, home / "data", tmp_path / "socket", watcher_lock=-1)
    assert not list(home.iterdir())


@pytest.mark.slow
@as_root
def test_a_copied_store_has_its_own_server(tmp_path: Path) -> None:
    store, copy = tmp_path / "closed", tmp_path / "copy"
    store.mkdir(mode=0o700)
    server = ensure_server(store)
    shutil.copytree(store, copy, ignore=shutil.ignore_patterns("socket"))
    copy.chmod(0o700)
    try:
        assert ensure_server(copy).data != server.data
        assert ensure_server(store).data == server.data
    finally:
        remove_server(copy)
        remove_server(store)


def test_reading_makes_no_server(tmp_path: Path) -> None:
    store = tmp_path / "store"
    settings = Settings(store=store)
    assert record_row(settings, collection="genbank", division=None, accession="J02482") is None
    assert last_states(settings, "J02482") == []
    with pytest.raises(DatabaseError, match="nothing is loaded yet"):
        list(changes(settings))
    with pytest.raises(NoDatabaseError, match="has no database yet: materialize"), open_database(settings):
        pass
    assert not store.exists()


def test_reading_starts_a_server_that_is_down(store: Path) -> None:
    ensure_server(store)
    assert stop_server(store)
    with open_database(Settings(store=store)) as database, database.transaction() as session:
        assert session.execute("SELECT 1") == [(1,)]


def test_stop_refuses_while_a_process_uses_the_server(store: Path) -> None:
    script = (
        "import sys, pathlib; from genbank_assets.postgres_server.server import *;"
        "use_server(pathlib.Path(sys.argv[1]), purpose='genbank-assets dev'); print('up', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == "up\n"
        with pytest.raises(DatabaseInUseError, match=rf"in use by genbank-assets dev \(process {user.pid}\)"):
            stop_server(store)
        assert is_alive(pid_of(store))
        user.kill()  # who was killed uses it no longer
    assert stop_server(store) is True


def test_stop_refuses_while_another_program_is_connected(store: Path) -> None:
    url = ensure_server(store).url("genbank")
    with psycopg.connect(url, application_name="notebook"):
        with pytest.raises(DatabaseInUseError, match=r"1 connection\(s\) of notebook"):
            stop_server(store)
        assert stop_server(store, force=True) is True


@pytest.mark.slow
@as_root
@pytest.mark.parametrize("umask", ["022", "077"])
def test_root_below_a_closed_folder_starts_a_server_and_psql(tmp_path: Path, umask: str) -> None:
    """The ordinary container: the wheel, the checkout and the store lie where the server's account cannot go."""
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    with spec_of_the_wheel() as package:
        subprocess.run(
            ["/bin/sh", "-c", f"umask {umask}; cp -r --no-preserve=mode,ownership \"$@\"", "sh", package,
             package.with_name(f"{package.name}.libs"), closed],
            check=True,
        )  # fmt: skip
        subprocess.run(["chmod", "-R", "u+x", str(closed / package.name)], check=True)
    check_that_the_server_works(closed, account=None)


@pytest.mark.slow
@as_root
def test_an_ordinary_user_below_a_closed_folder_starts_a_server_and_psql(tmp_path: Path) -> None:
    account = pwd.getpwnam("nobody")
    closed = Path(tempfile.mkdtemp(prefix="gba-user-"))  # as mktemp -d makes it
    try:
        with spec_of_the_wheel() as package:
            for folder in (package, package.with_name(f"{package.name}.libs")):
                shutil.copytree(folder, closed / folder.name)
        subprocess.run(["chown", "-R", f"{account.pw_uid}:{account.pw_gid}", str(closed)], check=True)
        check_that_the_server_works(closed, account=account)
    finally:
        shutil.rmtree(closed)


@contextmanager
def spec_of_the_wheel() -> Iterator[Path]:
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        pytest.skip("the package with the server is not here")
    yield Path(spec.origin).parent


def python_for(account: pwd.struct_passwd | None) -> list[str]:
    """A Python with our packages that the account can run, perhaps the system's own of the same version."""
    if account is None:
        return [sys.executable]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = os.pathsep.join(["PYTHONPATH=" + str(ROOT), sysconfig.get_path("purelib")])
    for python in (sys.executable, f"/usr/bin/{version}"):
        command = ["/usr/bin/env", packages, python]
        if run_as([*command, "-c", "import psycopg, genbank_assets"], account).returncode == 0:
            return command
    pytest.skip(f"the account {account.pw_name} can run no {version} with these packages")


def check_that_the_server_works(closed: Path, *, account: pwd.struct_passwd | None) -> None:
    """In a process that finds the wheel in the closed folder alone; then without that store, nothing may be left."""
    script = """
import sys, subprocess, pathlib
sys.path.insert(0, sys.argv[1])
from genbank_assets.postgres_server.server import client_program, ensure_server, use_server
from genbank_assets.postgres_server import programs
assert programs.find_spec(programs.PACKAGE).origin.startswith(sys.argv[1])
store = pathlib.Path(sys.argv[1]) / "checkout" / "data"
server = ensure_server(store)
command = [client_program(store, "psql"), server.url("genbank"), "-Atc", "SELECT 6 * 7"]
print(subprocess.check_output(command, text=True))
print(server.data)
"""
    done = subprocess.run(
        [*python_for(account), "-c", script, str(closed)],
        capture_output=True,
        text=True,
        check=False,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
        env={"PATH": os.environ["PATH"], "HOME": str(closed)},
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    answer, data = done.stdout.split()
    assert answer == "42"
    shutil.rmtree(closed / "checkout")
    assert wait_until(lambda: not Path(data).exists())
    assert wait_until(lambda: processes_in(Path(data)) == set())
