"""Traces a record through all stages, one hop per stage, with cheap checks.

Source and raw file → location in the text → row of the record table → digests and duplicates → database row and history
→ object. Resolving names belongs to ``search``, hops to ``hops``, ``verify`` to ``recheck``, output to ``render`` and
``prov``.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from genbank_assets.lineage.hops import Hop, Hops
from genbank_assets.lineage.search import search
from genbank_assets.settings import Settings


@dataclasses.dataclass(frozen=True)
class Trace:
    """A record's path through the stages of one release of a division.

    Attributes:
        accession_version: the record; for a quarantined block its accession, if legible.
        collection: ``genbank`` or ``refseq``.
        division: division code, RefSeq section, or ``daily``.
        release: the release whose files contain the traced state.
        note: how the requested name matches; "" if it is the record's name in the newest release.
        verified: whether everything was verified.
        hops: the hops, in order.
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
        """Whether no hop is missing or a mismatch."""
        return all(hop.status in {"ok", "none"} for hop in self.hops)

    def as_dict(self) -> dict[str, Any]:
        """Return the trace as JSON values."""
        return dataclasses.asdict(self) | {"ok": self.ok}


def trace(settings: Settings, accession: str, *, verify: bool = False) -> list[Trace]:
    """Trace ``ACCESSION`` or ``ACCESSION.VERSION`` in every division that has it.

    A name that is in no newest release is traced in its last state, as a quarantined block, or as a secondary
    accession; ``note`` says so.

    Args:
        settings: name the store, database and object set.
        accession: the name.
        verify: whether to read everything again and recompute all digests.

    Raises:
        NotFoundError: neither store nor database know the name.
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
