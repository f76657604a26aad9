"""The figures a stage reports and its manifest records; one class per stage.

Figures are serialised by name, so manifests of other versions stay readable: missing figures are None, unknown ones
are ignored. Showing figures belongs to ``cli`` and ``defs.metadata``, measuring to ``measure``.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Self

_RESIDUES = ("residues", "Sum of the LOCUS lengths in bp or aa; lengths in records ('rc') are excluded")
_WITH_SEQUENCE = ("records", "Records that have residues themselves")
_FEATURES = ("features", "Entries in all feature tables")
_QUARANTINED = ("blocks", "Blocks that could not be parsed as a record; kept in the quarantine table")
_DISTINCT = ("sequences", "Distinct sequences, by SHA-256 of the residues and molecule class")
_DUPLICATES = (
    "records",
    "Records with residues minus distinct sequences; in the database, superseded records",
)


def _figure(unit: str, meaning: str) -> Any:
    return dataclasses.field(default=None, metadata={"unit": unit, "meaning": meaning})


@dataclasses.dataclass(frozen=True, kw_only=True)
class StageReport:
    """Figures of one stage for one partition: those common to all stages; raw files have no others.

    Counts are totals of the published state, while ``*_now`` figures count what this run did: a re-run that finds
    everything in place reports full totals and zero for ``*_now``.
    """

    files: int | None = _figure("files", "Files of the release that the stage covers; for the object set, its manifest")
    files_now: int | None = _figure(
        "files", "Files that this run fetched, built or loaded; the others were already in place"
    )
    records: int | None = _figure("records", "Records of the partition")
    bytes_in: int | None = _figure(
        "bytes", "Bytes of the stage's input: raw files as served by NCBI, their uncompressed text, or tables"
    )
    bytes_out: int | None = _figure("bytes", "Bytes of the stage's output files or objects")
    bytes_now: int | None = _figure("bytes", "Bytes transferred or written by this run")
    seconds: float | None = _figure("seconds", "Wall time of the run")
    cpu_seconds: float | None = _figure("seconds", "CPU time of the run and its processes on this machine")
    peak_memory_bytes: int | None = _figure("bytes", "Peak resident memory of the largest worker process")

    @property
    def records_per_second(self) -> float | None:
        """Records of the partition per second of this run; None if it found everything in place."""
        if self.records is None or not self.seconds or self.files_now == 0:
            return None
        return self.records / self.seconds

    def as_dict(self) -> dict[str, Any]:
        """Return the figures that are set, in declaration order."""
        return {k: v for k, v in dataclasses.asdict(self).items() if v is not None}

    @classmethod
    def from_dict(cls, figures: dict[str, Any]) -> Self:
        """Create a report from the result of :meth:`as_dict`, ignoring unknown figures."""
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{k: v for k, v in figures.items() if k in known})


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordsReport(StageReport):
    """Figures of parsing."""

    residues: int | None = _figure(*_RESIDUES)
    with_sequence: int | None = _figure(*_WITH_SEQUENCE)
    features: int | None = _figure(*_FEATURES)
    quarantined: int | None = _figure(*_QUARANTINED)


@dataclasses.dataclass(frozen=True, kw_only=True)
class UniqueRecordsReport(StageReport):
    """Figures of deduplication."""

    residues: int | None = _figure(*_RESIDUES)
    with_sequence: int | None = _figure(*_WITH_SEQUENCE)
    quarantined: int | None = _figure(*_QUARANTINED)
    distinct_sequences: int | None = _figure(*_DISTINCT)
    duplicates: int | None = _figure(*_DUPLICATES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DerivedReport(StageReport):
    """Figures of tables derived from features: samples and coding sequences."""

    features: int | None = _figure(*_FEATURES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchDatabaseReport(StageReport):
    """Figures of search databases."""

    distinct_sequences: int | None = _figure(*_DISTINCT)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoadReport(StageReport):
    """Figures of loading a release or a daily update into PostgreSQL."""

    residues: int | None = _figure(*_RESIDUES)
    duplicates: int | None = _figure(*_DUPLICATES)
    sql_statements: int | None = _figure("statements", "SQL statements the run sent")
    schema_statements: int | None = _figure(
        "statements", "SQL statements that inspected, created or migrated the schema"
    )
    sql_seconds: float | None = _figure("seconds", "Time inside transactions, summed over the workers")
    rows_loaded: int | None = _figure("records", "Current records of the partition in PostgreSQL after the load")
    rows_copied: int | None = _figure("rows", "Rows sent by COPY, including keys of staged records")
    rows_merged: int | None = _figure("rows", "Rows inserted or updated by merges")
    records_new: int | None = _figure("records", "Records added by this release")
    records_sequence_changed: int | None = _figure(
        "records", "Records whose residues or version changed in this release"
    )
    records_annotation_changed: int | None = _figure(
        "records", "Records whose text changed in this release, but neither residues nor version"
    )
    records_unchanged: int | None = _figure("records", "Records unchanged since the previous release")
    records_returned: int | None = _figure("records", "Records that were absent before and are listed again")
    records_absent: int | None = _figure("records", "Loaded records that this release lacks")

    @property
    def sql_statements_per_second(self) -> float | None:
        """SQL statements of the load per second of this run, excluding schema statements; None if it sent none."""
        if not self.sql_statements or not self.seconds:
            return None
        return self.load_statements / self.seconds

    @property
    def load_statements(self) -> int:
        """SQL statements excluding those for the schema, which would distort the rate of a load."""
        return (self.sql_statements or 0) - (self.schema_statements or 0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObjectSetReport(StageReport):
    """Figures of the object set."""

    distinct_sequences: int | None = _figure(*_DISTINCT)
    objects: int | None = _figure("objects", "Objects of the partition in the object set")
    objects_put: int | None = _figure("objects", "Objects sent by this run")
    upload_attempts: int | None = _figure("uploads", "Uploads started by this run, one per object")
    upload_errors: int | None = _figure(
        "uploads", "Uploads that exhausted their retries; a second pass may have succeeded"
    )
    upload_retries: int | None = _figure("requests", "Requests retried after a transient failure")
    upload_slow_downs: int | None = _figure("answers", "Responses asking for fewer requests (503, 429)")


#: Stage -> report class; stages not listed use :class:`StageReport`.
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
    """Description of a figure, used for docs/metadata.md and the Prometheus metrics.

    Attributes:
        name: field of the report.
        unit: unit of the value.
        meaning: one-line description.
    """

    name: str
    unit: str
    meaning: str


_KINDS: list[type[StageReport]] = [StageReport, *REPORTS.values()]
#: All figures of all stages, without duplicates.
FIGURES = tuple(
    dict.fromkeys(
        Figure(field.name, field.metadata["unit"], field.metadata["meaning"])
        for kind in _KINDS
        for field in dataclasses.fields(kind)
    )
)
