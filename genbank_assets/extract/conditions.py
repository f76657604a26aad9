"""Conditions on the columns of a record, each with a reason under which excluded records are counted.

A condition evaluates a batch of records at once and names the columns it needs. Conditions that need other tables
(accessions, duplicates, changes) belong to ``plan``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genbank_assets.extract.choice import NO_FEATURE, FeatureChoice
from genbank_assets.extract.selection import Selection
from genbank_assets.tables.feature_arrays import KEY_COLUMN, QUALIFIER_COLUMNS, FeatureArrays, Flags

if TYPE_CHECKING:
    from genbank_assets.tables.clades import Taxon, Taxonomy


@dataclasses.dataclass(frozen=True)
class Condition:
    """A condition on records.

    Attributes:
        reason: reason for excluding records that do not satisfy it.
        columns: columns it needs.
        holds: returns whether each record of a batch satisfies it.
    """

    reason: str
    columns: tuple[str, ...]
    holds: Callable[[pa.RecordBatch], Flags]


_SAMPLE_COLUMNS = ("features.list.element.key", "features.list.element.qualifiers")


def conditions_of(selection: Selection, taxonomy: Taxonomy | None, *, have_features: bool = False) -> list[Condition]:
    """Return the conditions of a selection, cheapest first.

    Args:
        selection: the selection.
        taxonomy: required if taxa are selected.
        have_features: whether a record must have one of the selected features.

    Raises:
        NotFoundError: a taxon is not in the taxonomy.
    """
    found = []
    if selection.min_length is not None or selection.max_length is not None:
        found.append(_length(selection.min_length, selection.max_length))
    if selection.updated_since is not None:
        found.append(_updated(selection.updated_since))
    if selection.molecule_types:
        found.append(_one_of("molecule_type", selection.molecule_types, "another molecule type"))
    if selection.organisms:
        found.append(_one_of("organism", selection.organisms, "another organism"))
    if selection.taxa and taxonomy is not None:
        found.append(_in_clades(taxonomy, [taxonomy.find(name) for name in selection.taxa]))
    if selection.not_taxa and taxonomy is not None:
        found.append(_not_in_clades(taxonomy, [taxonomy.find(name) for name in selection.not_taxa]))
    if selection.countries or selection.collected_from or selection.collected_to:
        found.append(_sampled(selection))
    if have_features and selection.asks_for_features:
        found.append(_with_features(selection))
    return found


def _length(least: int | None, greatest: int | None) -> Condition:
    def holds(batch: pa.RecordBatch) -> Flags:
        length = batch.column("length").to_numpy()
        found: Flags = (length >= (least or 0)) & (length <= (np.iinfo(np.int64).max if greatest is None else greatest))
        return found

    return Condition("another length", ("length",), holds)


def _updated(since: Any) -> Condition:
    def holds(batch: pa.RecordBatch) -> Flags:
        return _flags(pc.greater_equal(batch.column("update_date"), pa.scalar(since)))

    return Condition("last updated before", ("update_date",), holds)


def _one_of(column: str, names: Sequence[str], reason: str) -> Condition:
    wanted = pa.array([name.strip().lower() for name in names])

    def holds(batch: pa.RecordBatch) -> Flags:
        return _flags(pc.is_in(pc.utf8_lower(batch.column(column)), value_set=wanted))

    return Condition(reason, (column,), holds)


def _in_clades(taxonomy: Taxonomy, taxa: Sequence[Taxon]) -> Condition:
    return Condition(
        "another taxon, or one that the taxonomy does not have",
        ("taxon_ids",),
        lambda batch: _any_in(batch.column("taxon_ids"), taxonomy, taxa),
    )


def _not_in_clades(taxonomy: Taxonomy, taxa: Sequence[Taxon]) -> Condition:
    return Condition(
        "a taxon that is left out", ("taxon_ids",), lambda batch: ~_any_in(batch.column("taxon_ids"), taxonomy, taxa)
    )


def _any_in(column: pa.ListArray, taxonomy: Taxonomy, taxa: Sequence[Taxon]) -> Flags:
    """Return whether any taxon of each record is in one of the clades."""
    ids, at = np.unique(column.flatten().to_numpy(), return_inverse=True)
    left = taxonomy.resolve(ids).left_values
    inside = np.zeros(len(ids), np.bool_)
    for taxon in taxa:
        inside |= (left >= taxon.left_value) & (left <= taxon.right_value)
    counted = np.concatenate([[0], np.cumsum(inside[at] if len(ids) else np.zeros(0, np.int64))])
    ends = np.cumsum(column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))
    found: Flags = counted[ends] > counted[np.concatenate([[0], ends[:-1]])]
    return found


def _sampled(selection: Selection) -> Condition:
    """Require a source from one of the countries and within the dates."""
    import polars as pl

    from genbank_assets.tables import samples

    countries = [name.strip().lower() for name in selection.countries]

    def holds(batch: pa.RecordBatch) -> Flags:
        frame = samples.samples_frame(batch)
        wanted = pl.lit(value=True)
        if countries:
            wanted &= pl.col("country").str.to_lowercase().is_in(countries)
        if selection.collected_from:
            wanted &= pl.col("collected_from") >= selection.collected_from
        if selection.collected_to:
            wanted &= pl.col("collected_to") <= selection.collected_to
        rows = frame.filter(wanted)["row"].to_numpy()
        found = np.zeros(batch.num_rows, np.bool_)
        found[rows] = True
        return found

    return Condition("sampled elsewhere, at another time, or nobody says", _SAMPLE_COLUMNS, holds)


def _with_features(selection: Selection) -> Condition:
    """Return the condition that a record has at least one of the selected features."""
    choice = FeatureChoice(selection)

    def holds(batch: pa.RecordBatch) -> Flags:
        features = FeatureArrays(batch)
        found = np.zeros(batch.num_rows, np.bool_)
        found[features.record[choice.wanted(features, batch)]] = True
        return found

    return Condition(NO_FEATURE, (*choice.columns, KEY_COLUMN, *QUALIFIER_COLUMNS), holds)


def _flags(values: pa.Array) -> Flags:
    found: Flags = pc.fill_null(values, fill_value=False).to_numpy(zero_copy_only=False)
    return found
