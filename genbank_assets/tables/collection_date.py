"""Parses collection dates and missing-value terms as defined by INSDC.

A date is a year, month, day or time, in the old format (``21-Oct-1952``) or in ISO 8601, or a range of two, separated
by a slash. It is converted to the first and last possible day.
https://www.insdc.org/submitting-standards/missing-value-reporting/
"""

from __future__ import annotations

import datetime as dt
import re

MISSING_TERMS = frozenset(
    {
        "missing", "not applicable", "not collected", "not provided", "restricted access", "unknown",
        "missing: control sample", "missing: sample group", "missing: synthetic construct", "missing: lab stock",
        "missing: third party data", "missing: data agreement established pre-2023", "missing: endangered species",
        "missing: human-identifiable",
    }
)  # fmt: skip
_MONTHS = {
    name: n
    for n, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
_OLD = re.compile(r"(?:(?:(\d{1,2})-)?([A-Za-z]{3})-)?(\d{4})")
_ISO = re.compile(
    r"(\d{4})(?:-(\d{2})(?:-(\d{2})(T\d{2}(?::[0-5]\d(?::[0-5]\d(?:\.\d+)?)?)?(?:Z|[+-]\d{2}(?::?\d{2})?)?)?)?)?"
)
_PRECISIONS = ("year", "month", "day", "time")


def missing_term(text: str | None) -> str | None:
    """Return INSDC's spelling of a missing-value term, or None if the value is not one."""
    folded = re.sub(r"\s+", " ", (text or "").strip().lower())
    folded = re.sub(r"\s*:\s*", ": ", folded)
    return folded if folded in MISSING_TERMS else None


def parse_collection_date(text: str) -> tuple[dt.date, dt.date, str] | None:
    """Return first day, last day and precision of a date or range; None if it is invalid or reversed."""
    first, slash, last = text.strip().partition("/")
    begin = _single(first.strip())
    end = _single(last.strip()) if slash else begin
    if begin is None or end is None or begin[0] > end[1]:
        return None
    return begin[0], end[1], _PRECISIONS[min(begin[2], end[2])]


def _single(text: str) -> tuple[dt.date, dt.date, int] | None:
    """Return first day, last day and index in :data:`_PRECISIONS` of a single date."""
    old, iso = _OLD.fullmatch(text), _ISO.fullmatch(text)
    if old is not None:
        day, month, year = old[1], _MONTHS.get(old[2].lower()) if old[2] else None, old[3]
        if old[2] and month is None:
            return None
        time = None
    elif iso is not None:
        year, month, day, time = iso[1], int(iso[2]) if iso[2] else None, iso[3], iso[4]
        if time and int(time[1:3]) > 24:
            return None
    else:
        return None
    try:
        if day is not None and month is not None:
            date = dt.date(int(year), month, int(day))
            return date, date, 3 if time else 2
        first = dt.date(int(year), month or 1, 1)
        in_last = dt.date(int(year), month or 12, 28)
    except ValueError:
        return None
    return (
        first,
        in_last + dt.timedelta(days=31 - in_last.day if in_last.month == 12 else _rest(in_last)),
        int(month is not None),
    )


def _rest(day: dt.date) -> int:
    """Return the number of days from the 28th to the end of a month other than December."""
    return (dt.date(day.year, day.month + 1, 1) - day).days - 1
