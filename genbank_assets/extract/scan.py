"""Reads selected records: stretches of a file's record table, conditions and residues; counts exclusions.

A stretch is a range of row groups, so large files are processed in parallel. Only row groups that may have selected
records are read, starting with the columns needed by conditions. Formatting belongs to ``formats``.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from genbank_assets.errors import IntegrityError
from genbank_assets.extract.conditions import Condition
from genbank_assets.extract.plan import FilePlan, Ints
from genbank_assets.tables.feature_arrays import Flags
from genbank_assets.tables.residues import ResidueReader

#: Key of the number of selected features in the counts of a scan; all others are numbers of exclusions by reason.
FEATURES = "selected features"
# Approximate size of a stretch, in bytes of uncompressed residues or records.
STRETCH_BYTES = 48 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Stretch:
    """Row groups ``first`` to ``last`` (exclusive) of a file's record table.

    Attributes:
        plan: the file's plan.
        footer: metadata of its record table.
    """

    plan: FilePlan
    first: int
    last: int
    footer: pq.FileMetaData


def stretches(plans: Sequence[FilePlan], *, whole_files: bool) -> Iterator[Stretch]:
    """Yield the stretches of some files in order; their boundaries depend only on the tables."""
    for plan in plans:
        if plan.wanted is not None and not len(plan.wanted):
            continue
        footer = _footer(plan)
        groups = footer.num_row_groups
        size = sum(footer.row_group(group).total_byte_size for group in range(groups))
        size = max(size, 4 * plan.input.tables.size(plan.file.sequences))
        parts = 1 if whole_files else max(1, min(groups, size // STRETCH_BYTES))
        bounds = [groups * part // parts for part in range(parts + 1)]
        for first, last in itertools.pairwise(bounds):
            yield Stretch(plan, first, last, footer)


def _footer(plan: FilePlan) -> pq.FileMetaData:
    try:
        with plan.input.tables.open(plan.file.records) as file:
            return file.metadata
    except (OSError, pa.ArrowInvalid) as error:
        raise IntegrityError(f"{plan.file.records} cannot be read ({error}); materialize records again") from error


class Scan:
    """The selected records of a stretch."""

    def __init__(self, stretch: Stretch, conditions: Sequence[Condition]) -> None:
        self.plan = stretch.plan
        self.counts: Counter[str] = Counter()
        self._stretch = stretch
        self._conditions = conditions

    @property
    def section(self) -> str:
        """The partition's division or section."""
        return self.plan.input.partition.key.division

    @cached_property
    def reader(self) -> ResidueReader:
        """Reader for the residues of the file."""
        return ResidueReader(self.plan.file.sequences, open_table=self.plan.input.tables.open)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the selected records row group by row group, with these columns and ``record_ordinal``."""
        asked = {"record_ordinal", *(name for condition in self._conditions for name in condition.columns)}
        if not self._conditions and self.plan.wanted is None:
            asked |= {*columns}  # nearly all records will be selected
        try:
            with self.plan.input.tables.open(self.plan.file.records, footer=self._stretch.footer) as file:
                for group in range(self._stretch.first, self._stretch.last):
                    if not self._may_have(file.metadata.row_group(group)):
                        continue
                    looked_at = _read(file, group, asked)
                    wanted = self._wanted(looked_at)
                    if not wanted.any():
                        continue
                    more = {"record_ordinal", *columns}
                    batch = looked_at if more <= asked else _read(file, group, more)
                    yield batch if wanted.all() else batch.filter(pa.array(wanted))
        except (OSError, pa.ArrowInvalid) as error:
            raise IntegrityError(
                f"{self.plan.file.records} cannot be read ({error}); materialize records again"
            ) from error

    def _may_have(self, group: pq.RowGroupMetaData) -> bool:
        wanted = self.plan.wanted
        if wanted is None:
            return True
        for number in range(group.num_columns):
            column = group.column(number)
            if column.path_in_schema == "record_ordinal" and column.statistics is not None:
                at = int(np.searchsorted(wanted, column.statistics.min))
                return at < len(wanted) and int(wanted[at]) <= column.statistics.max
        return True

    def _wanted(self, batch: pa.RecordBatch) -> Flags:
        """Return which records are selected; others are counted by the first reason, unless they were not requested."""
        ordinals = batch.column("record_ordinal").to_numpy()
        kept = np.ones(len(ordinals), np.bool_)
        if self.plan.wanted is not None:
            kept &= _is_in(ordinals, self.plan.wanted)
        for reason, left_out in self.plan.left_out.items():
            kept = self._keep(kept, ~_is_in(ordinals, left_out), reason)
        for condition in self._conditions:
            if not kept.any():
                break
            kept = self._keep(kept, condition.holds(batch), condition.reason)
        return kept

    def _keep(self, kept: Flags, holds: Flags, reason: str) -> Flags:
        lost = int((kept & ~holds).sum())
        if lost:
            self.counts[reason] += lost
        return kept & holds

    def close(self) -> None:
        """Close all open files."""
        if "reader" in self.__dict__:
            self.reader.close()


def _read(file: pq.ParquetFile, group: int, columns: set[str]) -> pa.RecordBatch:
    table = file.read_row_group(group, columns=sorted(columns), use_threads=False).combine_chunks()
    (batch,) = table.to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
    return batch


def _is_in(values: Ints, ascending: Ints) -> Flags:
    if not len(ascending):
        return np.zeros(len(values), np.bool_)
    at = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    found: Flags = ascending[at] == values
    return found
