"""What a stage did, in numbers: the report every stage returns and every manifest keeps.

Belongs here: the report's fields and the measuring of time and memory. Does not belong here: how
numbers are shown (``cli``, ``defs.metadata``). Knows nothing of Dagster.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self


@dataclasses.dataclass(frozen=True, kw_only=True)
class StageReport:
    """Figures of one stage over one partition; ``None`` means "does not apply to this stage".

    Counts are totals of the published state; ``*_now`` figures are what this run itself did, so that a
    re-run that found everything in place reports full totals and zeros for ``*_now``.
    """

    files: int | None = None
    files_now: int | None = None  # files fetched / parsed / loaded by this run; the rest were in place
    records: int | None = None
    residues: int | None = None  # sum of LOCUS lengths in bp or aa ("rc" counts records and is left out)
    with_sequence: int | None = None  # records that carry residues
    features: int | None = None
    quarantined: int | None = None
    distinct_sequences: int | None = None
    duplicates: int | None = None  # records with residues - distinct sequences
    bytes_in: int | None = None
    bytes_out: int | None = None
    bytes_now: int | None = None  # bytes transferred or written by this run
    seconds: float | None = None  # wall time of this run
    peak_memory_bytes: int | None = None  # of the largest worker process
    sql_statements: int | None = None
    sql_seconds: float | None = None  # time inside transactions
    rows_loaded: int | None = None  # records of the partition present in PostgreSQL after the load
    rows_copied: int | None = None  # rows sent by COPY in this run
    rows_merged: int | None = None  # rows inserted or updated by merges in this run
    records_new: int | None = None
    records_sequence_changed: int | None = None
    records_annotation_changed: int | None = None
    records_unchanged: int | None = None
    records_returned: int | None = None
    records_absent: int | None = None
    objects: int | None = None  # objects of the partition in the store
    objects_put: int | None = None  # objects sent by this run
    upload_attempts: int | None = None  # uploads this run began, one per object
    upload_errors: int | None = None  # of these, the ones that used up their tries (a second chance may have helped)
    upload_retries: int | None = None  # requests repeated after a passing failure
    upload_slow_downs: int | None = None  # answers that asked for fewer requests (503, 429)

    @property
    def records_per_second(self) -> float | None:
        """Records of the partition over the seconds of this run; None when it found everything in place."""
        if self.records is None or not self.seconds or self.files_now == 0:
            return None
        return self.records / self.seconds

    def as_dict(self) -> dict[str, Any]:
        """The figures that apply, in declaration order."""
        return {k: v for k, v in dataclasses.asdict(self).items() if v is not None}

    @classmethod
    def from_dict(cls, figures: dict[str, Any]) -> Self:
        """The reverse of :meth:`as_dict`; figures of later versions are ignored."""
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{k: v for k, v in figures.items() if k in known})


def peak_memory_bytes() -> int:
    """Highest resident size of this process so far, in bytes.

    Reads ``VmHWM``, not ``getrusage``: the latter survives ``exec`` and would report the parent's peak in a
    freshly spawned worker.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource  # not on every platform; Linux never gets here

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Stopwatch:
    """Wall seconds of a ``with`` block; readable while it runs."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._end: float | None = None

    def __enter__(self) -> Self:
        self._start = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the block was entered, or its length once it is left."""
        return (self._end or time.perf_counter()) - self._start
