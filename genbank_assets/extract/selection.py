"""The query of an extract, as a value that can be displayed, stored in a manifest and compared.

Independent of tables; evaluating it belongs to ``plan`` and ``conditions``.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from typing import Any

from genbank_assets.errors import SettingsError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Selection:
    """Conditions that must all hold; if one has several values, any of them suffices.

    Attributes:
        partitions: such as ``genbank/phg``; empty means all in the store.
        release: release to use instead of each partition's newest; None for the newest.
        taxa: ids or names of taxa, including their descendants.
        not_taxa: taxa to exclude, including their descendants.
        organisms: values of ORGANISM, ignoring case.
        accessions: with or without version; None for all, empty for none.
        excluded_accessions: accessions to exclude.
        min_length: minimum length in bp or aa.
        max_length: maximum length in bp or aa.
        updated_since: earliest date on the LOCUS line.
        countries: country or sea in ``geo_loc_name`` or ``country``, ignoring case.
        collected_from: earliest collection date, as precise as the sample's date is.
        collected_to: latest collection date.
        molecule_types: molecule types on the LOCUS line, ignoring case.
        changed_since: a release in the store; selects records that are new or changed since then.
        distinct: whether to select only one record per distinct sequence.
        features: feature keys; empty means whole records.
        genes: names of genes or markers.
        products: names of products.
    """

    partitions: tuple[str, ...] = ()
    release: str | None = None
    taxa: tuple[str, ...] = ()
    not_taxa: tuple[str, ...] = ()
    organisms: tuple[str, ...] = ()
    accessions: tuple[str, ...] | None = None
    excluded_accessions: tuple[str, ...] = ()
    min_length: int | None = None
    max_length: int | None = None
    updated_since: dt.date | None = None
    countries: tuple[str, ...] = ()
    collected_from: dt.date | None = None
    collected_to: dt.date | None = None
    molecule_types: tuple[str, ...] = ()
    changed_since: str | None = None
    distinct: bool = False
    features: tuple[str, ...] = ()
    genes: tuple[str, ...] = ()
    products: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("min_length", "max_length"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise SettingsError(f"{name} must not be negative, but is {value}")
        if self.min_length is not None and self.max_length is not None and self.min_length > self.max_length:
            raise SettingsError(f"no length is at least {self.min_length} and at most {self.max_length}")
        if self.collected_from and self.collected_to and self.collected_from > self.collected_to:
            raise SettingsError(f"no day is from {self.collected_from} on and to {self.collected_to}")

    @property
    def asks_for_features(self) -> bool:
        """Whether features rather than whole records are selected."""
        return bool(self.features or self.genes or self.products)

    def as_dict(self) -> dict[str, Any]:
        """Return the given conditions as JSON values; long lists of accessions by count and digest."""
        found: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value == field.default:
                continue
            if field.name in {"accessions", "excluded_accessions"} and len(value) > 20:
                digest = hashlib.sha256("\n".join(value).encode()).hexdigest()
                found[field.name] = {"count": len(value), "sha256": digest}
            else:
                found[field.name] = list(value) if isinstance(value, tuple) else value
                if isinstance(value, dt.date):
                    found[field.name] = value.isoformat()
        return found


def parse_length(text: str) -> tuple[int | None, int | None]:
    """Parse ``"500-2000"``, ``"500-"``, ``"-2000"`` or ``"1542"`` as minimum and maximum length.

    Raises:
        SettingsError: the text has none of these forms.
    """
    low, dash, high = text.strip().partition("-")
    try:
        least = int(low) if low else None
        greatest = (int(high) if high else None) if dash else least
    except ValueError:
        raise SettingsError(f"a length is written 500-2000, 500- or -2000, not {text!r}") from None
    if least is None and greatest is None:
        raise SettingsError(f"a length is written 500-2000, 500- or -2000, not {text!r}")
    return least, greatest


def parse_days(text: str) -> tuple[dt.date | None, dt.date | None]:
    """Parse ``"2020..2021-06"``, ``"2020.."``, ``"..2021"`` or ``"2020"`` as first and last day.

    Raises:
        SettingsError: the text has none of these forms.
    """
    low, dots, high = text.strip().partition("..")
    first = _day(low, last=False) if low else None
    last = (_day(high, last=True) if high else None) if dots else _day(low, last=True)
    if first is None and last is None:
        raise SettingsError(f"days are written 2020..2021-06, 2020.., ..2021 or 2020, not {text!r}")
    return first, last


def _day(text: str, *, last: bool) -> dt.date:
    """Parse a year, month or day as its first or last day."""
    try:
        numbers = [int(part) for part in text.split("-")]
        if len(numbers) == 3:
            return dt.date(*numbers)
        year, month = numbers[0], numbers[1] if len(numbers) > 1 else (12 if last else 1)
        if len(numbers) > 2 or not last:
            return dt.date(year, month, 1)
        return (dt.date(year, month, 28) + dt.timedelta(days=4)).replace(day=1) - dt.timedelta(days=1)
    except (ValueError, TypeError):
        raise SettingsError(f"a day is written 2020, 2020-06 or 2020-06-30, not {text!r}") from None
