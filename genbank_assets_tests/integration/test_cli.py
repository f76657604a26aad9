"""The command, as a user calls it: answers, exit codes, no tracebacks."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from genbank_assets.postgres.embedded import stop_server
from genbank_assets_tests.paths import SAMPLE

COMMAND = [str(Path(sys.executable).parent / "genbank-assets")]


def call(*arguments: str, store: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GENBANK_ASSETS_", "DAGSTER_"))}
    if store is not None:
        environment["GENBANK_ASSETS_STORE"] = str(store)
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, env=environment)


def test_parse_prints_a_json_line_per_file(tmp_path: Path) -> None:
    files = [str(SAMPLE / "genbank" / name) for name in ("gbphg1.seq.gz", "gbvrl1.seq.gz")]
    done = call("parse", *files, "--out", str(tmp_path), "--json")
    assert done.returncode == 0
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["file"], row["records"], row["quarantined"]) for row in rows] == [
        ("gbphg1.seq.gz", 1, 0), ("gbvrl1.seq.gz", 7, 0),
    ]  # fmt: skip
    assert {"residues", "bytes", "seconds"} <= rows[0].keys()
    assert (tmp_path / "gbphg1.records.parquet").is_file()
    assert (tmp_path / "gbphg1.sequences.parquet").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["parse", "nothing.gb", "--out", "x"], 1, "no such file"),
        (["materialize", "genbank/xyz"], 1, "no division 'xyz'"),
        (["materialize", "nowhere/phg"], 1, "no collection 'nowhere'"),
        (["trace", "AB000001"], 1, "no division is materialized yet"),
        (["materialize"], 2, "PARTITION"),
        (["frobnicate"], 2, "invalid choice"),
    ],
)
def test_mistakes_get_a_sentence_and_no_traceback(tmp_path: Path, arguments: list[str], code: int, says: str) -> None:
    done = call(*arguments, store=tmp_path / "store")
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_busy_port_gets_a_sentence_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = call("dev", "--port", str(port), store=tmp_path / "store")
    assert done.returncode == 1
    assert f"port {port} of 127.0.0.1 cannot be used (Address already in use)" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "store").exists()


def test_help_imports_neither_dagster_nor_polars() -> None:
    script = (
        "import sys\nfrom genbank_assets.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'dagster', 'polars', 'numpy', 'pyarrow', 'httpx', 'psycopg', 'boto3'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


@pytest.mark.slow
def test_materialize_status_trace_changes_and_fetch(tmp_path: Path) -> None:
    store = tmp_path / "store"
    try:
        done = call("materialize", "refseq/viral", "genbank/phg", "--source", SAMPLE.as_uri(), store=store)
        assert done.returncode == 0, done.stderr
        assert "parsed gbphg1.seq.gz" in done.stderr
        rows = {
            f"{r['collection']}/{r['division']}": r for r in json.loads(call("status", "--json", store=store).stdout)
        }
        row = rows["refseq/viral"]
        assert (row["release"], row["files"], row["records"], row["residues"]) == ("1", 1, 2, 12826)
        assert (row["distinct_sequences"], row["rows_loaded"], row["objects"], row["quarantined"]) == (2, 2, 2, 0)
        (trace,) = json.loads(call("trace", "NC_001422", "--json", "--verify", store=store).stdout)
        assert trace["ok"]
        assert call("trace", "NC_001422", "--raw", store=store).stdout.startswith("LOCUS       NC_001422")
        changes = json.loads(call("changes", "--json", "--division", "viral", store=store).stdout)
        assert {(c["accession"], c["state"], c["release"]) for c in changes} == {
            ("NC_001422", "new", "1"), ("NC_002058", "new", "1"),
        }  # fmt: skip
        fasta = call("fetch", "NC_001422", "--start", "1", "--end", "70", store=store).stdout.splitlines()
        assert fasta[0] == ">NC_001422.1:1-70"
        assert [len(line) for line in fasta[1:]] == [60, 10]
        link = trace["hops"][0]["facts"]["run_url"]
        assert link == f"http://127.0.0.1:3000/runs/{trace['hops'][0]['facts']['run_id']}"
        check_that_a_deleted_row_is_told_and_comes_back(store)
        failed = call("materialize", "genbank/phg", "--source", f"file://{tmp_path}/nothing", store=store)
        assert failed.returncode == 1
        assert "no such folder" in failed.stderr
        assert "Traceback" not in failed.stderr
    finally:
        stop_server(store)


def check_that_a_deleted_row_is_told_and_comes_back(store: Path) -> None:
    """The check that failed is named, and what docs/operating.md advises repairs it."""
    again = ("materialize", "genbank/phg", "--source", SAMPLE.as_uri())
    deleted = call("psql", "--", "-qc", "DELETE FROM genbank.record WHERE accession = 'J02482'", store=store)
    assert deleted.returncode == 0, deleted.stderr
    failed = call(*again, store=store)
    assert failed.returncode == 1
    assert "check database_totals: 1 accessions in the tables, 0 in PostgreSQL" in failed.stderr
    forget = "DELETE FROM genbank.source_file WHERE collection = 'genbank' AND section = 'phg' AND release = '1.0'"
    assert call("psql", "--", "-qc", forget, store=store).returncode == 0
    assert call(*again, store=store).returncode == 0
    assert call("trace", "J02482", "--verify", store=store).returncode == 0
