"""Resolves names to records of published tables, using indexes if there are any.

Searches the newest release of each division first, then quarantined blocks, earlier published releases, and secondary
accessions, in the same order as ``lineage.search`` in a store. Using the records belongs to ``bucket_fetch`` and
``bucket_trace``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from genbank_assets.catalog.divisions import ReadableRelease
from genbank_assets.errors import NotFoundError
from genbank_assets.lineage.search import MAX_PRIMARIES, covers
from genbank_assets.lookup.names import refget_of
from genbank_assets.schema.tables import MEMBERSHIP_COLUMNS
from genbank_assets.store import PartitionKey

There = Mapping[PartitionKey, Sequence[ReadableRelease]]


@dataclasses.dataclass(frozen=True)
class Place:
    """A record, or quarantined block, in the tables of a release.

    Attributes:
        release: the release of the tables.
        row: its membership; unknown fields of a block are None.
        note: how the name matches; "" if it is the record's name in the newest release.
        refusal: row of the quarantine table of a block, with ``path``; None for a record.
    """

    release: ReadableRelease
    row: dict[str, Any]
    note: str = ""
    refusal: dict[str, Any] | None = None


def find(releases: Sequence[ReadableRelease], names: Sequence[str]) -> dict[str, list[Place]]:
    """Find records by ``ACCESSION`` or ``ACCESSION.VERSION`` in some releases; unknown names are omitted.

    Raises:
        NotFoundError: a table was replaced since the mirror was opened.
        ObjectStoreError: the store failed.
    """
    of_primary: dict[str, list[str]] = {}
    for name in names:
        for primary in {form.partition(".")[0] for form in _forms(name)}:
            of_primary.setdefault(primary, []).append(name)
    found: dict[str, list[Place]] = {}
    for one in releases:
        for row in one.memberships_named(sorted(of_primary)).collect().iter_rows(named=True):
            for name in of_primary[row["accession"]]:
                if "." not in name or row["accession_version"] in _forms(name):
                    found.setdefault(name, []).append(Place(one, row))
    return found


def search(there: There, name: str) -> list[Place]:
    """Find everything that an accession, with or without version, may refer to.

    Raises:
        NotFoundError: nothing was found; the message says where it was searched.
        ObjectStoreError: the store failed.
    """
    newest = [releases[-1] for releases in there.values()]
    if found := find(newest, [name]).get(name):
        return found
    name = name.strip().upper()
    matches = [*_quarantined(newest, name), *_earlier(there, name)] or _secondary(newest, name)
    if not matches:
        raise NotFoundError(not_found(there, name))
    return matches


def not_found(there: There, name: str) -> str:
    """Return the message for an unknown name."""
    searched = sorted({f"{releases[-1].key.collection} {releases[-1].release}" for releases in there.values()})
    return f"no record {name} in the published tables (searched: {len(there)} division(s) of {', '.join(searched)})"


def find_digest(there: There, name: str) -> Place | None:
    """Return a record whose residues have a digest, in the newest releases, or None."""
    for releases in there.values():
        one = releases[-1]
        row = _by_refget(one, refget) if (refget := refget_of(name)) else _by_sha256(one, bytes.fromhex(name))
        if row is not None:
            return Place(one, row)
    return None


def _by_refget(one: ReadableRelease, digest: str) -> dict[str, Any] | None:
    tables = one.tables("objects")
    rows = one.scan(tables).filter(pl.col("refget") == digest).head(1).collect() if tables else pl.DataFrame()
    return _by_sha256(one, rows["sequence_sha256"][0]) if len(rows) else None


def _by_sha256(one: ReadableRelease, digest: bytes) -> dict[str, Any] | None:
    rows = one.rows_where(one.tables("unique_sequences")[0], "sequence_sha256", [digest])
    for row in rows.filter(pl.col("sequence_sha256") == digest).iter_rows(named=True):
        return {
            "accession_version": row["representative_accession_version"],
            "source_file": row["representative_source_file"],
            "record_ordinal": row["representative_record_ordinal"],
            **{name: row[name] for name in ("length", "sequence_sha256", "molecule_class")},
        }
    return None


def _quarantined(newest: Sequence[ReadableRelease], name: str) -> Iterator[Place]:
    for one in newest:
        for table in one.tables("quarantine"):
            same = (
                one.scan([table]).filter(pl.col("accession") == name.partition(".")[0]).drop("raw_text", strict=False)
            )
            for block in same.collect().iter_rows(named=True):
                row: dict[str, Any] = {column.name: block.get(column.name) for column in MEMBERSHIP_COLUMNS}
                row["accession_version"] = block["accession"]
                note = f"a quarantined block of {one.key} {one.release}: {block['reason']}"
                yield Place(one, row, note=note, refusal=block | {"path": table.as_posix()})


def _earlier(there: There, name: str) -> Iterator[Place]:
    for *older, newest in there.values():
        for one in reversed(older):
            if places := find([one], [name]).get(name, []):
                primary = name.partition(".")[0]
                now = find([newest], [primary]).get(primary, [])
                instead = f"has {now[0].row['accession_version']} instead" if now else f"of {one.key} does not have it"
                note = f"a state of release {one.release}; release {newest.release} {instead}"
                yield from (dataclasses.replace(place, note=note) for place in places)
                break


def _secondary(newest: Sequence[ReadableRelease], name: str) -> list[Place]:
    """Return records that have the name as a secondary accession; reads one column of every record table."""
    matches: list[Place] = []
    listed = pl.col("secondary_accessions")
    for one in newest:
        rows = (
            one.scan(one.tables("records"))
            .select("accession", listed)
            .explode("secondary_accessions")
            .filter((listed == name) | listed.str.contains("-", literal=True))
            .collect()
        )
        primaries = [accession for accession, span in rows.iter_rows() if covers(span, name)]
        for primary, places in find([one], primaries).items() if primaries else ():
            note = f"{name} is a secondary accession of {primary}"
            matches += [dataclasses.replace(place, note=note) for place in places]
    if len(matches) > MAX_PRIMARIES:
        more = f" and of {len(matches) - 1:,} more records"
        matches = [dataclasses.replace(match, note=match.note + more) for match in matches[:MAX_PRIMARIES]]
    return matches


def _forms(name: str) -> set[str]:
    """Return a name as given and in upper case."""
    return {name.strip(), name.strip().upper()}
