"""Compares PostgreSQL's content for a division or a day with the tables it was loaded from, file by file.

The ledger is compared by counts and by the XOR of each file's ``record_sha256``, the rows individually. Both sides are
read completely and nothing is changed. The checks made during a load belong to ``division_load``, repairs to ``load``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from genbank_assets.ncbi.catalog import GENBANK
from genbank_assets.ncbi.daily import DAILY
from genbank_assets.postgres.connection import Session
from genbank_assets.postgres.digests import Digest
from genbank_assets.postgres.preflight import preflight
from genbank_assets.postgres.sql_files import query
from genbank_assets.postgres.staging import Copy
from genbank_assets.store import Manifest, PartitionRelease
from genbank_assets.tables.unique_tables import memberships_table

_COLUMNS = ["accession", "source_file", "record_ordinal", "record_sha256"]


@dataclasses.dataclass(frozen=True, order=True)
class FileDifference:
    """A difference between the database and a file's tables.

    Attributes:
        name: the raw file; "" if no file can be identified.
        what: a sentence describing the difference.
    """

    name: str
    what: str


@dataclasses.dataclass
class _Expected:
    """A file as listed in the membership table, without superseded records."""

    raw_sha256: str
    records: int  # including superseded ones
    superseded: int
    digest: Digest = dataclasses.field(default_factory=Digest)


def compare_with_tables(
    session: Session,
    partition: PartitionRelease,
    records: Manifest,
    *,
    rows: bool = True,
    superseded: dict[str, tuple[int, ...]] | None = None,
) -> list[FileDifference]:
    """Compare the loaded content of a division or a day with its tables.

    Rows can only be compared while the division is at that release; for an earlier one, only the ledger can. Records
    that a later day has changed are skipped.

    Args:
        session: a transaction, which may be rolled back.
        partition: a loaded release, or an applied day.
        records: manifest of its record tables.
        rows: whether to compare rows in addition to the ledger.
        superseded: result of ``preflight``, if already known.

    Returns:
        The differences; empty if there are none.
    """
    if not session.execute("SELECT to_regclass('genbank.division') IS NOT NULL")[0][0]:
        return [FileDifference("", "there is no schema genbank in the database")]
    if partition.key.division == DAILY:
        return _of_day(session, partition)
    key = {"collection": partition.key.collection, "section": partition.key.division}
    key |= {"release": partition.release}
    found = session.execute(query("comparison.points"), key)
    if not found:
        return [FileDifference("", "the database does not have it")]
    point, division_point = found[0]
    files = {e["name"]: _Expected(e["raw_sha256"], e["records"], 0) for e in records.files}
    rows = rows and division_point == point
    if superseded is None:
        superseded = preflight(partition).superseded
    _read_tables(session, partition, files, superseded, rows=rows)
    ledger = session.execute(query("comparison.ledger"), key)
    differences = list(_of_ledger(files, {row[0]: row[1:] for row in ledger}))
    if rows:
        session.execute("ANALYZE stage_expected")
        names = list(files)
        asked = {**key, "point": point, "disjoint": partition.key.collection == GENBANK.name}
        for number, missing, others in session.execute(query("comparison.rows"), asked):
            of = f"of {files[names[number]].records - files[names[number]].superseded:,} records"
            if missing:
                differences.append(FileDifference(names[number], f"{missing:,} {of} are not in PostgreSQL"))
            if others:
                differences.append(
                    FileDifference(names[number], f"{others:,} {of} have another record_sha256 in PostgreSQL")
                )
        for name, more in session.execute(query("comparison.unexpected"), asked):
            differences.append(FileDifference(name, f"{more:,} current records in PostgreSQL are not in the tables"))
    return sorted(differences)


def _read_tables(
    session: Session,
    partition: PartitionRelease,
    files: dict[str, _Expected],
    superseded: dict[str, tuple[int, ...]],
    *,
    rows: bool,
) -> None:
    """Summarise each file of the membership table; with ``rows``, copy its records to ``stage_expected``."""
    for name, ordinals in superseded.items():
        files[name].superseded = len(ordinals)
    batches = _batches(partition, files, superseded)
    if rows:
        session.execute(query("comparison.stage_expected"))
    if not rows or not any(expected.records for expected in files.values()):
        for _ in batches:
            pass
        return
    copy = Copy("stage_expected", ("accession", "record_sha256", "file"), lambda: batches)
    session.copy_in(copy.statement, copy.stream())


def _batches(
    partition: PartitionRelease, files: dict[str, _Expected], superseded: dict[str, tuple[int, ...]]
) -> Iterator[pa.RecordBatch]:
    names = pa.array(list(files), pa.string())
    by_number = list(files.values())
    with pq.ParquetFile(memberships_table(partition)) as file:
        for batch in file.iter_batches(columns=_COLUMNS):
            numbers = pc.index_in(batch["source_file"], value_set=names)
            keep = np.ones(len(batch), bool)
            ordinals = batch["record_ordinal"].to_numpy()
            for name, lost in superseded.items():
                keep &= ~(pc.equal(batch["source_file"], name).to_numpy(zero_copy_only=False) & np.isin(ordinals, lost))
            part = pa.record_batch(
                {"accession": batch["accession"], "record_sha256": batch["record_sha256"], "file": numbers}
            ).filter(pa.array(keep))
            for number in pc.unique(part["file"]).to_pylist():
                of_file = part["record_sha256"].filter(pc.equal(part["file"], number))
                by_number[number].digest.add(of_file)
            if len(part):
                yield part


def _of_ledger(files: dict[str, _Expected], ledger: dict[str, tuple[Any, ...]]) -> Iterator[FileDifference]:
    for name, expected in files.items():
        if name not in ledger:
            yield FileDifference(name, "it is not in the ledger")
            continue
        raw_sha256, records, superseded, digest = ledger[name]
        if raw_sha256 != expected.raw_sha256:
            yield FileDifference(name, "the ledger names another raw file (SHA-256) than the tables were made from")
        elif (records, superseded) != (expected.records, expected.superseded):
            yield FileDifference(
                name,
                f"the ledger has {records:,} records, {superseded:,} of them superseded, "
                f"the tables {expected.records:,} and {expected.superseded:,}",
            )
        elif digest is not None and bytes(digest) != expected.digest.value:  # ledgers of version 0.1.0 have none
            yield FileDifference(name, "the XOR of its record_sha256 in the ledger is not that of the tables")
    for name in sorted(ledger.keys() - files.keys()):
        yield FileDifference(name, "the ledger has it, the tables have not")


def _of_day(session: Session, partition: PartitionRelease) -> list[FileDifference]:
    """Compare a day's records with the ledgers of the divisions they were applied to."""
    manifest = partition.manifest("postgres_table")
    if manifest is None:
        return []
    found = records_of_day(session, collection=partition.key.collection, label=str(manifest.extra["label"]))
    applied = int(manifest.extra["applied"])
    if found == applied:
        return []
    return [FileDifference("", f"{applied:,} records of the day were applied, {found:,} are in the ledger")]


def records_of_day(session: Session, *, collection: str, label: str) -> int:
    """Return the number of records of a day, such as ``273.0.20260902``, in the ledger."""
    found = session.execute(query("comparison.records_of_day"), [collection, label])
    return int(found[0][0])
