"""The order of states: a release and a day of updates are points on one line, by the source's own dates.

On one date a day comes before a release; of two releases the lower number is the earlier, whatever their dates say. A
release whose notes give no date stands where it was first fetched. The arithmetic is ``genbank.point_of``; that a row
yields only to a state at its own point or a later one is decided in the merge itself (``sql/merge.sql``).
"""

from __future__ import annotations

import datetime as dt

from genbank_assets.postgres.connection import Session
from genbank_assets.release_facts import first_fetched, release_date, release_sort_key
from genbank_assets.store import PartitionRelease

_NOTE = "SELECT genbank.note_release(%s, %s, %s, %s, %s, %s)"


def note_release(session: Session, partition: PartitionRelease) -> int:
    """Note the release of a partition and return its point; what was noted once holds."""
    return _note(
        session, partition.key.collection, partition.release, number=partition.release, date=release_date(partition),
        fetched=first_fetched(partition),
    )  # fmt: skip


def note_day(session: Session, *, collection: str, base: str, day: dt.date) -> int:
    """Note a day on top of a release and return its point."""
    return _note(session, collection, f"{base}.{day:%Y%m%d}", number=base, date=day, fetched=day)


def _note(session: Session, collection: str, label: str, *, number: str, date: dt.date | None, fetched: dt.date) -> int:
    return int(session.execute(_NOTE, [collection, label, *release_sort_key(number), date, fetched])[0][0])
