"""Traces a record of published tables, without a store.

The hops are those of a store's trace, from the published manifests and tables. A bucket has neither NCBI's files nor a
database: the files are described by their digests, the database hop is omitted. Resolving names belongs to
``bucket_lookup``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from genbank_assets.catalog.bucket import TableBucket
from genbank_assets.catalog.bucket_fetch import residues_in_pieces
from genbank_assets.catalog.bucket_lookup import Place, search
from genbank_assets.catalog.bucket_release import BucketRelease
from genbank_assets.catalog.bucket_text import text_of
from genbank_assets.catalog.table_layout import RAW_FILES
from genbank_assets.errors import GenbankAssetsError, IntegrityError, NotFoundError
from genbank_assets.lineage.hops import SHOWN_DUPLICATES, Hop
from genbank_assets.lineage.trace import Trace
from genbank_assets.ncbi.verify import checksum_algorithm, checksum_of

_SHOWN = ("organism", "definition", "taxon_id", "update_date")
_READ_BYTES = 8 * 1024 * 1024


def trace_published(bucket: TableBucket, name: str, *, verify: bool = False) -> list[Trace]:
    """Trace ``ACCESSION`` or ``ACCESSION.VERSION`` in every division whose tables are published.

    Args:
        bucket: the bucket with the tables.
        name: the record.
        verify: whether to read tables and residues and verify their digests.

    Raises:
        NotFoundError: no published table has it.
        ObjectStoreError: the bucket failed.
    """
    return [
        Trace(
            accession_version=str(place.row["accession_version"]),
            collection=place.release.key.collection,
            division=place.release.key.division,
            release=place.release.release,
            note=place.note,
            verified=verify,
            hops=tuple(_Hops(bucket, place, verify=verify).all()),
        )
        for place in search(bucket.releases(), name)
    ]


class _Hops:
    """The hops of one record, one method each."""

    def __init__(self, bucket: TableBucket, place: Place, *, verify: bool) -> None:
        assert isinstance(place.release, BucketRelease)
        self._bucket, self._place, self._verify = bucket, place, verify
        self._release: BucketRelease = place.release
        self._row = place.row
        names = [entry["name"] for entry in self._release.records.files]
        self._at = names.index(self._row["source_file"])

    def all(self) -> Iterator[Hop]:
        yield self._raw_file()
        yield _hop("record text", self._text)
        if self._place.refusal is not None:
            facts = {n: self._place.refusal[n] for n in ("path", "record_ordinal", "line", "accession", "reason")}
            yield Hop("table row", "missing", facts, f"quarantined at line {facts['line']:,}: {facts['reason']}")
            return
        yield _hop("table row", self._table_row)
        yield _hop("sequence", self._sequence)
        yield Hop("database row", "none", {}, "a bucket has no database: ask a mirror's own")
        yield _hop("object", self._object)

    def _raw_file(self) -> Hop:
        name, made = self._row["source_file"], self._release.records.files[self._at]
        manifest = self._release.manifest("raw_files")
        entry = next((e for e in manifest.files if e["name"] == name), None) if manifest else None
        facts: dict[str, Any] = {"file": name, "sha256": made["raw_sha256"]}
        if manifest is None or entry is None:
            return Hop("raw file", "ok", facts)
        facts |= {
            "url": entry["url"],
            "release_date": manifest.extra.get("release_date"),
            "bytes": entry["bytes"],
            "checksum": checksum_of(entry),
            "checksum_algorithm": checksum_algorithm(checksum_of(entry)),
            "run_id": manifest.run_id,
        }
        wrong = "" if entry["sha256"] == made["raw_sha256"] else "the record table was made of another file"
        return _checked("raw file", facts, wrong)

    def _text(self) -> Hop:
        digest = self._row["record_sha256"]
        facts = {"offset": self._row["record_offset"], "bytes": self._row["record_bytes"]}
        facts |= {"record_sha256": digest.hex() if digest else None}
        if not self._release.published.of_kind(RAW_FILES):
            return Hop("record text", "none", facts, "NCBI's text is not published, only its digest")
        wrong = ""
        if self._verify:
            try:
                for _ in text_of(self._place):
                    pass
            except (IntegrityError, NotFoundError) as error:
                wrong = str(error)
        return _checked("record text", facts, wrong)

    def _table_row(self) -> Hop:
        table, entry = self._release.tables("records")[self._at], self._release.records.files[self._at]
        ordinal = self._row["record_ordinal"]
        facts = self._object_facts(table) | {"row": ordinal, "run_id": self._release.records.run_of(entry)}
        facts |= {"code_version": entry["code_version"]}
        if wrong := self._wrong_object(table):
            return Hop("table row", *wrong[:1], facts, wrong[1])
        rows = self._release.rows_where(table, "record_ordinal", [ordinal]).filter(record_ordinal=ordinal).to_dicts()
        if len(rows) != 1 or rows[0]["record_sha256"] != self._row["record_sha256"]:
            return Hop("table row", "mismatch", facts, "the row is not the record the membership table names")
        facts |= {name: rows[0][name] for name in _SHOWN} | {"update_date": str(rows[0]["update_date"])}
        return _checked("table row", facts, self._changed(table))

    def _sequence(self) -> Hop:
        digest, kind = self._row["sequence_sha256"], self._row["molecule_class"]
        if digest is None:
            return Hop("sequence", "none", {"length": self._row["length"]}, "the record has no residues of its own")
        facts = {"sequence_sha256": digest.hex(), "molecule_class": kind, "length": self._row["length"]}
        table = self._release.tables("unique_sequences")[0]
        if wrong := self._wrong_object(table):
            return Hop("sequence", *wrong[:1], facts, wrong[1])
        same = {"sequence_sha256": pl.lit(digest), "molecule_class": pl.lit(kind)}
        rows = self._release.rows_where(table, "sequence_sha256", [digest]).filter(
            *(pl.col(name) == value for name, value in same.items())
        )
        if len(rows) != 1:
            return Hop("sequence", "mismatch", facts, f"the table of distinct sequences has it {len(rows)} times")
        (row,) = rows.to_dicts()
        others: list[str] = []
        if row["member_count"] > 1:
            members = self._release.scan([self._release.memberships]).filter(
                *(pl.col(name) == value for name, value in same.items())
            )
            names = members.select("accession_version").head(SHOWN_DUPLICATES + 1).collect().to_series().to_list()
            others = [name for name in names if name != self._row["accession_version"]][:SHOWN_DUPLICATES]
        facts |= {"members": row["member_count"], "duplicates": others}
        facts |= {"representative": row["representative_accession_version"], "run_id": self._release.unique.run_id}
        return _checked("sequence", facts, self._changed(table), self._changed(self._release.memberships))

    def _object(self) -> Hop:
        """Return the hop of the object with the residues in this bucket, and that of the object set if published."""
        if self._row["sequence_sha256"] is None:
            return Hop("object", "none", {}, "no residues, no object")
        table = self._release.tables("sequences")[self._at]
        facts = self._object_facts(table)
        objects, made = self._release.tables("objects"), self._release.manifest("object_set")
        if objects and made is not None:
            digest = self._row["sequence_sha256"]
            rows = self._release.rows_where(objects[0], "sequence_sha256", [digest]).filter(
                pl.col("sequence_sha256") == digest, pl.col("molecule_class") == self._row["molecule_class"]
            )
            for row in rows.iter_rows(named=True):
                facts |= {"object_set": made.extra["url"], "key": row["key"], "encoding": row["encoding"]}
                facts |= {"offset": row["offset"], "frame_bytes": row["bytes"], "refget": row["refget"]}
        if wrong := self._wrong_object(table):
            return Hop("object", *wrong[:1], facts, wrong[1])
        problem = self._changed(table)
        if self._verify and not problem:
            try:
                for _ in residues_in_pieces(self._place):
                    pass
            except GenbankAssetsError as error:
                problem = str(error)
        return _checked("object", facts, problem)

    def _object_facts(self, table: Path) -> dict[str, Any]:
        listed = self._release.object_of(table)
        return {"object": f"{self._bucket.url}/{listed.key}", "bytes": listed.bytes, "file_sha256": listed.sha256}

    def _wrong_object(self, table: Path) -> tuple[Any, str] | None:
        """Compare a table's object with the manifest by a HEAD request; return status and problem."""
        try:
            size = self._bucket.size(table.as_posix())
        except NotFoundError as error:
            return "missing", str(error)
        listed = self._release.object_of(table).bytes
        return None if size == listed else ("mismatch", f"it has {size:,} bytes, its manifest says {listed:,}")

    def _changed(self, table: Path) -> str:
        """Compare a table's bytes with their digest; return the problem or "". Reads all of it."""
        if not self._verify:
            return ""
        hasher = hashlib.sha256()
        with self._bucket.file(table.as_posix()) as file:
            while piece := file.read(_READ_BYTES):
                hasher.update(piece)
        same = hasher.hexdigest() == self._release.object_of(table).sha256
        return "" if same else f"{table.as_posix()} is not what its manifest says"


def _hop(stage: str, make: Callable[[], Hop]) -> Hop:
    """Return a hop, or a mismatch where its table is damaged, even in the names of its columns."""
    try:
        return make()
    except IntegrityError as error:
        return Hop(stage, "mismatch", {}, str(error))
    except (KeyError, pl.exceptions.PolarsError) as error:
        return Hop(stage, "mismatch", {}, f"its table lacks a column: {error}")


def _checked(stage: str, facts: dict[str, Any], *problems: str) -> Hop:
    problem = "; ".join(filter(None, problems))
    return Hop(stage, "mismatch" if problem else "ok", facts, problem)
