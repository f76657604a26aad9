"""Resolves a name to records: in the newest releases, or else in earlier states, quarantine or secondary accessions.

A name that is in no newest release is searched among quarantined blocks, in earlier releases that are kept, in the
database, and among secondary accessions, in this order. The first search is indexed, the others may read more.
Following a match belongs to ``trace``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import polars as pl

from genbank_assets.errors import GenbankAssetsError, IntegrityError, NotFoundError
from genbank_assets.lookup.records import Found, find_record, rows_named, rows_where
from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.ncbi.daily import DAILY
from genbank_assets.postgres.lookup import last_states
from genbank_assets.schema.tables import MEMBERSHIP_COLUMNS, QUARANTINE_COLUMNS
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease, releases_in_store

MAX_PRIMARIES = 5  # the master of a WGS project is a secondary accession of thousands of records
_OF_A_BLOCK = tuple(column.name for column in QUARANTINE_COLUMNS if column.name != "raw_text")
_RANGE = re.compile(r"([A-Z_]+)(\d+)-([A-Z_]+)(\d+)")


@dataclasses.dataclass(frozen=True)
class Match:
    """A record, or quarantined block, that matches a name.

    Attributes:
        found: partition and location; unknown fields of a block are None.
        note: how the name matches; "" if it is the record's current name in the newest release.
        is_newest: whether it is the state in its division's newest release.
        refusal: row of the quarantine table of a block, with ``path``; None for a record.
    """

    found: Found
    note: str = ""
    is_newest: bool = True
    refusal: dict[str, Any] | None = None


def search(settings: Settings, name: str) -> list[Match]:
    """Find everything that ``ACCESSION`` or ``ACCESSION.VERSION`` may refer to.

    Raises:
        NotFoundError: nothing was found; the message suggests what exists instead.
    """
    try:
        return [Match(found) for found in find_record(settings, name)]
    except NotFoundError as error:
        nothing = error
    name = name.strip().upper()
    matches = [*_quarantined(settings, name), *_earlier(settings, name)]
    matches = matches or [*_loaded_once(settings, name)] or _secondary(settings, name)
    if not matches:
        raise _with_other_versions(settings, name, nothing)
    return matches


def _partitions(settings: Settings) -> Iterator[list[PartitionRelease]]:
    """Yield the releases of each division with record tables, newest first."""
    for collection in COLLECTIONS.values():
        for division in (*collection.divisions, DAILY):
            releases = releases_in_store(settings.store, key=PartitionKey(collection.name, division), stage="records")
            if releases:
                yield releases[::-1]


def _quarantined(settings: Settings, name: str) -> Iterator[Match]:
    for newest, *_ in _partitions(settings):
        manifest = newest.manifest("records")
        if manifest is None:
            continue
        for entry in manifest.files:
            path = newest.folder_of(manifest) / str(entry["quarantine_file"])
            if entry["quarantine_file"] is None or not path.is_file():
                continue
            same = pl.col("accession") == name.partition(".")[0]
            for block in rows_where(path, same, columns=_OF_A_BLOCK).iter_rows(named=True):
                row: dict[str, Any] = {column.name: block.get(column.name) for column in MEMBERSHIP_COLUMNS}
                row["accession_version"] = block["accession"]
                note = f"a quarantined block of {newest.key} {newest.release}: {block['reason']}"
                yield Match(Found(newest, row), note=note, refusal=block | {"path": str(path)})


def _earlier(settings: Settings, name: str) -> Iterator[Match]:
    for newest, *older in _partitions(settings):
        for partition in older:
            if not (rows := _rows_of_earlier(partition, name)):
                continue
            now = rows_named(newest, name.partition(".")[0]) if newest.manifest("unique_records") else []
            instead = f"has {now[0].row['accession_version']} instead" if now else f"of {newest.key} does not have it"
            note = f"a state of release {partition.release}; release {newest.release} {instead}"
            yield from (Match(found, note=note, is_newest=False) for found in rows)
            break


def _rows_of_earlier(partition: PartitionRelease, name: str) -> list[Found]:
    """Return matching rows of an earlier release; none if it is just being deleted."""
    try:
        return rows_named(partition, name) if partition.manifest("unique_records") is not None else []
    except IntegrityError:
        return []


def _loaded_once(settings: Settings, name: str) -> Iterator[Match]:
    """Return records known to the database only, because files or manifests of their release are gone."""
    if settings.postgres_url is None and not (settings.store / "postgres").is_dir():
        return  # there is no database, and a query must not create one
    try:
        rows = last_states(settings, name.partition(".")[0])
    except GenbankAssetsError:
        return
    for row in rows:
        if "." in name and row["accession_version"] != name:
            continue
        collection, section, release = row.pop("collection"), row.pop("section"), row.pop("last_release")
        day = re.search(r"\.(\d{8})$", release)  # 273.0.20260902: a day based on a release
        key = PartitionKey(collection, DAILY if day else section)
        partition = PartitionRelease(settings.store, key, day[1] if day else release)
        note = f"as the database has it: the store's tables of {key} {partition.release} do not show it"
        yield Match(Found(partition, row), note=note, is_newest=False)


def _secondary(settings: Settings, name: str) -> list[Match]:
    """Return records that have the name as a secondary accession; reads one column of every record table."""
    matches: list[Match] = []
    listed = pl.col("secondary_accessions")
    for newest, *_ in _partitions(settings):
        manifest = newest.manifest("records")
        if manifest is None or newest.manifest("unique_records") is None:
            continue
        paths = [newest.folder_of(manifest) / entry["records_file"] for entry in manifest.files]
        frames = pl.scan_parquet([path for path in paths if path.is_file()]) if paths else None
        if frames is None:
            continue
        rows = (
            frames.select("accession", listed)
            .explode("secondary_accessions", empty_as_null=False)
            .filter((listed == name) | listed.str.contains("-", literal=True))
            .collect()
        )
        for primary in [row[0] for row in rows.iter_rows() if covers(row[1], name)]:
            note = f"{name} is a secondary accession of {primary}"
            matches += [Match(found, note=note) for found in rows_named(newest, primary)]
    if len(matches) > MAX_PRIMARIES:
        more = f" and of {len(matches) - 1:,} more records"
        matches = [dataclasses.replace(match, note=match.note + more) for match in matches[:MAX_PRIMARIES]]
    return matches


def covers(listed: str, name: str) -> bool:
    """Return whether an entry of ACCESSION, which may be a range such as ``J00158-J00175``, includes the name."""
    span = _RANGE.fullmatch(listed)
    if span is None:
        return listed == name
    prefix, first, last_prefix, last = span.groups()
    number = name.removeprefix(prefix)
    return (
        prefix == last_prefix
        and len(number) == len(first)
        and number.isdigit()
        and int(first) <= int(number) <= int(last)
    )


def _with_other_versions(settings: Settings, name: str, error: NotFoundError) -> NotFoundError:
    primary, dot, _ = name.partition(".")
    if not dot:
        return error
    try:
        others = find_record(settings, primary)
    except NotFoundError:
        return error
    where = ", ".join(f"{o.row['accession_version']} is in {o.partition.key} {o.partition.release}" for o in others)
    return NotFoundError(f"no record {name} in the store: {where}; its history: genbank-assets trace {primary}")
