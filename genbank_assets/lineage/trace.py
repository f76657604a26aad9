"""Where a record came from and where it went: one hop per stage, each checked as far as that is cheap.

Source and raw file → place in the text → row of the record table → digests and duplicates → database row and history
→ object. Which records a name means belongs to ``search``, what a hop looks at to ``hops``, what ``verify`` reads again
to ``recheck``, showing a trace to ``render`` and ``prov``.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from genbank_assets.lineage.hops import Hop, Hops
from genbank_assets.lineage.search import search
from genbank_assets.settings import Settings


@dataclasses.dataclass(frozen=True)
class Trace:
    """A record's way through the stages of one division's release.

    Attributes:
        accession_version: the record; its accession, if legible, of a quarantined block.
        collection: ``genbank`` or ``refseq``.
        division: division code, RefSeq section, or ``daily``.
        release: the release whose files show the state that was traced.
        note: why this answers to the name that was asked for; "" when it is the newest release's record of that name.
        verified: whether everything was read again.
        hops: the stages, in order.
    """

    accession_version: str
    collection: str
    division: str
    release: str
    note: str
    verified: bool
    hops: tuple[Hop, ...]

    @property
    def ok(self) -> bool:
        """Whether no hop is missing or wrong."""
        return all(hop.status in {"ok", "none"} for hop in self.hops)

    def as_dict(self) -> dict[str, Any]:
        """Return the trace as JSON values."""
        return dataclasses.asdict(self) | {"ok": self.ok}


def trace(settings: Settings, accession: str, *, verify: bool = False) -> list[Trace]:
    """Trace ``ACCESSION`` or ``ACCESSION.VERSION`` in every division that has it.

    A name that no newest release has is traced where it was last, where it is quarantined, or as what it is a
    secondary accession of; ``note`` says so.

    Raises:
        NotFoundError: the store and the database know nothing of it.
    """
    traces = []
    for match in search(settings, accession):
        partition = match.found.partition
        traces.append(
            Trace(
                accession_version=match.found.row["accession_version"],
                collection=partition.key.collection,
                division=partition.key.division,
                release=partition.release,
                note=match.note,
                verified=verify,
                hops=Hops(settings, match, verify=verify).all(),
            )
        )
    return traces
