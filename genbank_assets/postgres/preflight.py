"""Analyses a division before it is loaded: superseded records, and the shrink guard.

Both stream the division's memberships, which are sorted by accession. Changing the database belongs to ``load``.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from genbank_assets.errors import DatabaseError, ShrinkGuardError
from genbank_assets.ncbi.catalog import file_sort_key
from genbank_assets.postgres.connection import Session
from genbank_assets.postgres.digests import Digest
from genbank_assets.postgres.sql_files import query
from genbank_assets.postgres.staging import Copy
from genbank_assets.store import PartitionRelease
from genbank_assets.tables.unique_tables import memberships_table

MIN_ABSENT = 20  # fewer absent records never block a load
_CURRENT = "FROM genbank.record r WHERE collection = %s AND section = %s AND is_current"
_IDENTITY = ["accession", "version", "source_file", "record_ordinal", "record_sha256"]


@dataclasses.dataclass(frozen=True)
class Preflight:
    """Accessions of a division.

    Attributes:
        accessions: number of distinct accessions, without those changed by a later day.
        record_digest: XOR of the ``record_sha256`` of the records that represent them.
        superseded: file → ordinals of records superseded by another one with the same accession.
        overtaken: number of accessions changed by a later day.
    """

    accessions: int
    record_digest: bytes
    superseded: dict[str, tuple[int, ...]]
    overtaken: int = 0


def preflight(partition: PartitionRelease, *, later: Sequence[str] = ()) -> Preflight:
    """Count a division's accessions, and choose the representative of any accession that occurs more than once.

    NCBI lists each accession once, but daily or corrected files may not. The representative is the highest version and,
    among equals, the last one by file and position, so that the result does not depend on the order of loading.

    Args:
        partition: a release or a day.
        later: accessions changed by a later day, which are not counted.
    """
    repeated = defaultdict[str, dict[tuple[str, int], dict[str, Any]]](dict)
    digest, left_out, late = Digest(), pa.array(later, pa.string()), set(later)
    accessions, overtaken = 0, set[str]()

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal accessions
        for batch in _memberships(partition, _IDENTITY):
            part = batch
            if late:
                is_late = pc.is_in(batch["accession"], value_set=left_out)
                overtaken.update(batch["accession"].filter(is_late).to_pylist())
                part = batch.filter(pc.invert(is_late))
            accessions += part.num_rows
            digest.add(part["record_sha256"])
            yield batch

    for row in _repeated(counted()):
        repeated[row["accession"]][row["source_file"], row["record_ordinal"]] = row
    superseded = defaultdict[str, list[int]](list)
    for accession, group in repeated.items():
        *lost, _ = sorted(group.values(), key=_precedence)
        for row in lost:
            superseded[row["source_file"]].append(row["record_ordinal"])
        if accession not in late:
            accessions -= len(lost)
            digest.add(pa.array([row["record_sha256"] for row in lost], pa.binary(32)))
    ordinals = {name: tuple(sorted(found)) for name, found in superseded.items()}
    return Preflight(accessions, digest.value, ordinals, len(overtaken))


def _precedence(row: dict[str, Any]) -> tuple[int, tuple[object, ...], int]:
    version = -1 if row["version"] is None else int(row["version"])
    return version, file_sort_key(row["source_file"]), int(row["record_ordinal"])


def _repeated(batches: Iterable[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    """Yield rows whose accession equals that of a neighbour; the last row of a batch may be repeated."""
    last: pa.RecordBatch | None = None
    for batch in batches:
        joined = pa.Table.from_batches([last, batch] if last is not None else [batch]).combine_chunks()
        accession = joined["accession"].combine_chunks()
        same = pc.equal(accession[1:], accession[:-1]).to_numpy(zero_copy_only=False).astype(bool)
        mask = np.zeros(len(joined), bool)
        mask[1:] |= same
        mask[:-1] |= same
        yield from joined.filter(pa.array(mask)).to_pylist()
        last = batch.slice(batch.num_rows - 1)


def later_accessions(session: Session, *, collection: str, section: str, point: int) -> list[str]:
    """Return the accessions whose current state is from a day after ``point``."""
    return [str(row[0]) for row in session.execute(query("preflight.later_accessions"), [collection, section, point])]


def loaded_totals(session: Session, *, collection: str, section: str, point: int) -> tuple[int, bytes]:
    """Return number and digest XOR of a division's current records up to a point, in PostgreSQL."""
    records, bits = session.execute("SELECT * FROM genbank.totals(%s, %s, %s)", [collection, section, point])[0]
    return int(records), int(bits or "0", 2).to_bytes(32, "big")


def stage_accessions(session: Session, partition: PartitionRelease) -> None:
    """Copy all accessions of the division to the temporary table ``stage_accession``."""
    session.execute(query("load.stage_accession"))
    copy = Copy("stage_accession", ("accession",), lambda: _memberships(partition, ["accession"]))
    session.copy_in(copy.statement, copy.stream())
    session.execute("ANALYZE stage_accession")


def check_shrinkage(session: Session, partition: PartitionRelease, *, point: int, max_absent_fraction: float) -> None:
    """Count the loaded records that the release lacks, before anything is changed.

    Faults at NCBI look exactly like deletions, so a load that would remove too many records needs confirmation.

    Raises:
        ShrinkGuardError: too many records are missing.
    """
    key = [partition.key.collection, partition.key.division]
    if not session.execute(f"SELECT EXISTS (SELECT {_CURRENT})", key)[0][0]:
        return
    stage_accessions(session, partition)
    loaded, absent = session.execute(
        query("preflight.loaded_and_absent"), {"collection": key[0], "section": key[1], "point": point}
    )[0]
    if shrinks_too_much(absent, loaded=loaded, max_absent_fraction=max_absent_fraction):
        raise ShrinkGuardError(
            f"{partition.key} {partition.release} lacks {absent:,} of {loaded:,} loaded records "
            f"({absent / loaded:.1%}, allowed are {max_absent_fraction:.1%}); nothing was changed. "
            "If this is right, allow it: materialize --max-absent-fraction "
            f"{min(1.0, absent / loaded + 0.0005):.3f}, or set max_absent_fraction in the run's configuration"
        )


def shrinks_too_much(absent: int, *, loaded: int, max_absent_fraction: float) -> bool:
    """Return whether so many absent records require confirmation; a few never do."""
    return absent >= MIN_ABSENT and absent > max_absent_fraction * loaded


@dataclasses.dataclass(frozen=True)
class ComparedTotals:
    """A division in the tables and in PostgreSQL, in both cases without records changed by a later day.

    Attributes:
        accessions: number of accessions in the tables.
        rows: number of current records in PostgreSQL.
        digests_agree: whether the XORs of their ``record_sha256`` agree.
        files: number of files in the ledger.
        superseded: file → ordinals of superseded records in the tables.
    """

    accessions: int
    rows: int
    digests_agree: bool
    files: int
    superseded: dict[str, tuple[int, ...]]

    @property
    def agree(self) -> bool:
        """Whether PostgreSQL matches the tables."""
        return self.accessions == self.rows and self.digests_agree


def compared_totals(session: Session, partition: PartitionRelease) -> ComparedTotals:
    """Count a loaded division in the tables and in PostgreSQL.

    Raises:
        DatabaseError: the release was never loaded.
    """
    name = {"collection": partition.key.collection, "section": partition.key.division}
    noted = session.execute(
        "SELECT point FROM genbank.release WHERE collection = %s AND release = %s",
        [partition.key.collection, partition.release],
    )
    if not noted:
        raise DatabaseError(f"{partition.key} {partition.release} was never loaded: materialize postgres_table")
    point = int(noted[0][0])
    found = preflight(partition, later=later_accessions(session, **name, point=point))
    rows, digest = loaded_totals(session, **name, point=point)
    files = session.execute(
        query("preflight.files"),
        [*name.values(), partition.release],
    )[0][0]
    return ComparedTotals(found.accessions, rows, digest == found.record_digest, files, found.superseded)


@dataclasses.dataclass(frozen=True)
class Absences:
    """Records removed by a release.

    Attributes:
        absent: number of loaded records that the release lacks.
        loaded_before: number of records that were current before it was loaded.
    """

    absent: int
    loaded_before: int

    @property
    def fraction(self) -> float:
        """Fraction of the earlier records that are absent."""
        return self.absent / self.loaded_before if self.loaded_before else 0.0


def absences(session: Session, partition: PartitionRelease) -> Absences:
    """Count what a loaded release removed, from the history, independent of which run loaded it.

    Records that moved to another GenBank division are not absent. Records that the release added, returned or moved
    into this division do not count as loaded before.
    """
    key = [partition.key.collection, partition.key.division]
    absent, entered = session.execute(
        query("preflight.absences"),
        [*key, partition.release],
    )[0]
    current = session.execute(f"SELECT count(*) {_CURRENT}", key)[0][0]
    return Absences(absent, absent + current - entered)


def _memberships(partition: PartitionRelease, columns: list[str]) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(_path(partition)) as file:
        for batch in file.iter_batches(columns=columns):
            if batch.num_rows:
                yield batch


def _path(partition: PartitionRelease) -> Path:
    return memberships_table(partition)
