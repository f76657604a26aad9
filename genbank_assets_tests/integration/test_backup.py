"""The backup that docs/operating.md shows: pg_dump and pg_restore of the bundle give the same rows elsewhere."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg

from genbank_assets.postgres_server.programs import find_programs
from genbank_assets.settings import Settings

TABLES = ("record", "feature", "reference", "record_event", "release", "division_release", "source_file")


def contents(url: str) -> dict[str, object]:
    digest = "SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM genbank.{} t"
    with psycopg.connect(url) as connection:
        return {table: connection.execute(digest.format(table).encode()).fetchone() for table in TABLES}


def test_a_dump_restored_elsewhere_has_the_same_rows(two_releases: Settings, postgres_url: str, tmp_path: Path) -> None:
    assert two_releases.postgres_url is not None
    programs, dump = find_programs(tmp_path, major=None, account=None), tmp_path / "genbank.dump"
    for command in (
        ["pg_dump", "-Fc", "--no-owner", "-f", str(dump), two_releases.postgres_url],
        ["pg_restore", "--no-owner", "--exit-on-error", "-d", postgres_url, str(dump)],
    ):
        done = subprocess.run([str(programs / command[0]), *command[1:]], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    before = contents(two_releases.postgres_url)
    assert contents(postgres_url) == before
    assert all(isinstance(found, tuple) and found[0] > 0 for found in before.values())
    with psycopg.connect(postgres_url) as connection:
        query = b"SELECT count(*) FROM genbank.records_as_of('genbank', '1.0')"
        with psycopg.connect(two_releases.postgres_url) as original:
            assert connection.execute(query).fetchone() == original.execute(query).fetchone()
