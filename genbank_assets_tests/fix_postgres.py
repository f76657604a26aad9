"""Divisions with a few records, for tests of loading: text in, published tables out.

Records are parsed and deduplicated by the real code; only the release around them is synthetic.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genbank_assets.postgres.connection import open_database
from genbank_assets.postgres.load import load_division
from genbank_assets.postgres.lookup import changes
from genbank_assets.postgres_server.server import remove_server
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, publish_manifest
from genbank_assets.tables.dedup import build_unique_records
from genbank_assets.tables.records import build_records
from genbank_assets_tests.flatfiles import origin

EVIDENCE_SCHEMA = pa.schema([("accession", pa.string()), ("list", pa.string()), ("source_file", pa.string())])


@dataclasses.dataclass(frozen=True)
class Entry:
    """A record of a synthetic file."""

    accession: str
    version: int = 1
    residues: str = "acgtacgtac"
    title: str = "A record"
    division: str = "BCT"

    def text(self) -> str:
        """Return the record as flat-file text."""
        length = len(self.residues)
        lines = [
            f"LOCUS       {self.accession:<16} {length:>11} bp    DNA     linear   {self.division} 01-JAN-2020",
            f"DEFINITION  {self.title}.",
            f"ACCESSION   {self.accession}",
            f"VERSION     {self.accession}.{self.version}",
            f"REFERENCE   1  (bases 1 to {length})",
            "  AUTHORS   Doe,J.",
            "  TITLE     Work",
            "FEATURES             Location/Qualifiers",
            "     source          1..10",
            '                     /organism="Phage"',
            '                     /db_xref="taxon:1"',
            "     gene            1..6",
            f'                     /gene="g{self.accession}"',
        ]
        return "\n".join(lines) + "\n" + origin(self.residues) + "//\n"


@contextlib.contextmanager
def stopped_where_files_are_noted(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Make every worker of a load wait before it records its file in the ledger, with its rows written.

    A lock on the ledger would block the load before it starts workers.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_STOP)
        connection.execute("SELECT pg_advisory_lock(2026)")
        try:
            yield connection
        finally:
            connection.execute("SELECT pg_advisory_unlock(2026)")
            connection.execute("DROP FUNCTION public.wait_for_test CASCADE")


def waiting_there(connection: psycopg.Connection[Any]) -> int:
    """Return the number of sessions waiting in :func:`stopped_where_files_are_noted`."""
    row = connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").fetchone()
    return int(row[0]) if row else 0


_STOP = """
CREATE FUNCTION public.wait_for_test() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock_shared(2026); RETURN NEW; END $$;
CREATE TRIGGER wait_for_test BEFORE INSERT ON genbank.source_file FOR EACH ROW EXECUTE FUNCTION public.wait_for_test()
"""


class Divisions:
    """Creates divisions in a store and loads them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lines: list[str] = []

    def make(
        self,
        key: str,
        release: str,
        files: Mapping[str, Sequence[Entry | str]],
        *,
        evidence: Sequence[tuple[str, str, str]] | None = None,
    ) -> PartitionRelease:
        """Write raw files, record tables and memberships of a partition such as ``genbank/bct``."""
        collection, division = key.split("/")
        partition = PartitionRelease(self.settings.store, PartitionKey(collection, division), release)
        raw = partition.stage_folder("raw_files")
        raw.mkdir(parents=True, exist_ok=True)
        entries = [self._raw_file(raw / name, records) for name, records in files.items()]
        extra: dict[str, Any] = {"release_date": None, "source": "file:///made-up"}
        if evidence is not None:
            table = pa.Table.from_pylist(
                [dict(zip(EVIDENCE_SCHEMA.names, row, strict=True)) for row in evidence], EVIDENCE_SCHEMA
            )
            pq.write_table(table, raw / "evidence.parquet")
            extra["evidence_file"] = "evidence.parquet"
        manifest = Manifest(
            stage="raw_files", code_version="1", collection=collection, release=release, division=division,
            input_digest="", files=tuple(entries), extra=extra,
        )  # fmt: skip
        publish_manifest(manifest, partition=partition)
        for stage in (build_records, build_unique_records):
            stage(partition, settings=self.settings, progress=self.lines.append, run_id="made")
        return partition

    def load(self, partition: PartitionRelease, **changed: Any) -> Manifest:
        """Load a division; keyword arguments override settings."""
        settings = dataclasses.replace(self.settings, **changed)
        return load_division(partition, settings=settings, progress=self.lines.append, run_id="run")

    def states(self, release: str, *, collection: str = "genbank") -> dict[str, str]:
        """Return ``division/accession`` → state, from ``release_changes``."""
        found = changes(self.settings, collection=collection, release=release)
        return {f"{row['section']}/{row['accession']}": row["state"] for row in found}

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Query the database directly."""
        with open_database(self.settings) as database, database.transaction() as session:
            return session.execute(statement, list(parameters) or None)

    @staticmethod
    def _raw_file(path: Path, records: Sequence[Entry | str]) -> dict[str, Any]:
        text = "".join(record if isinstance(record, str) else record.text() for record in records)
        content = gzip.compress(text.encode(), mtime=0)
        path.write_bytes(content)
        unknown = dict.fromkeys(("modified", "etag", "checksum", "expected_records", "expected_bases"))
        return {
            "name": path.name,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "url": "",
        } | unknown


@pytest.fixture(scope="session", autouse=True)
def _no_server_outlives_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Remove embedded servers that tests started in their own stores."""
    yield
    for home in tmp_path_factory.getbasetemp().rglob("postgres"):
        if (home / "lock").exists() or (home / "elsewhere").exists():
            remove_server(home.parent)


@pytest.fixture
def divisions(settings: Settings) -> Divisions:
    """A store and a fresh database for synthetic divisions."""
    return Divisions(settings)
