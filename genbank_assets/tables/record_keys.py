"""What chunks of residues say of their records, while records and chunks come apart: accession, digest, partition.

Belongs to ``sequence_file``, which writes them. Memory holds the keys of records whose chunks are not all written, some
ninety bytes each.
"""

from __future__ import annotations

import collections
import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Ordinals = np.ndarray[Any, np.dtype[np.int64]]
WHOSE = ("collection", "section", "release")  # of all rows of a file the same


@dataclasses.dataclass(frozen=True)
class _Part:
    """Keys of the records of one batch that have residues; of others up to ``last`` there are none."""

    ordinals: Ordinals
    accessions: pa.Array
    digests: pa.Array
    last: int


class RecordKeys:
    """The keys of records in order of ordinal; one thread may add while another looks up.

    Attributes:
        whose: collection, section and release of the file.
    """

    def __init__(self) -> None:
        self._parts: collections.deque[_Part] = collections.deque()
        self.whose: tuple[str, ...] = ("", "", "")

    def add(self, records: pa.RecordBatch) -> None:
        """Take the keys from rows of the record table; nothing of the batch is kept."""
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
        """The highest ordinal up to which all keys are known; -1 before the first."""
        return self._parts[-1].last if self._parts else -1

    def of(self, ordinals: Ordinals) -> tuple[pa.Array, pa.Array, set[int]]:
        """Accessions and digests of these records, "" and zeros for those without a row, and these ones' ordinals."""
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
        """The chunks of all records before this one are written."""
        while self._parts and self._parts[0].last < ordinal:
            self._parts.popleft()
