"""Keys of records (accession, digest, partition) for their residue chunks, which are written before the keys are known.

Used by ``sequence_file``. Memory holds about 90 bytes for each record whose chunks are not all written.
"""

from __future__ import annotations

import collections
import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Ordinals = np.ndarray[Any, np.dtype[np.int64]]
WHOSE = ("collection", "section", "release")  # constant within a file


@dataclasses.dataclass(frozen=True)
class _Part:
    """Keys of those records of one batch that have residues; all records up to ``last`` are covered."""

    ordinals: Ordinals
    accessions: pa.Array
    digests: pa.Array
    last: int


class RecordKeys:
    """Keys of records, ordered by ordinal; one thread may add while another looks up.

    Attributes:
        whose: collection, section and release of the file.
    """

    def __init__(self) -> None:
        self._parts: collections.deque[_Part] = collections.deque()
        self.whose: tuple[str, ...] = ("", "", "")

    def add(self, records: pa.RecordBatch) -> None:
        """Add the keys of rows of the record table; keeps no reference to the batch."""
        if records.num_rows == 0:
            return
        last = int(records["record_ordinal"][records.num_rows - 1].as_py())
        has_residues = pc.is_valid(records["sequence_sha256"])
        ordinals, accessions, digests = (
            pc.filter(records[name], has_residues)
            for name in ("record_ordinal", "accession_version", "sequence_sha256")
        )
        self.whose = tuple(str(records[name][0].as_py()) for name in WHOSE)
        self._parts.append(_Part(ordinals.to_numpy().copy(), accessions, digests, last))

    @property
    def last(self) -> int:
        """The ordinal up to which all keys are known; -1 initially."""
        return self._parts[-1].last if self._parts else -1

    def of(self, ordinals: Ordinals) -> tuple[pa.Array, pa.Array, set[int]]:
        """Return accessions and digests of some records ("" and zeros if unknown), and the ordinals without keys."""
        parts = list(self._parts)
        known = np.concatenate([part.ordinals for part in parts]) if parts else np.empty(0, np.int64)
        accessions = pa.concat_arrays([part.accessions for part in parts] or [pa.array([], pa.string())])
        digests = pa.concat_arrays([part.digests for part in parts] or [pa.array([], pa.binary(32))])
        at = np.searchsorted(known, ordinals)
        found = np.zeros(len(at), bool)
        inside = at < len(known)
        found[inside] = known[at[inside]] == ordinals[inside]
        positions = pa.array(at, mask=~found)
        return (
            pc.fill_null(accessions.take(positions), ""),
            pc.fill_null(digests.take(positions), pa.scalar(bytes(32), pa.binary(32))),
            set(ordinals[~found].tolist()),
        )

    def forget_before(self, ordinal: int) -> None:
        """Discard the keys of records before this one, whose chunks have all been written."""
        while self._parts and self._parts[0].last < ordinal:
            self._parts.popleft()
