"""Reads from the object set: residues by digest or accession, and a record's original text.

An accession is looked up in the division's sorted membership table, a digest is a key by itself. The original text
is cut from the raw file. Writing belongs to ``publish``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import obstore
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from genbank_assets.errors import IntegrityError, NotFoundError, ObjectStoreError
from genbank_assets.flatfile.inflate import inflated
from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.ncbi.daily import DAILY, day_of
from genbank_assets.ncbi.releases import release_date
from genbank_assets.objects.contents import locate, locate_refget
from genbank_assets.objects.packs import unpacked
from genbank_assets.objects.store import open_objects, read_range, reason_of
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease, current_release, releases_in_store

LINE_RESIDUES = 60
READ_BYTES = 8 * 1024 * 1024
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
_REFGET = re.compile(r"(?:ga4gh:)?(SQ\.[A-Za-z0-9_-]{32})")


@dataclasses.dataclass(frozen=True)
class Found:
    """A record in the store: its partition and its row of the membership table."""

    partition: PartitionRelease
    row: dict[str, Any]


def find_record(settings: Settings, accession: str, *, in_kept_releases: bool = False) -> list[Found]:
    """The record named ``ACCESSION`` or ``ACCESSION.VERSION`` in every division's current release that has it.

    A daily update that is later than a division's release comes before it. Reads footers and one row group per
    division at most: the tables are sorted by accession.

    Args:
        settings: where the store is.
        accession: primary accession, with or without version.
        in_kept_releases: whether a version that no current release has is looked for in the earlier releases that
            are still in the store.

    Raises:
        NotFoundError: no division has it; the message says which were searched, and which version was there before.
    """
    found, searched = [], []
    for collection in COLLECTIONS.values():
        keys = [PartitionKey(collection.name, division) for division in collection.divisions]
        current = [current_release(settings.store, key=key, stage="unique_records") for key in keys]
        partitions = [partition for partition in current if partition is not None]
        in_divisions = [row for partition in partitions for row in rows_named(partition, accession)]
        if partitions:
            releases = ", ".join(sorted({partition.release for partition in partitions}))
            searched.append(f"{len(partitions)} division(s) of {collection.title} {releases}")
        days = releases_in_store(settings.store, key=PartitionKey(collection.name, DAILY), stage="unique_records")
        for day in reversed(days):
            in_day = rows_named(day, accession)[-1:]
            if in_day:
                in_divisions = [row for row in in_divisions if _is_later(row.partition, day)] or in_day
                break
        found += in_divisions
    if found:
        return found
    earlier = _in_earlier_releases(settings, accession)
    if in_kept_releases and "." in accession and earlier:
        return earlier
    where = ", ".join(searched) if searched else "no division is materialized yet"
    before = "".join(f"; {f.partition.key} {f.partition.release} had {f.row['accession_version']}" for f in earlier)
    raise NotFoundError(f"no record {accession} in the store (searched primary accessions of: {where}{before})")


def _in_earlier_releases(settings: Settings, accession: str) -> list[Found]:
    """The record in the newest of a division's earlier releases that has it."""
    found = []
    for collection in COLLECTIONS.values():
        for division in collection.divisions:
            key = PartitionKey(collection.name, division)
            for partition in reversed(releases_in_store(settings.store, key=key, stage="unique_records")[:-1]):
                rows = rows_named(partition, accession)
                if rows:
                    found += rows
                    break
    return found


def rows_named(partition: PartitionRelease, accession: str) -> list[Found]:
    """A partition's rows of an accession, with or without version; upper case may be left out."""
    name = accession.strip()
    names = [name] if name == name.upper() else [name, name.upper()]
    primary = [name.partition(".")[0] for name in names]
    path = partition.stage_folder("unique_records") / "memberships.parquet"
    if not _may_have(path, primary):
        return []
    rows = rows_where(path, pl.col("accession").is_in(primary))
    if "." in name:
        rows = rows.filter(pl.col("accession_version").is_in(names))
    return [Found(partition, row) for row in rows.iter_rows(named=True)]


def _may_have(path: Path, accessions: list[str]) -> bool:
    """Whether a row group of a membership table spans one of the accessions: a name is in one division of many."""
    try:
        footer = pq.read_metadata(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise _unreadable(path, error) from error
    for group in range(footer.num_row_groups):
        bounds = footer.row_group(group).column(0).statistics
        if bounds is None or not bounds.has_min_max or any(bounds.min <= name <= bounds.max for name in accessions):
            return True
    return False


def _unreadable(path: Path, error: Exception) -> IntegrityError:
    return IntegrityError(f"{path} cannot be read ({error}); remove it and materialize {path.parent.name}")


def rows_where(
    path: Path, condition: pl.Expr, *, columns: tuple[str, ...] = (), most: int | None = None
) -> pl.DataFrame:
    """Rows of a table of the store; of a sorted one only the row groups that can have them are read.

    Raises:
        IntegrityError: the file is not there, or is damaged.
    """
    try:
        rows = pl.scan_parquet(path).filter(condition)
        rows = rows.select(columns) if columns else rows
        return (rows if most is None else rows.head(most)).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _unreadable(path, error) from error


def _is_later(release: PartitionRelease, day: PartitionRelease) -> bool:
    """Whether a release supersedes a day: by its date, or where it has none by when it was fetched."""
    date = release_date(release)
    if date is not None:
        return date >= day_of(day)
    return release.manifest_path("raw_files").stat().st_mtime > day.manifest_path("raw_files").stat().st_mtime


def residues(
    settings: Settings,
    row: dict[str, Any],
    *,
    start: int = 1,
    end: int | None = None,
    store: ObjectStore | None = None,
) -> Iterator[bytes]:
    """Residues ``start`` to ``end`` (1-based, inclusive) of a sequence, in pieces.

    A sequence that is its own object costs one request, or one per 8 MiB of a part; one in a pack costs a single
    ranged request. A whole sequence is checked against its digest; the error then comes after the last piece.

    Args:
        settings: where the object set is.
        row: the sequence's row of the object table (``contents.locate``).
        start: first residue, from 1.
        end: last residue; None for all.
        store: the object store, if it is open already.

    Raises:
        NotFoundError: the range is not in the sequence.
        ObjectStoreError: there is no such object, or the store failed.
        IntegrityError: the object is not what the table says.
    """
    length, key = int(row["length"]), str(row["key"])
    end = length if end is None else end
    if not 1 <= start <= end <= length:
        raise NotFoundError(f"{start}..{end} is not within the {length:,} residues of {row['sequence_sha256'].hex()}")
    hasher = hashlib.sha256()
    try:
        for piece in _pieces(store or open_objects(settings), row, start=start, end=end):
            hasher.update(piece)
            yield piece
    except FileNotFoundError:
        raise ObjectStoreError(f"the object set has no {key}") from None
    except BaseError as error:
        raise ObjectStoreError(f"cannot read {key}: {reason_of(error)}") from error
    if (start, end) == (1, length) and hasher.digest() != row["sequence_sha256"]:
        raise IntegrityError(f"the residues in {key} do not have their digest")


def _pieces(store: ObjectStore, row: dict[str, Any], *, start: int, end: int) -> Iterator[bytes]:
    key, offset = row["key"], row["offset"]
    if row["encoding"] == "zstd":
        frame = read_range(store, key, start=offset, end=offset + row["bytes"])
        whole = unpacked(frame, length=row["length"])
        if hashlib.sha256(whole).digest() != row["sequence_sha256"]:
            raise IntegrityError(f"the residues at byte {offset:,} of {key} do not have their digest")
        yield whole[start - 1 : end]
        return
    if (start, end) == (1, row["object_bytes"]):
        for piece in obstore.get(store, key).stream(min_chunk_size=READ_BYTES):
            yield bytes(piece)
        return
    for at in range(start - 1, end, READ_BYTES):
        yield read_range(store, key, start=offset + at, end=offset + min(end, at + READ_BYTES))


def original_text(found: Found) -> Iterator[bytes]:
    """The record's text, byte for byte, cut from the raw file; checked against its digest at the end, if it has one.

    Raises:
        NotFoundError: the raw file is no longer in the store.
        IntegrityError: the text is not what was parsed.
    """
    path = found.partition.stage_folder("raw_files") / str(found.row["source_file"])
    if not path.is_file():
        raise NotFoundError(f"the raw file {path.name} of release {found.partition.release} is not in the store")
    begin = int(found.row["record_offset"])
    end = begin + int(found.row["record_bytes"])
    at = 0
    hasher = hashlib.sha256()
    for piece in inflated(path):
        if at + len(piece) > begin:
            cut = bytes(piece[max(0, begin - at) : end - at])
            hasher.update(cut)
            yield cut
        at += len(piece)
        if at >= end:
            break
    if hasher.digest() != (found.row["record_sha256"] or hasher.digest()):
        raise IntegrityError(f"the text of {found.row['accession_version']} in {path.name} is not what was parsed")


def as_fasta(name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Residues as FASTA with lines of sixty; no title before there are residues."""
    first = next(pieces, b"")
    yield f">{name}\n".encode()
    rest = b""
    for piece in itertools.chain([first], pieces):
        rest += piece
        whole = len(rest) - len(rest) % LINE_RESIDUES
        yield re.sub(rb"(.{60})", rb"\1\n", rest[:whole])
        rest = rest[whole:]
    if rest:
        yield rest + b"\n"


def fetch(
    settings: Settings, name: str, *, format_: str = "fasta", start: int = 1, end: int | None = None
) -> Iterator[bytes]:
    """What ``genbank-assets fetch`` prints: an accession's or digest's residues, or an accession's text.

    Args:
        settings: where the store and the object set are.
        name: ``ACCESSION``, ``ACCESSION.VERSION``, a SHA-256 in hex, or a refget digest (``SQ.…``).
        format_: ``fasta``, ``raw`` (residues without line breaks), or ``genbank`` (the original text).
        start: first residue, from 1.
        end: last residue; None for all.

    Raises:
        NotFoundError: no such record, or no such residues.
    """
    refget, sha256 = _REFGET.fullmatch(name), _SHA256.fullmatch(name)
    if refget or sha256:
        if format_ == "genbank":
            raise NotFoundError("a digest names residues, not a record: ask for an accession")
        title = refget[1] if refget else name.lower()
        row = locate_refget(settings, title) if refget else locate(settings, digest=bytes.fromhex(title))
        if row is None:
            known = "" if sha256 or settings.refget else " (GENBANK_ASSETS_REFGET is off: few or none are known)"
            raise NotFoundError(f"the object set has no sequence {name}{known}")
    else:
        found = find_record(settings, name, in_kept_releases=True)[0]
        if format_ == "genbank":
            if (start, end) != (1, None):
                raise NotFoundError("a range is one of residues: ask for fasta or raw")
            yield from original_text(found)
            return
        title = found.row["accession_version"]
        row = object_row(settings, found)
        if row is None:
            raise NotFoundError(f"the residues of {title} are not in the object set yet: materialize object_set")
    pieces = residues(settings, row, start=start, end=end)
    if format_ == "raw":
        yield from pieces
        return
    part = "" if start == 1 and end is None else f":{start}-{row['length'] if end is None else end}"
    yield from as_fasta(f"{title}{part}", pieces)


def object_row(settings: Settings, found: Found) -> dict[str, Any] | None:
    """Where a record's residues are in the object set; None when they are not in it.

    Raises:
        NotFoundError: the record has no residues of its own.
    """
    digest = found.row["sequence_sha256"]
    if digest is None:
        name = found.row["accession_version"]
        raise NotFoundError(f"{name} has no residues of its own: it is built from others (see --format genbank)")
    return locate(settings, digest=digest, molecule_class=found.row["molecule_class"], partition=found.partition)
