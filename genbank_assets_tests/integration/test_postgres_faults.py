"""Kills and crowds: a kill leaves whole files or nothing; loads at the same time do not get in each other's way."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import signal
import time
from pathlib import Path

import psycopg
import pytest

from genbank_assets.errors import DatabaseError
from genbank_assets.postgres import one_file
from genbank_assets.postgres.connection import Session, open_database
from genbank_assets.postgres_server.server import ensure_server, remove_server
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionRelease
from genbank_assets_tests.fix_postgres import Divisions, Entry

SPAWN = multiprocessing.get_context("spawn")
FIRST, SECOND = "gbbct1.seq.gz", "gbbct2.seq.gz"


def load_in_process(settings: Settings, partition: PartitionRelease) -> None:
    Divisions(settings).load(partition)


def wait_until_blocked(url: str) -> None:
    """Until some backend waits for a lock on a table."""
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(200):
            waiting = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if connection.execute(waiting).fetchone() != (0,):
                return
            time.sleep(0.05)
    pytest.fail("the load never came to the locked table")


def records(start: int, count: int, *, letters: str = "AB") -> list[Entry]:
    return [
        Entry(f"{letters}{n:06}", residues="acgt" * (n % 50 + 1) + f"{n:012b}".translate({48: "a", 49: "c"}))
        for n in range(start, start + count)
    ]


def test_a_killed_loader_leaves_whole_files_only(divisions: Divisions) -> None:
    url = divisions.settings.postgres_url or ""
    small = divisions.make("genbank/bct", "1.0", {FIRST: records(0, 3)})
    divisions.load(small)
    partition = divisions.make("genbank/bct", "2.0", {FIRST: records(0, 5), SECOND: records(10, 5)})
    with psycopg.connect(url) as blocker:
        # The load gets as far as its references: records and features are sent by then.
        blocker.execute("LOCK TABLE genbank.reference IN SHARE MODE")
        process = SPAWN.Process(target=load_in_process, args=(divisions.settings, partition))
        process.start()
        wait_until_blocked(url)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert blocker.execute("SELECT count(*) FROM genbank.record").fetchone() == (3,)
    loaded = divisions.load(partition)
    assert loaded.report.rows_loaded == 10
    assert divisions.query("SELECT count(*), count(DISTINCT record_id) FROM genbank.feature") == [(20, 10)]
    assert divisions.query("SELECT count(*) FROM genbank.record_presence") == [(10,)]
    assert set(divisions.states("2.0").values()) == {"new"}


def test_two_runs_of_one_division_wait_for_each_other(divisions: Divisions) -> None:
    partition = divisions.make("genbank/bct", "1.0", {FIRST: records(0, 200), SECOND: records(200, 200)})
    processes = [SPAWN.Process(target=load_in_process, args=(divisions.settings, partition)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert divisions.query("SELECT count(*) FROM genbank.feature") == [(800,)]
    assert len(divisions.query("SELECT * FROM genbank.source_file")) == 2


def test_four_divisions_that_share_sequences_and_swap_records_load_at_once(divisions: Divisions) -> None:
    names = ("bct", "phg", "pln", "vrl")
    groups = [records(0, 150, letters=letters) for letters in ("AB", "CD", "EF", "GH")]
    processes = []
    for number, release in enumerate(("1.0", "2.0")):
        for place, name in enumerate(names):
            # Every division has the same residues in another order; in the second release each takes over the
            # records of its neighbour.
            group = groups[(place + number) % 4]
            entries = group[place * 30 :] + group[: place * 30]
            partition = divisions.make(f"genbank/{name}", release, {f"gb{name}1.seq.gz": entries})
            settings = dataclasses.replace(divisions.settings, max_absent_fraction=1.0)
            processes.append(SPAWN.Process(target=load_in_process, args=(settings, partition)))
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0, 0, 0, 0]
        processes.clear()
    assert divisions.query("SELECT section, count(*) FROM genbank.record WHERE is_current GROUP BY 1 ORDER BY 1") == [
        (name, 150) for name in names
    ]
    assert divisions.query("SELECT count(*) FROM genbank.sequence") == [(150,)]
    found = divisions.query("SELECT section, left(accession, 2), count(*) FROM genbank.record GROUP BY 1, 2 ORDER BY 1")
    assert found == [("bct", "CD", 150), ("phg", "EF", 150), ("pln", "GH", 150), ("vrl", "AB", 150)]
    assert divisions.states("2.0") == {}  # the same text in another division: moved, not changed


@pytest.mark.slow
def test_an_update_before_any_statistics_takes_no_time_that_grows_by_the_square(divisions: Divisions) -> None:
    text = {FIRST: records(0, 25_000)}
    with psycopg.connect(divisions.settings.postgres_url or "", autocommit=True) as connection:
        divisions.load(divisions.make("genbank/bct", "1.0", {}))
        connection.execute("ALTER TABLE genbank.record_genbank_bct SET (autovacuum_enabled = off)")
    first = divisions.load(divisions.make("genbank/bct", "2.0", text)).report.sql_seconds
    again = divisions.load(divisions.make("genbank/bct", "3.0", text)).report.sql_seconds
    assert again < first  # 30 times as long, when all are compared with all


@pytest.mark.slow
def test_a_killed_server_is_an_error_and_the_next_run_resumes(tmp_path: Path, divisions: Divisions) -> None:
    settings = dataclasses.replace(divisions.settings, postgres_url=None)
    own = Divisions(settings)
    try:
        server = ensure_server(settings.store)
        own.load(own.make("genbank/bct", "1.0", {FIRST: records(0, 3)}))
        partition = own.make("genbank/bct", "2.0", {FIRST: records(0, 6)})
        with psycopg.connect(server.url("genbank")) as blocker:
            blocker.execute("LOCK TABLE genbank.reference IN SHARE MODE")
            process = SPAWN.Process(target=load_in_process, args=(settings, partition))
            process.start()
            wait_until_blocked(server.url("genbank"))
            pid = int((server.data / "postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGKILL)
            process.join()
        assert process.exitcode != 0
    except (psycopg.OperationalError, DatabaseError):
        pass  # the blocker's own connection ends with the server
    try:
        assert own.load(partition).report.rows_loaded == 6
        assert own.query("SELECT count(*) FROM genbank.feature") == [(12,)]
    finally:
        remove_server(settings.store)


@pytest.mark.parametrize(
    ("error", "may_pass"), [(psycopg.errors.DeadlockDetected, True), (psycopg.errors.UniqueViolation, False)]
)
def test_two_loads_that_stop_each_other_are_tried_again_and_not_without_end(
    divisions: Divisions, monkeypatch: pytest.MonkeyPatch, error: type[psycopg.Error], may_pass: bool
) -> None:
    partition = divisions.make("genbank/bct", "1.0", {FIRST: records(0, 3)})
    load, tries = one_file._load_first, []

    def stopped(session: Session, task: one_file.LoadTask) -> one_file.LoadedFile:
        tries.append(task.name)
        if len(tries) in fails:
            raise error("it was the other one's turn")
        return load(session, task)

    monkeypatch.setattr(one_file, "_load_first", stopped)
    monkeypatch.setattr(one_file.time, "sleep", lambda seconds: None)
    fails = {1, 2, 3}
    with pytest.raises(DatabaseError, match=f"{FIRST}: it was the other one's turn") as raised:
        divisions.load(partition)
    assert (tries, raised.value.transient) == ([FIRST] * 3, may_pass)
    fails = {4, 5}
    assert divisions.load(partition).report.rows_loaded == 3
    assert len(tries) == 6


@pytest.mark.parametrize(
    ("statement", "may_pass"), [("SELECT pg_terminate_backend(pg_backend_pid())", True), ("SELECT 1 / 0", False)]
)
def test_maintenance_that_the_server_ends_may_be_tried_again(
    settings: Settings, statement: str, may_pass: bool
) -> None:
    with open_database(settings, create=True) as database, pytest.raises(DatabaseError) as raised:
        database.maintain([statement])
    assert raised.value.transient == may_pass
