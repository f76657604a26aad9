"""Verifies the counts of a catalog against the manifests. Building the catalog belongs to ``ducklake``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from genbank_assets.catalog.divisions import ReadableRelease
from genbank_assets.catalog.steps import is_current_layout
from genbank_assets.errors import IntegrityError
from genbank_assets.store import PartitionKey

if TYPE_CHECKING:
    import duckdb

_There = Mapping[PartitionKey, Sequence[ReadableRelease]]


def check_counts(connection: duckdb.DuckDBPyConnection, there: _There) -> tuple[int, int]:
    """Compare each division's counts with its manifest; return files and records of the newest state.

    Raises:
        IntegrityError: the counts of a division differ.
    """
    counted: dict[tuple[str, str], tuple[Any, ...]] = {
        (collection, section): tuple(rest)
        for collection, section, *rest in connection.execute(
            "SELECT collection, section, release, count(*) FROM mirror.records GROUP BY ALL"
        ).fetchall()
    }
    for key, releases in there.items():
        newest = _newest(releases)
        expected = _records_of(newest)
        found = counted.pop((key.collection, key.division), None)
        if (found or (None, 0)) != ((newest.release, expected) if newest is not None and expected else (None, 0)):
            raise IntegrityError(f"{key}: the catalog has {found}, the manifest counts {expected:,} records")
    if counted:
        raise IntegrityError(f"the catalog has divisions that no manifest names: {', '.join(map('/'.join, counted))}")
    return counted_by_manifests(there)


def counted_by_manifests(there: _There) -> tuple[int, int]:
    """Return files and records of the newest state according to the manifests."""
    newest = [one for releases in there.values() if (one := _newest(releases)) is not None]
    return sum(len(one.records.files) for one in newest), sum(map(_records_of, newest))


def _newest(releases: Sequence[ReadableRelease]) -> ReadableRelease | None:
    """Return a division's newest release that a catalog can contain."""
    return next((one for one in reversed(releases) if is_current_layout(one)), None)


def _records_of(one: ReadableRelease | None) -> int:
    return sum(int(entry["records"]) for entry in one.records.files) if one is not None else 0
