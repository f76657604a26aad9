"""The command, as a user calls it: answers, exit codes, no tracebacks."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from genbank_assets.cli import main
from genbank_assets.ncbi.catalog import GENBANK
from genbank_assets.ncbi.unknown import note_unknown
from genbank_assets.postgres_server.server import stop_server
from genbank_assets_tests.flatfiles import record
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
    assert (tmp_path / "records" / "gbphg1.parquet").is_file()
    assert (tmp_path / "sequences" / "gbphg1.parquet").is_file()


def test_tables_of_files_that_differ_in_their_suffix_do_not_replace_each_other(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.gb", "a.gbk", "b.gb")]
    for count, path in enumerate(files, 1):
        path.write_text("".join(record(name=f"AB00000{n}") for n in range(count)))
    done = call("parse", *map(str, files), "--out", str(tmp_path / "out"), "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    names = [row["records_file"] for row in rows]
    assert names == ["records/a.gb.parquet", "records/a.gbk.parquet", "records/b.parquet"]
    assert [pq.read_metadata(tmp_path / "out" / name).num_rows for name in names] == [1, 2, 3]


def test_files_of_one_name_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    files = [tmp_path / folder / "a.gb" for folder in ("x", "y")]
    for path in files:
        path.parent.mkdir()
        path.write_text(record())
    done = call("parse", *map(str, files), "--out", str(tmp_path / "out"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "two files have the same name" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_file_that_cannot_be_parsed_does_not_stop_the_next(tmp_path: Path) -> None:
    good, empty = tmp_path / "good.gb", tmp_path / "empty.gb"
    good.write_text(record())
    empty.touch()
    done = call("parse", str(tmp_path), str(empty), str(good), "--out", str(tmp_path / "out"), "--json")
    assert done.returncode == 1
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert "not a file" in rows[0]["error"]
    assert "no LOCUS line" in rows[1]["error"]
    assert rows[2]["records"] == 1


def test_a_folder_that_cannot_be_written_gets_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "good.gb"
    file.write_text(record())
    done = call("parse", str(file), "--out", str(file))
    assert done.returncode == 1
    assert done.stderr.startswith("genbank-assets: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["parse", "nothing.gb", "--out", "x"], 1, "no such file"),
        (["materialize", "genbank/xyz"], 2, "there is no partition 'genbank/xyz'"),
        (["materialize", "nowhere/phg"], 2, "there is no partition 'nowhere/phg'"),
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


@pytest.mark.parametrize("arguments", [["status"], ["status", "--json"], ["metrics"]])
def test_output_into_a_closed_pipe_ends_the_command_without_a_traceback(tmp_path: Path, arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(
        [*COMMAND, *arguments, "--store", str(tmp_path)], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert (process.returncode, process.stderr) == (141, "")


def test_a_connection_that_a_server_breaks_does_not_end_the_command_without_a_word(tmp_path: Path) -> None:
    """SIGPIPE, at its default, ends a process that writes to a connection that was reset: with no message at all."""
    assert main(["status", "--store", str(tmp_path)]) == 0
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN


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
        stop_server(store, force=True)


def check_that_a_deleted_row_is_told_and_comes_back(store: Path) -> None:
    """While something keeps the row away the run says what is wrong; without it the next one sends the row again."""
    again = ("materialize", "genbank/phg", "--source", SAMPLE.as_uri())
    keep_away = (
        "CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER nothing BEFORE INSERT ON genbank.record FOR EACH ROW EXECUTE FUNCTION public.nothing();"
        "DELETE FROM genbank.record WHERE accession = 'J02482'"
    )
    changed = call("psql", "--", "-qc", keep_away, store=store)
    assert changed.returncode == 0, changed.stderr
    failed = call(*again, store=store)
    assert failed.returncode == 1
    assert "genbank/phg 1.0: 1 accessions are in the tables, 0 in PostgreSQL" in failed.stderr
    assert call("psql", "--", "-qc", "DROP TRIGGER nothing ON genbank.record", store=store).returncode == 0
    assert call(*again, store=store).returncode == 0
    assert call("trace", "J02482", "--verify", store=store).returncode == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_file_that_cannot_be_parsed_does_not_stop_those_beside_it(tmp_path: Path, workers: str) -> None:
    sample = SAMPLE / "genbank"
    files = [sample / "gbphg1.seq.gz", tmp_path / "nowhere.seq", sample / "gbsts1.seq.gz", sample / "gbest1.seq.gz"]
    arguments = ["parse", *map(str, files), "--out", str(tmp_path), "--workers", workers, "--json"]
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    lines = {line["file"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert list(lines) == [path.name for path in files]
    assert lines["nowhere.seq"]["error"] in done.stderr
    for path in (files[0], *files[2:]):
        assert pq.read_metadata(tmp_path / lines[path.name]["records_file"]).num_rows == lines[path.name]["records"] > 0


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("materialize genbank/p", {"genbank/pat", "genbank/phg", "genbank/pln", "genbank/pri"}),
        ("st", {"status", "stop"}),
    ],
)
def test_a_shell_completes_commands_and_partitions(line: str, answers: set[str]) -> None:
    words = ["genbank-assets", *line.split()]
    script = (
        f"source <({COMMAND[0]} completion bash); COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; "
        f"_shtab_genbank_assets genbank-assets {words[-1]} {words[-2]}; echo ${{COMPREPLY[@]}}"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == answers


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_each_shell_has_a_completion(shell: str) -> None:
    done = call("completion", shell)
    assert done.returncode == 0, done.stderr
    assert "materialize" in done.stdout
    assert "refseq/viral" in done.stdout


def test_metrics_go_into_a_folder_that_is_there(tmp_path: Path) -> None:
    done = call("metrics", "--out", str(tmp_path / "nowhere" / "x.prom"), store=tmp_path)
    assert done.returncode == 1
    assert "there is no folder" in done.stderr
    assert not (tmp_path / "nowhere").exists()


def test_status_reports_new_content_at_ncbi(tmp_path: Path) -> None:
    note_unknown(tmp_path, ["division xyz (1 file, such as gbxyz1.seq.gz)"], collection=GENBANK)
    done = call("status", store=tmp_path)
    assert (
        "warning: GenBank contains parts that this version does not know and does not mirror: division xyz"
        in done.stderr
    )
