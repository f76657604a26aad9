"""Leases: one at a time, told for whom one waits, lost by those who are gone, and fenced against those who come
back."""

from __future__ import annotations

import dataclasses
import functools
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from genbank_assets.errors import IntegrityError
from genbank_assets.locks import exclusive
from genbank_assets.objects import lease as object_lease
from genbank_assets.postgres import daily, division_load, leases, partitions
from genbank_assets.postgres.connection import Database, open_database
from genbank_assets.postgres.first_load import FirstLoad
from genbank_assets.postgres.leases import LeaseLostError, assert_held, hold
from genbank_assets.settings import Settings
from genbank_assets_tests.fix_postgres import Divisions
from genbank_assets_tests.integration.test_postgres_changes import ONE, TWO, many

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    with Database(postgres_url, pool_size=4) as found:
        leases.ensure_table(found)
        yield found


def hold_for_ever(url: str, name: str, ready: Any) -> None:
    with Database(url, pool_size=2) as database, hold(database, name, progress=print, run_id="the-first"):
        ready.set()
        time.sleep(600)


def lines_of_waiting(database: Database, name: str, *, until: threading.Event) -> tuple[list[str], threading.Thread]:
    lines: list[str] = []

    def wait() -> None:
        with hold(database, name, progress=lines.append, run_id="the-second"):
            until.wait(30)

    thread = threading.Thread(target=wait)
    thread.start()
    return lines, thread


def eventually(condition: Any, *, seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_who_waits_says_for_whom_and_then_how_long(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "ANNOUNCE_SECONDS", 0.3)
    done = threading.Event()
    done.set()
    with hold(database, "load genbank/phg", progress=print, run_id="the-first"):
        lines, thread = lines_of_waiting(database, "load genbank/phg", until=done)
        eventually(lambda: len(lines) >= 2)
        assert thread.is_alive()
    thread.join(10)
    assert "load genbank/phg (run the-first, process" in lines[0]
    assert "): waiting" in lines[0]
    assert "waiting for" in lines[1]
    assert "is free after" in lines[-1]
    assert leases.holder(database, "load genbank/phg") is None


def test_a_process_that_was_killed_loses_its_lease_at_once(database: Database, postgres_url: str) -> None:
    ready = SPAWN.Event()
    process = SPAWN.Process(target=hold_for_ever, args=(postgres_url, "load x", ready))
    process.start()
    assert ready.wait(30)
    now = leases.holder(database, "load x")
    assert now is not None
    assert not now.has_expired()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    begun = time.monotonic()
    with hold(database, "load x", progress=print) as lease:
        assert lease.token == 2
    assert time.monotonic() - begun < 10


def test_a_holder_elsewhere_that_falls_silent_is_replaced_and_cannot_write_any_more(
    database: Database, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "this_host", lambda: "elsewhere/boot/1")
    with hold(database, "load x", progress=print) as first:
        monkeypatch.setattr(leases, "this_host", lambda: "here/boot/1")
        with database.transaction() as session:
            assert_held(session, first)
            session.execute("UPDATE genbank.lease SET heartbeat_at = now() - interval '10 minutes'")
        with hold(database, "load x", progress=print) as second:
            assert second.token == first.token + 1
            with pytest.raises(LeaseLostError, match="was taken over by process"), database.transaction() as session:
                assert_held(session, first)
            assert LeaseLostError.transient
    with database.transaction() as session:
        assert session.execute("SELECT is_held FROM genbank.lease") == [(False,)]


def test_a_heartbeat_keeps_the_lease(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(leases, "LEASE_TIMEOUT_SECONDS", 1.0)
    monkeypatch.setattr(leases, "this_host", lambda: "elsewhere/boot/1")
    with hold(database, "load x", progress=print):
        time.sleep(1.5)
        monkeypatch.setattr(leases, "this_host", lambda: "here/boot/1")
        now = leases.holder(database, "load x")
        assert now is not None
        assert not now.has_expired()


def test_a_holder_may_be_silent_for_some_heartbeats() -> None:
    """One that is lost, or late on a busy machine, costs nobody his lease."""
    assert 3 * leases.HEARTBEAT_SECONDS <= leases.LEASE_TIMEOUT_SECONDS
    assert 3 * object_lease.RENEW_SECONDS <= object_lease.EXPIRY_SECONDS / 2  # from when on it is asked for


def test_who_takes_over_waits_for_what_is_being_written(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    done.set()
    monkeypatch.setattr(leases, "HEARTBEAT_SECONDS", 600.0)
    with hold(database, "load x", progress=print) as first:
        with database.transaction() as session:
            session.execute("UPDATE genbank.lease SET heartbeat_at = now() - interval '10 minutes', host = 'elsewhere'")
        with database.transaction() as session:
            assert_held(session, first)
            lines, thread = lines_of_waiting(database, "load x", until=done)
            time.sleep(1.0)
            assert thread.is_alive()
        thread.join(15)
        assert not thread.is_alive()
    assert "(process" in lines[0]  # its row is locked, and says all the same who it is
    assert "is free after" in lines[-1]


def test_a_load_whose_connections_are_cut_keeps_its_lease(
    divisions: Divisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Formerly the lock was gone with its connection, and nobody noticed."""
    partition = divisions.make("genbank/bct", "1.0", {ONE: many(3)})
    url = divisions.settings.postgres_url or ""
    finish = division_load.DivisionLoad._note_finished
    seen: list[Any] = []

    def cut(self: Any, session: Any, *arguments: Any, **options: Any) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND state = 'idle'"
            )
        with open_database(dataclasses.replace(divisions.settings, postgres_pool_size=9)) as other:
            seen.append(leases.holder(other, "load genbank/bct"))
        finish(self, session, *arguments, **options)

    monkeypatch.setattr(division_load.DivisionLoad, "_note_finished", cut)
    assert divisions.load(partition).report.rows_loaded == 3
    assert seen[0] is not None
    assert seen[0].run_id == "run"


def written(divisions: Divisions) -> list[tuple[Any, ...]]:
    """The relations of the schema and a digest of the rows of each but the leases: what a load may change."""
    found = divisions.query(
        "SELECT relname::text, relkind::text, relispartition FROM pg_class "
        "WHERE relnamespace = 'genbank'::regnamespace AND relkind IN ('r', 'p', 'i', 'I') ORDER BY 1"
    )
    tables = [name for name, kind, _ in found if kind == "r" and name != "lease"]
    rows = (f"SELECT '{name}', md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM genbank.{name} t" for name in tables)
    return [*found, *sorted(divisions.query(" UNION ALL ".join(rows)))]


@dataclasses.dataclass(frozen=True)
class Theft:
    """Takes a load's lease away before a step of it, and keeps what was written until then."""

    divisions: Divisions
    step: Callable[..., Any]
    seen: list[list[tuple[Any, ...]]] = dataclasses.field(default_factory=list)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if not self.seen:
            self.divisions.query("UPDATE genbank.lease SET token = token + 1, run_id = 'thief' RETURNING 1")
            self.seen.append(written(self.divisions))
        return self.step(*arguments, **options)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return functools.partial(self, instance)


def test_nothing_is_written_after_a_lost_lease(divisions: Divisions, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release, a division that is new, and a day, each before each of its transactions."""
    load, new, made = division_load.DivisionLoad, "a division that is new", divisions.make
    steps: list[tuple[str, Any, str]] = [
        ("a day", daily, "load_file"),
        *((f"a release, {name}", owner, name) for owner, name in (
            (load, "_begin"), (division_load, "load_file"), (load, "_finish"))),
        *((f"{new}, {name}", owner, name) for owner, name in (
            (FirstLoad, "begin"), (division_load, "load_file"), (FirstLoad, "build_indexes"),
            (partitions, "vacuum_tables"), (FirstLoad, "discard"))),
    ]  # fmt: skip

    def unlike(self: Any, *arguments: Any, **options: Any) -> None:
        raise IntegrityError("what is loaded is not what is in the tables")

    sections = ("bct", "inv", "mam", "pln", "pri", "rod", "syn", "una", "vrt")
    for number, (section, (what, owner, name)) in enumerate(zip(sections, steps, strict=True)):
        records = many(4, prefix=f"{chr(65 + number)}B")
        if new not in what:
            divisions.load(made(f"genbank/{section}", "1.0", {ONE: records[:3]}))
        if what == "a day":
            partition = made(
                "genbank/daily", "20991231", {"nc1231.flat.gz": [dataclasses.replace(records[0], title="Of a day")]}
            )
        else:
            partition = made(f"genbank/{section}", "2.0", {ONE: records})
        theft = Theft(divisions, getattr(owner, name))
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, theft)
            if name == "discard":
                patch.setattr(FirstLoad, "attach", unlike)
            with pytest.raises(LeaseLostError, match="taken over by run thief"):
                daily.apply_day(
                    partition, settings=divisions.settings, progress=print, run_id="day"
                ) if what == "a day" else divisions.load(partition)
        assert [written(divisions)] == theft.seen, what
        divisions.query("UPDATE genbank.lease SET is_held = false RETURNING 1")
    assert divisions.load(partition).report.rows_loaded == 4  # and the next run makes it whole


def exclusive_for_ever(settings: Settings, ready: Any) -> None:
    with exclusive(settings, "genbank/phg", progress=print, run_id="the-first"):
        ready.set()
        time.sleep(600)


@pytest.mark.parametrize("with_database", [True, False])
def test_exclusive_on_one_machine(settings: Settings, with_database: bool) -> None:
    settings = settings if with_database else dataclasses.replace(settings, postgres_url=None)
    ready = SPAWN.Event()
    process = SPAWN.Process(target=exclusive_for_ever, args=(settings, ready))
    process.start()
    assert ready.wait(30)
    lines: list[str] = []
    entered = threading.Event()

    def enter() -> None:
        with exclusive(settings, "genbank/phg", progress=lines.append):
            entered.set()

    thread = threading.Thread(target=enter)
    thread.start()
    eventually(lambda: lines)
    assert f"genbank/phg (run the-first, process {process.pid} on {socket.gethostname()}, since" in lines[0]
    assert not entered.is_set()
    with exclusive(settings, "genbank/vrl", progress=print):
        pass
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    thread.join(15)
    assert entered.is_set()


def test_exclusive_between_two_machines_that_share_a_database(settings: Settings, tmp_path: Path) -> None:
    other = dataclasses.replace(settings, store=tmp_path / "another-machine")
    lines: list[str] = []
    entered = threading.Event()

    def enter() -> None:
        with exclusive(other, "genbank/phg", progress=lines.append):
            entered.set()

    with exclusive(settings, "genbank/phg", progress=print, run_id="the-first"):
        thread = threading.Thread(target=enter)
        thread.start()
        eventually(lambda: lines)
        assert "run the-first" in lines[0]
        assert not entered.is_set()
    thread.join(15)
    assert entered.is_set()


@pytest.fixture
def pooled(settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """The test's database behind pgbouncer in transaction mode."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed (scripts/install-test-packages)")
    target = psycopg.conninfo.conninfo_to_dict(settings.postgres_url or "")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path / "pgbouncer"
    folder.mkdir()
    (folder / "users").write_text('"postgres" ""\n')
    (folder / "ini").write_text(
        f"[databases]\npooled = host={target['host']} dbname={target['dbname']} user=postgres\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\nauth_file = {folder}/users\n"
        f"pool_mode = transaction\ndefault_pool_size = 5\nunix_socket_dir =\nlogfile = {folder}/log\n"
    )
    for path in (*tmp_path.parents, tmp_path, folder):
        if path.stat().st_uid == os.getuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o055)
    account = ["-u", "postgres"] if os.getuid() == 0 else []
    if account:
        shutil.chown(folder, "postgres")
    running = subprocess.Popen([program, "-q", *account, str(folder / "ini")], stderr=subprocess.DEVNULL)
    url = f"postgresql://postgres@127.0.0.1:{port}/pooled"
    try:
        eventually(lambda: answers_at(url) or running.poll() is not None)
        assert running.poll() is None, (folder / "log").read_text()
        yield dataclasses.replace(settings, postgres_url=url)
    finally:
        running.terminate()
        running.wait()


def answers_at(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2, prepare_threshold=None) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def load_in_process(settings: Settings, partition: Any) -> None:
    Divisions(settings).load(partition)


def test_loads_through_a_pooler_in_transaction_mode_take_turns(pooled: Settings) -> None:
    divisions = Divisions(pooled)
    first = divisions.make("genbank/bct", "1.0", {ONE: many(40), TWO: many(40, prefix="CD")})
    processes = [SPAWN.Process(target=load_in_process, args=(pooled, first)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert divisions.query("SELECT count(*), count(DISTINCT accession) FROM genbank.record") == [(80, 80)]
    changed = [dataclasses.replace(entry, title="Another") for entry in many(40)]
    divisions.load(divisions.make("genbank/bct", "2.0", {ONE: changed, TWO: many(39, prefix="CD")}))
    assert len(divisions.states("2.0")) == 41
