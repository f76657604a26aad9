"""The order in which releases of divisions enter the catalog: by the source's dates, oldest first.

A step adds one division's release in one snapshot; "as of a release" is the state after its last step. Applying steps
belongs to ``ducklake``.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence

from genbank_assets.catalog.divisions import ReadableRelease
from genbank_assets.catalog.frames import lacks
from genbank_assets.release_facts import first_fetched, release_date, release_sort_key
from genbank_assets.schema.tables import RECORD_SCHEMA, SEQUENCE_SCHEMA
from genbank_assets.store import PartitionKey


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """One division's release to be added to the catalog.

    Attributes:
        release: the release whose tables it adds.
        replaces: whether it replaces an earlier release of the division.
    """

    release: ReadableRelease
    replaces: bool

    @property
    def label(self) -> str:
        """Message of the snapshot, such as ``genbank/phg 273.0``."""
        return f"{self.release.key} {self.release.release}"

    @property
    def facts(self) -> dict[str, str]:
        """Metadata of the snapshot, which identifies its tables by manifest digest and folder."""
        one = self.release
        return {
            "collection": one.key.collection,
            "section": one.key.division,
            "release": one.release,
            "tables": " ".join(m.digest[:16] for m in (one.records, one.unique, *one.derived.values())),
            "folder": one.place,
        }


def steps_of(there: Mapping[PartitionKey, Sequence[ReadableRelease]]) -> tuple[list[Step], list[ReadableRelease]]:
    """Return the steps for all readable releases in order, and the releases that a catalog cannot contain.

    The latter have tables in the layout of version 0.1.0, without the columns that identify a record.
    """
    steps, left_out = [], []
    for releases in there.values():
        replaces = False
        for one in releases:
            if is_current_layout(one):
                steps.append(Step(release=one, replaces=replaces))
                replaces = True
            else:
                left_out.append(one)
    return sorted(steps, key=_order), left_out


def is_current_layout(one: ReadableRelease) -> bool:
    """Return whether the tables have the columns that identify a record, which version 0.1.0 lacks."""
    records, sequences = one.tables("records"), one.tables("sequences")
    return not (lacks(one, records, RECORD_SCHEMA.names) or lacks(one, sequences, SEQUENCE_SCHEMA.names))


def _order(step: Step) -> tuple[dt.date, str, tuple[int, int], str]:
    one = step.release
    date = release_date(one) or first_fetched(one)
    return date, one.key.collection, release_sort_key(one.release), one.key.division
