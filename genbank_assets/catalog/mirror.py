"""``open_mirror``: the main entry point for reading a store from Python.

A :class:`Mirror` reads the newest release of each division, or another one kept in the store. Tables are polars
LazyFrames, single records come with their residues. It only reads files, takes no locks and needs no database. Listing
releases belongs to ``divisions``, building frames to ``frames``, SQL to ``ducklake``.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from genbank_assets.catalog.address import is_bucket_url
from genbank_assets.catalog.bucket import TableBucket
from genbank_assets.catalog.changes import changes_frame
from genbank_assets.catalog.divisions import ReadableRelease, choose, readable_releases
from genbank_assets.catalog.frames import (
    derived_frame,
    features_frame,
    memberships_frame,
    records_frame,
    sequences_frame,
)
from genbank_assets.catalog.rows import residues_of, rows_matching, rows_named
from genbank_assets.errors import NotFoundError
from genbank_assets.flatfile.seqrecord import to_seqrecord
from genbank_assets.setting_values import expanded
from genbank_assets.store import PartitionKey

if TYPE_CHECKING:
    from Bio.SeqRecord import SeqRecord

Partitions = str | Iterable[str] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class MirrorRecord:
    """One record of the mirror.

    Attributes:
        collection: ``genbank`` or ``refseq``.
        section: the partition: GenBank's division or RefSeq's section.
        release: the release it was read from.
        row: its row of the record table, as plain Python values.
    """

    collection: str
    section: str
    release: str
    row: Mapping[str, Any] = dataclasses.field(repr=False)
    _where: ReadableRelease = dataclasses.field(repr=False, compare=False)

    @property
    def accession_version(self) -> str:
        """Such as ``J02482.1``; only the accession if there is no version."""
        return str(self.row["accession_version"])

    def residues(self) -> str | None:
        """Return the residues in upper case; None for a record without residues, such as CON records."""
        if self.row["sequence_sha256"] is None:
            return None
        wanted = {(str(self.row["source_file"]), int(self.row["record_ordinal"]))}
        return next(residues_of(self._where, wanted))[1]

    def to_seqrecord(self) -> SeqRecord:
        """Return the record as a Biopython ``SeqRecord``, with residues."""
        return to_seqrecord(self.row, self.residues())


class Mirror:
    """A store, or tables published in a bucket, opened for reading.

    The list of readable releases is determined on first use; open the mirror again to see later publications. In all
    methods, ``partitions`` is ``genbank/phg``, ``refseq`` (all its divisions), several of these, or None for
    everything, and ``release`` is an available release (``273`` equals ``273.0``), or None for the newest one of each
    division.
    """

    def __init__(self, store: Path | TableBucket) -> None:
        self.store = store

    @cached_property
    def _there(self) -> dict[PartitionKey, list[ReadableRelease]]:
        return readable_releases(self.store)

    def divisions(self) -> pl.DataFrame:
        """Return the readable releases: collection, section, release, is_newest, files, records, residues."""
        rows = [
            {
                "collection": key.collection,
                "section": key.division,
                "release": one.release,
                "is_newest": one is releases[-1],
                "files": len(one.records.files),
                "records": sum(int(entry["records"]) for entry in one.records.files),
                "residues": sum(int(entry["residues"]) for entry in one.records.files),
            }
            for key, releases in self._there.items()
            for one in releases
        ]
        return pl.DataFrame(rows, schema=_DIVISIONS)

    def records(self, partitions: Partitions = None, *, release: str | None = None) -> pl.LazyFrame:
        """Return one row per record, identified by (collection, section, accession_version).

        Raises:
            NotFoundError: there is no such division or release.
        """
        return records_frame(self._chosen(partitions, release))

    def features(
        self, partitions: Partitions = None, *, release: str | None = None, qualifiers: Iterable[str] = ()
    ) -> pl.LazyFrame:
        """Return one row per feature, with names of its record and its 0-based ``feature_ordinal``.

        Args:
            partitions: the divisions.
            release: the release.
            qualifiers: qualifiers whose first value becomes a column, such as ``("gene", "product")``.

        Raises:
            NotFoundError: there is no such division or release.
        """
        return features_frame(self.records(partitions, release=release), qualifiers=tuple(qualifiers))

    def sequences(self, partitions: Partitions = None, *, release: str | None = None) -> pl.LazyFrame:
        """Return one row per chunk of residues; concatenate chunks in order of ``chunk_ordinal``.

        Join by (collection, section, accession_version); ``record_ordinal`` is only unique within a file.

        Raises:
            NotFoundError: there is no such division or release.
        """
        return sequences_frame(self._chosen(partitions, release))

    def memberships(self, partitions: Partitions = None, *, release: str | None = None) -> pl.LazyFrame:
        """Return one narrow row per record, by accession within a division: names, digests, location in the raw file.

        Raises:
            NotFoundError: there is no such division or release.
        """
        return memberships_frame(self._chosen(partitions, release))

    def samples(self, partitions: Partitions = None, *, release: str | None = None) -> pl.LazyFrame:
        """Return one typed row per source feature: where, when and from what a sequence was taken.

        Raises:
            NotFoundError: there is no such division or release, or its samples were not built.
        """
        return derived_frame(self._chosen(partitions, release), kind="samples")

    def cds(self, partitions: Partitions = None, *, release: str | None = None) -> pl.LazyFrame:
        """Return one row per coding sequence, with its translation.

        Raises:
            NotFoundError: there is no such division or release, or its coding sequences were not built.
        """
        return derived_frame(self._chosen(partitions, release), kind="cds")

    def changes(self, partitions: Partitions = None, *, release: str | None = None) -> pl.LazyFrame:
        """Return one row per record that changed between a release and the previous one in the store.

        Divisions with a single release have none. The database has the complete history, see
        ``genbank.release_changes``.

        Args:
            partitions: the divisions.
            release: the release with the changes; None for all releases that have a previous one.

        Raises:
            NotFoundError: there is no such division or release.
        """
        chosen = {id(one) for one in self._chosen(partitions, release)}
        keys = {one.key for one in self._chosen(partitions, None)} if release is None else set(self._there)
        pairs = [
            (earlier, later)
            for key, releases in self._there.items()
            if key in keys
            for earlier, later in itertools.pairwise(releases)
            if release is None or id(later) in chosen
        ]
        return changes_frame(pairs)

    def fetch(self, accession: str, partitions: Partitions = None, *, release: str | None = None) -> MirrorRecord:
        """Return the record named ``ACCESSION`` or ``ACCESSION.VERSION``, in upper or lower case.

        Some RefSeq records are in two sections; the first one is used, unless ``partitions`` selects another.

        Raises:
            NotFoundError: there is no such record, division or release.
        """
        chosen = self._chosen(partitions, release)
        for one in chosen:
            for row in rows_named(one, [accession]):
                return _record(one, row)
        numbers = ", ".join(sorted({f"{one.key.collection} {one.release}" for one in chosen}))
        raise NotFoundError(f"no record {accession} in {len(chosen)} division(s) of {numbers}")

    def select(
        self,
        wanted: pl.Expr | Iterable[str] | None = None,
        partitions: Partitions = None,
        *,
        release: str | None = None,
    ) -> Iterator[MirrorRecord]:
        """Yield records in constant memory.

        Args:
            wanted: a condition on columns of the record table, such as ``pl.col("organism") == "Homo sapiens"``, a list
                of names (unknown ones are skipped), or None for all records.
            partitions: the divisions.
            release: the release.

        Raises:
            NotFoundError: there is no such division or release.
        """
        names = None if wanted is None or isinstance(wanted, pl.Expr) else list(wanted)
        for one in self._chosen(partitions, release):
            rows = rows_matching(one, wanted) if names is None else rows_named(one, names)  # type: ignore[arg-type]
            for row in rows:
                yield _record(one, row)

    def seqrecords(
        self,
        wanted: pl.Expr | Iterable[str] | None = None,
        partitions: Partitions = None,
        *,
        release: str | None = None,
    ) -> Iterator[SeqRecord]:
        """Yield records as Biopython ``SeqRecord`` objects with residues; takes the arguments of :meth:`select`.

        Raises:
            NotFoundError: there is no such division or release.
        """
        for record in self.select(wanted, partitions, release=release):
            yield record.to_seqrecord()

    def _chosen(self, partitions: Partitions, release: str | None) -> list[ReadableRelease]:
        return choose(self._there, partitions=partitions, release=release)


_DIVISIONS = pl.Schema(
    {
        "collection": pl.String(),
        "section": pl.String(),
        "release": pl.String(),
        "is_newest": pl.Boolean(),
        "files": pl.Int64(),
        "records": pl.Int64(),
        "residues": pl.Int64(),
    }
)


def open_mirror(store: str | os.PathLike[str] | None = None) -> Mirror:
    """Open a store, or tables published in a bucket, for reading.

    Args:
        store: the store's folder; None for ``GENBANK_ASSETS_STORE``, or ``data`` if unset. Alternatively the address of
            published tables: ``file:///folder`` or ``s3://bucket/prefix``, optionally with ``?endpoint=…``,
                ``&region=…`` and ``&unsigned=true`` to override AWS's variables.

    Raises:
        NotFoundError: the folder does not exist.
        ObjectStoreError: the address cannot be used.
    """
    if isinstance(store, str) and is_bucket_url(store):
        return Mirror(TableBucket(store))
    chosen = store if store is not None else os.environ.get("GENBANK_ASSETS_STORE") or "data"
    path = expanded(os.fspath(chosen), variable="the store")
    if not path.is_dir():
        raise NotFoundError(f"there is no store at {path}: name the folder that GENBANK_ASSETS_STORE names")
    return Mirror(path)


def _record(one: ReadableRelease, row: dict[str, Any]) -> MirrorRecord:
    return MirrorRecord(
        collection=one.key.collection, section=one.key.division, release=one.release, row=row, _where=one
    )
