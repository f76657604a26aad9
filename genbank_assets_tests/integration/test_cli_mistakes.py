"""What people got wrong is said in one line, in seconds, with the documented exit code, and never a secret."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from genbank_assets.cli import main
from genbank_assets.cli.progress import LOGGER
from genbank_assets_tests.flatfiles import record
from genbank_assets_tests.paths import ROOT, SAMPLE

COMMAND = str(Path(sys.executable).parent / "genbank-assets")
PASSWORDS = ["p@ss/w?rd#1", "50%off", "a b'c\"d", "100%@%zz", "very-secret"]


def call(*arguments: str, store: Path, **variables: str | None) -> subprocess.CompletedProcess[str]:
    """Run the command with these variables and none of the tester's."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GENBANK_ASSETS_", "DAGSTER_", "AWS_")) and not name.lower().endswith("_proxy")
    }
    environment |= {"GENBANK_ASSETS_STORE": str(store), "GENBANK_ASSETS_SOURCE": SAMPLE.as_uri()}
    environment |= {"AWS_EC2_METADATA_DISABLED": "true", **{k: v for k, v in variables.items() if v is not None}}
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False, env=environment)


@dataclasses.dataclass
class Here:
    """The command called in this process, with these variables and none of the tester's."""

    monkeypatch: pytest.MonkeyPatch
    capfd: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, store: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        for name in list(os.environ):
            if name.startswith(("GENBANK_ASSETS_", "DAGSTER_", "AWS_")) or name.lower().endswith("_proxy"):
                self.monkeypatch.delenv(name)
        ours = {"GENBANK_ASSETS_STORE": str(store), "GENBANK_ASSETS_SOURCE": SAMPLE.as_uri()}
        for name, value in {**ours, "AWS_EC2_METADATA_DISABLED": "true", **variables}.items():
            self.monkeypatch.setenv(name, value)
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        return subprocess.CompletedProcess(arguments, code, *self.capfd.readouterr())


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Here]:
    """Calls the command in this process; what it sets in the environment ends with the test."""
    before = dict(os.environ)
    monkeypatch.setattr(LOGGER, "handlers", [])  # those of tests before write to what was captured then
    yield Here(monkeypatch, capfd)
    os.environ.clear()
    os.environ.update(before)


def check_one_line(done: subprocess.CompletedProcess[str], *, code: int, says: str) -> None:
    """Exit code, sentence, and nothing that a program wrote for programmers."""
    lines = [
        line for line in done.stderr.splitlines() if line.startswith("genbank-assets: ") and "warning:" not in line
    ]
    assert done.returncode == code, done.stderr
    assert len(lines) == 1, done.stderr
    assert re.search(says, lines[0]), lines[0]
    for noise in ("Traceback", "panicked", "  File ", "dagster._core"):
        assert noise not in done.stderr


@pytest.mark.parametrize(
    ("variables", "code", "says"),
    [
        ({"DAGSTER_HOME": "/nowhere/at/all"}, 1, "DAGSTER_HOME is /nowhere/at/all, which is not a folder"),
        ({"DAGSTER_HOME": "relative"}, 1, "DAGSTER_HOME is relative, which is not an absolute path"),
        (
            {"GENBANK_ASSETS_DAGSTER_POSTGRES_URL": "postgresql+psycopg2://u:very-secret@127.0.0.1:1/d"},
            1,
            r"Dagster's database at postgresql://u:\*\*\*@127.0.0.1:1/d .* cannot be reached",
        ),
        ({"GENBANK_ASSETS_DAGSTER_POSTGRES_URL": "mysql://u:very-secret@h/d"}, 1, "write postgresql://USER:PASSWORD@HOST"),
        ({"GENBANK_ASSETS_POSTGRES_URL": "postgres://u:very-secret@127.0.0.1:1/d"}, 1, r"PostgreSQL at .*u:\*\*\*@"),
        ({"GENBANK_ASSETS_POSTGRES_URL": "postgres://u@127.0.0.1:1/d?nonsense=1"}, 1, "nonsense"),
        ({"GENBANK_ASSETS_WORKERS": "two"}, 1, "GENBANK_ASSETS_WORKERS must be a whole number, not 'two'"),
        ({"GENBANK_ASSETS_WORKERS": "0"}, 1, "GENBANK_ASSETS_WORKERS must be at least 1, not 0"),
        ({"GENBANK_ASSETS_MAX_ABSENT_FRACTION": "nan"}, 1, "must be between 0 and 1, not nan"),
        ({"GENBANK_ASSETS_SOURCE": "gopher://u:very-secret@x/"}, 1, "GENBANK_ASSETS_SOURCE must start with https://"),
        ({"GENBANK_ASSETS_SOURCE": "http://[::1/"}, 1, "GENBANK_ASSETS_SOURCE is not a valid URL"),
        ({"GENBANK_ASSETS_SOURCE": "http://127.0.0.1:1/"}, 1, "nothing was started because the source cannot be used"),
        ({"GENBANK_ASSETS_SOURCE": "ftp://127.0.0.1:1/"}, 1, "nothing was started because the source cannot be used"),
        ({"GENBANK_ASSETS_SOURCE": "file:///nowhere"}, 1, "no such folder: /nowhere"),
        ({"GENBANK_ASSETS_OBJECTS": "s3://bucket", "AWS_ENDPOINT_URL": "localhost:9000", "AWS_ACCESS_KEY_ID": "k",
          "AWS_SECRET_ACCESS_KEY": "very-secret"}, 1, "AWS_ENDPOINT_URL[)] is 'localhost:9000': write https://HOST"),
        ({"GENBANK_ASSETS_OBJECTS": "s3://bucket", "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "k",
          "AWS_SECRET_ACCESS_KEY": "very-secret", "AWS_REGION": "x"}, 1, "the object store s3://bucket cannot be used"),
        ({"GENBANK_ASSETS_OBJECTS": "s3://bucket", "AWS_PROFILE": "no-such-profile"}, 1, "no-such-profile"),
        ({"GENBANK_ASSETS_OBJECTS": "s3://me:very-secret@bucket"}, 1, "GENBANK_ASSETS_OBJECTS holds credentials"),
        ({"GENBANK_ASSETS_OBJECTS": "/some/folder"}, 1, "GENBANK_ASSETS_OBJECTS must be s3://bucket/prefix"),
        ({"GENBANK_ASSETS_SOURCE": "http://127.0.0.1:1/", "http_proxy": "socks5://u:very-secret@x:1"}, 1, "SOCKS"),
        ({"GENBANK_ASSETS_SOURCE": "http://127.0.0.1:1/", "http_proxy": "nonsense://u:very-secret@x"}, 1, "the proxy"),
        ({"GENBANK_ASSETS_SOURCE": "http://127.0.0.1:1/", "http_proxy": "http://127.0.0.1:2",
          "NO_PROXY": "::1/128,fe80::/10,127.0.0.0/8"}, 1, "127.0.0.1:1/genbank/GB_.*: cannot be reached: the"),
        ({"GENBANK_ASSETS_SOURCE": "http://example.org/", "http_proxy": "http://u:very-secret@127.0.0.1:2"}, 1,
         "via the proxy http://127.0.0.1:2 cannot be reached: the connection was refused"),
        ({"GENBANK_ASSETS_SOURCE": "http://nowhere.invalid/"}, 1, "the host name cannot be resolved"),
        ({"GENBANK_ASSETS_OBJECTS": "gs://bucket"}, 1, "GENBANK_ASSETS_OBJECTS must be s3://bucket/prefix"),
        ({"GENBANK_ASSETS_TABLES": "s3:/bucket"}, 1, "GENBANK_ASSETS_TABLES must be s3://bucket/prefix"),
        ({"GENBANK_ASSETS_STORE": "~no-such-person/store"}, 1, "nobody's home is known by that name"),
        ({"DAGSTER_HOME": "~no-such-person"}, 1, "DAGSTER_HOME is '~no-such-person', and nobody's home"),
        ({"GENBANK_ASSETS_WORKERS": "9" * 5000}, 1, "^.{0,300}…'$"),
        ({"GENBANK_ASSETS_DAGSTER_URL": "localhost:3000"}, 1, "GENBANK_ASSETS_DAGSTER_URL must be an address such as"),
        ({"GENBANK_ASSETS_EXECUTOR": "ray://h:1"}, 1, "names ray://, which nothing offers"),
        ({"GENBANK_ASSETS_EXECUTOR": "dask://127.0.0.1"}, 1, "must name Dask's scheduler, such as dask://scheduler:8786"),
        ({"GENBANK_ASSETS_EXECUTOR": "dask://127.0.0.1:1"}, 1, "Dask's scheduler at 127.0.0.1:1 cannot be reached"),
        ({"GENBANK_ASSETS_SOURCE": "https://h/?token=very-secret"}, 1, "GENBANK_ASSETS_SOURCE holds [?] or #"),
        ({"GENBANK_ASSETS_SOURCE": "https://u:very-secret?and@h/"}, 1, "GENBANK_ASSETS_SOURCE"),
        ({"GENBANK_ASSETS_SOURCE": "s3://b/p?X-Amz-Signature=very-secret"}, 1, "X-Amz-Signature is unknown"),
        ({"GENBANK_ASSETS_SOURCE": "http://127.0.0.1:1,http://127.0.0.1:2"}, 1, "several stand with blanks between"),
        ({"GENBANK_ASSETS_OBJECTS": "https://b.s3.example.org/p?X-Amz-Signature=very-secret"}, 1, "must be s3://bucket"),
        ({"GENBANK_ASSETS_OBJECTS": "s3://b", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "very-secret\n"}, 1,
         "AWS_SECRET_ACCESS_KEY holds a blank, a line end"),
        ({"GENBANK_ASSETS_OBJECTS": "s3://b", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "very-secret",
          "AWS_REGION": "eu west\n"}, 1, "AWS_REGION holds a blank, a line end"),
        ({"GENBANK_ASSETS_OBJECTS": "s3://b", "AWS_ACCESS_KEY_ID": "k"}, 1, "but AWS_SECRET_ACCESS_KEY is not"),
        ({"GENBANK_ASSETS_SOURCE": "s3://b", "AWS_ACCESS_KEY_ID": "k\n", "AWS_SECRET_ACCESS_KEY": "very-secret"}, 1,
         "AWS_ACCESS_KEY_ID holds a blank, a line end"),
        ({"GENBANK_ASSETS_SOURCE": "s3://b?endpoint=http://127.0.0.1:99999"}, 1, "write https://HOST or http"),
        ({"GENBANK_ASSETS_SOURCE": "s3://b", "AWS_CA_BUNDLE": "/nowhere.pem"}, 1, "AWS_CA_BUNDLE cannot be read"),
        ({"GENBANK_ASSETS_OBJECTS": "s3://b", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "very-secret",
          "AWS_CA_BUNDLE": "/etc/passwd"}, 1, "/etc/passwd, in which there is no certificate"),
        ({"GENBANK_ASSETS_OBJECTS": "s3://b", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "very-secret",
          "AWS_ENDPOINT_URL": "http://example.org", "http_proxy": "http://u:very-secret@127.0.0.1:2"}, 1,
         "http://example.org via the proxy http://127.0.0.1:2 failed: the connection was refused"),
        ({"GENBANK_ASSETS_POSTGRES_URL": "host=127.0.0.1 port=1 user=u options='-c a.b=very-secret'"}, 1,
         r"postgresql://u@/[?]host=127.0.0.1&port=1: connection failed"),
        ({"GENBANK_ASSETS_POSTGRES_URL": "postgres://u@127.0.0.1:1/d?sslpassword=very-secret&sslkey=/very-secret"}, 1,
         "postgresql://u@127.0.0.1:1/d: "),
        ({"GENBANK_ASSETS_DAGSTER_POSTGRES_URL": "postgres://u@127.0.0.1:1/d?options=-c%20a.b%3Dvery-secret"}, 1,
         "Dagster's database at postgresql://u@127.0.0.1:1/d .* cannot be reached"),
    ],
    ids=lambda value: " ".join(f"{k}={v[:40]}" for k, v in value.items()) if isinstance(value, dict) else None,
)  # fmt: skip
def test_an_invalid_setting_is_reported_before_a_run_is_created(
    tmp_path: Path, here: Here, variables: dict[str, str], code: int, says: str
) -> None:
    begun = time.monotonic()
    done = here("materialize", "genbank/phg", store=tmp_path / "store", **variables)
    check_one_line(done, code=code, says=says)
    assert "very-secret" not in done.stderr + done.stdout
    assert time.monotonic() - begun < 30
    assert not (tmp_path / "store" / "genbank").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["materialize", "genbank/pgh"], "did you mean genbank/phg"),
        (["materialize", "phg"], "did you mean genbank/phg"),
        (["materialize", "refseq/xyz"], "the divisions of RefSeq are archaea"),
        (["materialize"], "name a PARTITION such as genbank/phg, or use --all"),
        (["materialize", "genbank/phg", "--release", "latest"], "--release must be a number"),
        (["materialize", "genbank/phg", "--max-absent-fraction", "5"], "--max-absent-fraction must be between 0 and 1"),
        (["materialize", "genbank/phg", "--source", "here"], "--source must start with https://"),
        (["update", "genbank", "2020-01-01"], "there is no daily update for 2020-01-01"),
        (["changes", "--division", "xyz"], "there is no division 'xyz'"),
        (["changes", "--collection", "embl"], "there is no collection 'embl'"),
        (["changes", "--release", "last"], "--release must be a number"),
        (["objects", "verify", "genbank/pgh"], "did you mean genbank/phg"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_usage_ends_with_2(tmp_path: Path, here: Here, arguments: list[str], says: str) -> None:
    check_one_line(here(*arguments, store=tmp_path / "store"), code=2, says=says)


def test_a_release_that_is_not_offered_is_an_error_before_a_run(tmp_path: Path) -> None:
    done = call("materialize", "GenBank/PHG", "--release", "99", store=tmp_path / "store")
    check_one_line(done, code=1, says="GenBank 99 was requested, but the source offers 1.0")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give up its rights")
def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check_one_line(call("materialize", "genbank/phg", store=tmp_path / "file"), code=1, says="it is a file")
    check_one_line(call("materialize", "genbank/phg", store=Path("/proc/store")), code=1, says="cannot be written")
    (tmp_path / "link").symlink_to("/nowhere")
    check_one_line(
        call("materialize", "genbank/phg", store=tmp_path / "link"),
        code=1,
        says="a link to /nowhere, which is not there",
    )
    check_one_line(call("dev", "--port", "0", store=tmp_path / "file"), code=1, says="it is a file")


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("form", ["postgresql://u:{}@127.0.0.1:1/d", "postgresql+psycopg2://u:{}@127.0.0.1:1/d?x=y"])
def test_no_command_prints_a_password(tmp_path: Path, here: Here, password: str, form: str) -> None:
    for arguments in (["changes"], ["trace", "J02482"], ["changes", "-vv"]):
        done = here(*arguments, store=tmp_path, GENBANK_ASSETS_POSTGRES_URL=form.format(password))
        assert done.returncode == 1
        assert "genbank-assets: " in done.stderr
        assert password not in done.stderr + done.stdout


def test_unknown_variables_are_named(tmp_path: Path) -> None:
    done = call("status", store=tmp_path, GENBANK_ASSETS_STROE="/x", GENBANK_ASSETS_WORKRES="3")
    assert done.returncode == 0
    assert (
        "GENBANK_ASSETS_WORKRES is not a known setting and is ignored: did you mean GENBANK_ASSETS_WORKERS?"
        in done.stderr
    )
    assert "GENBANK_ASSETS_STROE" in done.stderr
    assert call("status", "-q", store=tmp_path, GENBANK_ASSETS_STROE="/x").stderr == ""


def test_a_bug_is_a_sentence_with_its_place_and_a_traceback_for_those_who_ask(tmp_path: Path) -> None:
    script = "import sys; from genbank_assets import cli; from genbank_assets.lineage import status\n"
    script += "status.status = lambda *_: 1 / 0\nsys.exit(cli.main(sys.argv[1:]))"
    for arguments, traceback in ((["status"], False), (["status", "-vv"], True)):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments, "--store", str(tmp_path)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert "unexpected error: ZeroDivisionError: division by zero" in done.stderr
        assert ("Traceback" in done.stderr) is traceback


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        (
            "DO 'BEGIN RAISE EXCEPTION $$could not extend file$$ USING ERRCODE = $$53100$$; END'",
            "the disk of Dagster's database is full: free some space and run it again",
        ),
        (
            "SELECT pg_terminate_backend(pg_backend_pid())",
            "Dagster's database failed: ",
        ),
    ],
    ids=["disk full", "stopped"],
)
def test_what_dagsters_database_refuses_is_a_sentence_without_sql(
    tmp_path: Path, postgres_url: str, sql: str, sentence: str
) -> None:
    """In a run: its event log raises what SQLAlchemy makes of the driver's error."""
    script = f"""if True:
        import sys
        import sqlalchemy
        from genbank_assets import cli
        from genbank_assets.lineage import status
        from genbank_assets.postgres_url import sqlalchemy_url
        def failing(*_):
            with sqlalchemy.create_engine(sqlalchemy_url({postgres_url!r})).connect() as connection:
                connection.execute(sqlalchemy.text({sql!r}))
        status.status = failing
        sys.exit(cli.main(sys.argv[1:]))"""
    done = subprocess.run(
        [sys.executable, "-c", script, "status", "--store", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(f"genbank-assets: {sentence}")
    assert done.stderr.count("\n") == 1
    assert "SELECT" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_output_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    environment = os.environ | {"PYTHONIOENCODING": encoding, "GENBANK_ASSETS_STORE": str(tmp_path / "Ω – ü")}
    done = subprocess.run([COMMAND, "status"], capture_output=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert b"nothing is materialized in" in done.stdout
    assert (
        subprocess.run([COMMAND, "fetch", "--help"], capture_output=True, check=False, env=environment).returncode == 0
    )


def on_a_terminal(*arguments: str) -> bytes:
    """What a command writes to a pseudo-terminal."""
    parent, child = pty.openpty()
    process = subprocess.Popen([COMMAND, *arguments], stdout=child, stderr=child, stdin=subprocess.DEVNULL)
    os.close(child)
    found = b""
    while True:
        try:
            piece = os.read(parent, 65536)
        except OSError:
            break
        found += piece
    process.wait()
    os.close(parent)
    return found


def test_a_full_disk_behind_standard_output_is_named() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [COMMAND, "completion", "bash"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "genbank-assets: No space left on device: standard output\n")


def test_closed_standard_streams(tmp_path: Path) -> None:
    file = tmp_path / "a.gb"
    file.write_text(record())

    def closed(streams: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["sh", "-c", f'exec "$0" "$@" {streams}', COMMAND, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert closed("<&- >&- 2>&-", "parse", str(file), "--out", str(tmp_path / "out")).returncode == 0
    assert pq.read_table(tmp_path / "out" / "records" / "a.parquet").num_rows == 1
    check_one_line(closed(">&-", "extract"), code=2, says="standard output is closed: redirect it, or name a file")
    done = closed("<&-", "sql", "--store", str(tmp_path))
    check_one_line(done, code=1, says="there is no")


@pytest.mark.parametrize(
    "arguments",
    [
        ["trace", "caf\udce9"],
        ["extract", "--organism", "caf\udce9"],
        ["parse", "x.gb", "--out", "caf\udce9"],
        ["sql", "SELECT 'caf\udce9'"],
    ],
)
def test_bytes_that_are_no_text_are_refused_in_arguments(tmp_path: Path, here: Here, arguments: list[str]) -> None:
    done = here(*arguments, store=tmp_path)
    check_one_line(done, code=2, says=r"udce9.* contains bytes that are invalid in this environment's encoding")


def test_files_of_any_name_can_be_parsed(tmp_path: Path, here: Here) -> None:
    names = [b"caf\xe9.gb", b"a b.gb", b"line\nbreak.gb"]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text(record())
    files = [os.fsdecode(os.fsencode(tmp_path) + b"/" + name) for name in names]
    done = here("parse", *files, "--out", str(tmp_path / "out"), "--workers", "1", "--json", store=tmp_path)
    assert done.returncode == 0, done.stderr
    parsed = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["file"] for one in parsed] == [r"caf\udce9.gb", "a b.gb", "line\nbreak.gb"]
    for one in parsed:
        table = pq.read_table(tmp_path / "out" / one["records_file"], columns=["source_file"])
        assert table["source_file"].to_pylist() == [one["file"]]


def test_records_and_names_cannot_send_terminal_commands(tmp_path: Path) -> None:
    evil = tmp_path / "evil\x1b]0;owned\x07\x1b[31m.gb"
    evil.write_text(record().replace("//", "\x1b[2J"))
    shown = on_a_terminal("parse", str(evil), str(tmp_path / "none\x1b[5m.gb"), "--out", str(tmp_path / "out"))
    assert b"\x1b" not in shown
    assert b"\x07" not in shown
    assert b"\\x1b[5m" in shown


def test_the_projects_own_yaml_in_dagster_home_is_good_enough(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_bytes((ROOT / "dagster.yaml").read_bytes())
    done = call("materialize", "genbank/una", "-q", store=tmp_path / "store", DAGSTER_HOME=str(home))
    call("stop", "--force", store=tmp_path / "store")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
