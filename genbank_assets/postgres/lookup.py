"""Questions about what is loaded: one record with its history, the changes of a release, rows of a division.

Answers come as plain mappings, digests in hex. Nothing here changes the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from genbank_assets.errors import DatabaseError, NoDatabaseError
from genbank_assets.ncbi.releases import release_spellings
from genbank_assets.postgres.connection import Session, open_database
from genbank_assets.settings import Settings

_ROW = """
SELECT l.record_id, l.accession_version, l.is_current, l.organism, l.length, encode(l.record_sha256, 'hex'),
       encode(l.sequence_sha256, 'hex'), l.first_release, l.last_release, l.last_file, l.raw_sha256, l.run_id,
       l.loaded_at::text, l.transaction_id,
       (SELECT count(*) FROM genbank.feature f WHERE f.record_id = l.record_id)
FROM genbank.record_lineage l
WHERE l.collection = %(collection)s AND l.accession = %(accession)s
  AND (%(division)s::text IS NULL OR l.section = %(division)s)
ORDER BY l.is_current DESC, l.record_id LIMIT 1
"""
_ROW_NAMES = (
    "record_id", "accession_version", "is_current", "organism", "length", "record_sha256", "sequence_sha256",
    "first_release", "last_release", "file", "raw_sha256", "run_id", "loaded_at", "transaction_id", "features",
)  # fmt: skip
_LAST = """
SELECT l.collection, l.section, l.last_file_release, l.accession, l.version, l.accession_version, l.last_file,
       l.record_ordinal, l.record_offset, l.record_bytes, l.length, l.record_sha256, l.sequence_sha256, l.molecule_class
FROM genbank.record_lineage l WHERE l.accession = %s ORDER BY l.collection, l.section
"""
_LAST_NAMES = (
    "collection", "section", "last_release", "accession", "version", "accession_version", "source_file",
    "record_ordinal", "record_offset", "record_bytes", "length", "record_sha256", "sequence_sha256", "molecule_class",
)  # fmt: skip
_EVENTS = """
SELECT release, state, accession_version, previous_accession_version, encode(record_sha256, 'hex'), evidence, run_id,
       at::text
FROM genbank.record_event WHERE record_id = %s ORDER BY point, at
"""
_EVENT_NAMES = (
    "release", "state", "accession_version", "previous_accession_version", "record_sha256", "evidence", "run_id", "at",
)  # fmt: skip
_CHANGES = """
SELECT collection, section, release, state, accession, version, accession_version, previous_accession_version,
       evidence, run_id
FROM genbank.release_changes
WHERE (%(collection)s::text IS NULL OR collection = %(collection)s)
  AND (%(section)s::text IS NULL OR section = %(section)s)
  AND (%(releases)s::text[] IS NULL OR release = ANY (%(releases)s))
ORDER BY collection, section, genbank.release_key(release), state, accession
"""
_CHANGE_NAMES = (
    "collection", "section", "release", "state", "accession", "version", "accession_version",
    "previous_accession_version", "evidence", "run_id",
)  # fmt: skip


def record_row(settings: Settings, *, collection: str, division: str | None, accession: str) -> dict[str, Any] | None:
    """The loaded row of an accession with its ledger entry and ``events``; None when it is not loaded.

    Without a division, of any that has it, a current one first.

    Raises:
        DatabaseError: the database cannot be reached.
    """
    with _reading(settings) as session:
        if session is None:
            return None
        rows = session.execute(_ROW, {"collection": collection, "division": division, "accession": accession})
        if not rows:
            return None
        found = dict(zip(_ROW_NAMES, rows[0], strict=True))
        events = session.execute(_EVENTS, [found["record_id"]])
        found["events"] = [dict(zip(_EVENT_NAMES, event, strict=True)) for event in events]
        return found


def last_states(settings: Settings, accession: str) -> list[dict[str, Any]]:
    """The last loaded state of an accession in each division that has or had it, and its place in its file.

    Keys are the membership table's, with ``collection``, ``section`` and ``last_release``, which is that of the file;
    digests are bytes.

    Raises:
        DatabaseError: the database cannot be reached.
    """
    with _reading(settings) as session:
        if session is None:
            return []
        return [dict(zip(_LAST_NAMES, row, strict=True)) for row in session.execute(_LAST, [accession])]


def changes(
    settings: Settings, *, collection: str | None = None, section: str | None = None, release: str | None = None
) -> Iterator[dict[str, Any]]:
    """Changes of state, one mapping each; without filters, of everything that is loaded. ``274`` is ``274.0``.

    Raises:
        DatabaseError: the database cannot be reached, or nothing was ever loaded.
    """
    with _reading(settings) as session:
        if session is None:
            raise DatabaseError("nothing is loaded yet: materialize a division first")
        releases = None if release is None else list(release_spellings(release))
        parameters = {"collection": collection, "section": section, "releases": releases}
        for row in session.stream(_CHANGES, parameters):
            yield dict(zip(_CHANGE_NAMES, row, strict=True))


@contextmanager
def _reading(settings: Settings) -> Iterator[Session | None]:
    """A transaction to ask in; None where nothing was ever loaded."""
    with ExitStack() as stack:
        try:
            database = stack.enter_context(open_database(settings))
        except NoDatabaseError:
            yield None
            return
        session = stack.enter_context(database.transaction())
        has_schema = session.execute("SELECT to_regclass('genbank.record_event')")[0][0] is not None
        yield session if has_schema else None
