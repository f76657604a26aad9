"""What a stage did, in numbers: the report that every stage returns and every manifest keeps, a class per stage.

Figures are written by name, so that manifests of other versions stay readable: what they lack is None, what they have
beyond is left out. How numbers are shown belongs to ``cli`` and ``defs.metadata``, measuring to ``measure``.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Self

_RESIDUES = ("residues", "Sum of the LOCUS lengths in bp or aa; a length in records ('rc') is left out")
_WITH_SEQUENCE = ("records", "Records that carry residues of their own")
_FEATURES = ("features", "Entries of all feature tables")
_QUARANTINED = ("blocks", "Blocks that could not become a record; they lie in the quarantine table")
_DISTINCT = ("sequences", "Different sequences, by SHA-256 of their residues and molecule class")
_DUPLICATES = (
    "records",
    "Records with residues less distinct sequences; in the database, records that another one supersedes",
)


def _figure(unit: str, meaning: str) -> Any:
    return dataclasses.field(default=None, metadata={"unit": unit, "meaning": meaning})


@dataclasses.dataclass(frozen=True, kw_only=True)
class StageReport:
    """Figures of one stage over one partition: those that every stage has, and all that raw files have.

    Counts are totals of the published state; ``*_now`` figures are what this run itself did, so that a
    re-run that found everything in place reports full totals and zeros for ``*_now``.
    """

    files: int | None = _figure("files", "Files of the release the stage works on; of the object set, its list")
    files_now: int | None = _figure("files", "Files that this run fetched, made or loaded; the rest were in place")
    records: int | None = _figure("records", "Records of the partition")
    bytes_in: int | None = _figure("bytes", "Bytes the stage reads: raw files as NCBI has them, their text, or tables")
    bytes_out: int | None = _figure("bytes", "Bytes of the files or objects the stage consists of")
    bytes_now: int | None = _figure("bytes", "Bytes that this run transferred or wrote")
    seconds: float | None = _figure("seconds", "Wall time of the run")
    cpu_seconds: float | None = _figure("seconds", "Processor time of the run and its processes on this machine")
    peak_memory_bytes: int | None = _figure("bytes", "Highest resident memory of the largest worker process")

    @property
    def records_per_second(self) -> float | None:
        """Records of the partition over the seconds of this run; None when it found everything in place."""
        if self.records is None or not self.seconds or self.files_now == 0:
            return None
        return self.records / self.seconds

    def as_dict(self) -> dict[str, Any]:
        """Return the figures that are known, in declaration order."""
        return {k: v for k, v in dataclasses.asdict(self).items() if v is not None}

    @classmethod
    def from_dict(cls, figures: dict[str, Any]) -> Self:
        """Return the reverse of :meth:`as_dict`; figures of other versions are ignored."""
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{k: v for k, v in figures.items() if k in known})


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordsReport(StageReport):
    """Of parsing."""

    residues: int | None = _figure(*_RESIDUES)
    with_sequence: int | None = _figure(*_WITH_SEQUENCE)
    features: int | None = _figure(*_FEATURES)
    quarantined: int | None = _figure(*_QUARANTINED)


@dataclasses.dataclass(frozen=True, kw_only=True)
class UniqueRecordsReport(StageReport):
    """Of deduplication."""

    residues: int | None = _figure(*_RESIDUES)
    with_sequence: int | None = _figure(*_WITH_SEQUENCE)
    quarantined: int | None = _figure(*_QUARANTINED)
    distinct_sequences: int | None = _figure(*_DISTINCT)
    duplicates: int | None = _figure(*_DUPLICATES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DerivedReport(StageReport):
    """Of the tables made of features: samples and coding sequences."""

    features: int | None = _figure(*_FEATURES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchDatabaseReport(StageReport):
    """Of search databases."""

    distinct_sequences: int | None = _figure(*_DISTINCT)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoadReport(StageReport):
    """Of a load into PostgreSQL, of a release or of a day."""

    residues: int | None = _figure(*_RESIDUES)
    duplicates: int | None = _figure(*_DUPLICATES)
    sql_statements: int | None = _figure("statements", "SQL statements the run sent")
    schema_statements: int | None = _figure(
        "statements", "Those of them that looked at the schema, made it or brought it to a later version"
    )
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

    @property
    def sql_statements_per_second(self) -> float | None:
        """SQL statements of the load itself over the seconds of this run; None when it sent none."""
        if not self.sql_statements or not self.seconds:
            return None
        return self.load_statements / self.seconds

    @property
    def load_statements(self) -> int:
        """SQL statements without those of the schema: a migration is no load's rate."""
        return (self.sql_statements or 0) - (self.schema_statements or 0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObjectSetReport(StageReport):
    """Of the object set."""

    distinct_sequences: int | None = _figure(*_DISTINCT)
    objects: int | None = _figure("objects", "Objects of the partition in the object set")
    objects_put: int | None = _figure("objects", "Objects the run sent")
    upload_attempts: int | None = _figure("uploads", "Uploads the run began, one per object")
    upload_errors: int | None = _figure("uploads", "Uploads that used up their tries; a second chance may have helped")
    upload_retries: int | None = _figure("requests", "Requests repeated after a failure that may pass")
    upload_slow_downs: int | None = _figure("answers", "Answers of the store that asked for fewer requests (503, 429)")


#: Each stage's class of report; a stage that is not here has those figures that every stage has.
REPORTS: dict[str, type[StageReport]] = {
    "records": RecordsReport,
    "unique_records": UniqueRecordsReport,
    "postgres_table": LoadReport,
    "object_set": ObjectSetReport,
    "samples": DerivedReport,
    "cds": DerivedReport,
    "blast_database": SearchDatabaseReport,
}


@dataclasses.dataclass(frozen=True)
class Figure:
    """What a figure of a report is: docs/metadata.md and the metrics say it from here.

    Attributes:
        name: the report's field.
        unit: what it counts.
        meaning: one line for people.
    """

    name: str
    unit: str
    meaning: str


_KINDS: list[type[StageReport]] = [StageReport, *REPORTS.values()]
#: Every figure of any stage, each once.
FIGURES = tuple(
    dict.fromkeys(
        Figure(field.name, field.metadata["unit"], field.metadata["meaning"])
        for kind in _KINDS
        for field in dataclasses.fields(kind)
    )
)
