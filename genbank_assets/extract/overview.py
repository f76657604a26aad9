"""Summarises the records of a selection: counts by organism, country and year of the last update, with bars.

Counts records, whatever the format. Selecting records belongs to ``plan`` and ``conditions``.
"""

from __future__ import annotations

import dataclasses
from collections import Counter

import polars as pl
import pyarrow.compute as pc

from genbank_assets.extract.conditions import conditions_of
from genbank_assets.extract.inputs import find_inputs
from genbank_assets.extract.plan import make_plan
from genbank_assets.extract.scan import Scan, stretches
from genbank_assets.extract.selection import Selection
from genbank_assets.settings import Settings
from genbank_assets.tables import samples
from genbank_assets.tables.clades import open_taxonomy

MAX_BARS = 12
MAX_ORGANISMS = 100_000  # limit of distinct names, to bound memory; further ones count as "others"
_BAR = 24
_OTHERS = "others"
_COLUMNS = ("organism", "update_date", "features.list.element.key", "features.list.element.qualifiers")


@dataclasses.dataclass(frozen=True)
class Overview:
    """Counts of records.

    Attributes:
        records: number of selected records.
        organisms: records by ORGANISM.
        countries: records by country or sea of the first source that has one.
        years: records by year of the date on the LOCUS line.
    """

    records: int
    organisms: Counter[str]
    countries: Counter[str]
    years: Counter[str]

    def as_markdown(self) -> str:
        """Format as three tables with bars; years in order, the others by frequency."""
        years = Counter(dict(sorted(self.years.items())[-MAX_BARS:]))
        return "\n\n".join(
            [
                _bars("year of the last update", list(years.items()), left_out=len(self.years) - len(years)),
                _bars("organism", self.organisms.most_common(MAX_BARS), left_out=len(self.organisms) - MAX_BARS),
                _bars("country or sea", self.countries.most_common(MAX_BARS), left_out=len(self.countries) - MAX_BARS),
            ]
        )


def overview(selection: Selection, *, settings: Settings) -> Overview:
    """Count the records of a selection.

    Raises:
        NotFoundError: a partition, release, taxon or taxonomy is not in the store.
        IntegrityError: a table is damaged.
    """
    inputs = find_inputs(settings.store, partitions=selection.partitions, release=selection.release)
    taxonomy = open_taxonomy(settings.store) if selection.taxa or selection.not_taxa else None
    conditions = conditions_of(selection, taxonomy, have_features=True)
    found = Overview(0, Counter(), Counter(), Counter())
    records = 0
    for stretch in stretches(make_plan(inputs, selection).files, whole_files=True):
        for batch in Scan(stretch, conditions).batches(_COLUMNS):
            records += batch.num_rows
            for name, times in _counted(pl.Series(batch.column("organism").to_pylist(), dtype=pl.String)):
                known = name in found.organisms or len(found.organisms) < MAX_ORGANISMS
                found.organisms[name if known else _OTHERS] += times
            years = pc.cast(pc.year(batch.column("update_date")), "string")
            found.years.update(dict(_counted(pl.Series(years.to_pylist(), dtype=pl.String))))
            countries = samples.samples_frame(batch).filter(pl.col("country").is_not_null()).unique("row", keep="first")
            found.countries.update(dict(_counted(countries["country"])))
    return dataclasses.replace(found, records=records)


def _counted(values: pl.Series) -> list[tuple[str, int]]:
    return [(str(name), int(times)) for name, times in values.drop_nulls().value_counts().iter_rows()]


def _bars(title: str, counts: list[tuple[str, int]], *, left_out: int) -> str:
    if not counts:
        return f"No record says its {title}."
    most = max(times for _, times in counts)
    lines = [f"| {title} | records | |", "|---|--:|---|"]
    for name, times in counts:
        shown = name.replace("|", "&#124;")
        lines.append(f"| {shown} | {times:,} | {'█' * max(1, round(_BAR * times / most))} |")
    if left_out > 0:
        lines.append(f"| … and {left_out:,} more | | |")
    return "\n".join(lines)
