"""``open_mirror``: the one obvious way to read a store from Python.

A :class:`Mirror` answers with the newest release of each division whose tables are published and belong together, or
with another one that the store keeps. Tables come as polars LazyFrames, single records with their residues. It only
reads files, takes no lock and needs no database. Which releases there are belongs to ``divisions``, how tables become
frames to ``frames``, SQL to ``ducklake``.
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
        """``J02482.1``; the accession alone where there is no version."""
        return str(self.row["accession_version"])

    def residues(self) -> str | None:
        """The residues in upper case; None for a record that has none of its own, such as those built from others."""
        if self.row["sequence_sha256"] is None:
            return None
        wanted = {(str(self.row["source_file"]), int(self.row["record_ordinal"]))}
        return next(residues_of(self._where, wanted))[1]

    def to_seqrecord(self) -> SeqRecord:
        """Return the record as Biopython has it, with residues."""
        return to_seqrecord(self.row, self.residues())


class Mirror:
    """A store, or tables published in a bucket, opened for reading.

    What can be read is looked up once, when it is first asked for; open it again to see what was published since. In
    all methods ``partitions`` is ``genbank/phg``, ``refseq`` (all its divisions), several of these, or None for
    everything, and ``release`` one that is kept (``273`` is ``273.0``), or None for the newest of each division.
    """

    def __init__(self, store: Path | TableBucket) -> None:
        self.store = store

    @cached_property
    def _there(self) -> dict[PartitionKey, list[ReadableRelease]]:
        return readable_releases(self.store)

    def divisions(self) -> pl.DataFrame:
        """Return which releases can be read: collection, section, release, is_newest, files, records, residues."""
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
        """One row per record; (collection, section, accession_version) names it.

        Raises:
            NotFoundError: no such division or release is there.
        """
        return records_frame(self._chosen(partitions, release))

    def features(
        self, partitions: Partitions = None, *, release: str | None = None, qualifiers: Iterable[str] = ()
    ) -> pl.LazyFrame:
        """One row per feature with its record's names; ``feature_ordinal`` is its place in the feature table, from 0.

        Args:
            partitions: whose.
            release: of which release.
            qualifiers: names of qualifiers whose first value becomes a column, such as ``("gene", "product")``.

        Raises:
            NotFoundError: no such division or release is there.
        """
        return features_frame(self.records(partitions, release=release), qualifiers=tuple(qualifiers))

    def sequences(self, partitions: Partitions = None, *, release: str | None = None) -> pl.LazyFrame:
        """One row per chunk of residues; a sequence is its chunks in order of ``chunk_ordinal``.

        Join it by (collection, section, accession_version); ``record_ordinal`` names a record within its file only.

        Raises:
            NotFoundError: no such division or release is there.
        """
        return sequences_frame(self._chosen(partitions, release))

    def memberships(self, partitions: Partitions = None, *, release: str | None = None) -> pl.LazyFrame:
        """One narrow row per record: names, digests, place in the raw file; sorted by accession within a division.

        Raises:
            NotFoundError: no such division or release is there.
        """
        return memberships_frame(self._chosen(partitions, release))

    def samples(self, partitions: Partitions = None, *, release: str | None = None) -> pl.LazyFrame:
        """One row per source feature, typed: where, when and from what a sequence was taken.

        Raises:
            NotFoundError: no such division or release is there, or its samples were not made.
        """
        return derived_frame(self._chosen(partitions, release), kind="samples")

    def cds(self, partitions: Partitions = None, *, release: str | None = None) -> pl.LazyFrame:
        """One row per coding sequence, with its translation.

        Raises:
            NotFoundError: no such division or release is there, or its coding sequences were not made.
        """
        return derived_frame(self._chosen(partitions, release), kind="cds")

    def changes(self, partitions: Partitions = None, *, release: str | None = None) -> pl.LazyFrame:
        """One row per record that a release changed against the one before it that the store keeps.

        A division that keeps a single release has none. The database has the whole history: see
        ``genbank.release_changes``.

        Args:
            partitions: whose.
            release: what this release changed; None takes every kept release that has one before it.

        Raises:
            NotFoundError: no such division or release is there.
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
        """Return the record of a name, ``ACCESSION`` or ``ACCESSION.VERSION``; upper case may be left out.

        RefSeq has some records in two sections: then it is that of the first, unless ``partitions`` says which.

        Raises:
            NotFoundError: no such record, division or release is there.
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
        """Records, one after the other, in constant memory.

        Args:
            wanted: a condition on columns of the record table, such as ``pl.col("organism") == "Homo sapiens"``; names
                (those that are not there are left out); or None for all.
            partitions: whose.
            release: of which release.

        Raises:
            NotFoundError: no such division or release is there.
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
        """Yield the same as Biopython's records, with residues; arguments are those of :meth:`select`.

        Raises:
            NotFoundError: no such division or release is there.
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
    """Open a store, or tables that were published in a bucket, for reading.

    Args:
        store: the folder; None takes that of ``GENBANK_ASSETS_STORE``, or ``data``. Or where tables are published:
            ``s3://bucket/prefix``, with ``?endpoint=…``, ``&region=…`` and ``&unsigned=true`` behind it where AWS's
            own variables do not say it, or ``file:///folder``.

    Raises:
        NotFoundError: the folder is not there.
        ObjectStoreError: the address cannot be used.
    """
    if isinstance(store, str) and is_bucket_url(store):
        return Mirror(TableBucket(store))
    path = Path(store if store is not None else os.environ.get("GENBANK_ASSETS_STORE") or "data").expanduser()
    if not path.is_dir():
        raise NotFoundError(f"there is no store at {path}: name the folder that GENBANK_ASSETS_STORE names")
    return Mirror(path)


def _record(one: ReadableRelease, row: dict[str, Any]) -> MirrorRecord:
    return MirrorRecord(
        collection=one.key.collection, section=one.key.division, release=one.release, row=row, _where=one
    )
