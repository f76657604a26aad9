"""The order of states: releases and daily updates are points on one time line, by the source's own dates.

On the same date, a day precedes a release; of two releases, the one with the lower number is earlier, whatever their
dates. A release without a date is placed where it was first fetched. The computation is in ``genbank.point_of``; the
merge (``sql/merge.sql``) ensures that a row is only replaced by a state at the same or a later point.
"""

from __future__ import annotations

import datetime as dt

from genbank_assets.postgres.connection import Session
from genbank_assets.release_facts import first_fetched, release_date, release_sort_key
from genbank_assets.store import PartitionRelease

_NOTE = "SELECT genbank.note_release(%s, %s, %s, %s, %s, %s)"


def note_release(session: Session, partition: PartitionRelease) -> int:
    """Record the release of a partition and return its point; an existing record is kept."""
    return _note(
        session, partition.key.collection, partition.release, number=partition.release, date=release_date(partition),
        fetched=first_fetched(partition),
    )  # fmt: skip


def note_day(session: Session, *, collection: str, base: str, day: dt.date) -> int:
    """Record a day based on a release and return its point."""
    return _note(session, collection, f"{base}.{day:%Y%m%d}", number=base, date=day, fetched=day)


def _note(session: Session, collection: str, label: str, *, number: str, date: dt.date | None, fetched: dt.date) -> int:
    return int(session.execute(_NOTE, [collection, label, *release_sort_key(number), date, fetched])[0][0])
