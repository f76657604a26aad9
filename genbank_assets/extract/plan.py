"""Selects records by what the sorted membership tables tell, without reading record tables.

Handles requested and excluded accessions, records in several sections, records unchanged since a release, and one
record per distinct sequence. Conditions on a record's columns belong to ``conditions``.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from genbank_assets.errors import NotFoundError
from genbank_assets.extract.inputs import Input, SourceFile, earlier_input
from genbank_assets.extract.selection import Selection

if TYPE_CHECKING:
    import polars as pl

Ints = np.ndarray[Any, np.dtype[np.int64]]
_PLACE = ("accession", "accession_version", "source_file", "record_ordinal")


@dataclasses.dataclass
class FilePlan:
    """Candidate records of a file.

    Attributes:
        input: the partition's release.
        file: its tables.
        wanted: the only records to consider (ascending); None for all.
        left_out: reason -> excluded records (ascending).
        also: records that represent others with the same residues (ascending), and the names of those.
        repeated_proteins: file with the coding sequences whose proteins other entries give (``proteins.place_of``,
            ascending).
    """

    input: Input
    file: SourceFile
    wanted: Ints | None = None
    left_out: dict[str, Ints] = dataclasses.field(default_factory=dict)
    also: tuple[Ints, list[str]] | None = None
    repeated_proteins: Path | None = None


@dataclasses.dataclass(frozen=True)
class Plan:
    """The files of a query in order, and the accessions that were not found.

    Attributes:
        files: record tables to read, in output order.
        not_found: requested accessions that no table has.
    """

    files: tuple[FilePlan, ...]
    not_found: tuple[str, ...]


REPEATED = "the same record stands in another section or place too"
EXCLUDED = "its accession is excluded"
UNCHANGED = "not changed since the release"


def make_plan(inputs: Sequence[Input], selection: Selection) -> Plan:
    """Plan a selection from the membership tables.

    Raises:
        NotFoundError: the release to compare with is not in the store.
    """
    plans = {(number, file.name): FilePlan(one, file) for number, one in enumerate(inputs) for file in one.files}
    left: set[str] = set()
    if selection.accessions is not None:
        left = _choose(inputs, plans, selection.accessions)
    for number, one in enumerate(inputs):
        if selection.excluded_accessions:
            _leave_out(plans, number, EXCLUDED, [_named(one, selection.excluded_accessions)])
        if selection.changed_since is not None:
            _leave_out(plans, number, UNCHANGED, _unchanged(one, selection.changed_since))
        before = [other for other in inputs[:number] if other.partition.key.collection == one.partition.key.collection]
        if selection.accessions is None or plans_wanted(plans, number):
            _leave_out(plans, number, REPEATED, _repeated(one, before))
    return Plan(tuple(plans.values()), tuple(sorted(left)))


def plans_wanted(plans: dict[tuple[int, str], FilePlan], number: int) -> bool:
    """Return whether any record of an input is selected."""
    return any(plan.wanted is None or len(plan.wanted) for (n, _), plan in plans.items() if n == number)


def _choose(inputs: Sequence[Input], plans: dict[tuple[int, str], FilePlan], accessions: Sequence[str]) -> set[str]:
    """Record the requested records of each file; return the names that were not found."""
    names = {name.strip() for name in accessions if name.strip()}
    left = set(names)
    for number, one in enumerate(inputs):
        found = _named(one, names)
        known = set(found["accession"]) | set(found["accession_version"])
        left -= {name for name in left if name in known or name.upper() in known}
        rows = _by_file(found)
        for (n, file), plan in plans.items():
            if n == number:
                plan.wanted = rows.get(file, np.zeros(0, np.int64))
    return left


def _named(one: Input, names: Sequence[str] | set[str]) -> pl.DataFrame:
    """Return the memberships of some accessions, with or without version, reading only relevant row groups."""
    import polars as pl

    both = {*names, *(name.upper() for name in names)}
    primary = sorted({name.partition(".")[0] for name in both})
    versions = {name for name in both if "." in name}
    wanted, bare = pl.Series(primary, dtype=pl.String), pl.Series(sorted(both - versions), dtype=pl.String)
    full = pl.Series(sorted(versions), dtype=pl.String)
    keys = np.array(primary, dtype=object)
    found = [pl.DataFrame(schema=dict.fromkeys(_PLACE[:3], pl.String) | {"record_ordinal": pl.Int64})]
    with one.tables.open(one.memberships) as file:
        for group in range(file.metadata.num_row_groups):
            bounds = file.metadata.row_group(group).column(0).statistics
            if bounds is not None and bounds.has_min_max:
                at = int(np.searchsorted(keys, bounds.min))
                if at == len(keys) or keys[at] > bounds.max:
                    continue
            rows = _frame(file, group, _PLACE).filter(pl.col("accession").is_in(wanted.implode()))
            found.append(
                rows.filter(
                    pl.col("accession").is_in(bare.implode()) | pl.col("accession_version").is_in(full.implode())
                )
            )
    return pl.concat(found)


def _frame(file: pq.ParquetFile, group: int, columns: Sequence[str]) -> pl.DataFrame:
    import polars as pl

    frame = pl.from_arrow(file.read_row_group(group, columns=list(columns)))
    assert isinstance(frame, pl.DataFrame)
    return frame.select(columns)


def _by_file(rows: pl.DataFrame) -> dict[str, Ints]:
    parts = rows.partition_by("source_file", as_dict=True)
    return {str(name): np.unique(part["record_ordinal"].to_numpy()) for (name,), part in parts.items()}


def _leave_out(
    plans: dict[tuple[int, str], FilePlan],
    number: int,
    reason: str,
    frames: Iterator[pl.DataFrame] | list[pl.DataFrame],
) -> None:
    found: defaultdict[str, list[Ints]] = defaultdict(list)
    for frame in frames:
        for file, ordinals in _by_file(frame).items():
            found[file].append(ordinals)
    for file, parts in found.items():
        plan = plans.get((number, file))
        if plan is not None:
            plan.left_out[reason] = np.unique(np.concatenate(parts))


class _Window:
    """The rows of another membership table within ranges of accessions, which must be ascending."""

    def __init__(self, one: Input, columns: Sequence[str]) -> None:
        self._file = one.tables.open(one.memberships)
        self._columns = columns
        self._group = 0
        self._held: list[tuple[str, pl.DataFrame]] = []

    def rows(self, low: str, high: str) -> list[pl.DataFrame]:
        """Return the rows in the row groups that overlap ``low`` to ``high``."""
        self._held = [(last, frame) for last, frame in self._held if last >= low]
        while self._group < self._file.metadata.num_row_groups:
            bounds = self._file.metadata.row_group(self._group).column(0).statistics
            if bounds.min > high:
                break
            if bounds.max >= low:
                self._held.append((bounds.max, _frame(self._file, self._group, self._columns)))
            self._group += 1
        return [frame for _, frame in self._held]

    def close(self) -> None:
        self._file.close()


def _repeated(one: Input, before: Sequence[Input]) -> Iterator[pl.DataFrame]:
    """Return records whose accession.version occurs in an earlier input, or in an earlier row."""
    if not before and _all_differ(one):
        return
    windows = [_Window(other, ("accession", "accession_version")) for other in before]
    last = ""
    with one.tables.open(one.memberships) as file:
        for group in range(file.metadata.num_row_groups):
            rows = _frame(file, group, _PLACE)
            names = rows["accession_version"]
            again = ~names.is_first_distinct() | (names == last)
            for window in windows:
                for other in window.rows(rows["accession"][0], rows["accession"][-1]):
                    again |= names.is_in(other["accession_version"].implode())
            last = names[-1]
            if again.any():
                yield rows.filter(again)
    for window in windows:
        window.close()


def _all_differ(one: Input) -> bool:
    """Return whether all accession.versions of a sorted table are unique."""
    last = None
    with one.tables.open(one.memberships) as file:
        for group in range(file.metadata.num_row_groups):
            names = file.read_row_group(group, columns=["accession_version"]).column(0)
            if len(names) and (names[0].as_py() == last or pc.count_distinct(names).as_py() < len(names)):
                return False
            last = names[-1].as_py() if len(names) else last
    return True


def _unchanged(one: Input, release: str) -> Iterator[pl.DataFrame]:
    """Return records that are in the same state in an earlier release."""
    earlier = earlier_input(one, release=release)
    if earlier is None:
        raise NotFoundError(
            f"{one.partition.key} {release} is not in the store, so that nothing can be compared with it; "
            "GENBANK_ASSETS_KEEP_RELEASES says how many are kept"
        )
    state = ("accession", "accession_version", "record_sha256")
    window = _Window(earlier, state)
    with one.tables.open(one.memberships) as file:
        for group in range(file.metadata.num_row_groups):
            rows = _frame(file, group, (*_PLACE, "record_sha256"))
            for other in window.rows(rows["accession"][0], rows["accession"][-1]):
                yield rows.join(other.select(state[1:]).unique(), on=state[1:], how="semi")
    window.close()
