"""Converts record tables to PostgreSQL rows: Arrow in, binary COPY stream out.

One record table provides four kinds of rows: keys (all records, few columns) and, for the records to send, their
columns, features and references. PostgreSQL's limits are ample: 1 GB per field, 255 MB for the qualifiers of a feature.
Reading the table belongs to ``record_table``, sending to ``one_file``; columns are derived from ``ddl``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pgpq
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pgpq.encoders import LargeStringEncoderBuilder, StringEncoderBuilder
from pgpq.schema import Jsonb

from genbank_assets.postgres.arrays import all_values, as_json, feature_names, flattened
from genbank_assets.postgres.ddl import record_columns, sql_type
from genbank_assets.postgres.digests import Digest
from genbank_assets.postgres.jsonpairs import pairs_json
from genbank_assets.postgres.record_table import RecordTable, Wanted
from genbank_assets.schema.tables import FEATURE
from genbank_assets.store import PartitionRelease

_KEY_COLUMNS = [
    "record_ordinal", "accession", "version", "accession_version", "record_sha256", "sequence_sha256",
    "molecule_class", "length", "record_offset", "record_bytes",
]  # fmt: skip
# Spans are kept in Parquet only: reading them would take as long as all other fields of a feature.
_POSITION_COLUMNS = ("record_offset", "record_bytes", "record_ordinal")
_EVENT_COLUMNS = ["accession", "version", "accession_version", "record_sha256", "sequence_sha256"]
_FEATURE_COLUMNS = [f"features.list.element.{field.name}" for field in FEATURE if field.name != "spans"]


@dataclasses.dataclass(frozen=True)
class Copy:
    """One COPY.

    Attributes:
        table: qualified name of the table.
        columns: columns in the order of the batches.
        batches: called once per attempt; yields record batches.
        json_columns: columns of the batches that contain JSON text.
    """

    table: str
    columns: tuple[str, ...]
    batches: Callable[[], Iterator[pa.RecordBatch]]
    json_columns: frozenset[str] = frozenset()

    @property
    def statement(self) -> str:
        """``COPY … FROM STDIN (FORMAT binary)``, built from this package's names only."""
        return f"COPY {self.table} ({', '.join(self.columns)}) FROM STDIN (FORMAT binary)"

    def stream(self) -> Iterator[bytes]:
        """Yield the binary COPY stream, batch by batch."""
        encoder = None
        for batch in self.batches():
            if encoder is None:
                encoder = self._encoder(batch.schema)
                yield encoder.write_header()
            yield encoder.write_batch(batch)
        if encoder is not None:
            yield encoder.finish()

    def _encoder(self, schema: pa.Schema) -> Any:
        encoders: dict[str, Any] = {}
        for field in schema:
            if field.name in self.json_columns:
                builder = LargeStringEncoderBuilder if pa.types.is_large_string(field.type) else StringEncoderBuilder
                encoders[field.name] = builder.new_with_output(field, Jsonb())
            else:
                encoders[field.name] = pgpq.ArrowToPostgresBinaryEncoder.infer_encoder(field)
        return pgpq.ArrowToPostgresBinaryEncoder.new_with_encoders(schema, encoders)


def key_copy(table: RecordTable, *, superseded: tuple[int, ...] = (), digest: Digest | None = None) -> Copy:
    """Return the COPY of keys of all records that are not superseded: identity, digests, location in the file.

    Args:
        table: the file's record table.
        superseded: ordinals to skip.
        digest: accumulates their ``record_sha256``.
    """
    left_out = pa.array(superseded, pa.int64())

    def batches() -> Iterator[pa.RecordBatch]:
        columns = [*(name for name in _KEY_COLUMNS if name != "molecule_class"), "length_unit"]
        for batch in table.batches(columns):
            if superseded:
                batch = batch.filter(pc.invert(pc.is_in(batch["record_ordinal"], value_set=left_out)))
            if batch.num_rows:
                if digest is not None:
                    digest.add(batch["record_sha256"])
                yield _batch({name: _key_column(batch, name) for name in _KEY_COLUMNS})

    return Copy("stage_key", tuple(_KEY_COLUMNS), batches)


_Rows = Iterator[tuple[pa.RecordBatch, pa.Array]]  # columns of some records, and their record_ids


@dataclasses.dataclass(frozen=True, kw_only=True)
class Origin:
    """Values that a load adds to every row.

    Attributes:
        collection: ``genbank`` or ``refseq``.
        section: the partition.
        code_version: version of the code that parsed the records.
        point: position in the order of states.
        source_file_id: id of the file in the ledger.
        partition: suffix of the table names: ``_genbank_phg`` for a partition, "" for the parent table.
    """

    collection: str
    section: str
    code_version: str
    point: int = 0
    source_file_id: int = 0
    partition: str = ""


def row_copies(table: RecordTable, wanted: Wanted, *, origin: Origin) -> tuple[Copy, Copy, Copy]:
    """Return the COPYs of the selected records, features and references, to be streamed once and in this order."""
    columns = [*(column.name for _, column in record_columns()), *_POSITION_COLUMNS]
    records, features, references = table.wanted([columns, _FEATURE_COLUMNS, ["references"]], wanted)
    return _record_copy(records, origin), _feature_copy(features, origin), _reference_copy(references, origin)


def event_copy(table: RecordTable, wanted: Wanted, *, origin: Origin, release: str, run_id: str) -> Copy:
    """Return the COPY of an event ``new`` for every selected record, the history of a first load."""
    (rows,) = table.wanted([_EVENT_COLUMNS], wanted)
    said = {"release": release, "state": "new", "section": origin.section, "run_id": run_id}
    names = ("record_id", *said, "collection", "point", *_EVENT_COLUMNS)

    def batches() -> Iterator[pa.RecordBatch]:
        for batch, ids in rows:
            found = {"record_id": ids} | {name: _repeated(value, ids) for name, value in said.items()}
            found |= {"collection": _repeated(origin.collection, ids), "point": _repeated(origin.point, ids)}
            yield _batch(found | {name: batch[name] for name in _EVENT_COLUMNS})

    return Copy(f"genbank.record_event{origin.partition}", names, batches)


def _repeated(value: object, ids: pa.Array) -> pa.Array:
    return pa.repeat(value, len(ids))


def _record_copy(rows: _Rows, origin: Origin) -> Copy:
    columns = record_columns()
    said = {
        "section": origin.section, "is_current": True, "code_version": origin.code_version, "point": origin.point,
        "source_file_id": origin.source_file_id,
    }  # fmt: skip
    names = ("record_id", "molecule_class", *said, *_POSITION_COLUMNS, *(name for name, _ in columns))
    json_columns = frozenset(name for name, column in columns if sql_type(column) == "jsonb")

    def batches() -> Iterator[pa.RecordBatch]:
        for batch, ids in rows:
            found = {"record_id": ids, "molecule_class": _key_column(batch, "molecule_class")}
            found |= {name: _repeated(value, ids) for name, value in said.items()}
            found |= {name: batch[name] for name in _POSITION_COLUMNS}
            for name, column in columns:
                found[name] = as_json(batch[column.name]) if name in json_columns else batch[column.name]
            yield _batch(found)

    return Copy(f"genbank.record{origin.partition}", names, batches, json_columns)


def _feature_copy(rows: _Rows, origin: Origin) -> Copy:
    """Return the COPY of features, with separate columns for the qualifiers used in searches."""
    names = (
        "record_id", "collection", "section", "ordinal", "key", "location", "operator", "start_position",
        "end_position", "strand", "partial_start", "partial_end", "spans_origin", "qualifiers", "gene", "locus_tag",
        "product", "db_xrefs", "further_names",
    )  # fmt: skip

    def batches() -> Iterator[pa.RecordBatch]:
        for batch, ids in rows:
            record_ids, ordinal, features = flattened(batch["features"], ids)
            qualifiers = features.field("qualifiers")
            found = {
                "record_id": record_ids,
                "collection": _repeated(origin.collection, record_ids),
                "section": _repeated(origin.section, record_ids),
                "ordinal": ordinal,
                "start_position": features.field("start"),
                "end_position": features.field("end"),
                "strand": features.field("strand").cast(pa.int16()),
                "qualifiers": pairs_json(qualifiers),
                "db_xrefs": all_values(qualifiers, "db_xref"),
            }
            for name in ("key", "location", "operator", "partial_start", "partial_end", "spans_origin"):
                found[name] = features.field(name)
            found |= feature_names(qualifiers)
            yield _batch({name: found[name] for name in names})

    return Copy(f"genbank.feature{origin.partition}", names, batches, frozenset({"qualifiers"}))


def _reference_copy(rows: _Rows, origin: Origin) -> Copy:
    fields = ("number", "location", "authors", "consortium", "title", "journal", "medline", "pubmed", "remark")

    def batches() -> Iterator[pa.RecordBatch]:
        for batch, ids in rows:
            record_ids, ordinal, references = flattened(batch["references"], ids)
            found = {
                "record_id": record_ids,
                "collection": _repeated(origin.collection, record_ids),
                "section": _repeated(origin.section, record_ids),
                "ordinal": ordinal,
            }
            yield _batch(found | {name: references.field(name) for name in fields})

    names = ("record_id", "collection", "section", "ordinal", *fields)
    return Copy(f"genbank.reference{origin.partition}", names, batches)


def _batch(columns: dict[str, pa.Array]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _key_column(batch: pa.RecordBatch, name: str) -> pa.Array:
    if name != "molecule_class":
        return batch[name]
    return pc.if_else(pc.equal(batch["length_unit"], "aa"), "protein", "nucleotide")


def evidence_copy(partition: PartitionRelease) -> Copy | None:
    """Return the COPY of NCBI's lists of changes, if they were fetched with the raw files."""
    raw = partition.manifest("raw_files")
    if raw is None or raw.extra.get("evidence_file") is None:
        return None
    path = partition.folder_of(raw) / str(raw.extra["evidence_file"])
    columns = ("accession", "list", "source_file")

    def batches() -> Any:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(columns=list(columns))

    return Copy("stage_evidence", columns, batches)
