"""What a stage did, in numbers: the report every stage returns and every manifest keeps.

Belongs here: the report's fields and the measuring of time and memory. Does not belong here: how
numbers are shown (``cli``, ``defs.metadata``). Knows nothing of Dagster.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self


def _figure(unit: str, meaning: str) -> Any:
    return dataclasses.field(default=None, metadata={"unit": unit, "meaning": meaning})


@dataclasses.dataclass(frozen=True, kw_only=True)
class StageReport:
    """Figures of one stage over one partition; ``None`` means "does not apply to this stage".

    Counts are totals of the published state; ``*_now`` figures are what this run itself did, so that a
    re-run that found everything in place reports full totals and zeros for ``*_now``.
    """

    files: int | None = _figure("files", "Files of the release the stage works on; of the object set, its list")
    files_now: int | None = _figure("files", "Files that this run fetched, made or loaded; the rest were in place")
    records: int | None = _figure("records", "Records of the partition")
    residues: int | None = _figure(
        "residues", "Sum of the LOCUS lengths in bp or aa; a length in records ('rc') is left out"
    )
    with_sequence: int | None = _figure("records", "Records that carry residues of their own")
    features: int | None = _figure("features", "Entries of all feature tables")
    quarantined: int | None = _figure(
        "blocks", "Blocks that could not become a record; they lie in the quarantine table"
    )
    distinct_sequences: int | None = _figure(
        "sequences", "Different sequences, by SHA-256 of their residues and molecule class"
    )
    duplicates: int | None = _figure(
        "records", "Records with residues less distinct sequences; in the database, records that another one supersedes"
    )
    bytes_in: int | None = _figure("bytes", "Bytes the stage reads: raw files as NCBI has them, their text, or tables")
    bytes_out: int | None = _figure("bytes", "Bytes of the files or objects the stage consists of")
    bytes_now: int | None = _figure("bytes", "Bytes that this run transferred or wrote")
    seconds: float | None = _figure("seconds", "Wall time of the run")
    peak_memory_bytes: int | None = _figure("bytes", "Highest resident memory of the largest worker process")
    sql_statements: int | None = _figure("statements", "SQL statements the run sent")
    sql_seconds: float | None = _figure("seconds", "Time inside transactions, added up over the workers")
    rows_loaded: int | None = _figure(
        "records", "Records of the partition that are current in PostgreSQL after the load"
    )
    rows_copied: int | None = _figure("rows", "Rows the run sent by COPY, keys of staged records included")
    rows_merged: int | None = _figure("rows", "Rows the run's merges inserted or updated")
    records_new: int | None = _figure("records", "Records this release brought")
    records_sequence_changed: int | None = _figure("records", "Records whose residues or version this release changed")
    records_annotation_changed: int | None = _figure(
        "records", "Records of which this release changed the text, but neither residues nor version"
    )
    records_unchanged: int | None = _figure("records", "Records that are as they were in the release before")
    records_returned: int | None = _figure("records", "Records that had been absent and are listed again")
    records_absent: int | None = _figure("records", "Records that were loaded and that this release lacks")
    objects: int | None = _figure("objects", "Objects of the partition in the object set")
    objects_put: int | None = _figure("objects", "Objects the run sent")
    upload_attempts: int | None = _figure("uploads", "Uploads the run began, one per object")
    upload_errors: int | None = _figure("uploads", "Uploads that used up their tries; a second chance may have helped")
    upload_retries: int | None = _figure("requests", "Requests repeated after a failure that may pass")
    upload_slow_downs: int | None = _figure("answers", "Answers of the store that asked for fewer requests (503, 429)")

    @property
    def records_per_second(self) -> float | None:
        """Records of the partition over the seconds of this run; None when it found everything in place."""
        if self.records is None or not self.seconds or self.files_now == 0:
            return None
        return self.records / self.seconds

    @property
    def sql_statements_per_second(self) -> float | None:
        """SQL statements over the seconds of this run; None when it sent none."""
        if not self.sql_statements or not self.seconds:
            return None
        return self.sql_statements / self.seconds

    def as_dict(self) -> dict[str, Any]:
        """The figures that apply, in declaration order."""
        return {k: v for k, v in dataclasses.asdict(self).items() if v is not None}

    @classmethod
    def from_dict(cls, figures: dict[str, Any]) -> Self:
        """The reverse of :meth:`as_dict`; figures of later versions are ignored."""
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{k: v for k, v in figures.items() if k in known})


@dataclasses.dataclass(frozen=True)
class Figure:
    """What a figure of the report is: docs/metadata.md and the metrics say it from here.

    Attributes:
        name: the report's field.
        unit: what it counts.
        meaning: one line for people.
    """

    name: str
    unit: str
    meaning: str


FIGURES = tuple(
    Figure(field.name, field.metadata["unit"], field.metadata["meaning"]) for field in dataclasses.fields(StageReport)
)


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


class Pace:
    """How far a stage is and how long the rest takes at the pace so far, for its progress lines."""

    def __init__(self, total: float, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._total = total
        self._done = 0.0
        self._clock = clock
        self._start = clock()

    def after(self, amount: float) -> str:
        """``"; 25 % done, about 2 h 10 min to go"`` once ``amount`` more is done; nothing when it was the last."""
        self._done += amount
        if not 0 < self._done < self._total:
            return ""
        left = (self._clock() - self._start) * (self._total - self._done) / self._done
        return f"; {self._done / self._total:.0%} done, about {duration(left)} to go"


def duration(seconds: float) -> str:
    """``45 s``, ``3 min``, ``2 h 10 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
