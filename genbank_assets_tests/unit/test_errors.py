"""The exception tree: what may pass says so, and every error survives the way from a worker."""

from __future__ import annotations

import inspect
import pickle

import psycopg
import pytest
from obstore.exceptions import AlreadyExistsError, GenericError, PermissionDeniedError

from genbank_assets import errors
from genbank_assets.compute.local import run_tasks
from genbank_assets.errors import CorruptGzipError, FlatFileError, GenbankAssetsError
from genbank_assets.objects import requests
from genbank_assets.postgres import connection
from genbank_assets.postgres_server.initdb_reason import reason_of_initdb

ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, GenbankAssetsError)]
PASSING = {
    "SourceInterruptedError", "SourceBusyError", "RemoteFileChangedError", "ReleaseFlippedError",
    "ObjectStoreBusyError", "WorkerLostError",
}  # fmt: skip


def made(kind: type[GenbankAssetsError]) -> GenbankAssetsError:
    return kind("what", file="gbphg1.seq.gz", offset=7) if issubclass(kind, FlatFileError) else kind("what")


@pytest.mark.parametrize("kind", ALL)
def test_which_is_transient(kind: type[GenbankAssetsError]) -> None:
    assert made(kind).transient == (kind.__name__ in PASSING)


@pytest.mark.parametrize("kind", [kind for kind in ALL if not issubclass(kind, FlatFileError)])
def test_one_error_may_know_better_than_its_class(kind: type[GenbankAssetsError]) -> None:
    for transient in (True, False):
        error = pickle.loads(pickle.dumps(kind("what", transient=transient)))
        assert (str(error), error.transient) == ("what", transient)


@pytest.mark.parametrize("kind", ALL)
def test_an_error_survives_the_way_from_a_worker(kind: type[GenbankAssetsError]) -> None:
    error = made(kind)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (kind, str(error), vars(error))


def damaged(name: str) -> None:
    raise CorruptGzipError("the gzip stream is damaged", file=name, offset=7, accession="AB000001")


def test_a_workers_error_is_the_one_that_is_raised() -> None:
    with pytest.raises(CorruptGzipError, match=r"damaged \(.*byte 7 .*record AB000001"):
        run_tasks(damaged, ["gbphg1.seq.gz", "gbphg2.seq.gz"], workers=2)


@pytest.mark.parametrize(
    ("kind", "passes"),
    [
        (psycopg.errors.AdminShutdown, True),
        (psycopg.errors.CannotConnectNow, True),
        (psycopg.errors.CrashShutdown, True),
        (psycopg.errors.TooManyConnections, True),
        (psycopg.errors.DeadlockDetected, True),
        (psycopg.errors.ConnectionFailure, True),
        (psycopg.errors.QueryCanceled, True),
        (psycopg.errors.DiskFull, False),
        (psycopg.errors.UndefinedTable, False),
        (psycopg.errors.InvalidPassword, False),
        (psycopg.errors.CheckViolation, False),
    ],
)
def test_which_answers_of_postgresql_is_transient(kind: type[psycopg.Error], passes: bool) -> None:
    assert connection.is_transient(kind("x")) is passes


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("connection to server at 127.0.0.1, port 5432 failed: Connection refused", True),
        ("connection failed: FATAL:  the database system is starting up", True),
        ("connection failed: FATAL:  sorry, too many clients already", True),
        ("server closed the connection unexpectedly", True),
        ('connection failed: FATAL:  password authentication failed for user "x"', False),
        ('connection failed: FATAL:  database "x" does not exist', False),
        ('connection failed: FATAL:  role "x" does not exist', False),
        ("connection failed: no pg_hba.conf entry for host", False),
    ],
)
def test_which_refusals_of_a_connection_is_transient(text: str, passes: bool) -> None:
    assert connection.is_transient(psycopg.OperationalError(text)) is passes


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (GenericError("error sending request"), True),
        *((GenericError(f"status code: {n}"), True) for n in (408, 409, 425, 429, 500, 502, 503, 504)),
        *((GenericError(f"status code: {n}"), False) for n in (301, 400, 411, 501, 505)),
        *(
            (GenericError(f"status code: 400 <Code>{code}</Code>"), True)
            for code in ("RequestTimeout", "BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch")
        ),
        (AlreadyExistsError("status code: 409"), True),
        (GenericError("Generic LocalFileSystem error: No space left on device"), False),
        (GenericError("status code: 400 <Code>InvalidArgument</Code>"), False),
        (PermissionDeniedError("status code: 403"), False),
        (FileNotFoundError("status code: 404"), False),
    ],
)
def test_which_answers_of_a_store_is_transient(error: Exception, passes: bool) -> None:
    assert requests.is_transient(error) is passes


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            "connection failed: refused\n\tIs the server running?\n",
            "connection failed: refused; Is the server running?",
        ),
        ("syntax error\nLINE 1: SELEC 1\n        ^\nHINT:  none.", "syntax error; LINE 1: SELEC 1; HINT: none."),
        ("several causes:\n- one\n- two", "several causes: - one; - two"),
        ("a name with  two blanks", "a name with  two blanks"),
        ("ends\r\n", "ends"),
    ],
)
def test_what_others_say_in_several_lines_is_one(said: str, line: str) -> None:
    assert str(GenbankAssetsError(said)) == line


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            'creating files ... 2026-11-26 FATAL:  could not resize shared memory segment "/P": No space\n'
            "child process exited with exit code 134\n",
            'could not resize shared memory segment "/P": No space; give the machine or container more of /dev/shm '
            "(docker run --shm-size=256m)",
        ),
        (
            "initdb: error: could not look up effective user ID 12345: user does not exist",
            "could not look up effective user ID 12345: user does not exist; give the user an entry in /etc/passwd, or "
            "set GENBANK_ASSETS_POSTGRES_URL to a server of yours",
        ),
        ("something else\n", "something else"),
        ("", "initdb failed without a word"),
    ],
)
def test_the_cause_is_found_in_what_initdb_says(said: str, reason: str) -> None:
    assert reason_of_initdb(said) == reason
