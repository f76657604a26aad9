"""Queries on loaded data: one record with its history, the changes of a release, the rows of a division.

Results are plain mappings, with digests in hex. Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from genbank_assets.errors import DatabaseError, NoDatabaseError
from genbank_assets.postgres.connection import Session, open_database
from genbank_assets.postgres.sql_files import query
from genbank_assets.postgres_url import shown_postgres_url
from genbank_assets.release_facts import release_spellings
from genbank_assets.settings import Settings

_ROW_NAMES = (
    "record_id", "accession_version", "is_current", "organism", "length", "record_sha256", "sequence_sha256",
    "first_release", "last_release", "file", "raw_sha256", "run_id", "loaded_at", "transaction_id", "features",
)  # fmt: skip
_LAST_NAMES = (
    "collection", "section", "last_release", "accession", "version", "accession_version", "source_file",
    "record_ordinal", "record_offset", "record_bytes", "length", "record_sha256", "sequence_sha256", "molecule_class",
)  # fmt: skip
_EVENT_NAMES = (
    "release", "state", "accession_version", "previous_accession_version", "record_sha256", "evidence", "run_id", "at",
)  # fmt: skip
_CHANGE_NAMES = (
    "collection", "section", "release", "state", "accession", "version", "accession_version",
    "previous_accession_version", "evidence", "run_id",
)  # fmt: skip


def record_row(settings: Settings, *, collection: str, division: str | None, accession: str) -> dict[str, Any] | None:
    """Return the loaded row of an accession with its ledger entry and ``events``; None if it is not loaded.

    Without a division, any division with the accession is used, preferring current records.

    Raises:
        DatabaseError: the database cannot be reached.
    """
    with _reading(settings) as session:
        if session is None:
            return None
        rows = session.execute(
            query("lookup.record"), {"collection": collection, "division": division, "accession": accession}
        )
        if not rows:
            return None
        found = dict(zip(_ROW_NAMES, rows[0], strict=True))
        events = session.execute(query("lookup.events"), [found["record_id"]])
        found["events"] = [dict(zip(_EVENT_NAMES, event, strict=True)) for event in events]
        return found


def last_states(settings: Settings, accession: str) -> list[dict[str, Any]]:
    """Return the last loaded state of an accession in each division that ever had it, and its location in its file.

    Keys are those of the membership table, plus ``collection``, ``section`` and ``last_release``, the release of the
    file; digests are bytes.

    Raises:
        DatabaseError: the database cannot be reached.
    """
    with _reading(settings) as session:
        if session is None:
            return []
        return [
            dict(zip(_LAST_NAMES, row, strict=True))
            for row in session.execute(query("lookup.last_states"), [accession])
        ]


def changes(
    settings: Settings, *, collection: str | None = None, section: str | None = None, release: str | None = None
) -> Iterator[dict[str, Any]]:
    """Return changes of state, one mapping per change, optionally filtered; ``274`` equals ``274.0``.

    Args:
        settings: name the database.
        collection: restricts the result to one collection.
        section: restricts the result to one division or section.
        release: restricts the result to one release, or one day such as ``273.0.20260902``.

    Raises:
        DatabaseError: the database cannot be reached, or nothing was ever loaded.
    """
    with _reading(settings) as session:
        if session is None:
            where = f" into {shown_postgres_url(settings.postgres_url)}" if settings.postgres_url else ""
            raise DatabaseError(f"nothing is loaded yet{where}: materialize a division first")
        releases = None if release is None else list(release_spellings(release))
        parameters = {"collection": collection, "section": section, "releases": releases}
        for row in session.stream(query("lookup.changes"), parameters):
            yield dict(zip(_CHANGE_NAMES, row, strict=True))


@contextmanager
def _reading(settings: Settings) -> Iterator[Session | None]:
    """Give a transaction for queries; None if nothing was ever loaded."""
    with ExitStack() as stack:
        try:
            database = stack.enter_context(open_database(settings))
        except NoDatabaseError:
            yield None
            return
        session = stack.enter_context(database.transaction())
        has_schema = session.execute("SELECT to_regclass('genbank.record_event')")[0][0] is not None
        yield session if has_schema else None
